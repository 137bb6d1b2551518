"""The broker's own pushes to pages."""

from __future__ import annotations

import json
import re

import pytest

from ..api.asgi_apps import browser
from ..api.helpers import Device, eventually, refused

CLOCK = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


class AtPort:
    """A broker whose further HTTP port is the one that is asked."""

    def __init__(self, broker):
        self.http_port = broker.http_ports[-1]


def pushes(page, *works):
    """Read pushes until there was one of each of these kinds; the clock of each is taken out."""
    found = {}
    while found.keys() < set(works):
        push = json.loads(page.read())
        assert CLOCK.fullmatch(push.pop("time"))
        found.setdefault(push["work"], push)
    return found


@pytest.mark.parametrize("path", ["/", "/ws"])
def test_everything_the_broker_pushes(home, run_home, path):
    home.authentication("def custom_authenticate(username, password):\n    return password == 'secret'\n")
    broker = run_home(home)
    assert len(broker.http_ports) == 2
    with browser(AtPort(broker), path) as page:
        page.send("routepublish")
        eventually(lambda: len(broker.websocket(path)) == 1)
        with Device(broker, "pump", login=("operator", "secret")) as device:
            device.subscribe("flow", 1)
            device.publish("flow", b"\xff", qos=1)
            device.receive()
        assert refused(broker, "thief", login=("thief", "wrong"))[0] >= 0x80
        got = pushes(page, "connect", "onsubscribe", "recv_pub", "send", "disconnect", "errorlog")
    assert got["connect"] == {
        "work": "connect",
        "id": "pump",
        "ipaddr": "127.0.0.1",
        "name": "operator",
        "cleansession": 1,
    }
    assert got["disconnect"] == {**got["connect"], "work": "disconnect"}
    assert got["onsubscribe"] == {
        "work": "onsubscribe",
        "id": "pump",
        "topic_name": "flow",
        "msg": "subscribed",
        "qos": 1,
    }
    assert got["recv_pub"] == {
        "work": "recv_pub",
        "name": "pump",
        "id": "pump",
        "topic": "flow",
        "msg": "b'\\xff'",
        "qos": 1,
        "retain": 0,
        "packet": 0,
        "status": "received",
    }
    assert got["send"] == {"work": "send", "id": "pump", "topic": "flow", "msg": "b'\\xff'", "qos": 1}
    error = got["errorlog"]
    assert (error["work"], error["clientid"], error["ip"]) == ("errorlog", "thief", "127.0.0.1")
    assert "thief" in error["error"] and "wrong" not in error["error"]


def test_pages_may_come_from_the_other_port(home, run_home):
    """A page at :8080 opens a socket at :8081, which to a browser is another origin."""
    broker = run_home(home)
    page_port = broker.http_port
    host = {"Host": f"broker.example:{broker.http_ports[-1]}"}
    with browser(AtPort(broker), "/", Origin=f"http://broker.example:{page_port}", **host) as page:
        page.send("routepublish")
        eventually(lambda: len(broker.websocket("/")) == 1)
    for origin in f"http://evil.example:{page_port}", f"http://broker.example:{page_port + 1}":
        with browser(AtPort(broker), "/", status=403, Origin=origin, **host):
            pass


@pytest.mark.parametrize("anonymous", [False, True])
def test_pages_by_another_name_need_the_login(home, run_home, anonymous):
    """Pushes have every payload in them."""
    broker = run_home(home, allow_anonymous=anonymous)
    host = f"broker.example:{broker.http_ports[-1]}"
    with browser(AtPort(broker), "/", Host=host) as page, Device(broker, "pump") as device:
        if anonymous:
            device.publish("flow", "1")
            assert pushes(page, "recv_pub")
        else:
            eventually(lambda: len(broker.websocket("/")) == 0)  # closed


def test_a_scheduler_pushes(home, run_home):
    home.extension(
        "custom_scheduler.py",
        """
        import json, schedule

        def setwebsocketport(conf):
            global web_socket
            web_socket = conf["websocket"]

        def aggregate():
            push = {"work": "agg", "id": "a", "topic": "t", "msg": 1, "time": 2}
            web_socket.send_message_to_all(json.dumps(push))

        def custom_schedules():
            return True, [{"time": schedule.every(1).seconds, "job": aggregate}]
        """,
    )
    broker = run_home(home)
    with browser(broker, "/ws") as page:
        assert json.loads(page.read()) == {"work": "agg", "id": "a", "topic": "t", "msg": 1, "time": 2}
