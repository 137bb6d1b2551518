"""Requests of rules to a real server of HTTP: what is sent, what is tried again, what is given up."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import trustme

from hookmq import Broker

from ..api.helpers import Device, eventually
from ..connectors.peer import Answer, Peer

HOT = 'SELECT payload.temp AS t, clientid FROM "sensors/+/temp"'


def add(broker: Any, peer: Peer, sql: str = HOT, path: str = "/in", **more: Any) -> None:
    action = {"kind": "webhook", "url": peer.url + path, "allow_private": True}
    broker.add_rule("hook", sql, [action | more])


def publish(broker: Any, *temps: object, topic: str = "sensors/a/temp") -> None:
    with Device(broker, "pump") as pump:
        for temp in temps:
            pump.publish(topic, json.dumps({"temp": temp}))


def the_action(broker: Any) -> Any:
    return broker.rules["hook"].info().actions[0]


def test_the_result_as_json(broker: Broker, peer: Peer) -> None:
    add(broker, peer)
    publish(broker, 31, 32.5)
    eventually(lambda: len(peer.requests) == 2)
    request = peer.requests[0]
    assert (request.method, request.path) == ("POST", "/in")
    assert request.headers["content-type"] == "application/json"
    assert [one.json() for one in peer.requests] == [
        {"t": 31, "clientid": "pump"},
        {"t": 32.5, "clientid": "pump"},
    ]
    assert request.headers["webhook-id"] != peer.requests[1].headers["webhook-id"]
    assert eventually(lambda: the_action(broker).done) and the_action(broker).state == "up"


def test_templates_in_url_headers_and_body(broker: Broker, peer: Peer) -> None:
    add(
        broker,
        peer,
        path="/alarm/${clientid}?t=${t}&where=${topic}",
        headers={"X-Where": "${topic}", "Authorization": "Bearer secret"},
        body="${t} from ${clientid}, as ${payload.temp} in ${payload}",
        content_type="text/plain",
        method="PUT",
    )
    publish(broker, 31)
    eventually(lambda: peer.requests)
    request = peer.requests[0]
    assert (request.method, request.path) == ("PUT", "/alarm/pump")
    assert request.query == {"t": "31", "where": "sensors/a/temp"}
    assert (request.headers["x-where"], request.headers["authorization"]) == (
        "sensors/a/temp",
        "Bearer secret",
    )
    assert (request.body, request.headers["content-type"]) == (
        b'31 from pump, as 31 in {"temp": 31}',
        "text/plain",
    )


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_other_methods(broker: Broker, peer: Peer, method: str) -> None:
    add(broker, peer, method=method)
    publish(broker, 31)
    eventually(lambda: peer.requests)
    assert peer.requests[0].method == method
    assert peer.requests[0].body == (b"" if method == "GET" else b'{"t":31,"clientid":"pump"}')


@pytest.mark.parametrize(
    "text", ["../../admin", "a b?c#d", "x\r\nX-Evil: 1", "é/ü", "%2e%2e/", "http://evil/"]
)
def test_a_client_chooses_neither_path_nor_headers(broker: Broker, peer: Peer, text: str) -> None:
    add(broker, peer, path="/alarm/${t}/end", headers={"X-T": "${t}"})
    publish(broker, text)
    eventually(lambda: peer.requests)
    request = peer.requests[0]
    from urllib.parse import quote

    assert request.path == f"/alarm/{quote(text, safe='')}/end" and not request.query
    assert "x-evil" not in request.headers


def test_the_signature_is_that_of_standard_webhooks(broker: Broker, peer: Peer) -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    add(broker, peer, secret=secret)
    publish(broker, 31)
    eventually(lambda: peer.requests)
    request = peer.requests[0]
    assert standardwebhooks.Webhook(secret).verify(request.body, dict(request.headers)) == request.json()


def test_basic_authentication(broker: Broker, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "swordfish")
    add(broker, peer, username="plant", password_env="HOOK_PASSWORD")
    publish(broker, 31)
    eventually(lambda: peer.requests)
    assert (
        base64.b64decode(peer.requests[0].headers["authorization"].removeprefix("Basic "))
        == b"plant:swordfish"
    )


def test_a_service_that_is_away_gets_everything_in_order(
    broker_factory: Callable[..., Any], peer: Peer, tmp_path: Path
) -> None:
    broker = broker_factory(data_dir=tmp_path / "data", history={"enabled": False})
    add(broker, peer)
    publish(broker, 0)
    eventually(lambda: peer.requests)
    peer.stop()
    publish(broker, *range(1, 20))
    eventually(lambda: the_action(broker).state == "down")
    peer.start()
    eventually(lambda: len(peer.requests) >= 20, 30)
    assert [one.json()["t"] for one in peer.requests] == list(range(20))
    assert the_action(broker).failed == 0 and the_action(broker).retries


def test_what_waits_outlives_the_broker(
    broker_factory: Callable[..., Any], peer: Peer, tmp_path: Path
) -> None:
    peer.stop()
    options = {"data_dir": tmp_path / "data", "history": {"enabled": False}, "hooks": {"stop_grace": 0.5}}
    first = broker_factory(**options)
    add(first, peer)
    publish(first, 1, 2, 3)
    eventually(lambda: the_action(first).waiting == 3)
    first.stop()
    peer.start()
    second = broker_factory(**options)
    add(second, peer)
    eventually(lambda: len(peer.requests) == 3, 20)
    assert [one.json()["t"] for one in peer.requests] == [1, 2, 3]


ANSWERS = [
    (500, True),
    (503, True),
    (429, True),
    (401, True),
    (404, True),
    (302, True),
    (400, False),
    (409, False),
    (413, False),
    (422, False),
]


@pytest.mark.parametrize(("status", "again"), ANSWERS)
def test_answers(broker: Broker, peer: Peer, status: int, again: bool) -> None:
    answers = iter([Answer(status, "no")])
    peer.answer = lambda request: next(answers, Answer(204))
    add(broker, peer)
    publish(broker, 1, 2)
    eventually(lambda: len(peer.requests) == 2 + again, 20)
    assert [one.json()["t"] for one in peer.requests] == [1, 1, 2] if again else [1, 2]
    action = eventually(lambda: (a := the_action(broker)).waiting == 0 and a)
    assert action.failed == (not again)
    if again:
        assert peer.requests[0].headers["webhook-id"] == peer.requests[1].headers["webhook-id"]


def test_retry_after(broker: Broker, peer: Peer) -> None:
    answers = iter([Answer(503, headers={"Retry-After": "1"})])
    peer.answer = lambda request: next(answers, Answer())
    add(broker, peer)
    publish(broker, 1)
    eventually(lambda: "left alone" in the_action(broker).reason)
    eventually(lambda: len(peer.requests) == 2, 10)


@pytest.mark.parametrize(
    ("options", "words"), [({"retries": 2}, "after 3 attempts"), ({"give_up": 0.5}, "after ")]
)
def test_it_gives_up(
    broker_factory: Callable[..., Any], peer: Peer, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    broker = broker_factory(data_dir=tmp_path / "data", history={"enabled": False})
    peer.answer = lambda request: Answer(500 if request.json()["t"] == 1 else 200, "out of order")
    add(broker, peer, **options)
    publish(broker, 1, 2)
    eventually(lambda: [r for r in peer.requests if r.json()["t"] == 2], 30)
    action = eventually(lambda: (a := the_action(broker)).failed == 1 and a)
    letter = json.loads(Path(action.dead_letters).read_text())
    assert (
        letter["reason"].startswith("it answered 500: out of order; given up") and words in letter["reason"]
    )
    assert letter["record"]["detail"]["result"] == {"t": 1, "clientid": "pump"}
    if "retries" in options:
        assert sum(r.json()["t"] == 1 for r in peer.requests) == 3


def test_a_private_address_is_not_reached(
    broker: Broker, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """The name of the URL is a public one for the check of the text; what it leads to is not."""
    url = f"http://0x7f000001:{peer.port}/"
    broker.add_rule("hook", HOT, [{"kind": "webhook", "url": url, "give_up": 1}])
    publish(broker, 1)
    action = eventually(lambda: (a := the_action(broker)).failed and a, 20)
    assert "is not public (this machine)" in action.reason
    assert peer.requests == []


def test_https(broker_factory: Callable[..., Any], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Peer(context) as peer:
        broker = broker_factory()
        add(broker, peer, ca=str(tmp_path / "ca.pem"))
        publish(broker, 31)
        eventually(lambda: peer.requests)
        broker.remove_rule("hook")
        add(broker, peer)
        publish(broker, 32)
        action = eventually(lambda: (a := the_action(broker)).state == "down" and a)
        assert "its certificate is not trusted" in action.reason
        broker.stop()


def test_a_thousand_results(broker: Broker, peer: Peer) -> None:
    add(broker, peer)
    publish(broker, *range(1000))
    eventually(lambda: len(peer.requests) == 1000, 60)
    assert [one.json()["t"] for one in peer.requests] == list(range(1000))


def test_a_slow_service_does_not_delay_publishers(broker: Broker, peer: Peer) -> None:
    import threading
    import time

    gate = threading.Event()
    peer.answer = lambda request: (gate.wait(20), Answer())[1]
    add(broker, peer)
    begun = time.monotonic()
    publish(broker, *range(100))
    assert time.monotonic() - begun < 5
    gate.set()
    eventually(lambda: len(peer.requests) == 100, 30)


def test_a_rule_that_is_removed_delivers_what_it_has_selected(broker: Broker, peer: Peer) -> None:
    add(broker, peer)
    publish(broker, *range(200))
    broker.remove_rule("hook")
    assert [one.json()["t"] for one in peer.requests] == list(range(200))


@pytest.mark.parametrize("calls", [True, False])
def test_a_rule_that_is_changed_again_and_again_delivers_everything_once(
    broker: Broker, peer: Peer, calls: bool
) -> None:
    import threading

    broker.rule_function(name="same")(lambda value: value)
    sql = HOT.replace("payload.temp", "same(payload.temp)") if calls else HOT
    add(broker, peer, sql, path="/0")
    thread = threading.Thread(target=lambda: publish(broker, *range(300)))
    thread.start()
    for n in range(1, 10):
        add(broker, peer, sql, path=f"/{n}")
    thread.join()
    eventually(lambda: len(peer.requests) >= 300, 30)
    assert [one.json()["t"] for one in peer.requests] == list(range(300))


@pytest.mark.parametrize("spooled", [True, False])
def test_a_service_that_hangs_does_not_hold_up_the_stop(
    broker_factory: Callable[..., Any], peer: Peer, tmp_path: Path, spooled: bool
) -> None:
    import threading
    import time

    over = threading.Event()
    peer.answer = lambda request: (over.wait(20), Answer())[1]
    data = {"data_dir": tmp_path / "data" if spooled else None}
    broker = broker_factory(**data, history={"enabled": False}, hooks={"stop_grace": 1})
    add(broker, peer, timeout=30)
    publish(broker, 1)
    eventually(lambda: peer.requests)
    begun = time.monotonic()
    broker.stop()
    assert time.monotonic() - begun < 5
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("hookmq-connector")]
    over.set()


def test_new_options_take_effect_and_nothing_is_lost(broker: Broker, peer: Peer) -> None:
    add(broker, peer, path="/one")
    publish(broker, 1)
    eventually(lambda: len(peer.requests) == 1)
    add(broker, peer, path="/two")
    publish(broker, 2)
    eventually(lambda: len(peer.requests) == 2)
    assert [(one.path, one.json()["t"]) for one in peer.requests] == [("/one", 1), ("/two", 2)]
