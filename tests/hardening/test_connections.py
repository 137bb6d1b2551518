"""Connections that say nothing, too little, too often: good clients do not notice."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from ..protocol.packets import V5, V311, Connack, Connect
from ..protocol.wire import Closed, Wire
from .server import Server, eventually, mib

HALF_OPEN = 10_000
SLOW = 1000  # of them send a byte a second
TRIES = 50
PROMPT = 1.0  # seconds in which a good client is connected
EACH = 16 << 10  # bytes for one of them
RESERVE = 1000  # descriptors that are left to the tests themselves

DESCRIPTORS = 64
CROWD = 200  # connections to a broker that has room for fewer
BUSY = 0.2  # of a processor: more is spinning


@pytest.fixture
def descriptors() -> Iterator[int]:
    """How many connections this process may open, the limit raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Sockets that are closed at the end of the test."""
    opened: list[socket.socket] = []
    yield opened
    for each in opened:
        each.close()


def open_socket(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def connect_and_leave(broker: Server, name: str, version: int = V5) -> float:
    """Seconds from the first packet of TCP to CONNACK."""
    began = time.monotonic()
    with contextlib.closing(Wire(broker.host, broker.port, version=version, deadline=10)) as client:
        client.connect(Connect(name))
        took = time.monotonic() - began
        client.disconnect()
    return took


# Every version in turn, while a tenth of the others send one more byte each second.
def test_half_open_connections_keep_nobody_out(server, sockets, descriptors, figures, undisturbed):
    count = min(HALF_OPEN, descriptors - RESERVE)
    broker = server(limits={"connect_timeout": "100s", "max_half_open": HALF_OPEN + 100})
    memory = broker.memory()
    hello = Connect("a client that takes its time", username="x" * 60).encode(V311)
    took: list[float] = []
    with undisturbed(broker.port) as bystanders:
        sockets += [open_socket(broker.port) for _ in range(count)]
        eventually(broker.statistics, lambda found: found["half_open"] == count)
        began = time.monotonic()
        sent = 0
        for number in range(TRIES):
            if time.monotonic() - began >= sent:
                for each in sockets[:SLOW]:
                    each.send(hello[sent : sent + 1])
                sent += 1
            took.append(connect_and_leave(broker, "good", (V5, V311)[number % 2]))
            # The tries are spread over some seconds, so that the slow ones are at it meanwhile.
            time.sleep(max(0.0, began + number / 10 - time.monotonic()))
        grown = broker.memory() - memory
        assert broker.statistics()["half_open"] == count
    figures(
        f"half-open connections: {count:,}, {SLOW:,} of them with a byte a second: a good client connected "
        f"{TRIES} times, slowest {max(took) * 1000:.1f} ms; memory grew by {mib(grown)}; {bystanders}"
    )
    assert sent >= 4
    assert grown < count * EACH
    assert max(took) < PROMPT
    while sockets:
        sockets.pop().close()
    eventually(broker.statistics, lambda found: found["half_open"] == 0)


# The time to send CONNECT counts from the connection on, and not from the last byte.
def test_a_byte_now_and_then_does_not_keep_a_connection(server, sockets, figures):
    broker = server(limits={"connect_timeout": "2s"})
    began = time.monotonic()
    sockets += [open_socket(broker.port) for _ in range(500)]
    hello = Connect("never finished", username="x" * 200).encode(V5)
    waiting, sent = list(sockets), 0
    while waiting and time.monotonic() < began + 10:
        for each in list(waiting):
            try:
                each.send(hello[sent : sent + 1])
            except ConnectionError:
                waiting.remove(each)
        sent += 1
        time.sleep(0.1)
    took = time.monotonic() - began
    figures(f"slow CONNECTs: {len(sockets)} closed {took:.1f} s after they came, at a limit of 2 s")
    assert not waiting and took > 1.5
    assert broker.statistics()["limit_connect_timeout"] == len(sockets)


def fill(broker: Server, sockets: list[socket.socket], port: int) -> None:
    """Takes all descriptors that the broker has."""
    sockets += [open_socket(port) for _ in range(CROWD)]
    eventually(broker.descriptors, lambda count: count >= DESCRIPTORS)


@pytest.mark.parametrize("kind", ["MQTT", "HTTP"])
def test_a_broker_without_descriptors_waits_for_better_times(server, sockets, figures, kind):
    broker = server(descriptors=DESCRIPTORS, http_port=0, limits={"connect_timeout": "100s"})
    with contextlib.closing(Wire(broker.host, broker.port, version=V5)) as friend:
        friend.connect(Connect("friend"))
        fill(broker, sockets, broker.port if kind == "MQTT" else broker.http_port)
        began, used = time.monotonic(), broker.processor_time()
        while time.monotonic() < began + 2:
            friend.ping()  # who is connected is served
            time.sleep(0.1)
        share = (broker.processor_time() - used) / (time.monotonic() - began)
        assert broker.descriptors() == DESCRIPTORS
        while sockets:
            sockets.pop().close()
        gone = time.monotonic()
        eventually(lambda: _answers(broker), bool)
        waited = time.monotonic() - gone
        friend.ping()
    figures(
        f"without descriptors ({CROWD} {kind} connections, {DESCRIPTORS} descriptors): {share:.1%} of a "
        f"processor over 2 s; a new client was in {waited:.1f} s after they had gone"
    )
    assert share < BUSY


def _answers(broker: Server) -> bool:
    with contextlib.suppress(Closed):
        return connect_and_leave(broker, "new") < PROMPT
    return False


def attempts(broker: Server, count: int, end: Callable[[Wire], None]) -> Counter[int]:
    """One identifier connects again and again; the codes of the CONNACKs."""
    codes: Counter[int] = Counter()
    for _ in range(count):
        client = Wire(broker.host, broker.port, version=V5)
        client.send(Connect("storm"))
        connack = client.read()
        assert isinstance(connack, Connack)
        codes[connack.code] += 1
        end(client)
    return codes


# Connections that end without DISCONNECT, and connections that take over from each other.
@pytest.mark.parametrize("ends", ["are lost", "take over"])
def test_a_reconnect_storm_of_one_identifier_is_jailed_and_others_are_served(
    server, figures, undisturbed, ends
):
    broker = server(limits={"max_reconnects": 50, "jail_time": "60s"})
    kept: list[Wire] = []
    with undisturbed(broker.port) as bystanders:
        codes = attempts(broker, 1000, Wire.close if ends == "are lost" else kept.append)
        slowest = max(connect_and_leave(broker, f"other {number}") for number in range(TRIES))
    for wire in kept:
        wire.close()
    figures(
        f"reconnect storm of connections that {ends}: {codes[0]} of {codes.total():,} let in, "
        f"{codes[0x9F]:,} jailed; others connected within {slowest * 1000:.1f} ms; {bystanders}"
    )
    assert set(codes) == {0, 0x9F}
    assert 50 <= codes[0] <= 52
    assert slowest < PROMPT
    assert broker.statistics()["limit_max_reconnects"] == codes[0x9F]
