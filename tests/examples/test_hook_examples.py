"""The examples of hooks, pages and batches, from number 8 on, as programs of their own."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import re
import sqlite3
import urllib.error
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sklearn.ensemble import IsolationForest

from hookmq.hooks.registry import HOOKS

from ..api.asgi_apps import browser
from ..protocol.packets import Auth, Connack, Connect
from ..protocol.wire import Wire
from .program import EXAMPLES, OPENER, Client, Example, eventually

INVALID, FAILED, NOT_AUTHORIZED = 0x99, 0x83, 0x87


def received(client: Client) -> tuple[str, Any]:
    """The topic and the JSON of the next message."""
    topic, payload = client.receive()
    return topic, json.loads(payload)


def lines(example: Example, pattern: str) -> Callable[[], int]:
    """How often the pattern was printed so far."""
    return lambda: len(re.findall(pattern, example.output))


def test_there_is_an_example_for_every_kind_of_hook() -> None:
    sources = "".join(path.read_text() for path in EXAMPLES.glob("[0-9][0-9]_*.py"))
    kinds = [*HOOKS, "schedule", "route", "websocket", "mount"]
    assert [kind for kind in kinds if f"broker.{kind}" not in sources] == []


# Deciders


def test_transform(tmp_path: Path) -> None:
    with Example("08_transform.py", tmp_path) as example, Client(example.port(), "room/#") as client:
        assert client.publish("room/kitchen/fahrenheit", "68") == 0
        assert received(client) == ("room/kitchen/celsius", {"celsius": 20.0})
        assert client.publish("room/kitchen/fahrenheit", "warm") == INVALID
        assert client.publish("room/kitchen/fahrenheit", "-500") == INVALID
        assert client.publish("room/kitchen/humidity", "40") == 0
        assert received(client) == ("room/kitchen/humidity", 40)


def test_deliver(tmp_path: Path) -> None:
    login = ("doctor", "stethoscope")
    with (
        Example("09_deliver.py", tmp_path) as example,
        Client(example.port(), "patient/#", user=login) as doctor,
        Client(example.port(), "patient/#", user=("monitor", "screen")) as monitor,
    ):
        doctor.publish("patient/3/diagnosis", '"in love"')
        doctor.publish("patient/3/vitals", '{"name": "Ada", "pulse": 61}')
        assert received(doctor) == ("patient/3/diagnosis", "in love")
        assert received(doctor) == ("patient/3/vitals", {"name": "Ada", "pulse": 61})
        # The first that the other one gets is the second.
        assert received(monitor) == ("patient/3/vitals", {"pulse": 61})
        with Client(example.port(), user=("monitor", "wrong")) as stranger:
            assert stranger.reason.is_failure


def test_login(tmp_path: Path) -> None:
    token = ("token", "t0p-s3cr3t")
    with Example("10_login.py", tmp_path) as example:
        port = example.port()
        with Client(port, "site/north/#", user=token, name="pump-1") as client:
            assert [client.publish("site/north/flow", str(number)) for number in range(3)] == [0, 0, 0]
            assert [client.receive() for _ in range(3)] == [("site/north/flow", str(n)) for n in range(3)]
            assert client.publish("site/south/flow", "1") == NOT_AUTHORIZED
        with Client(port, user=token, name="pump-1") as again:
            assert not again.reason.is_failure
        with Client(port, user=("token", "guess"), name="pump-1") as stranger:
            assert stranger.reason.value == 0x86
        # Asked once about what is remembered, and each time about what was refused.
        example.find(r"may north publish site/south/flow")
        eventually(lines(example, r"who is pump-1\?"), 2)
        assert lines(example, r"may north publish site/north/flow\?")() == 1


def test_house_rules(tmp_path: Path) -> None:
    with Example("11_house_rules.py", tmp_path) as example:
        for name in ("fridge-1", "tv", "tv-", ""):
            with Client(example.port(), name=name) as client:
                assert client.reason.value == 0x85, name
        with Client(example.port(), name="tv-livingroom") as client:
            assert not client.reason.is_failure
            filters = (("news", 2), ("camera/door", 2), ("#", 0))
            assert [client.subscribe(*wanted) for wanted in filters] == [2, 0, NOT_AUTHORIZED]


@pytest.mark.parametrize(
    ("user", "key", "code"),
    [
        (b"tank", b"a key that both sides know", 0),
        (b"tank", b"another key", NOT_AUTHORIZED),
        (b"nobody", b"a key that both sides know", NOT_AUTHORIZED),
    ],
)
def test_challenge(tmp_path: Path, user: bytes, key: bytes, code: int) -> None:
    method = {"authentication_method": "HMAC"}
    with (
        Example("12_challenge.py", tmp_path) as example,
        closing(Wire("127.0.0.1", example.port())) as wire,
    ):
        wire.send(Connect("c", properties=method | {"authentication_data": user}))
        challenge = wire.read()
        assert isinstance(challenge, Auth)
        data = challenge.properties["authentication_data"]
        answer = hmac.digest(key, data, hashlib.sha256)  # type: ignore[arg-type]
        wire.send(Auth(0x18, method | {"authentication_data": answer}))
        connack = wire.read()
        assert isinstance(connack, Connack) and connack.code == code


# Observers


def test_typed(tmp_path: Path) -> None:
    with (
        Example("13_typed.py", tmp_path) as example,
        Client(example.port(), "alert/#", "rejected/#") as client,
    ):
        client.publish("tank/7/level", '{"level": 12, "state": "filling", "new": "field"}')
        client.publish("tank/8/level", '{"level": 12, "state": "draining"}')
        client.publish("tank/7/level", '{"level": "low"}')
        client.publish("tank/seven/level", '{"level": 12}')
        assert received(client) == ("alert/8", {"level": 12.0, "state": "draining"})
        assert received(client) == ("rejected/level", {"level": "low"})
        assert received(client) == ("rejected/level", {"level": 12})
        example.find(r"tank 7: 12\.0 filling\ntank 8: 12\.0 draining\n")


def stored(directory: Path) -> list[tuple[str, bytes]]:
    with closing(sqlite3.connect(directory / "readings.db")) as database:
        return database.execute("SELECT topic, value FROM readings ORDER BY time").fetchall()


def test_after_hook(tmp_path: Path) -> None:
    with Example("14_after_hook.py", tmp_path, fails=True) as example, Client(example.port()) as client:
        for number in range(3):
            assert client.publish("meter/7", str(number)) in (0, 0x10)
            # No waiting: what was acknowledged is there.
            assert stored(tmp_path) == [("meter/7", str(n).encode()) for n in range(number + 1)]
        with closing(sqlite3.connect(tmp_path / "readings.db")) as database, database:
            database.execute("ALTER TABLE readings RENAME TO others")
        assert client.publish("meter/7", "3") == FAILED
        with closing(sqlite3.connect(tmp_path / "readings.db")) as database, database:
            database.execute("ALTER TABLE others RENAME TO readings")
        assert client.publish("meter/7", "3") in (0, 0x10)
        assert len(stored(tmp_path)) == 4
        example.find("store raised OperationalError: no such table")


def test_receipts(tmp_path: Path) -> None:
    with Example("15_receipts.py", tmp_path) as example:
        port = example.port()
        with (
            Client(port, "command/#", name="lamp") as lamp,
            Client(port, "command/#", name="small", largest=60) as small,
            Client(port, "lost/#") as client,
        ):
            client.publish("command/lamp", "on")
            assert (lamp.receive(), small.receive()) == (("command/lamp", "on"),) * 2
            client.publish("command/lamp", "x" * 100)
            assert client.receive() == ("lost/small", "command/lamp")
        for line in (
            "command/lamp goes to lamp with QoS 1",
            "lamp has command/lamp",
            "small has command/lamp",
        ):
            example.find(line)
        example.find("small will not get command/lamp: .+")


def test_presence(tmp_path: Path) -> None:
    with (
        Example("16_presence.py", tmp_path) as example,
        Client(example.port(), "broker", "presence/device", "readers/device") as watcher,
    ):
        assert watcher.receive() == ("broker", "up")
        with Client(example.port(), name="device") as device:
            about = {"online": True, "from": "127.0.0.1", "mqtt": "5.0"}
            assert received(watcher) == ("presence/device", about)
            device.subscribe("a/b")
            assert watcher.receive() == ("readers/device", "reads a/b with QoS 1")
            device.unsubscribe("a/b")
            assert watcher.receive() == ("readers/device", "reads a/b no longer")
        topic, about = received(watcher)
        assert (topic, about["online"]) == ("presence/device", False)
        example.interrupt()
        assert watcher.receive() == ("broker", "down")


# Batches


def test_arrow(tmp_path: Path) -> None:
    with Example("17_arrow.py", tmp_path) as example, Client(example.port(), "mean/#") as client:
        for celsius in (20, 21.5, 23):
            client.publish("room/kitchen", json.dumps({"celsius": celsius}))
        client.publish("room/kitchen", "no JSON")
        client.publish("room/bath", '{"celsius": 25}')
        means: dict[str, Any] = {}
        while means.get("mean/room/kitchen", {}).get("readings") != 3 or "mean/room/bath" not in means:
            topic, mean = received(client)
            means[topic] = mean
        assert means == {
            "mean/room/kitchen": {"celsius": 21.5, "readings": 3},
            "mean/room/bath": {"celsius": 25.0, "readings": 1},
        }


def test_anomaly(tmp_path: Path) -> None:
    with (EXAMPLES / "data" / "water-flow.csv").open(newline="") as file:
        rows = [(row["Time"], float(row["Water flow [l/s]"])) for row in csv.DictReader(file)]
    flows = [[flow] for _, flow in rows]
    verdicts = IsolationForest(random_state=0).fit(flows[:240]).predict(flows[240:])
    unusual = [row for row, verdict in zip(rows[240:], verdicts, strict=True) if verdict == -1]
    with Example("18_anomaly.py", tmp_path) as example:
        output = example.finish()
    printed = [f"{time}  {flow:6.2f} l/s\n" for time, flow in unusual]
    assert output == "".join([*printed, f"{len(unusual)} anomalies\n"])
    # The peak from pumping and the water loss that the description of the data tells of are among them.
    outside = [time for time, flow in rows[240:] if not 90 <= flow <= 106]
    assert len(outside) == 15 and set(outside) <= {time for time, _ in unusual}


def test_process(tmp_path: Path) -> None:
    with Example("19_process.py", tmp_path) as example, Client(example.port()) as client:
        own = example.find(r"the broker is process (\d+)")[1]
        for periods in (3, 5):
            samples = [1.0 if n * periods // 32 % 2 else -1.0 for n in range(64)]
            client.publish(f"vibration/pump-{periods}", json.dumps(samples))
        for periods in (3, 5):
            found = example.find(rf"pump-{periods}: (\d+) periods in 64 samples, says process (\d+)")
            assert found[1] == str(periods) and found[2] != own


# Pages


def site(example: Example) -> Any:
    """What tells where the pages of an example are."""
    return SimpleNamespace(http_port=int(example.find(r"Pages\s+http://127\.0\.0\.1:(\d+)")[1]))


def test_live_page(tmp_path: Path) -> None:
    with Example("20_live_page.py", tmp_path) as example, Client(example.port(), "light") as client:
        text, kind = example.get("/")
        assert "new WebSocket(" in text and kind.startswith("text/html")
        client.publish("room/kitchen", "21.5")
        with browser(site(example), "/live") as page:
            assert json.loads(page.read()) == {"topic": "room/kitchen", "text": "21.5"}
            client.publish("room/bath", "25")
            assert json.loads(page.read()) == {"topic": "room/bath", "text": "25"}
            page.send("on")
            assert client.receive() == ("light", "on")


def test_fastapi(tmp_path: Path) -> None:
    with Example("21_fastapi.py", tmp_path) as example, Client(example.port(), "tank/#") as client:
        assert example.get("/api/tanks/7", data=b'{"level": 12}', method="PUT")[0] == "null"
        assert received(client) == ("tank/7", {"level": 12.0, "open": False})
        assert json.loads(example.get("/api/tanks/7")[0]) == {"level": 12.0, "open": False}
        assert "FastAPI" in example.get("/api/docs")[0]
        for path, code in (("/api/tanks/8", 404), ("/api/tanks/eight", 422)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                example.get(path)
            with refused.value as answer:
                assert answer.code == code


def test_streams(tmp_path: Path) -> None:
    with Example("22_streams.py", tmp_path) as example, Client(example.port()) as client:
        base = f"http://127.0.0.1:{site(example).http_port}"
        with OPENER.open(f"{base}/events", timeout=10) as events:
            assert events.headers["Content-Type"] == "text/event-stream"
            assert events.readline().startswith(b": ") and events.readline() == b"\n"
            client.publish("room/kitchen/temperature", "21.5")
            event = json.loads(events.readline().removeprefix(b"data: "))
        assert event == {"topic": "room/kitchen/temperature", "text": "21.5"}
        head, row = example.get("/export.csv")[0].splitlines()
        assert head == "time,topic" and row.endswith(",room/kitchen/temperature")
        assert example.get("/data/README.md")[0] == (EXAMPLES / "data" / "README.md").read_text()
        for name in ("%2e%2e/04_pages.py", "..%2f04_pages.py", "missing"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                example.get(f"/data/{name}")
            refused.value.close()
            assert refused.value.code == 404


# Looking after them


def test_replay(tmp_path: Path) -> None:
    with Example("23_replay.py", tmp_path, fails=True) as example:
        output = example.finish()
    assert "+payload.percent: 64.0\n" in output
    assert "+alarm tank 7 is nearly full" in output
    assert "ZeroDivisionError at " in output
    assert output.endswith("2 would be changed, 1 alarm, 1 error\n")


def test_watch_hooks(tmp_path: Path) -> None:
    with Example("24_watch_hooks.py", tmp_path) as example, Client(example.port()) as client:

        def figures(name: str) -> dict[str, Any]:
            return {hook["name"]: hook for hook in json.loads(example.get("/hooks")[0])}[name]

        client.publish("sensor/1", '{"level": 50}')
        client.publish("sensor/2", '{"level": 12}')
        example.find("sensor/2 is low")
        eventually(lambda: (figures("slow")["calls"], figures("count")["calls"]), (1, 2))
        assert example.get("/hooks/slow/pause", data=b"")[0] == ""
        client.publish("sensor/2", '{"level": 11}')
        eventually(lambda: figures("count")["calls"], 3)
        assert (figures("slow")["calls"], figures("slow")["skipped"]) == (1, 1)
        example.get("/hooks/slow/resume", data=b"")
        client.publish("sensor/3", '{"level": 10}')
        example.find("sensor/3 is low")
        assert "sensor/1 is low" not in example.output


# Rules


def test_rules(tmp_path: Path) -> None:
    with Example("32_rules.py", tmp_path) as example:
        with Client(example.port(), "alarm/#", "silent/#", "mean/#") as client:
            for temp in (29, 31, 29, 32):
                client.publish("sensors/roof/temp", json.dumps({"temp": temp}))
            found: dict[str, list[str]] = {}
            while "silent/roof" not in found:
                topic, text = client.receive()
                found.setdefault(topic, []).append(text)
        example.find("roof is silent")
    (alarm,) = found["alarm/roof"]
    assert alarm.startswith("31 degrees, says ")
    means = [json.loads(text) for text in found["mean/roof"]]
    assert sum(mean["n"] for mean in means) == 4  # in one second, or in two if it began between them
    assert sum(mean["mean"] * mean["n"] for mean in means) == 121


def test_rule_python(tmp_path: Path) -> None:
    with Example("33_rule_python.py", tmp_path) as example, Client(example.port()) as client:
        for humidity in (50, 70, 90):
            client.publish("sensors/roof/climate", json.dumps({"temp": 21, "humidity": humidity}))
        example.find(r"roof is damp: 21 degrees, dew at 19\.?0?, says \S+")
        assert json.loads(example.get("/rules")[0]) == {"damp": {"matched": 3, "results": 1}}
