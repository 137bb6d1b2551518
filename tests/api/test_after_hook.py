"""`ack="after_hook"`: PUBACK and PUBREC wait until the hook has kept the message, byte for byte."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hookmq import Broker

from ..limits.conftest import connect, dial, root, version
from ..limits.counting import keep
from ..protocol.packets import (
    V5,
    V311,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
)
from ..protocol.wire import Wire
from .helpers import DEADLINE, Gate, Seen, eventually

__all__ = ["connect", "dial", "root", "version"]

NOT_KEPT, NO_SUBSCRIBERS = 0x83, 0x10

QOS = pytest.mark.parametrize("qos", [1, 2])
VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
FORMS = pytest.mark.parametrize("form", ["def", "threads", "async def", "batch"])


class Keeper:
    """A hook that keeps messages. Each call waits until the test lets it go, or raises what the test says."""

    def __init__(self, broker: Broker, form: str = "def", filter: str = "a/#", **options: Any) -> None:
        self.seen = Seen()
        self.errors: list[BaseException] = []
        """What the next calls raise, the first one first."""
        self.gates: list[Gate] = []
        """Where the next calls wait."""
        options |= {"ack": "after_hook", "name": options.get("name", "keeper")}
        match form:
            case "batch":
                broker.on_batch(filter, max_delay=options.pop("max_delay", 0.0), **options)(self._batch)
            case "async def":
                broker.on_message_received(filter, **options)(self._later)
            case "threads":
                broker.on_message_received(filter, threads=2, **options)(self._message)
            case _:
                broker.on_message_received(filter, **options)(self._message)

    def gate(self) -> Gate:
        """Let a further call wait."""
        self.gates.append(gate := Gate())
        return gate

    def _next(self) -> tuple[Gate | None, BaseException | None]:
        gate = self.gates.pop(0) if self.gates else None
        return gate, self.errors.pop(0) if self.errors else None

    def _message(self, msg: Any) -> None:
        self.seen.append(msg.text)
        self._go_on(*self._next())

    def _batch(self, rows: list[Any]) -> None:
        self.seen.append([msg.text for msg in rows])
        self._go_on(*self._next())

    @staticmethod
    def _go_on(gate: Gate | None, error: BaseException | None) -> None:
        if gate is not None:
            gate.wait()
        if error is not None:
            raise error

    async def _later(self, msg: Any) -> None:
        self.seen.append(msg.text)
        gate, error = self._next()
        if gate is not None:
            await asyncio.to_thread(gate.wait)
        if error is not None:
            raise error


def entered(gate: Gate) -> None:
    assert gate.entered.wait(DEADLINE)


def answer(qos: int, number: int, code: int = 0) -> Puback | Pubrec:
    """What a PUBLISH is answered with."""
    return Puback(number, code) if qos == 1 else Pubrec(number, code)


def complete(wire: Wire, qos: int, number: int) -> None:
    """The rest of a QoS 2 exchange."""
    if qos == 2:
        wire.send(Pubrel(number))
        wire.expect(Pubcomp(number))


@pytest.fixture
def reader(broker: Broker, connect: Callable[..., Wire]) -> Wire:
    """A subscriber to everything, so that each publish is a success."""
    wire = connect("reader")
    wire.subscribe("#", qos=2)
    return wire


# When it is acknowledged ---------------------------------------------------------------------------------


@FORMS
@QOS
def test_not_before_the_hook_has_returned(broker, connect, reader, version, qos, form):
    keeper = Keeper(broker, form)
    gate = keeper.gate()
    wire = connect(version=version)
    wire.send(Publish("a/x", b"1", qos, id=7))
    entered(gate)
    reader.expect_message("a/x", b"1", qos=qos)  # only the acknowledgement waits
    wire.expect_nothing(0.1)
    gate.opened.set()
    wire.expect(answer(qos, 7))
    complete(wire, qos, 7)
    wire.expect_nothing()
    assert len(keeper.seen) == 1


@QOS
def test_without_a_subscriber_it_says_so_afterwards(broker, connect, qos):
    gate = Keeper(broker).gate()
    wire = connect()
    wire.send(Publish("a/x", b"1", qos, id=7))
    entered(gate)
    wire.expect_nothing()
    gate.opened.set()
    wire.expect(answer(qos, 7, NO_SUBSCRIBERS))


def test_qos_0_waits_for_nothing(broker, connect, reader):
    keeper = Keeper(broker)
    gate = keeper.gate()
    wire = connect()
    wire.send(Publish("a/x", b"0"), Publish("b", b"1", 1, id=1))
    entered(gate)
    wire.expect(Puback(1))
    gate.opened.set()


@QOS
def test_who_is_not_told_does_not_delay(broker, connect, reader, qos):
    """By its condition, by a pause, by the filter."""
    keeper = Keeper(broker, where="level > 5")
    gate = keeper.gate()
    wire = connect()
    assert wire.publish("a/x", b'{"level": 1}', qos) == 0
    assert wire.publish("b", b'{"level": 9}', qos) == 0
    broker.pause("keeper")
    assert wire.publish("a/x", b'{"level": 9}', qos) == 0
    broker.resume("keeper")
    wire.send(Publish("a/x", b'{"level": 9}', qos, id=70))
    entered(gate)
    wire.expect_nothing()
    gate.opened.set()
    wire.expect(answer(qos, 70))
    assert keeper.seen == ['{"level": 9}']


def test_it_waits_for_every_hook_that_keeps_the_message(broker, connect, reader):
    first, second = Keeper(broker, name="first"), Keeper(broker, "async def", name="second")
    gates = [first.gate(), second.gate()]
    wire = connect()
    wire.send(Publish("a/x", b"1", 1, id=1))
    for gate in gates:
        entered(gate)
        wire.expect_nothing()
        gate.opened.set()
    wire.expect(Puback(1))
    second.errors.append(ValueError("wrong"))
    wire.send(Publish("a/x", b"2", 1, id=2))
    wire.expect(Puback(2, NOT_KEPT))


# The order -----------------------------------------------------------------------------------------------


def test_acknowledgements_leave_in_the_order_of_the_publishes(broker, connect, reader, version):
    """[MQTT-4.6.0-2] [MQTT-4.6.0-3]"""
    slow = Keeper(broker, "threads", "slow", name="slow")
    fast = Keeper(broker, "async def", "fast", name="fast")
    gates = [slow.gate(), slow.gate()]
    wire = connect(version=version)
    topics = [("slow", 1), ("fast", 1), ("plain", 1), ("fast", 2), ("slow", 2), ("plain", 2), ("fast", 1)]
    wire.send(*(Publish(topic, b"", qos, id=number) for number, (topic, qos) in enumerate(topics, 1)))
    entered(gates[0])
    fast.seen.until(3)
    wire.expect_nothing(0.1)
    gates[0].opened.set()
    entered(gates[1])
    for number in range(1, 5):
        wire.expect(answer(topics[number - 1][1], number))
    wire.expect_nothing(0.1)
    gates[1].opened.set()
    for number in range(5, 8):
        wire.expect(answer(topics[number - 1][1], number))


def test_many_are_acknowledged_in_order(broker_factory, connect):
    """Also when the queue of the hook is full time and again: nothing is dropped."""
    broker = broker_factory({"hooks.queue_events": 10})
    keeper = Keeper(broker, "async def")
    wire = connect(to=broker)
    count = 1000
    packets = [Publish("a/x", str(one).encode(), 1 + one % 2, id=one + 1) for one in range(count)]
    sending = threading.Thread(target=wire._write, args=(b"".join(one.encode(V5) for one in packets),))
    sending.start()
    for one in range(count):
        wire.expect(answer(1 + one % 2, one + 1, NO_SUBSCRIBERS))
    sending.join()
    assert keeper.seen == [str(one) for one in range(count)]
    assert (broker.hooks[0].calls, broker.hooks[0].dropped) == (count, 0)


def test_one_client_does_not_wait_for_another(broker, connect, reader):
    keeper = Keeper(broker, "async def")
    gate = keeper.gate()
    first, second = connect("first"), connect("second")
    first.send(Publish("a/x", b"1", 1, id=1))
    entered(gate)
    assert second.publish("a/x", b"2", 1) == 0
    first.expect_nothing()
    gate.opened.set()
    first.expect(Puback(1))


# A hook that raises --------------------------------------------------------------------------------------


@FORMS
@QOS
def test_a_client_of_mqtt_5_is_told(broker, connect, reader, qos, form, caplog):
    keeper = Keeper(broker, form)
    keeper.errors.append(ValueError("wrong"))
    wire = connect()
    wire.send(Publish("a/x", b"1", qos, id=7))
    told = wire.expect(answer(qos, 7, NOT_KEPT))
    assert told.properties == {"reason_string": "a hook that was to keep the message did not"}
    # The identifier is free again, and the connection goes on.
    wire.send(Publish("a/x", b"1", qos, id=7))
    wire.expect(answer(qos, 7))
    complete(wire, qos, 7)
    assert len(keeper.seen) == 2
    assert broker.statistics["messages_not_kept"] == 1
    assert [hook.errors for hook in broker.hooks] == [1]
    assert "keeper raised ValueError: wrong" in caplog.text


@FORMS
@QOS
@pytest.mark.parametrize("version", [3, 4], ids=["3.1", "3.1.1"])
def test_an_older_client_is_closed_and_sends_it_again(broker, connect, reader, version, qos, form):
    keeper = Keeper(broker, form)
    keeper.errors.append(ValueError("wrong"))
    wire = connect("old", **keep(version))
    wire.send(Publish("a/x", b"1", qos, id=7))
    wire.expect_closed()
    wire = connect("old", **keep(version))
    assert wire.connack.session_present or version == 3
    wire.send(Publish("a/x", b"1", qos, dup=True, id=7))
    wire.expect(answer(qos, 7))
    complete(wire, qos, 7)
    wire.expect_nothing()
    assert len(keeper.seen) == 2
    assert broker.statistics["messages_not_kept"] == 1
    reader.expect_message("a/x", b"1", qos=qos)
    if qos == 1:
        reader.expect_message("a/x", b"1", qos=qos)
    reader.expect_nothing()  # with QoS 2 only the hook is asked again


@VERSIONS
def test_what_is_before_the_one_that_failed_is_acknowledged(broker, connect, reader, version):
    keeper = Keeper(broker)
    gate = keeper.gate()
    wire = connect(version=version)
    wire.send(*(Publish("a/x", str(number).encode(), 1, id=number) for number in range(1, 5)))
    entered(gate)
    keeper.gates.append(open_gate := Gate())
    open_gate.opened.set()
    keeper.errors += [ValueError("the second")]
    # The error is for the next call: the first has taken its own already.
    gate.opened.set()
    wire.expect(Puback(1))
    if version == V5:
        wire.expect(Puback(2, NOT_KEPT))
        wire.expect(Puback(3))
        wire.expect(Puback(4))
    else:
        wire.expect_closed()
    assert broker.statistics["messages_not_kept"] == 1


@QOS
def test_what_is_taken_back_from_a_hook_was_not_kept(broker, connect, reader, qos):
    """A hook that is replaced leaves what waits for it to nobody."""
    cell = "@broker.on_message_received('a/#', ack='after_hook')\ndef keeper(msg): act(msg)"
    gate, seen = Gate(), Seen()

    def define(act: Callable[[Any], None]) -> None:
        exec(compile(cell, "cell.py", "exec"), {"__name__": "cells", "broker": broker, "act": act})

    define(lambda msg: gate.wait())
    wire = connect()
    wire.send(Publish("a/x", b"1", qos, id=1), Publish("a/x", b"2", qos, id=2))
    entered(gate)
    define(lambda msg: seen.append(msg.text))
    gate.opened.set()
    wire.expect(answer(qos, 1))
    wire.expect(answer(qos, 2, NOT_KEPT))
    assert wire.publish("a/x", b"3", 1) == 0
    assert seen == ["3"]


# The connection is lost in between -----------------------------------------------------------------------


def lost(wire: Wire, broker: Broker, left: int) -> None:
    """Cut the connection; return when the broker knows."""
    wire.reset()
    eventually(lambda: broker.statistics["clients_connected"] == left)


@VERSIONS
def test_qos_2_is_heard_once_over_a_reconnect(broker, connect, reader, version):
    """The hook is still at it when the client is back and sends the message again."""
    keeper = Keeper(broker)
    gate = keeper.gate()
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, id=7))
    entered(gate)
    lost(wire, broker, left=1)
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7))
    wire.expect_nothing(0.1)
    gate.opened.set()
    wire.expect(Pubrec(7))
    complete(wire, 2, 7)
    reader.expect_message("a/x", b"1", qos=2)
    reader.expect_nothing()
    wire.expect_nothing()
    assert keeper.seen == ["1"]


@VERSIONS
def test_qos_2_that_was_kept_meanwhile_is_acknowledged_at_once(broker, connect, reader, version):
    keeper = Keeper(broker)
    gate = keeper.gate()
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, id=7))
    entered(gate)
    lost(wire, broker, left=1)
    gate.opened.set()
    assert broker.wait_for_hooks()
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7))
    wire.expect(Pubrec(7))
    complete(wire, 2, 7)
    # The identifier is free for another message.
    wire.send(Publish("a/x", b"2", 2, id=7))
    wire.expect(Pubrec(7))
    complete(wire, 2, 7)
    assert keeper.seen == ["1", "2"]
    reader.expect_message("a/x", b"1", qos=2)
    reader.expect_message("a/x", b"2", qos=2)
    reader.expect_nothing()


@VERSIONS
def test_qos_2_that_was_not_kept_meanwhile_is_new(broker, connect, reader, version):
    keeper = Keeper(broker)
    gate = keeper.gate()
    keeper.errors.append(ValueError("wrong"))
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, id=7))
    entered(gate)
    lost(wire, broker, left=1)
    gate.opened.set()
    assert broker.wait_for_hooks()
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7))
    wire.expect(Pubrec(7))
    complete(wire, 2, 7)
    assert keeper.seen == ["1", "1"]


@VERSIONS
def test_qos_2_that_is_not_kept_after_the_reconnect_comes_again(broker, connect, reader, version):
    """Or its client is told, if it can be."""
    keeper = Keeper(broker)
    gate = keeper.gate()
    keeper.errors.append(ValueError("wrong"))
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, id=7))
    entered(gate)
    lost(wire, broker, left=1)
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7))
    wire.expect_nothing()
    gate.opened.set()
    if version == V5:
        wire.expect(Pubrec(7, NOT_KEPT))
    else:
        wire.expect_closed()
        wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, dup=version == V311, id=7))
    wire.expect(Pubrec(7))
    complete(wire, 2, 7)
    assert keeper.seen == ["1", "1"]


@VERSIONS
@pytest.mark.parametrize("raises", [False, True])
def test_what_is_behind_one_that_waits_is_answered_after_a_reconnect(
    broker, connect, reader, version, raises
):
    """Its PUBREC had only its place behind another."""
    keeper = Keeper(broker)
    gate = keeper.gate()
    if raises:
        keeper.errors.append(ValueError("wrong"))
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, id=7), Publish("b", b"2", 2, id=8), Publish("b", b"3", 1, id=9))
    entered(gate)
    wire.expect_nothing()
    lost(wire, broker, left=1)
    for topic, payload, qos in (("a/x", b"1", 2), ("b", b"2", 2), ("b", b"3", 1)):
        reader.expect_message(topic, payload, qos=qos)
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7), Publish("b", b"2", 2, dup=True, id=8))
    if not raises:
        gate.opened.set()
        wire.expect(Pubrec(7))
        wire.expect(Pubrec(8))
    elif version == V5:
        gate.opened.set()
        wire.expect(Pubrec(7, NOT_KEPT))
        wire.expect(Pubrec(8))
    else:
        gate.opened.set()
        assert all(packet != Pubrec(7) for packet in wire.last_words())
        wire = connect("pump", **keep(version))
        wire.send(Publish("a/x", b"1", 2, dup=True, id=7), Publish("b", b"2", 2, dup=True, id=8))
        wire.expect(Pubrec(7))
        wire.expect(Pubrec(8))
    complete(wire, 2, 8)
    reader.expect_nothing()


def test_qos_2_that_comes_twice_on_one_connection_is_not_acknowledged_early(broker, connect, reader):
    """Clients of 3.1.1 may repeat a message whenever they like; PUBREC would say that it was kept."""
    keeper = Keeper(broker)
    gate = keeper.gate()
    wire = connect("pump", **keep(V311))
    wire.send(Publish("a/x", b"1", 2, id=7))
    entered(gate)
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7))
    wire.expect_nothing(0.1)
    gate.opened.set()
    wire.expect(Pubrec(7))
    complete(wire, 2, 7)
    assert keeper.seen == ["1"]


@VERSIONS
def test_qos_1_is_acknowledged_for_the_call_of_its_own_connection(broker, connect, reader, version):
    keeper = Keeper(broker)
    first, second = keeper.gate(), keeper.gate()
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 1, id=7))
    entered(first)
    lost(wire, broker, left=1)
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 1, dup=True, id=7))
    wire.ping()
    first.opened.set()
    entered(second)
    wire.expect_nothing(0.1)
    second.opened.set()
    wire.expect(Puback(7))
    wire.expect_nothing()
    assert keeper.seen == ["1", "1"]


@VERSIONS
def test_a_session_that_is_taken_over_while_the_hook_runs(broker, connect, reader, version):
    """The old connection is closed by the broker, not lost; the message is the same."""
    keeper = Keeper(broker)
    gate = keeper.gate()
    old = connect("pump", **keep(version))
    old.send(Publish("a/x", b"1", 2, id=7))
    entered(gate)
    new = connect("pump", **keep(version))
    assert Pubrec(7) not in old.last_words()
    new.send(Publish("a/x", b"1", 2, dup=True, id=7))
    new.expect_nothing()
    gate.opened.set()
    new.expect(Pubrec(7))
    complete(new, 2, 7)
    assert keeper.seen == ["1"]


@VERSIONS
def test_a_session_that_begins_anew_owes_nothing(broker, connect, reader, version):
    keeper = Keeper(broker)
    gate = keeper.gate()
    wire = connect("pump", **keep(version))
    wire.send(Publish("a/x", b"1", 2, id=7))
    entered(gate)
    lost(wire, broker, left=1)
    wire = connect("pump", version=version, clean=True)
    wire.send(Publish("a/x", b"2", 2, id=7))
    gate.opened.set()
    wire.expect(Pubrec(7))
    complete(wire, 2, 7)
    wire.expect_nothing()
    assert keeper.seen == ["1", "2"]


@QOS
def test_a_stop_acknowledges_nothing_that_was_not_kept(broker_factory, connect, qos):
    broker = broker_factory({"hooks.stop_grace": 0.2})
    keeper = Keeper(broker)
    gate = keeper.gate()
    wire = connect(to=broker)
    wire.send(*(Publish("a/x", b"1", qos, id=number) for number in range(1, 4)))
    entered(gate)
    stopping = threading.Thread(target=broker.stop)
    stopping.start()
    words = wire.last_words()
    gate.opened.set()
    stopping.join()
    assert not any(isinstance(packet, Puback | Pubrec) and packet.code < 0x80 for packet in words)


# Batches -------------------------------------------------------------------------------------------------


@QOS
def test_a_batch_is_acknowledged_as_a_whole(broker, connect, reader, version, qos):
    keeper = Keeper(broker, "batch", max_rows=10, max_delay=30.0)
    gate = keeper.gate()
    wire = connect(version=version)
    for number in range(1, 11):
        wire.send(Publish("a/x", str(number).encode(), qos, id=number))
        wire.ping()  # nothing before the batch is full
    entered(gate)
    wire.expect_nothing(0.1)
    gate.opened.set()
    for number in range(1, 11):
        wire.expect(answer(qos, number))
    assert keeper.seen == [[str(number) for number in range(1, 11)]]


@QOS
def test_a_batch_that_fails_is_not_kept_as_a_whole(broker, connect, reader, qos):
    keeper = Keeper(broker, "batch", max_rows=5, max_delay=30.0)
    keeper.errors.append(ValueError("wrong"))
    wire = connect()
    wire.send(*(Publish("a/x", b"", qos, id=number) for number in range(1, 6)))
    for number in range(1, 6):
        wire.expect(answer(qos, number, NOT_KEPT))
    wire.send(*(Publish("a/x", b"", qos, id=number) for number in range(1, 6)))
    for number in range(1, 6):
        wire.expect(answer(qos, number))
    assert broker.statistics["messages_not_kept"] == 5


def test_a_batch_of_several_clients(broker, connect, reader):
    """One of them is gone before the batch is full, one is old."""
    keeper = Keeper(broker, "batch", max_rows=3, max_delay=30.0)
    keeper.errors.append(ValueError("wrong"))
    gone, old, new = connect("gone"), connect("old", **keep(V311)), connect("new")
    gone.send(Publish("a/x", b"gone", 1, id=1))
    gone.ping()
    lost(gone, broker, left=3)
    old.send(Publish("a/x", b"old", 1, id=1))
    old.ping()
    new.send(Publish("a/x", b"new", 1, id=1))
    new.expect(Puback(1, NOT_KEPT))
    old.expect_closed()
    assert keeper.seen == [["gone", "old", "new"]]


def test_a_batch_hook_of_arrow_keeps_as_well(broker, connect, reader):
    gate, seen = Gate(), Seen()

    @broker.on_batch("a/#", max_rows=2, max_delay=30, format="arrow", ack="after_hook")
    def store(rows: Any) -> None:
        seen.append(hasattr(rows, "__arrow_c_array__") or hasattr(rows, "__arrow_c_stream__"))
        gate.wait()

    wire = connect()
    wire.send(Publish("a/x", b"1", 1, id=1), Publish("a/x", b"2", 2, id=2))
    entered(gate)
    wire.expect_nothing()
    gate.opened.set()
    wire.expect(Puback(1))
    wire.expect(Pubrec(2))
    assert seen == [True]
