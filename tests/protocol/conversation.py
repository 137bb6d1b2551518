"""A whole conversation that can be cut into pieces, and what a server has to answer."""

from __future__ import annotations

import random

from .packets import (
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    Pubrel,
    Subscribe,
    Unsubscribe,
    Will,
)
from .wire import Wire, subscription


def conversation(root: str, version: int) -> bytes:
    """A client that talks to itself at QoS 0, so that nothing it sends depends on an answer."""
    rich = {"user_property": [("a", "b")], "content_type": "t"} if version == V5 else {}
    packets: list[Packet] = [
        Connect(f"{root}x", username="user", password=b"secret", will=Will(f"{root}/will", b"no")),
        Subscribe(1, [subscription(f"{root}/+"), subscription(f"{root}/x/y")]),
        Publish(f"{root}/a", b"first"),
        Publish(f"{root}/b", b"second", 1, id=7, properties=rich),
        Publish(f"{root}/c", b"x" * 300, 2, id=8),
        Pingreq(),
        Pubrel(8),
        Publish(f"{root}/d", b"", 1, retain=True, id=9),
        Unsubscribe(2, [f"{root}/+"]),
        Publish(f"{root}/e", b"unseen", 1, id=10),
        Pingreq(),
        Disconnect(),
    ]
    return b"".join(packet.encode(version) for packet in packets)


def answers(wire: Wire) -> tuple[list[Packet], list[Packet]]:
    """What the server said until the end: its answers, and the messages.

    Each kind keeps its order; how the two mingle is the server's affair.
    """
    words = wire.last_words()
    assert isinstance(words[0], Connack)
    return [word for word in words if not isinstance(word, Publish)], [
        w for w in words if isinstance(w, Publish)
    ]


def one_by_one(data: bytes, seed: int) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def randomly(data: bytes, seed: int) -> list[bytes]:
    rng, out = random.Random(seed), []
    while data:
        size = rng.choice((1, 1, 2, 3, 5, 8, 40, 200))
        out.append(data[:size])
        data = data[size:]
    return out
