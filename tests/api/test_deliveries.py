"""Deliveries that hooks decide about: their order, their time, and who goes away meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any

import pytest

from hookmq import Change

from ..protocol.packets import (
    V5,
    Puback,
    Publish,
    Subscribe,
    subscription,
)
from .helpers import DEADLINE, Gate, Seen, eventually

# Order ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_each_subscriber_gets_its_messages_in_their_order(broker, join, kind):
    def judge(msg, client):
        if int(msg.payload) % 100 == 0:
            time.sleep(0.01)
        return msg.payload + client.client_id.encode()

    async def judge_later(msg, client):
        if int(msg.payload) % 7 == 0:
            await asyncio.sleep(0.001)
        return msg.payload + client.client_id.encode()

    broker.on_deliver("d/{number}")(judge if kind == "def" else judge_later)
    readers = [join(broker, f"r{index}") for index in range(3)]
    for reader in readers:
        reader.subscribe("d/#", qos=1)
    publishers = [join(broker) for _ in range(2)]
    sent = [[Publish(f"d/{index}", b"%d" % n, 1, id=n + 1) for n in range(200)] for index in range(2)]
    for publisher, packets in zip(publishers, sent, strict=True):
        publisher.send(*packets)
    for publisher in publishers:
        for number in range(200):
            publisher.expect(Puback(number + 1))
    for reader in readers:
        got = reader.drain()
        for index in range(2):
            mark = str(reader.client_id).encode()
            payloads = [one.payload for one in got if one.topic == f"d/{index}"]
            assert payloads == [b"%d" % n + mark for n in range(200)]


def test_a_retained_message_never_comes_behind_a_newer_one(broker, join):
    """Whoever subscribes gets the state of a topic, and then only what is newer."""
    broker.on_deliver("state")(lambda msg: None)
    publishers = [join(broker, f"p{index}") for index in range(3)]
    ended = threading.Event()
    lock, count = threading.Lock(), [0]

    def publish(publisher: Any) -> None:
        while not ended.is_set():
            with lock:
                count[0] += 1
                publisher.publish("state", b"%d" % count[0], 0, retain=True)

    threads = [threading.Thread(target=publish, args=(one,)) for one in publishers]
    for thread in threads:
        thread.start()
    readers = [join(broker, f"r{index}") for index in range(4)]
    got: list[list[int]] = [[0] for _ in readers]
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and all(numbers == sorted(numbers) for numbers in got):
        for reader, numbers in zip(readers, got, strict=True):
            reader.send(Subscribe(reader.next_id(), [subscription("state", 0)]))
            for packet in (reader.read() for _ in range(4)):
                if isinstance(packet, Publish):
                    numbers.append(int(packet.payload))
    ended.set()
    for thread in threads:
        thread.join()
    falls = [pair for numbers in got for pair in itertools.pairwise(numbers) if pair[0] > pair[1]]
    assert falls == [] and min(len(numbers) for numbers in got) > 20


# Time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_time_out_withholds(broker_factory, join, kind):
    broker = broker_factory({"hooks.decision_timeout": 0.2})
    lost = Seen()
    broker.on_message_dropped(lambda msg, client_id, reason: lost.append((msg.text, client_id, reason)))
    gate = Gate()

    def judge(msg):
        if msg.text == "slow":
            gate.wait()

    async def judge_later(msg):
        if msg.text == "slow":
            await asyncio.to_thread(gate.wait)

    broker.on_deliver("a")(judge if kind == "def" else judge_later)
    reader = join(broker, "r")
    reader.subscribe("a", qos=1)
    publisher, other = join(broker), join(broker)
    publisher.send(Publish("a", b"slow", 1, id=1))
    assert gate.entered.wait(DEADLINE)
    other.send(Publish("a", b"behind", 1, id=1))
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 0.3)
    gate.opened.set()
    publisher.expect(Puback(1))
    other.expect(Puback(1))
    assert other.publish("a", b"later", 1) == 0
    got = [one.payload for one in reader.drain()]
    assert b"slow" not in got and got[-1] == b"later"
    why = "the decision took too long"
    assert [entry for entry in lost.until(1) if entry[0] == "slow"] == [("slow", "r", why)]
    # There is one thread for all: what waited behind it has waited about as long.
    assert {entry for entry in lost if entry[0] != "slow"} <= {("behind", "r", why)}


def test_publishers_that_were_held_go_on_when_what_waits_is_given_up(broker_factory, join):
    """The queue is emptied by a time-out, not by the hook: whoever waits for room must hear of it."""
    broker = broker_factory({"hooks.decision_timeout": 0.5, "hooks.queue_events": 4})
    gate = Gate()
    broker.on_deliver("a")(lambda msg: gate.wait())
    reader, publisher = join(broker), join(broker, keep_alive=0)
    reader.subscribe("a", qos=1)
    count = 40
    for number in range(count):
        publisher.send(Publish("a", b"%d" % number, 1, id=number + 1))
    assert gate.entered.wait(DEADLINE)
    began = time.monotonic()
    for number in range(count):
        assert publisher.read().id == number + 1
    assert time.monotonic() - began < DEADLINE
    gate.opened.set()
    assert broker.wait_for_hooks()


def test_that_a_message_came_is_told_before_that_it_was_sent(broker, join):
    seen = Seen()
    broker.on_message_received("a")(lambda msg: seen.append((msg.text, "came")))
    broker.on_message_sent("a")(lambda msg: seen.append((msg.text, "was sent")))
    broker.on_deliver("a")(lambda msg: None)
    both = join(broker)
    both.subscribe("a")
    count = 500
    both.send(b"".join(Publish("a", b"%d" % number).encode(V5) for number in range(count)))
    seen.until(2 * count)
    for number in range(count):
        assert [what for text, what in seen if text == str(number)] == ["came", "was sent"]


# Who goes away meanwhile ------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_receiver_whose_session_ends_while_it_is_decided(broker, join, lost, qos):
    gate = Gate()
    broker.on_deliver("a")(lambda msg: gate.wait())
    reader, publisher = join(broker, "r"), join(broker)
    reader.subscribe("a", qos=qos)
    publisher.send(Publish("a", b"x", qos, id=7 if qos else None))
    assert gate.entered.wait(DEADLINE)
    reader.disconnect()  # its session ends with the connection
    eventually(lambda: broker.statistics["clients_connected"] == 1)
    gate.opened.set()
    why = "the session has ended" if qos else "QoS 0, and the client is not connected"
    assert lost.until(1) == [("a", "r", why)]
    if qos:
        assert publisher.read().code == 0, "it was taken, and nobody is there who would have to get it"
    assert broker.statistics["messages_dropped"] == 1


def test_a_broker_that_stops_withholds_what_is_not_decided(broker_factory, join):
    broker = broker_factory({"hooks.stop_grace": 0.5, "hooks.decision_timeout": 60})
    gate, told = Gate(), Seen()
    broker.on_deliver("a")(lambda msg: gate.wait())
    broker.on_message_dropped(lambda msg, client_id, reason: told.append((msg.text, client_id, reason)))
    reader, publisher = join(broker, "r"), join(broker)
    reader.subscribe("a", qos=1)
    for number in range(3):
        publisher.send(Publish("a", b"%d" % number, 1, id=number + 1))
    assert gate.entered.wait(DEADLINE)
    publisher.expect_nothing(0.1)  # nothing is acknowledged that is not decided
    began = time.monotonic()
    broker.stop()
    assert time.monotonic() - began < 5
    gate.opened.set()
    assert told[:2] == [("1", "r", "the broker stops"), ("2", "r", "the broker stops")]


def test_the_dropped_are_counted(broker_factory, join):
    broker = broker_factory({"hooks.decision_timeout": 0.1})
    broker.on_deliver("a")(lambda msg: False)
    reader = join(broker)
    reader.subscribe("a", qos=1)
    before = broker.statistics["messages_dropped"]
    publisher = join(broker)
    for _ in range(5):
        publisher.publish("a", b"x", 1)
    assert broker.statistics["messages_dropped"] == before + 5


# Together with what else there is ---------------------------------------------------------------------------

CELL = """
@broker.on_deliver("a")
def judge(msg):
    wait(msg)
    return mark
