"""Every example does what its first lines say, as a program of its own, over TCP and HTTP."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from .program import EXAMPLES, OPENER, Client, Example, environment, eventually

NUMBERED = sorted(path.name for path in EXAMPLES.glob("[0-9][0-9]_*.py"))
LOW, HIGH = 90.0, 106.0


# The demo


def figures_of_the_file() -> dict[str, float]:
    rows = (EXAMPLES / "data" / "water-flow.csv").read_text().splitlines()[1:]
    flows = [float(row.rsplit(",", 1)[1]) for row in rows]
    alerts, before = 0, "normal"
    for flow in flows:
        state = "low" if flow < LOW else "high" if flow > HIGH else "normal"
        alerts += state != before
        before = state
    outside = [flow for flow in flows if flow < LOW or flow > HIGH]
    return {
        "received": len(flows),
        "stored": len(flows),
        "out of range": len(outside),
        "alerts": alerts,
        "mean flow": float(f"{sum(flows) / len(flows):.6g}"),
    }


def test_the_file_is_what_its_description_says() -> None:
    description = (EXAMPLES / "data" / "README.md").read_text()
    expected = figures_of_the_file()
    assert "1,268 rows" in description
    assert expected == {
        "received": 1268,
        "stored": 1268,
        "out of range": 45,
        "alerts": 10,
        "mean flow": 100.05,
    }


def run_tank(tmp_path: Path) -> dict[str, tuple[float, float]]:
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "tank.py"), "--rate=0", f"--data-dir={tmp_path / 'data'}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == "equal"
    assert "<td>plant/north/flow<td>2022-05-16T22:00:00+02:00<td>104.10 l/s" in result.stdout
    assert "<li>2022-04-28T06:00:00+02:00 plant/north/alert: normal" in result.stdout
    lines = re.findall(r"^([a-z ]+?) +([\d.]+) +([\d.]+)$", result.stdout, re.MULTILINE)
    return {name: (float(broker), float(file)) for name, broker, file in lines}


def test_tank(tmp_path: Path) -> None:
    expected = figures_of_the_file()
    assert run_tank(tmp_path) == {name: (value, value) for name, value in expected.items()}
    # Not only counted: every reading is in the database, in the order of the file.
    with closing(sqlite3.connect(tmp_path / "data" / "history.db")) as database:
        stored = database.execute(
            "SELECT payload FROM messages WHERE topic = 'plant/north/flow' ORDER BY time_us, id"
        ).fetchall()
    readings = [json.loads(payload) for (payload,) in stored]
    with (EXAMPLES / "data" / "water-flow.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(reading["time"], reading["flow"]) for reading in readings] == [
        (row["Time"], float(row["Water flow [l/s]"])) for row in rows
    ]
    # Once more with what is there already: the figures are those of this run.
    assert run_tank(tmp_path) == {name: (value, value) for name, value in expected.items()}


def test_tank_goes_on_serving(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "tank.py"), "--rate=0", "--keep"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    try:
        page = next(line.split()[0] for line in process.stdout if "until Ctrl+C" in line)
        with OPENER.open(page, timeout=10) as response:
            assert b"plant/north/flow" in response.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.communicate()


def test_replay_without_a_broker() -> None:
    # Port 1 belongs to nobody.
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "replay.py"), "--port=1"],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("replay: cannot reach 127.0.0.1:1: ")
    assert "Traceback" not in result.stderr


# The numbered examples


def test_every_example_has_a_test() -> None:
    source = "".join(path.read_text() for path in Path(__file__).parents[1].glob("*/test_*examples.py"))
    assert [int(name[:2]) for name in NUMBERED] == [*range(1, 35)]
    assert [name for name in NUMBERED if f'"{name}"' not in source] == []


@pytest.mark.parametrize("name", NUMBERED)
def test_examples_are_short_and_say_how_to_run_them(name: str) -> None:
    source = (EXAMPLES / name).read_text()
    assert len(source.splitlines()) < 60
    assert f"python examples/{name}" in (ast.get_docstring(ast.parse(source)) or "")


def test_hello(tmp_path: Path) -> None:
    with Example("01_hello.py", tmp_path) as example:
        with Client(example.port(), "tank/+/alert", user=("tank", "secret")) as client:
            client.publish("tank/7/level", '{"level": 50}')
            client.publish("tank/8/level", '{"level": 12}')
            topic, payload = client.receive()
            assert (topic, json.loads(payload)) == ("tank/8/alert", {"low": True})
        with Client(example.port(), user=("tank", "wrong")) as client:
            assert client.reason.is_failure
        # The alert is retained: a later subscriber gets it too.
        with Client(example.port(), "tank/+/alert", user=("tank", "secret")) as client:
            assert client.receive()[0] == "tank/8/alert"
        assert example.get("/hello")[0] == "hello world"
        assert example.get("/hello?name=you")[0] == "hello you"


def test_authenticate(tmp_path: Path) -> None:
    with Example("02_authenticate.py", tmp_path) as example:
        with Client(example.port(), user=("pump", "water")) as client:
            assert not client.reason.is_failure
        example.find("pump connected as ")
        for user in (("pump", "fire"), ("valve", "water"), ("nobody", ""), None):
            with Client(example.port(), user=user) as client:
                assert client.reason.is_failure, user
        with Client(example.port(), user=("valve", "steam")) as client:
            assert not client.reason.is_failure


def test_schedule(tmp_path: Path) -> None:
    with Example("03_schedule.py", tmp_path) as example, Client(example.port(), "clock/#") as client:
        received = [client.receive() for _ in range(3)]
    assert {topic for topic, _ in received} == {"clock/tick"}
    numbers = [json.loads(payload)["number"] for _, payload in received]
    assert numbers == [*range(numbers[0], numbers[0] + 3)]


def test_pages(tmp_path: Path) -> None:
    with Example("04_pages.py", tmp_path) as example:
        text, kind = example.get("/text")
        assert (text, kind.split(";")[0]) == ("GET /text", "text/plain")
        text, kind = example.get("/greeting?name=%3Cb%3E")
        assert (text, kind.split(";")[0]) == ("<h1>Hello &lt;b&gt;</h1>", "text/html")
        text, kind = example.get("/figures?a=b")
        assert json.loads(text) == {"flow": 100.59, "unit": "l/s", "asked": {"a": "b"}}
        assert kind.split(";")[0] == "application/json"
        text, kind = example.get("/flow.csv")
        assert (text, kind.split(";")[0]) == ("time,flow\n1,100.59\n", "text/csv")
        with pytest.raises(urllib.error.HTTPError) as refused:
            example.get("/publish")
        with refused.value as answer:
            assert (answer.code, answer.headers["Allow"]) == (405, "POST")
        with Client(example.port(), "from/page") as client:
            assert example.get("/publish", data=b'{"x": 1}')[0] == "published"
            topic, payload = client.receive()
            assert (topic, json.loads(payload)) == ("from/page", {"x": 1})


def test_async_hooks(tmp_path: Path) -> None:
    with Example("05_async_hooks.py", tmp_path) as example, Client(example.port(), "answer/#") as client:
        with ExitStack() as stack:
            askers = [stack.enter_context(Client(example.port())) for _ in range(10)]
            started = time.monotonic()
            for number, asker in enumerate(askers):
                asker.publish(f"question/{number}", f"what is {number}")
            answers = dict(client.receive() for _ in askers)
            # The questions of ten clients waited half a second each, side by side.
            assert time.monotonic() - started < 3.0
        assert answers == {f"answer/{n}": f"what is {n}? Let me think about it." for n in range(10)}
        # Those of one client keep their order.
        for number in (3, 1, 2):
            client.publish(f"question/{number}", "and now")
        assert [client.receive()[0] for _ in range(3)] == ["answer/3", "answer/1", "answer/2"]


def test_history(tmp_path: Path) -> None:
    with Example("06_history.py", tmp_path) as example:
        assert json.loads(example.get("/mean")[0]) == {"mean": None}
        with Client(example.port()) as client:
            client.publish("room/kitchen/temperature", "21.5")
            client.publish("room/kitchen/temperature", "22.0")
            client.publish("room/bath/temperature", "24.5")
        # No waiting: what was acknowledged before the question is in the answer.
        latest = json.loads(example.get("/latest")[0])
        assert latest == {"room/bath/temperature": 24.5, "room/kitchen/temperature": 22.0}
        assert json.loads(example.get("/mean?room=kitchen")[0]) == {"mean": 21.75}
        rows = list(csv.DictReader(io.StringIO(example.get("/export.csv")[0], newline="")))
        assert [row["payload"] for row in rows] == ["24.5", "22.0", "21.5"]


def test_subscribe(tmp_path: Path) -> None:
    with Example("07_subscribe.py", tmp_path) as example, Client(example.port()) as client:
        # The address is printed before the loop subscribes: knock until it listens.
        def heard() -> bool:
            client.publish("room/hall/temperature", "1")
            return "room/hall" in example.output

        eventually(heard, True)
        client.publish("room/kitchen/temperature", "21.5")
        client.publish("room/kitchen/humidity", "40")
        client.publish("room/bath/temperature", "24.5")
        example.find(r"room/bath/temperature: 24\.5 from \S+")
        example.find(r"room/kitchen/temperature: 21\.5 from \S+")
        assert "humidity" not in example.output


def test_storage(tmp_path: Path) -> None:
    with Example("31_storage.py", tmp_path) as example:
        with Client(example.port()) as client:
            for flow in "100.5", "101.5":
                client.publish("plant/north/flow", flow)  # returns with the acknowledgement
        assert json.loads(example.get("/flow")[0]) == [["plant/north/flow", 101.0]]


def test_widget(tmp_path: Path) -> None:
    with Example("34_widget.py", tmp_path) as example:
        base = example.find(r"(?:Pages|Dashboard)\s+(http://127\.0\.0\.1:\d+)")[1] + "/api/v1/widgets"

        def ask(path: str, data: bytes | None = None) -> Any:
            headers = {"X-HookMQ": "1", "Content-Type": "application/json"}
            request = urllib.request.Request(base + path, data=data, headers=headers)
            with OPENER.open(request, timeout=10) as response:
                return json.loads(response.read())

        listed = [(one["name"], one["has_action"]) for one in ask("")["items"]]
        assert listed == [("disk", False), ("traffic", False), ("pump", True)]
        assert ask("/disk")["value"].endswith(" GB")
        with Client(example.port(), "pump/command") as client:
            assert ask("/traffic")["value"]["clients"] == 1
            assert ask("/pump")["value"] == "stands still"
            assert ask("/pump", b'{"value": true}')["value"] == "runs"
            assert client.receive() == ("pump/command", "start")
