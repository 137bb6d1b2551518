"""What waits for hooks and the history takes about the memory that their bounds count."""

from __future__ import annotations

from ..protocol.packets import V311, Connect, Publish
from ..protocol.wire import Wire
from .server import mib

ROUNDS = 2000
BOUND = 32 << 20  # bytes: the rows of the history and a batch under way, and not 114 MiB of names


def dial(broker, name: str) -> Wire:
    wire = Wire(broker.host, broker.port, version=V311, deadline=30)
    wire.connect(Connect(name, keep_alive=0))
    return wire


def test_a_long_client_identifier_is_not_kept_with_every_few_messages(server, figures):
    broker = server(history={"enabled": True})
    wire = dial(broker, "n" * 60_000)
    few = b"".join(Publish("t", b"x").encode(V311) for _ in range(5))
    memory = broker.memory()
    for _ in range(ROUNDS):
        wire.send(few)
        wire.ping()
    grown = broker.memory() - memory
    wire.close()
    figures(
        f"{5 * ROUNDS:,} small messages of a client with a name of 60,000 bytes: memory grew by {mib(grown)}"
    )
    assert grown < BOUND


def test_a_large_message_among_many_small_ones_reserves_nothing_for_them(server, figures):
    broker = server(history={"enabled": True})
    wire = dial(broker, "one")
    mixed = Publish("t", b"x" * 4000).encode(V311) + Publish("t", b"x").encode(V311) * 4000
    memory = broker.memory()
    for _ in range(ROUNDS // 100):
        wire.send(mixed)
        wire.ping()
    grown = broker.memory() - memory
    wire.close()
    figures(f"{ROUNDS // 100} times a message of 4,000 bytes and 4,000 of one: memory grew by {mib(grown)}")
    assert grown < BOUND
