"""A full queue: what is refused, what is held, what is dropped; and that nothing acknowledged is lost."""

from __future__ import annotations

import resource
import time

import pytest

from hookmq.errors import HookMQError

from ..api.helpers import eventually
from ..protocol.packets import V5, V311, Connect, Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel
from ..protocol.wire import Late
from .counting import QUOTA_EXCEEDED, count, counted, keep

ROOM = 3
OLD_AND_NEW = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


def away(connect, broker, topic: str, name: str = "away") -> None:
    """A session that subscribed to the topic and has no connection."""
    wire = connect(name, to=broker, **keep())
    wire.subscribe(topic, qos=2)
    wire.disconnect()


def fill(wire, topic: str) -> None:
    """Leaves no room in the queue of who is away."""
    for number in range(ROOM):
        assert wire.publish(topic, b"%d" % number, 1) == 0


def answers(wire, count: int, qos: int) -> list[int]:
    """The Packet Identifiers of the publishes that were taken; the others were refused for want of room."""
    taken: list[int] = []
    released = refused = 0
    while len(taken) + refused < count or (qos == 2 and released < len(taken)):
        answer = wire.read(8)
        if isinstance(answer, Pubcomp):
            released += 1
        elif answer.code == 0:
            taken.append(answer.id)
            if qos == 2:
                wire.send(Pubrel(answer.id))
        else:
            assert answer.code == QUOTA_EXCEEDED
            refused += 1
    return taken


# Refuse --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [1, 2])
def test_what_does_not_fit_is_refused(broker_factory, connect, root, qos):
    broker = broker_factory({"limits.max_queued_messages": ROOM})
    away(connect, broker, root)
    other, wire = connect(to=broker), connect(to=broker)
    other.subscribe("#")
    fill(wire, root)
    assert count(broker, "max_queued") == 0
    assert wire.publish(root, b"more", qos) == QUOTA_EXCEEDED
    counted(broker, "max_queued", 1)
    assert wire.publish("elsewhere", b"x", qos) == 0
    # Refused for all receivers: the publisher is to send it again.
    assert [message.payload for message in other.drain()] == [b"0", b"1", b"2", b"x"]
    back = connect("away", to=broker, **keep())
    assert [message.payload for message in back.drain()] == [b"0", b"1", b"2"]
    assert wire.publish(root, b"more", qos) == 0
    assert [message.payload for message in back.drain()] == [b"more"]
    counted(broker, "max_queued", 1)


@pytest.mark.parametrize("qos", [1, 2])
def test_before_version_5_a_refusal_is_the_end_of_the_connection(broker_factory, connect, root, qos):
    broker = broker_factory({"limits.max_queued_messages": ROOM})
    away(connect, broker, root)
    other, wire = connect(to=broker), connect(to=broker, version=V311)
    fill(wire, root)
    wire.send(Publish(root, b"more", qos, id=99))
    wire.expect_closed()
    counted(broker, "max_queued", 1)
    other.ping()
    back = connect("away", to=broker, **keep())
    assert [message.payload for message in back.drain()] == [b"0", b"1", b"2"]


def test_the_broker_itself_is_refused_as_well(broker_factory, connect, root):
    broker = broker_factory({"limits.max_queued_messages": ROOM})
    away(connect, broker, root)
    for number in range(ROOM):
        broker.publish(root, number, qos=1)
    with pytest.raises(HookMQError) as caught:
        broker.publish(root, "more", qos=1)
    assert caught.value.code == "E506"
    counted(broker, "max_queued", 1)


def test_so_many_bytes_wait_for_one_client(broker_factory, connect, root):
    broker = broker_factory({"limits.max_queued_bytes": 10_000})
    away(connect, broker, root)
    wire = connect(to=broker)
    taken = 0
    while wire.publish(root, b"x" * 1000, 1) != QUOTA_EXCEEDED:
        taken += 1
        assert taken < 12
    assert taken >= 8  # a message counts with its topic and what else it has
    counted(broker, "max_queued", 1)
    assert len(connect("away", to=broker, **keep()).drain()) == taken


def test_a_client_that_does_not_acknowledge_fills_its_queue_as_well(broker_factory, connect, root):
    broker = broker_factory({"limits.max_queued_messages": ROOM})
    stuck = connect(to=broker, properties={"receive_maximum": 1})
    stuck.subscribe(root, qos=1)
    wire = connect(to=broker)
    assert wire.publish(root, b"under way", 1) == 0
    fill(wire, root)
    assert wire.publish(root, b"more", 1) == QUOTA_EXCEEDED
    stuck.expect_message(root, b"under way", qos=1)
    first = stuck.expect(Publish(root, b"0", 1))
    assert wire.publish(root, b"more", 1) == 0
    stuck.acknowledge(first)
    assert [message.payload for message in stuck.drain()] == [b"1", b"2", b"more"]


