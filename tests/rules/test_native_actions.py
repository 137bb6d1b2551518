"""What the broker does with results by itself: republish, retain, forward, disconnect, log; and loops."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from hookmq import Broker

from ..api.helpers import Device, MQTTv311, eventually, properties

Listen = Callable[..., Device]
HOT = 'SELECT payload.temp AS t, clientid FROM "sensors/+/temp" WHERE payload.temp > 30'


def test_the_rule_of_the_readme(broker: Broker, listen: Listen) -> None:
    broker.add_rule(
        "hot",
        """SELECT payload.temp AS t, clientid FROM "sensors/+/temp"
           WHERE payload.temp > 30 AND topic_level(2) = 'roof'""",
        [{"kind": "republish", "topic": "alarm/${clientid}", "payload": "${t} degrees on ${topic}"}],
    )
    alarms = listen(broker, "alarm/#")
    with Device(broker, "pump") as pump:
        for topic, temp in (("sensors/roof/temp", 30), ("sensors/hall/temp", 40), ("sensors/roof/temp", 31)):
            pump.publish(topic, json.dumps({"temp": temp}))
    message = alarms.receive()
    assert (message.topic, message.payload) == ("alarm/pump", b"31 degrees on sensors/roof/temp")
    info = broker.rules["hot"].info()
    assert (info.matched, info.passed, info.results, info.failed) == (3, 1, 1, 0)
    assert (info.actions[0].kind, info.actions[0].done, info.actions[0].failed) == ("republish", 1, 0)
    assert info.last_result == {"t": 31, "clientid": "pump"}


def test_the_result_is_json_unless_a_payload_is_written(broker: Broker, listen: Listen) -> None:
    broker.add_rule("hot", HOT, [{"kind": "republish", "topic": "out"}])
    out = listen(broker, "out")
    with Device(broker, "pump") as pump:
        pump.publish("sensors/a/temp", b'{"temp": 31.5}')
    assert json.loads(out.receive().payload) == {"t": 31.5, "clientid": "pump"}


def test_qos_retain_and_properties(broker: Broker, listen: Listen) -> None:
    broker.add_rule(
        "hot",
        HOT,
        [
            {
                "kind": "republish",
                "topic": "out",
                "qos": 1,
                "retain": True,
                "content_type": "text/${t}",
                "response_topic": "answer/${clientid}",
                "user_properties": {"rule": "hot", "from": "${clientid}"},
            }
        ],
    )
    with Device(broker, "pump") as pump:
        pump.publish("sensors/a/temp", b'{"temp": 31}', qos=0)
    out = listen(broker, "out")
    message = out.receive()
    assert (message.qos, message.retain) == (1, True)
    assert (message.properties.ContentType, message.properties.ResponseTopic) == ("text/31", "answer/pump")
    assert sorted(message.properties.UserProperty) == [("from", "pump"), ("rule", "hot")]


def test_without_qos_and_retain_they_are_those_of_the_message(broker: Broker, listen: Listen) -> None:
    broker.add_rule("hot", HOT, [{"kind": "republish", "topic": "out"}])
    out = listen(broker, "out")
    out.subscribe("out", 2)
    with Device(broker, "pump") as pump:
        for qos in (0, 1, 2):
            pump.publish("sensors/a/temp", b'{"temp": 31}', qos=qos)
            assert out.receive().qos == qos


def test_retain_sets_and_clears_the_retained_message(broker: Broker, listen: Listen) -> None:
    broker.add_rule(
        "state",
        'SELECT payload.state AS s FROM "door/+"',
        [{"kind": "retain", "topic": "state/${topic}", "payload": "${s}"}],
    )
    with Device(broker, "door") as door:
        door.publish("door/1", b'{"state": "open"}')
        eventually(lambda: broker.rules["state"].info().actions[0].done == 1)
        message = listen(broker, "state/#").receive()
        assert (message.topic, message.payload, message.retain) == ("state/door/1", b"open", True)
        door.publish("door/1", b'{"state": ""}')
        eventually(lambda: broker.rules["state"].info().actions[0].done == 2)
    late = listen(broker, "state/#", name="late")
    broker.publish("state/end", "end")
    assert late.receive().topic == "state/end"


@pytest.mark.parametrize("payload", [b"31", b"\x00\xff\xfe", b"", b'{"temp":  31}'])
def test_forward_passes_the_message_itself(broker: Broker, listen: Listen, payload: bytes) -> None:
    broker.add_rule("copy", 'SELECT * FROM "in/#"', [{"kind": "forward", "topic": "out/${topic}"}])
    out = listen(broker, "out/#")
    with Device(broker, "pump") as pump:
        sent = properties(ContentType="a/b", UserProperty=[("k", "v")], CorrelationData=b"\x01\x02")
        pump.publish("in/x", payload, properties=sent)
    message = out.receive()
    assert (message.topic, message.payload, message.qos) == ("out/in/x", payload, 1)
    assert message.properties.ContentType == "a/b"
    assert message.properties.UserProperty == [("k", "v")]
    assert message.properties.CorrelationData == b"\x01\x02"


def test_disconnect(broker: Broker) -> None:
    broker.add_rule("out", 'SELECT * FROM "bad/#"', [{"kind": "disconnect"}])
    broker.add_rule(
        "other",
        'SELECT payload.who AS who FROM "kick"',
        [{"kind": "disconnect", "client": "${who}"}],
    )
    with Device(broker, "good") as good, Device(broker, "bad") as bad, Device(broker, "ugly") as ugly:
        bad.client.publish("bad/x", b"", 0)
        bad.ended.get(timeout=8)
        good.publish("kick", b'{"who": "ugly"}')
        ugly.ended.get(timeout=8)
        assert good.ended.empty()
        good.publish("kick", b'{"who": "nobody"}')
        eventually(lambda: broker.rules["other"].info().results == 2)


def test_log(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hookmq")
    broker.add_rule(
        "hot",
        HOT,
        [{"kind": "log", "text": "${clientid} is at ${t}", "level": "warning"}, {"kind": "log"}],
    )
    with Device(broker, "pump") as pump:
        pump.publish("sensors/a/temp", b'{"temp": 31}')
    lines = eventually(lambda: [r for r in caplog.records if "pump" in r.message and len(r.message)])
    eventually(lambda: sum("pump" in record.message for record in caplog.records) >= 2)
    told = {(record.levelname, record.message) for record in caplog.records}
    assert any(level == "WARNING" and "pump is at 31" in message for level, message in told), lines
    assert any(level == "INFO" and '"t":31' in message.replace(" ", "") for level, message in told)


def test_a_line_of_the_log_stays_one_line(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.add_rule(
        "log", 'SELECT payload FROM "in"', [{"kind": "log", "text": "<${payload}>", "level": "warning"}]
    )
    with Device(broker, "pump") as pump:
        pump.publish("in", b"one\nERROR hookmq everything is lost\x1b[2J")
    eventually(lambda: [r for r in caplog.records if "one" in r.getMessage()])
    (record,) = [record for record in caplog.records if "one" in record.getMessage()]
    assert "\n" not in record.getMessage() and "\x1b" not in record.getMessage()


def test_several_actions_and_several_rules(broker: Broker, listen: Listen) -> None:
    for name in ("a", "b"):
        actions = [{"kind": "republish", "topic": f"out/{name}/{n}", "payload": "x"} for n in (1, 2)]
        broker.add_rule(name, HOT, actions)
    out = listen(broker, "out/#")
    with Device(broker, "pump") as pump:
        pump.publish("sensors/a/temp", b'{"temp": 31}')
    assert sorted(out.receive().topic for _ in range(4)) == ["out/a/1", "out/a/2", "out/b/1", "out/b/2"]


def test_a_topic_that_fields_make_is_checked(broker: Broker, listen: Listen) -> None:
    broker.add_rule("any", 'SELECT payload.to AS to FROM "in"', [{"kind": "republish", "topic": "${to}"}])
    out = listen(broker, "ok")
    with Device(broker, "pump") as pump:
        for to in ("a/#", "", "a/+/b", "x" * 70_000, "ok"):
            pump.publish("in", json.dumps({"to": to}))
    assert out.receive().topic == "ok"
    action = eventually(lambda: (a := broker.rules["any"].info().actions[0]).failed == 4 and a)
    assert action.done == 1 and action.reason


# Loops ------------------------------------------------------------------------------------------------------


def test_a_rule_does_not_feed_itself(broker: Broker, listen: Listen) -> None:
    broker.add_rule("echo", 'SELECT * FROM "loop/#"', [{"kind": "forward", "topic": "loop/${topic}"}])
    out = listen(broker, "loop/#")
    with Device(broker, "pump", version=MQTTv311) as pump:
        pump.publish("loop/x", b"1")
    topics = [out.receive().topic for _ in range(2)]
    assert topics == ["loop/x", "loop/loop/x"]
    info = eventually(lambda: (info := broker.rules["echo"].info()).loops and info)
    assert info.results >= 1
    broker.publish("loop-end", b"")
    assert out.messages.empty()


def test_two_rules_do_not_feed_each_other_for_ever(broker: Broker, listen: Listen) -> None:
    broker.add_rule("ping", 'SELECT * FROM "ping"', [{"kind": "forward", "topic": "pong"}])
    broker.add_rule("pong", 'SELECT * FROM "pong"', [{"kind": "forward", "topic": "ping"}])
    with Device(broker, "pump") as pump:
        pump.publish("ping", b"1")
    eventually(lambda: broker.rules["ping"].info().loops + broker.rules["pong"].info().loops)
    assert broker.rules["ping"].info().results + broker.rules["pong"].info().results < 100
    assert broker.statistics["rules_loops"] >= 1


def test_a_chain_of_rules_is_no_loop(broker: Broker, listen: Listen) -> None:
    for n in range(5):
        broker.add_rule(
            f"step{n}", f'SELECT * FROM "step/{n}"', [{"kind": "forward", "topic": f"step/{n + 1}"}]
        )
    out = listen(broker, "step/5")
    with Device(broker, "pump") as pump:
        pump.publish("step/0", b"through")
    assert out.receive().payload == b"through"
    assert broker.statistics["rules_loops"] == 0


# No room ----------------------------------------------------------------------------------------------------


def test_what_has_no_room_is_a_dead_letter(broker_factory: Callable[..., Any], tmp_path: Any) -> None:
    broker = broker_factory(
        {"limits.max_queued_messages": 3, "limits.max_inflight": 1},
        data_dir=tmp_path / "data",
        history={"enabled": False},
    )
    broker.add_rule("copy", 'SELECT * FROM "in"', [{"kind": "republish", "topic": "out", "payload": "x"}])
    sleeper = Device(broker, "sleeper", version=MQTTv311, clean=False)
    sleeper.subscribe("out", 1)
    sleeper.close()
    with Device(broker, "pump") as pump:
        for _ in range(12):
            pump.publish("in", b"1")
    action = eventually(lambda: (a := broker.rules["copy"].info().actions[0]).failed and a, 30)
    assert action.reason
    lines = eventually(
        lambda: (
            (path := tmp_path / "data/rules/copy/1-republish/dead-letters.jsonl").exists()
            and path.read_text().splitlines()
        )
    )
    letter = json.loads(lines[0])
    assert letter["reason"] and letter["record"]["topic"] == "out"