"""


def test_nothing_slips_through_while_a_hook_is_replaced(broker, join, redefine):
    """What waits for an answer is asked about, by the old function or by the new one."""
    gate = Gate()
    redefine(broker, CELL, mark="old", wait=lambda msg: gate.wait())
    reader = join(broker)
    reader.subscribe("a", qos=1)
    publisher = join(broker)
    publisher.send(*(Publish("a", b"raw", 1, id=number) for number in range(1, 6)))
    assert gate.entered.wait(DEADLINE)
    publisher.ping()
    redefine(broker, CELL, mark="new", wait=lambda msg: None)
    gate.opened.set()
    for number in range(1, 6):
        publisher.expect(Puback(number))
    got = [one.payload for one in reader.drain()]
    assert len(got) == 5 and set(got) <= {b"old", b"new"}


def test_a_receiver_has_room_for_what_is_decided_later(broker_factory, join):
    """The bound of a queue holds, whatever waits for a hook."""
    broker = broker_factory({"limits.max_queued_messages": 5})
    gate = Gate()

    @broker.on_deliver("a")
    def judge(msg):
        gate.wait()

    sleeper = join(broker, "s", properties={"session_expiry_interval": 60})
    sleeper.subscribe("a", qos=1)
    sleeper.close()
    eventually(lambda: broker.statistics["clients_connected"] == 0)
    publisher = join(broker)
    publisher.send(*(Publish("a", b"%d" % n, 1, id=n + 1) for n in range(20)))
    assert gate.entered.wait(DEADLINE)
    publisher.ping()
    gate.opened.set()
    codes = [publisher.read().code for _ in range(20)]
    again = join(broker, "s", clean=False, properties={"session_expiry_interval": 60})
    kept = len(again.drain())
    assert kept == codes.count(0), "who was acknowledged was kept"
    assert kept <= 5


def test_a_transform_comes_first(broker, join):
    broker.transform("raw")(lambda msg: Change(topic="made", payload=msg.text + "t"))
    broker.on_deliver("made")(lambda msg, client: msg.text + client.client_id)
    reader = join(broker, "r")
    reader.subscribe("#", qos=1)
    assert join(broker).publish("raw", b"x", 1) == 0
    reader.expect_message("made", b"xtr", qos=1)


def test_it_ends_while_somebody_decides(broker_factory, join):
    broker = broker_factory({"hooks.stop_grace": 0.3})
    gate = Gate()

    @broker.on_deliver("a")
    def judge(msg):
        gate.wait()

    reader, publisher = join(broker), join(broker)
    reader.subscribe("a", qos=1)
    publisher.send(*(Publish("a", b"x", 1, id=number) for number in range(1, 4)))
    assert gate.entered.wait(DEADLINE)
    began = time.monotonic()
    stopping = threading.Thread(target=broker.stop)
    stopping.start()
    eventually(lambda: time.monotonic() > began + 0.4)
    gate.opened.set()
    stopping.join(DEADLINE)
    assert not stopping.is_alive()
