"""MQTT inside WebSocket frames of every shape: what is allowed works, what is not ends that connection."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator

import pytest

from ..protocol.packets import V311, Connect, Pingreq, Puback, Publish, Subscribe
from .frame import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, FrameSocket, frame
from .server import Server, eventually, mib

LARGEST = 64 << 10  # the packet limit of these tests
FRAME = 16 << 20  # that of frames, which may hold many packets
RANDOM = 1000  # connections that send random frames
HELLO = Connect("websocket").encode(V311)
CONNACK, PINGRESP = b"\x20\x02\0\0", b"\xd0\0"
PING_PACKET = Pingreq().encode(V311)
BEGUN = b"\x30\x80\x80\x02" + bytes(100)  # a packet within the limit, not all of it


@pytest.fixture
def dial() -> Iterator[Callable[[Server], FrameSocket]]:
    """`dial(broker)` opens a WebSocket; it is closed at the end of the test."""
    opened: list[FrameSocket] = []

    def dial(broker: Server) -> FrameSocket:
        opened.append(FrameSocket(broker.http_port))
        return opened[-1]

    yield dial
    for each in opened:
        each.close()


@pytest.fixture
def broker(server) -> Server:
    limits = {"max_packet_size": LARGEST, "max_connect_size": LARGEST, "connect_timeout": "60s"}
    return server(http_port=0, limits=limits)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


# A conversation, and the answers to it.
MESSAGE = Publish("ws", b"x" * 300, 1, id=1).encode(V311)
TALK = [
    HELLO,
    Subscribe(1, [("ws", 1)]).encode(V311),
    Publish("ws", b"x" * 300, 1, id=7).encode(V311),
    PING_PACKET,
]
ANSWERS = [CONNACK, b"\x90\x03\0\x01\x01", MESSAGE, Puback(7).encode(V311), PINGRESP]


def split_messages(data: bytes, size: int) -> list[bytes]:
    """Each piece a message of its own."""
    return [frame(BINARY, piece) for piece in pieces(data, size)]


def split_fragments(data: bytes, size: int) -> list[bytes]:
    """One message in fragments."""
    parts = pieces(data, size)
    first, last = 0, len(parts) - 1
    return [
        frame(BINARY if at == first else CONTINUATION, part, last=at == last) for at, part in enumerate(parts)
    ]


@pytest.mark.parametrize("split", [split_messages, split_fragments], ids=["messages", "fragments"])
@pytest.mark.parametrize("between", ["nothing", "pings", "empty frames"])
def test_packets_may_be_cut_anywhere(broker, dial, split, between):
    for size in (1, 2, 3, 7, 126, 1000):
        client = dial(broker)
        frames = split(b"".join(TALK), size)
        fill = {"nothing": b"", "pings": frame(PING, b"still there?")}.get(between, b"")
        if between == "empty frames":
            fill = frame(CONTINUATION, last=False) if split is split_fragments else frame(BINARY)
        client.send(fill.join(frames))
        client.expect(b"".join(ANSWERS))
        if between == "pings":
            assert client.control == [(PONG, b"still there?")] * (len(frames) - 1)


def test_many_packets_in_one_frame_are_all_handled(broker, dial):
    client = dial(broker)
    client.send(frame(BINARY, b"".join(TALK) + PING_PACKET * 5000))
    client.expect(b"".join(ANSWERS) + PINGRESP * 5000)


# The limit is one of packets: the largest works, in whatever frames it comes.
@pytest.mark.parametrize("split", [split_messages, split_fragments], ids=["messages", "fragments"])
def test_the_largest_packet_is_taken_in_small_frames(broker, dial, split):
    client = dial(broker)
    packet = Publish("other", b"x" * (LARGEST - 11)).encode(V311)
    assert len(packet) == LARGEST
    client.send(frame(BINARY, HELLO), *split(packet * 3 + PING_PACKET, 1000))
    client.expect(CONNACK + PINGRESP)


def wrong_frames() -> dict[str, bytes]:
    """What RFC 6455 forbids, and MQTT over it, each after good frames."""
    cases = {
        "an unmasked frame": frame(BINARY, PING_PACKET, masked=False),
        "an unmasked ping": frame(PING, b"x", masked=False),
        "an unmasked close": frame(CLOSE, b"", masked=False),
        "a text frame": frame(TEXT, PING_PACKET),
        "a text frame of nothing": frame(TEXT),
        "a fragment of text": frame(TEXT, b"\xc0", last=False) + frame(CONTINUATION, b"\0"),
        "a continuation of nothing": frame(CONTINUATION, PING_PACKET),
        "a continuation that goes on": frame(CONTINUATION, PING_PACKET, last=False),
        "a message in a message": frame(BINARY, b"\xc0", last=False) + frame(BINARY, b"\0"),
        "a continuation after the end": frame(BINARY, b"\xc0", last=False)
        + frame(CONTINUATION, b"\0")
        + frame(CONTINUATION, PING_PACKET),
        "a ping of 126 bytes": frame(PING, bytes(126)),
        "a pong of 126 bytes": frame(PONG, bytes(126)),
        "a close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
        "a close of one byte": frame(CLOSE, b"\x03"),
        "a close with a wrong code": frame(CLOSE, b"\x03\xed"),
        "a close with a wrong reason": frame(CLOSE, b"\x03\xe8\xff"),
        "a frame above the limit": frame(BINARY, PING_PACKET * (FRAME // 2 + 1)),
        "a length above the limit": frame(BINARY, BEGUN, length=FRAME + 1),
        "fragments above the limit": frame(BINARY, last=False)
        + frame(CONTINUATION, PING_PACKET * (1 << 19), last=False) * 17,
        "a length of 2 GiB": frame(BINARY, BEGUN, length=2 << 30),
        "a length of 2^62": frame(BINARY, BEGUN, length=1 << 62),
        "a length of 2^63": frame(BINARY, BEGUN, length=1 << 63),
        "a length of 2^64 - 1": frame(BINARY, BEGUN, length=(1 << 64) - 1),
        "a ping of 2^63 bytes": frame(PING, b"x", length=1 << 63),
    }
    for opcode in (*range(3, 8), *range(11, 16)):
        cases[f"opcode {opcode}"] = frame(opcode, b"x")
        cases[f"opcode {opcode} without a payload"] = frame(opcode)
    for bits in range(1, 8):
        cases[f"reserved bits {bits:03b}"] = frame(BINARY, PING_PACKET, reserved=bits)
        cases[f"reserved bits {bits:03b} in a ping"] = frame(PING, b"x", reserved=bits)
    for opcode, name in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        cases[f"a fragmented {name}"] = frame(opcode, last=False) + frame(CONTINUATION)
        cases[f"the first fragment of a {name}"] = frame(opcode, b"", last=False)
    return cases


def test_wrong_frames_close_the_connection_and_disturb_nobody(broker, dial, figures, undisturbed):
    memory = broker.memory()
    still_open, count = [], 0
    with undisturbed(broker.port) as bystanders:
        for name, data in wrong_frames().items():
            for before, answers in ((b"", b""), (frame(BINARY, HELLO), CONNACK)):
                client = dial(broker)
                client.send(before)
                client.expect(answers)
                with contextlib.suppress(ConnectionError):  # it need not read to the end
                    client.send(data)
                count += 1
                if not client.closes(3):
                    still_open.append(f"{name} {'after' if before else 'before'} CONNECT")
                client.close()
    figures(
        f"wrong WebSocket frames: {count} cases, {len(still_open)} left open, memory grew by "
        f"{mib(broker.memory() - memory)}; {bystanders}"
    )
    assert not still_open


# Nothing is allocated by a length that a peer declares.
def test_large_frames_without_their_data_cost_nothing(server, dial, figures):
    broker = server(http_port=0)  # with the limits it has by itself
    clients = [dial(broker) for _ in range(200)]
    for number, client in enumerate(clients):
        client.send(frame(BINARY, Connect(f"client {number}").encode(V311)))
        client.expect(CONNACK)
    memory, reserved = broker.memory(), broker.reserved()
    for client in clients:
        client.send(frame(BINARY, BEGUN, length=FRAME))
    friend = dial(broker)
    friend.send(frame(BINARY, HELLO + PING_PACKET))
    friend.expect(CONNACK + PINGRESP)
    assert broker.statistics()["clients_connected"] == len(clients) + 1, "they wait for the rest of the frame"
    grown, asked = broker.memory() - memory, broker.reserved() - reserved
    figures(
        f"WebSocket frames that never end: {len(clients)} of {mib(FRAME)} declared, memory grew by "
        f"{mib(grown)}, {mib(asked)} were reserved"
    )
    assert grown < 16 << 20
    assert asked < 64 << 20


def scribble(dice: random.Random) -> bytes:
    """Frames at random, mostly well formed, with anything inside."""
    out = b""
    for _ in range(dice.randint(1, 6)):
        payload = dice.choice([b"", HELLO, PING_PACKET, dice.randbytes(dice.randint(0, 200))])
        out += frame(
            dice.choice([BINARY, BINARY, BINARY, CONTINUATION, PING, PONG, CLOSE, dice.randrange(16)]),
            payload,
            last=dice.random() < 0.7,
            reserved=dice.choice([0, 0, 0, 0, dice.randrange(8)]),
            masked=dice.random() < 0.9,
            length=dice.choice([None, None, None, None, dice.randrange(300), dice.getrandbits(64)]),
        )
    edited = bytearray(out)
    if dice.random() < 0.3:
        edited[dice.randrange(len(edited))] ^= 1 << dice.randrange(8)
    return bytes(edited)


def test_random_frames_harm_nobody(broker, dial, figures, undisturbed, seed):
    dice = random.Random(seed)
    memory = broker.memory()
    with undisturbed(broker.port) as bystanders:
        for _ in range(RANDOM):
            client = dial(broker)
            client.send(*[frame(BINARY, HELLO)] * dice.randint(0, 1), scribble(dice))
            client.socket.shutdown(1)
            assert client.closes(3), f"HOOKMQ_TEST_SEED={seed}"
            client.close()
        eventually(broker.statistics, lambda found: found["clients_connected"] == 2)
    grown = broker.memory() - memory
    figures(
        f"random WebSocket frames: HOOKMQ_TEST_SEED={seed}: {RANDOM:,} connections, "
        f"{broker.panics()} panics, memory grew by {mib(grown)}; {bystanders}"
    )
    assert grown < 32 << 20