@pytest.mark.parametrize("policy", ["refuse", "hold"])
@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_acknowledged_is_delivered(broker_factory, connect, root, policy, qos):
    """Many publishers, a small queue, a client that comes and goes."""
    broker = broker_factory(
        {
            "limits.max_queued_messages": 10,
            "limits.queue_policy": policy,
            "limits.hold_timeout": 0.05,
        }
    )
    away(connect, broker, root)
    publishers = [connect(to=broker) for _ in range(4)]
    acknowledged: list[bytes] = []
    got: list[bytes] = []
    for turn in range(4):
        for index, wire in enumerate(publishers):
            wire.send(
                *(Publish(root, b"%d.%d.%d" % (turn, index, n), qos, id=n + 1) for n in range(10))  # type: ignore[misc]
            )
        back = connect("away", to=broker, **keep())
        got += [message.payload for message in back.drain()]
        back.close()
        for index, wire in enumerate(publishers):
            taken = answers(wire, 10, qos)
            acknowledged += [b"%d.%d.%d" % (turn, index, number - 1) for number in taken]
    got += [message.payload for message in connect("away", to=broker, **keep()).drain()]
    assert set(acknowledged) <= set(got)
    assert len(acknowledged) >= 10
    assert broker.statistics["messages_dropped"] == 0


# Hold ----------------------------------------------------------------------------------------------------


def held(broker_factory, timeout: float):
    return broker_factory(
        {
            "limits.max_queued_messages": ROOM,
            "limits.queue_policy": "hold",
            "limits.hold_timeout": timeout,
        }
    )


@OLD_AND_NEW
@pytest.mark.parametrize("qos", [1, 2])
def test_a_publisher_is_held_until_there_is_room(broker_factory, connect, root, version, qos):
    broker = held(broker_factory, 20)
    away(connect, broker, root)
    other, wire = connect(to=broker), connect(to=broker, version=version)
    other.subscribe("#")
    fill(wire, root)
    assert count(broker, "hold") == 0
    wire.send(Publish(root, b"more", qos, id=99), Pingreq())
    with pytest.raises(Late):
        wire.read(0.3)
    counted(broker, "hold", 1)
    connect(to=broker).publish("elsewhere", b"x", 1)
    assert [message.payload for message in other.drain()] == [b"0", b"1", b"2", b"x"]
    back = connect("away", to=broker, **keep())
    assert [message.payload for message in back.drain()][:3] == [b"0", b"1", b"2"]
    wire.expect(Puback(99) if qos == 1 else Pubrec(99))
    wire.expect(Pingresp())
    eventually(lambda: [message.payload for message in other.drain()] == [b"more"])
    counted(broker, "hold", 1)
    counted(broker, "max_queued", 0)


@pytest.mark.parametrize("qos", [1, 2])
def test_a_publisher_is_held_only_so_long(broker_factory, connect, root, qos):
    broker = held(broker_factory, 0.7)
    away(connect, broker, root)
    wire = connect(to=broker)
    fill(wire, root)
    begun = time.monotonic()
    assert wire.publish(root, b"more", qos) == QUOTA_EXCEEDED
    assert 0.5 < time.monotonic() - begun < 3
    counted(broker, "hold", 1)
    counted(broker, "max_queued", 1)
    wire.ping()
    back = connect("away", to=broker, **keep())
    assert [message.payload for message in back.drain()] == [b"0", b"1", b"2"]


def test_before_version_5_the_end_of_the_wait_is_the_end_of_the_connection(broker_factory, connect, root):
    broker = held(broker_factory, 0.7)
    away(connect, broker, root)
    wire = connect(to=broker, version=V311)
    fill(wire, root)
    begun = time.monotonic()
    wire.send(Publish(root, b"more", 1, id=99))
    wire.expect_closed()
    assert 0.5 < time.monotonic() - begun < 3


def test_a_publisher_that_is_held_does_not_miss_its_keep_alive(broker_factory, connect, root):
    broker = held(broker_factory, 20)
    away(connect, broker, root)
    wire = connect(to=broker, keep_alive=1)
    fill(wire, root)
    wire.send(Publish(root, b"more", 1, id=99))
    # It goes on asking, as it should; that nobody reads it is not its fault.
    for _ in range(5):
        with pytest.raises(Late):
            wire.read(0.5)
        wire.send(Pingreq())
    connect("away", to=broker, **keep()).drain()
    wire.expect(Puback(99))
    for _ in range(5):
        wire.expect(Pingresp())


def test_a_publisher_that_is_held_may_go(broker_factory, connect, root):
    broker = held(broker_factory, 20)
    away(connect, broker, root)
    wire = connect("same", to=broker)
    fill(wire, root)
    wire.send(Publish(root, b"more", 1, id=99))
    eventually(lambda: count(broker, "hold") == 1)
    begun = time.monotonic()
    again = connect("same", to=broker)
    again.ping()
    assert wire.last_codes() == [0x8E]
    again.send(Publish(root, b"more", 1, id=99))
    eventually(lambda: count(broker, "hold") == 2)
    broker.stop()
    again.last_words()
    assert time.monotonic() - begun < 5


