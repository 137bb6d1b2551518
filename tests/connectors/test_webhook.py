"""An endpoint that checks what it gets, and answers with all that an endpoint can answer."""

from __future__ import annotations

import base64
import email.utils
import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import trustme

from hookmq.connectors import Courier, Webhook
from hookmq.errors import HookMQError

from .peer import Answer, Peer, Request
from .records import record, records, until

MakeCourier = Callable[..., Courier]
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Receiver:
    """Takes each record once, as the documentation tells receivers to."""

    def __init__(self, peer: Peer) -> None:
        self.taken: dict[str, dict[str, Any]] = {}
        self.doubled = 0
        peer.answer = self.answer

    def answer(self, request: Request) -> Answer:
        for document in request.json():
            self.doubled += document["id"] in self.taken
            self.taken[document["id"]] = document
        return Answer(204)

    @property
    def numbers(self) -> list[int]:
        return [int(name.rpartition("-")[2]) for name in self.taken]


def test_a_batch_is_one_request(peer: Peer, courier: MakeCourier) -> None:
    one = courier(Webhook(f"{peer.url}/in?plant=7", headers={"X-Plant": "north"}), patience=30)
    sent = [record(1, retain=True), record(2, b"\xff"), record(3, b'"\\ud83d"')]
    one.put(sent)
    assert one.wait(10)
    (request,) = peer.requests
    assert (request.method, request.path, request.query) == ("POST", "/in", {"plant": "7"})
    assert request.headers["content-type"] == "application/json" and request.headers["x-plant"] == "north"
    assert request.json() == [each.document() for each in sent]
    assert "webhook-signature" not in request.headers


def test_one_record_without_an_array(peer: Peer, courier: MakeCourier) -> None:
    one = courier(Webhook(peer.url, array=False, method="PUT", shape="crystalmq"), patience=30)
    one.put(records(3))
    assert one.wait(10)
    assert [request.method for request in peer.requests] == ["PUT"] * 3
    assert peer.requests[1].json() == {"id": record(2).id, **record(2).crystalmq()}


@pytest.mark.parametrize("secret", [SECRET, "plain words"])
def test_the_signature_is_that_of_standard_webhooks(peer: Peer, courier: MakeCourier, secret: str) -> None:
    one = courier(Webhook(peer.url, secret=secret), patience=30)
    one.put(records(2))
    assert one.wait(10)
    (request,) = peer.requests
    encoded = secret if secret == SECRET else base64.b64encode(secret.encode()).decode()
    receiver = standardwebhooks.Webhook(encoded)
    assert receiver.verify(request.body, dict(request.headers)) == request.json()
    for spoilt in (request.body.replace(b"pump", b"dump"), request.body + b" "):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            receiver.verify(spoilt, dict(request.headers))
    for name in ("webhook-id", "webhook-timestamp"):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            receiver.verify(request.body, {**request.headers, name: request.headers[name][:-1]})


def test_a_request_that_comes_again_has_the_same_name(peer: Peer, courier: MakeCourier) -> None:
    answers = [Answer(500), Answer(503), Answer(200), Answer(200)]
    peer.answer = lambda request: answers.pop(0)
    one = courier(Webhook(peer.url), patience=30)
    one.put(records(2))
    assert one.wait(10)
    one.put(records(2, start=3))
    assert one.wait(10)
    names = [request.headers["idempotency-key"] for request in peer.requests]
    assert names[0] == names[1] == names[2] != names[3]
    assert [request.headers["webhook-id"] for request in peer.requests] == names


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_is_taken(peer: Peer, courier: MakeCourier, status: int) -> None:
    peer.answer = lambda request: Answer(status)
    one = courier(Webhook(peer.url), patience=30)
    one.put(records(5))
    assert one.wait(20)
    assert one.info().written == 5 and len(peer.requests) == 1


@pytest.mark.parametrize("status", [400, 409, 410, 413, 415, 422])
def test_what_is_refused_is_found_by_halves(peer: Peer, courier: MakeCourier, status: int) -> None:
    def answer(request: Request) -> Answer:
        bad = [document for document in request.json() if document["payload"] == "bad"]
        return Answer(status, "no bad ones\n  please") if bad else Answer(200)

    peer.answer = answer
    one = courier(Webhook(peer.url))
    one.put([record(number, b"bad" if number == 5 else b"1") for number in range(1, 9)])
    assert one.wait(10)
    assert (one.info().written, one.info().rejected) == (7, 1)
    assert one.directory is not None
    (letter,) = (one.directory / "dead-letters.jsonl").read_text().splitlines()
    assert json.loads(letter)["reason"] == f"it answered {status}: no bad ones please"
    assert json.loads(letter)["record"]["number"] == 5


