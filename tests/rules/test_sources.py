"""What rules read: topics, events, times; and what they remember: windows, silences, what was before."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from hookmq import Broker

from ..api.helpers import Device, MQTTv311, Seen, eventually

Select = Callable[..., Seen]


def publish(broker: Any, *payloads: object, topic: str = "in", name: str = "pump") -> None:
    with Device(broker, name) as pump:
        for payload in payloads:
            pump.publish(topic, payload if isinstance(payload, bytes) else json.dumps(payload))


# Messages ---------------------------------------------------------------------------------------------------


def test_everything_that_is_known_of_a_message(broker: Broker, select: Select) -> None:
    seen = select('SELECT * FROM "in/#"')
    with Device(broker, "pump", login=("ann", "x")) as pump:
        from ..api.helpers import properties

        sent = properties(ContentType="a/b", UserProperty=[("k", "v")])
        before = time.time() * 1000
        pump.publish("in/x", b"31", qos=2, retain=True, properties=sent)
    row = seen.until(1)[0]
    assert (row["topic"], row["payload"], row["clientid"], row["username"]) == ("in/x", "31", "pump", "ann")
    assert (row["qos"], row["retain"], row["peerhost"], row["event"]) == (
        2,
        True,
        "127.0.0.1",
        "message_published",
    )
    assert abs(row["timestamp"] - before) < 5000
    assert row["properties"]["content_type"] == "a/b" and row["user_properties"] == {"k": "v"}


def test_several_filters_and_one_result_for_each_message(broker: Broker, select: Select) -> None:
    seen = select('SELECT topic FROM "a/#", "+/b", "c"')
    for topic in ("a/b", "x/b", "c", "d", "a"):
        publish(broker, 1, topic=topic)
    assert [row["topic"] for row in seen.until(4)] == ["a/b", "x/b", "c", "a"]


def test_paths_into_payloads(broker: Broker, select: Select) -> None:
    seen = select(
        "SELECT payload.a.b[0] AS x, payload.a['key with space'] AS y, payload.missing AS z FROM \"in\""
    )
    publish(broker, {"a": {"b": [7], "key with space": "!"}}, {}, b"no json")
    assert seen.until(3) == [
        {"x": 7, "y": "!", "z": None},
        {"x": None, "y": None, "z": None},
        {"x": None, "y": None, "z": None},
    ]


def test_foreach_gives_a_result_for_each_item(broker: Broker, select: Select) -> None:
    seen = select('FOREACH payload.sensors AS s DO s.id AS id, clientid INCASE s.v > 3 FROM "in"')
    publish(
        broker, {"sensors": [{"id": 1, "v": 5}, {"id": 2, "v": 3}, {"id": 3, "v": 4}]}, {"sensors": "none"}
    )
    assert seen.until(2) == [{"id": 1, "clientid": "pump"}, {"id": 3, "clientid": "pump"}]


def test_what_the_program_publishes_is_read_as_well(broker: Broker, select: Select) -> None:
    seen = select('SELECT payload, clientid FROM "in"')
    broker.publish("in", "from python")
    publish(broker, 1)
    assert seen.until(2) == [
        {"payload": "from python", "clientid": None},
        {"payload": "1", "clientid": "pump"},
    ]


# Events -----------------------------------------------------------------------------------------------------


def test_clients_that_come_and_go(broker: Broker, select: Select) -> None:
    columns = "clientid, username, peerhost, proto_ver, keepalive, clean_start"
    came = select(f'SELECT {columns} FROM "$events/client_connected"')
    went = select('SELECT clientid, reason FROM "$events/client_disconnected"')
    with Device(broker, "pump", version=MQTTv311, login=("ann", "x")):
        row = came.until(1)[0]
        assert row == {
            "clientid": "pump",
            "username": "ann",
            "peerhost": "127.0.0.1",
            "proto_ver": 4,
            "keepalive": 60,
            "clean_start": True,
        }
    row = went.until(1)[0]
    assert row["clientid"] == "pump" and row["reason"]


def test_the_spelling_of_emqx_6(broker: Broker, select: Select) -> None:
    seen = select('SELECT clientid FROM "$events/client/connected"')
    Device(broker, "pump").close()
    assert seen.until(1) == [{"clientid": "pump"}]


def test_subscriptions(broker: Broker, select: Select) -> None:
    on = select('SELECT clientid, topic, qos FROM "$events/session_subscribed"')
    off = select('SELECT clientid, topic FROM "$events/session_unsubscribed"')
    with Device(broker, "pump") as pump:
        pump.subscribe("a/#", 2)
        assert on.until(1) == [{"clientid": "pump", "topic": "a/#", "qos": 2}]
        pump.client.unsubscribe("a/#")
        assert off.until(1) == [{"clientid": "pump", "topic": "a/#"}]


def test_messages_on_their_way(broker: Broker, select: Select) -> None:
    sent = select(
        "SELECT topic, clientid, from_clientid, qos FROM \"$events/message_delivered\" WHERE topic = 'x'"
    )
    acked = select('SELECT topic, clientid, from_clientid FROM "$events/message_acked"')
    with Device(broker, "reader") as reader:
        reader.subscribe("x", 1)
        publish(broker, 1, topic="x")
        reader.receive()
        assert sent.until(1) == [{"topic": "x", "clientid": "reader", "from_clientid": "pump", "qos": 1}]
        assert acked.until(1) == [{"topic": "x", "clientid": "reader", "from_clientid": "pump"}]


def test_messages_that_do_not_arrive(broker_factory: Callable[..., Any]) -> None:
    broker = broker_factory()
    seen = Seen()
    sql = "SELECT topic, clientid, reason FROM \"$events/message_dropped\" WHERE topic = 'x'"
    broker.rule(sql, name="dropped")(seen.append)
    from ..protocol.packets import V5, Connect, Subscribe
    from ..protocol.wire import Wire

    wire = Wire("127.0.0.1", broker.port, version=V5, deadline=5.0)
    wire.connect(Connect("small", properties={"maximum_packet_size": 50}), code=0)
    wire.send(Subscribe(1, [("x", 0)]))
    wire.read()
    publish(broker, "y" * 200, topic="x")
    row = seen.until(1)[0]
    assert (row["topic"], row["clientid"]) == ("x", "small") and row["reason"]
    wire.close()


def test_one_rule_of_messages_and_events(broker: Broker, select: Select) -> None:
    seen = select('SELECT event, clientid FROM "in", "$events/client_connected" WHERE clientid = \'pump\'')
    publish(broker, 1)
    assert [row["event"] for row in seen.until(2)] == ["client_connected", "message_published"]


# Times ------------------------------------------------------------------------------------------------------


def test_a_timer(broker: Broker, select: Select) -> None:
    begun = time.time() * 1000
    seen = select("SELECT timestamp, event FROM TIMER 'every 1s'")
    rows = seen.until(3)
    times = [row["timestamp"] for row in rows]
    assert all(abs(time - round(time, -3)) < 300 for time in times), times
    assert [round((b - a) / 1000) for a, b in itertools.pairwise(times)] == [1, 1]
    assert times[0] >= begun and rows[0]["event"] == "timer"


def test_a_timer_that_publishes(broker: Broker) -> None:
    actions = [{"kind": "republish", "topic": "clock", "payload": '{"at": ${timestamp}}'}]
    with broker.subscribe("clock") as messages:
        broker.add_rule("clock", "SELECT timestamp FROM TIMER 'every 200ms'", actions)
        assert messages.get(timeout=8).json()["at"] > 1_700_000_000_000


def test_a_timer_that_is_disabled_and_one_that_is_over(broker: Broker, select: Select) -> None:
    over = select("SELECT 1 AS x FROM TIMER 'at 2001-01-01 00:00'")
    seen = select("SELECT 1 AS x FROM TIMER 'every 100ms'", name="ticks")
    seen.until(2)
    broker.rules["ticks"].disable()
    assert broker.wait_for_hooks()
    count = len(seen)
    time.sleep(0.5)  # nothing can be awaited that does not come
    assert len(seen) <= count + 1 and not over
    broker.rules["ticks"].enable()
    seen.until(count + 2)


# Windows, silences, and what was before ---------------------------------------------------------------------


def test_a_tumbling_window(broker: Broker, select: Select) -> None:
    seen = select(
        'SELECT topic, count(*) AS n, avg(payload.v) AS mean, max(payload.v) AS most FROM "in/+" '
        "GROUP BY topic, tumbling('1s') HAVING count(*) > 1"
    )
    now = time.time()
    time.sleep(1.05 - now % 1)  # begin at the beginning of a window
    publish(broker, {"v": 1}, {"v": 2}, {"v": 6}, topic="in/a")
    publish(broker, {"v": 1}, topic="in/b")
    rows = seen.until(1)
    assert rows == [{"topic": "in/a", "n": 3, "mean": 3, "most": 6}]


def test_a_sliding_window(broker: Broker, select: Select) -> None:
    seen = select("SELECT sum(payload.v) AS s FROM \"in\" GROUP BY topic, sliding('1m')")
    publish(broker, {"v": 1}, {"v": 2}, {"v": 3})
    assert [row["s"] for row in seen.until(3)] == [1, 3, 6]


def test_a_silence_is_told_once(broker: Broker, select: Select) -> None:
    seen = select("SELECT topic, clientid FROM \"in/+\" GROUP BY topic ABSENT FOR '500ms'")
    publish(broker, 1, topic="in/a")
    begun = time.monotonic()
    assert seen.until(1) == [{"topic": "in/a", "clientid": "pump"}]
    assert 0.3 < time.monotonic() - begun < 3
    publish(broker, 1, topic="in/a")
    seen.until(2)


def test_throttle(broker: Broker, select: Select) -> None:
    seen = select("SELECT payload.n AS n, topic FROM \"in/+\" THROTTLE '1s'")
    publish(broker, {"n": 1}, {"n": 2}, topic="in/a")
    publish(broker, {"n": 3}, topic="in/b")
    assert [row["n"] for row in seen.until(2)] == [1, 3]
    eventually(lambda: (publish(broker, {"n": 4}, topic="in/a"), len(seen) == 3)[1])
    assert seen[2]["n"] == 4


STATEFUL = [
    ("changed(payload.v)", [1, 1, 2, 2, 1], [1, 2, 1]),
    ("changed(payload.v, 5)", [10, 12, 16, 20, 21], [10, 16, 21]),
    ("delta(payload.v) < 0", [1, 3, 2, 2, 0], [2, 0]),
    ("became(payload.v > 30)", [29, 31, 32, 29, 31], [31, 31]),
    ("previous(payload.v) = 1", [1, 2, 3, 1, 5], [2, 5]),
    ("hysteresis(payload.v, 30, 28)", [29, 30, 29, 28, 29, 31], [30, 29, 31]),
]


@pytest.mark.parametrize(("condition", "given", "expected"), STATEFUL, ids=[one[0] for one in STATEFUL])
def test_what_was_before(
    broker: Broker, select: Select, condition: str, given: list[int], expected: list[int]
) -> None:
    seen = select(f'SELECT payload.v AS v FROM "in/+" WHERE {condition}', name="state")
    for v in given:
        publish(broker, {"v": v}, topic="in/a")
        publish(broker, {"v": v}, topic="in/b")  # every topic for itself
    eventually(lambda: broker.rules["state"].info().matched == 2 * len(given))
    assert broker.wait_for_hooks()
    assert [row["v"] for row in seen[::2]] == expected and len(seen) == 2 * len(expected)


def test_lasting(broker: Broker, select: Select) -> None:
    seen = select("SELECT payload.v AS v FROM \"in\" WHERE lasting(payload.v > 30, '300ms')")
    with Device(broker, "pump") as pump:
        deadline = time.monotonic() + 8
        while not seen and time.monotonic() < deadline:
            pump.publish("in", b'{"v": 31}')
            time.sleep(0.05)
    assert seen and eventually(lambda: seen[0] == {"v": 31})


def test_keys_are_bounded(broker: Broker) -> None:
    seen = Seen()
    broker.add_rule(
        "state",
        'SELECT payload FROM "in/+" WHERE changed(payload)',
        [{"kind": "republish", "topic": "out"}],
        max_keys=10,
    )
    for n in range(50):
        publish(broker, 1, topic=f"in/{n}")
    info = eventually(lambda: (i := broker.rules["state"].info()).matched == 50 and i)
    assert info.keys <= 10 and info.evicted == 40
    assert not seen


# Conditions as CrystalMQ has them ---------------------------------------------------------------------------

CONDITIONS = [
    ({"client": "pump", "topic": "in/+"}, ["1", "x"]),
    ({"client": "other", "topic": "in/+"}, []),
    ({"topic": "in/+", "operator": "=", "message": "x"}, ["x"]),
    ({"topic": "in/+", "operator": "!=", "message": "x"}, ["1", "30", "30.0", "-5"]),
    ({"topic": "in/+", "operator": "<", "message": "30"}, ["1", "-5"]),
    ({"topic": "in/+", "operator": ">", "message": 1}, ["30", "30.0"]),
    ({"topic": "in/+", "operator": "=", "message": "30"}, ["30", "30.0"]),
    ({"client": "pump", "topic": "in/a", "operator": "<", "message": 2}, ["1", "-5"]),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=str)
def test_conditions(
    broker_factory: Callable[..., Any], condition: dict[str, Any], expected: list[str]
) -> None:
    table = {"name": "old", **condition, "actions": [{"kind": "forward", "topic": "out"}]}
    broker = broker_factory(rules=[table])
    with Device(broker, "listener") as listener, Device(broker, "pump") as pump:
        listener.subscribe("out")
        payloads = ["1", "x", "30", "30.0", "-5"] if "message" in condition else ["1", "x"]
        for payload in payloads:
            pump.publish("in/a", payload)
        pump.publish("out", b"end")
        received = []
        while (message := listener.receive()).payload != b"end":
            received.append(message.payload.decode())
    assert received == expected
