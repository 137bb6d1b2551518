"""Custom data storage: what hooks are given, and that nothing they do slows or stops the broker."""

from __future__ import annotations

import ast
import json
import os
import socket
import time

import pytest

from ..api.helpers import Device, eventually

WRITE = """
    import json

    seen = []

    def note(kind, data):
        with open("../data/seen.jsonl", "a") as file:
            file.write(json.dumps([kind, data]) + "\\n")
"""


def seen(home, count):
    """Wait until the hooks have noted so many dicts."""
    path = home.path / "data/seen.jsonl"

    def lines():
        found = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in found] if len(found) >= count else None

    return eventually(lines)


def names(home):
    if home.old:
        return "handle_Received_Payload", "handle_Sent_Payload"
    return "on_message_received_hook", "on_message_sent_hook"


def test_both_hooks_of_both_generations(any_home, run_home):
    received, sent = names(any_home)
    any_home.store(
        WRITE
        + f"""
    def {received}(data):
        note("received", data)

    def {sent}(data):
        note("sent", data)
    """
    )
    broker = run_home(any_home)
    with Device(broker, "reader") as reader, Device(broker, "pump") as pump:
        reader.subscribe("tank/#", 1)
        before = int(time.time())
        pump.publish("tank/7", '{"level": 42}', qos=1)
        assert reader.receive().payload == b'{"level": 42}'
        by_kind = dict(seen(any_home, 2))
    got = by_kind["received"]
    assert got.keys() == {"sender", "topic", "message", "unixtime", "datetime", "timestamp"}
    assert (got["sender"], got["topic"], got["message"]) == ("pump", "tank/7", '{"level": 42}')
    assert before <= got["unixtime"] <= time.time() and isinstance(got["unixtime"], int)
    assert got["datetime"] == got["timestamp"]
    assert time.mktime(time.strptime(got["datetime"], "%Y-%m-%d %H:%M:%S")) == got["unixtime"]
    told = by_kind["sent"]
    assert told.keys() == got.keys() | {"sent_packetid", "retain", "qos"}
    assert (told["sender"], told["retain"], told["qos"]) == ("reader", 0, 1)
    assert told["sent_packetid"] > 0


@pytest.mark.parametrize("payload", [b"\xff\x00'\"", b"", b"b'text'", "hällo".encode()], ids=repr)
def test_payloads_that_are_no_text(home, run_home, payload):
    home.store(
        WRITE
        + """
    import ast

    def on_message_received_hook(data):
        message = data["message"]
        note("received", {"message": message})
    """
    )
    broker = run_home(home)
    with Device(broker) as device:
        device.publish("a", payload)
        ((_, data),) = seen(home, 1)
    try:
        assert data["message"] == payload.decode()
    except UnicodeDecodeError:
        assert ast.literal_eval(data["message"]) == payload


def test_a_real_plugin(home, run_home):
    """ConfigParser on ../extensions, sys.path, globals, logger_p, and the dict that pymongo would change."""
    home.write("extensions/plugin.conf", "[MONGO]\nHOSTNAME = 127.0.0.1\nCOLLECTION = mqttroute\n")
    home.write("extensions/vendor/driver.py", "def insert(d):\n    d['_id'] = 7\n    return d\n")
    home.write("lib/helper_of_home.py", "from pathlib import Path\nROOT = Path(__file__).parent.parent\n")
    home.store(
        WRITE
        + """
    import configparser, os, sys
    from pathlib import Path

    sys.path.append("../extensions/vendor")
    sys.path.insert(0, os.path.join(str(Path(os.getcwd()).parent), "lib"))
    from driver import insert
    import helper_of_home

    config = configparser.ConfigParser()
    config.read("../extensions/plugin.conf")
    global collection
    collection = config["MONGO"]["COLLECTION"]
    logger_p.info("loaded for %s", collection)
    logger_p.debug("too much detail")
    late = None

    def on_message_received_hook(data):
        global late
        if late is None:
            import driver as late
        before = dict(data)
        insert(data)
        data["message"] = None
        note("received", [before["message"], data["_id"], os.getcwd(), sys.path[0], collection])
    """
    )
    broker = run_home(home)
    with Device(broker) as device:
        device.publish("a", "one")
        device.publish("a", "two")
        found = [data for _, data in seen(home, 2)]
    here = str(home.path / "bin")
    assert found == [[text, 7, here, str(home.path / "lib"), "mqttroute"] for text in ("one", "two")]
    assert "loaded for mqttroute" in home.log and "too much detail" not in home.log
    assert os.getcwd() != here