@pytest.mark.parametrize("status", [307, 401, 404, 408, 425, 429, 500, 503])
def test_what_comes_again(peer: Peer, courier: MakeCourier, status: int) -> None:
    receiver = Receiver(peer)
    peer.answer = lambda request: Answer(status, headers={"Location": f"{peer.url}/elsewhere"})
    one = courier(Webhook(peer.url))
    one.put(records(5))
    until(lambda: one.info().spooled == 5)
    assert f"it answered {status}" in one.info().reason and one.info().rejected == 0
    assert {request.path for request in peer.requests} == {"/"}
    peer.answer = receiver.answer
    assert one.wait(15)
    assert receiver.numbers == [1, 2, 3, 4, 5] and receiver.doubled == 0


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_respected(peer: Peer, courier: MakeCourier, form: str) -> None:
    moments: list[float] = []

    def answer(request: Request) -> Answer:
        moments.append(time.time())
        if len(moments) > 1:
            return Answer(200)
        value = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
        return Answer(429, headers={"Retry-After": value})

    peer.answer = answer
    one = courier(Webhook(peer.url))
    one.put(records(2))
    until(lambda: "left alone" in one.info().reason)
    assert one.wait(15)
    assert len(moments) == 2 and moments[1] - moments[0] >= 0.9


def test_an_absurd_retry_after_is_bounded() -> None:
    from hookmq.connectors.http import LONGEST_PAUSE, retry_after

    assert retry_after("999999999") == LONGEST_PAUSE
    assert retry_after("-5") == retry_after("Mon, 01 Jan 2001 00:00:00 GMT") == 0.0


def test_an_endpoint_that_is_stopped(peer: Peer, courier: MakeCourier) -> None:
    receiver = Receiver(peer)
    one = courier(Webhook(peer.url, batch_rows=10))
    one.put(records(50))
    assert one.wait(20)
    peer.stop()
    one.put(records(50, start=51))
    until(lambda: one.info().spooled > 0)
    assert "refused" in one.info().reason.lower()
    peer.start()
    assert one.wait(20)
    assert sorted(receiver.numbers) == list(range(1, 101)) and receiver.doubled == 0


@pytest.mark.parametrize("way", ["never", "slowly"])
def test_an_endpoint_that_does_not_answer(peer: Peer, courier: MakeCourier, way: str) -> None:
    receiver = Receiver(peer)

    def hang(request: Request) -> Answer:
        if way == "never":
            time.sleep(1.0)
        return Answer(200, b"x" * 100, {"X-Slow": "1"})

    peer.answer = hang
    one = courier(Webhook(peer.url, timeout=0.3))
    begun = time.monotonic()
    one.put(records(5), promised=True)
    assert time.monotonic() - begun < 1.0
    if way == "never":
        until(lambda: "no answer within 0.3 s" in one.info().reason)
    peer.answer = receiver.answer
    assert one.wait(15)
    assert way == "slowly" or receiver.numbers == [1, 2, 3, 4, 5]


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Peer, str]]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with Peer(context) as peer:
        yield peer, str(ca)


def test_tls(secure: tuple[Peer, str], courier: MakeCourier) -> None:
    peer, ca = secure
    stranger = courier(Webhook(peer.url, name="stranger"))
    stranger.put(records(1))
    until(lambda: "certificate verify failed" in stranger.info().reason)
    assert not peer.requests
    one = courier(Webhook(peer.url, verify=ca), patience=30)
    one.put(records(1))
    assert one.wait(20)
    assert len(peer.requests) == 1


def test_no_secret_is_told(courier: MakeCourier, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: Request) -> Answer:
        return Answer(400 if b"bad" in request.body else 500, str(request.headers))

    peer.answer = echo
    with caplog.at_level(logging.DEBUG, "hookmq"):
        url = f"http://anna:concealed@127.0.0.1:{peer.port}/services/T0/hidden?token=veiled"
        headers = {"Authorization": "Bearer covert"}
        one = courier(Webhook(url, secret="masked secret", headers=headers))
        one.put(records(2))
        until(lambda: one.info().state == "down")
        away = courier(Webhook(url.replace(str(peer.port), "1"), name="away"))
        away.put(records(2))
        until(lambda: away.info().state == "down")
    told = caplog.text + str(one.info()) + str(away.info()) + repr(one.connector)
    for secret in ("concealed", "hidden", "veiled", "covert", "masked"):
        assert secret not in told


def test_neither_netrc_nor_a_proxy_of_the_environment(
    peer: Peer, courier: MakeCourier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login anna password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    one = courier(Webhook(peer.url))
    one.put(records(1))
    assert one.wait(20)
    assert "authorization" not in peer.requests[0].headers


@pytest.mark.parametrize(
    "url", ["", "plant.example/mqtt", "ftp://plant.example", "http://", "http://[::1", "http://a:b/"]
)
def test_no_url(url: str) -> None:
    with pytest.raises(HookMQError) as caught:
        Webhook(url).check()
    assert caught.value.code == "E603" and "https://plant.example/mqtt" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"method": "GET"}, "POST, PUT, PATCH"), ({"secret": "whsec_*"}, "Base64"), ({"shape": "x"}, "shape")],
)
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        Webhook("http://a", **options)
    assert says in str(caught.value) and "*" not in str(caught.value)