def test_the_broker_itself_is_not_held(broker_factory, connect, root):
    broker = held(broker_factory, 20)
    away(connect, broker, root)
    for number in range(ROOM):
        broker.publish(root, number, qos=1)
    begun = time.monotonic()
    with pytest.raises(HookMQError) as caught:
        broker.publish(root, "more", qos=1)
    assert caught.value.code == "E506"
    assert time.monotonic() - begun < 2


# QoS 0 ---------------------------------------------------------------------------------------------------

SIZE = 32 << 10


def block(reach, broker, topic: str, name: str, **fields):
    """A client that has subscribed and does not read."""
    stuck = reach(broker, buffer=4096)
    stuck.connect(Connect(name, **fields))
    stuck.subscribe(topic, qos=1)
    return stuck


def numbers(messages) -> list[int]:
    return [int(message.payload[:8]) for message in messages]


def overflow(broker, wire, topic: str, more: int) -> int:
    """Publishes with QoS 0 until so many messages were dropped; says how many were published."""
    for number in range(4000):
        wire.send(Publish(topic, b"%08d" % number + b"x" * SIZE))
        if number % 10 == 0:
            wire.ping()
            if count(broker, "qos0_dropped") >= more:
                wire.ping()  # what was counted before it can be seen now
                return number + 1
    raise AssertionError("nothing was dropped, and all is kept")


def test_of_qos_0_the_oldest_go_first(broker_factory, connect, reach, root):
    broker = broker_factory({"limits.max_queued_messages": 10})
    stuck = block(reach, broker, root, f"{root}stuck")
    other, wire = connect(to=broker), connect(to=broker)
    sent = overflow(broker, wire, root, 20)
    dropped = count(broker, "qos0_dropped")
    other.ping()
    stuck.deadline = 10
    left = numbers(stuck.drain())
    # What the socket had taken already, a gap, and the ten newest.
    assert left[-10:] == list(range(sent - 10, sent))
    assert left[:-10] == list(range(len(left) - 10))
    assert len(left) == sent - dropped
    assert broker.statistics["messages_dropped"] == dropped


def test_qos_0_makes_room_for_qos_1(broker_factory, connect, reach, root):
    broker = broker_factory({"limits.max_queued_messages": 10})
    stuck = block(reach, broker, root, f"{root}stuck")
    wire = connect(to=broker)
    sent = overflow(broker, wire, root, 5)
    before = count(broker, "qos0_dropped")
    for number in range(10):
        assert wire.publish(root, b"%08d" % (sent + number), 1) == 0
    counted(broker, "qos0_dropped", before + 10)
    # Only now is there nothing left that may go.
    assert wire.publish(root, b"%08d" % 99_999, 1) == QUOTA_EXCEEDED
    counted(broker, "max_queued", 1)
    wire.publish(root, b"%08d" % 88_888)  # nor does QoS 0 drive out QoS 1
    eventually(lambda: broker.statistics["messages_dropped"] == before + 11)
    counted(broker, "qos0_dropped", before + 10)
    stuck.deadline = 10
    left = numbers(stuck.drain())
    assert left[-10:] == list(range(sent, sent + 10))
    assert left[:-10] == list(range(len(left) - 10))


def test_a_client_that_does_not_read_neither_grows_nor_slows_the_others(broker_factory, connect, reach, root):
    bounds = {"limits.max_outbox_bytes": 1 << 20, "limits.max_queued_bytes": 1 << 20}
    broker = broker_factory(bounds | {"history.enabled": False})
    wire, reader = connect(to=broker), connect(to=broker)
    reader.subscribe(f"{root}/#")
    stuck = [block(reach, broker, f"{root}/#", f"{root}stuck{n}") for n in range(3)]
    payload = b"x" * 100_000
    begun = time.monotonic()
    before = memory()
    for _ in range(1000):
        wire.send(Publish(f"{root}/x", payload))
        reader.expect(Publish(f"{root}/x", payload))
    assert time.monotonic() - begun < 15
    assert memory() - before < 40 << 20  # each may hold 2 MiB and what its socket took; 100 MB were sent
    assert broker.statistics["messages_dropped"] > 1000
    for line in stuck:
        line.close()


def memory() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# A client cannot wait for room in its own queue: what would make it is not read meanwhile.
def test_a_client_is_not_held_for_itself(broker_factory, connect, root):
    settings = {"limits.max_queued_messages": 2, "limits.max_inflight": 1, "limits.queue_policy": "hold"}
    broker = broker_factory(settings | {"limits.hold_timeout": 5})
    wire = connect(to=broker)
    wire.subscribe(root, qos=1)
    begun = time.monotonic()
    wire.send(*(Publish(root, b"%d" % number, 1, id=number) for number in range(1, 7)))
    answers = []
    while len(answers) < 6:
        packet = wire.read()
        if isinstance(packet, Publish):
            wire.send(Puback(packet.id))
        else:
            answers.append(packet.code)
    assert answers == [0, 0, 0, 0x97, 0x97, 0x97]
    assert time.monotonic() - begun < 2