def test_hooks_of_one_message_each_own_their_dict(home, run_home):
    home.store(
        WRITE
        + """
    last = None

    def on_message_received_hook(data):
        global last
        note("received", [data is last, data["topic"]])
        data.clear()
        last = data
    """
    )
    broker = run_home(home)
    with Device(broker) as device:
        for number in range(5):
            device.publish(f"a/{number}")
        assert [data for _, data in seen(home, 5)] == [[False, f"a/{number}"] for number in range(5)]


def test_a_hook_that_raises(home, run_home, caplog):
    home.store(
        WRITE
        + """
    def on_message_received_hook(data):
        if data["message"] == "bad":
            raise KeyError("no such pump")
        note("received", data["message"])
    """
    )
    broker = run_home(home)
    with Device(broker) as device:
        device.publish("a", "bad")
        device.publish("a", "good")
        assert seen(home, 1) == [["received", "good"]]
    (hook,) = [hook for hook in broker.hooks if hook.name == "on_message_received_hook"]
    assert (hook.calls, hook.errors) == (2, 1)
    assert hook.where.endswith("custom_store.py:10")
    broker.stop()
    # With its cause, and where it was: an original's log shows 408 lost inserts and no reason.
    assert "KeyError: 'no such pump'" in home.log
    assert "custom_store.py" in home.log


def test_a_database_that_is_down_slows_nobody(home, run_home, figures):
    """A hook that tries to connect for each message: messages flow as fast as without it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    home.store(
        f"""
    import socket, time

    def on_message_received_hook(data):
        try:
            socket.create_connection(("127.0.0.1", {port}), timeout=3.5)
        except OSError:
            time.sleep(0.5)  # what a client does between its attempts
            raise
    """
    )
    count = 2000

    def pace(broker):
        with Device(broker, "reader") as reader, Device(broker, "pump") as pump:
            reader.subscribe("flow", 0)
            began = time.monotonic()
            for number in range(count):
                pump.client.publish("flow", str(number), qos=0)
            for _ in range(count):
                reader.receive()
            return time.monotonic() - began

    broker = run_home(home)
    with_hook = pace(broker)
    began = time.monotonic()
    broker.stop()
    assert time.monotonic() - began < 5
    home.datastore("[CUSTOM]\nDATA_INTEGRATION = FALSE\n")
    without = pace(run_home(home))
    figures(
        f"{count} messages: {with_hook:.2f} s beside a hook whose database is down, {without:.2f} s without"
    )
    assert with_hook < without * 2 + 1
    assert "ConnectionRefusedError" in home.log


def test_a_hook_is_not_told_what_the_broker_publishes(home, run_home):
    """What an extension publishes comes from no client: no hook calls itself for ever."""
    home.store(
        WRITE
        + """
    def setclientobj(obj):
        global client
        client = obj["Client_obj"]

    def on_message_received_hook(data):
        note("received", data["topic"])
        client("user", "store", "echo/" + data["topic"], data["message"], 1)

    def on_message_sent_hook(data):
        note("sent", data["topic"])
    """
    )
    broker = run_home(home)
    with Device(broker, "reader") as reader:
        reader.subscribe("echo/#", 1)
        reader.publish("a", "text")
        message = reader.receive()
        assert (message.topic, message.payload, message.qos) == ("echo/a", b"text", 1)
        reader.publish("b", "text")
        reader.receive()
        found = seen(home, 4)
    assert sorted(map(tuple, found)) == [
        ("received", "a"),
        ("received", "b"),
        ("sent", "echo/a"),
        ("sent", "echo/b"),
    ]


def test_it_is_off_unless_it_is_switched_on(home, run_home):
    home.store("raise SystemExit('must not be loaded')")
    home.datastore("[CUSTOM]\nDATA_INTEGRATION = FALSE\n")
    broker = run_home(home)
    assert not [hook for hook in broker.hooks if hook.name.startswith("on_message")]
