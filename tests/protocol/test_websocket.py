"""MQTT over WebSocket: packets in frames of any shape, and frames that must not be sent.

On the HTTP port, where MQTT shares the port with pages, and on a listener of its own.
"""

from __future__ import annotations

import random

import pytest

from .conversation import answers, conversation, one_by_one, randomly
from .packets import V5, V31, V311, Connack, Connect, Disconnect, Pingreq, Pingresp, Publish, Subscribe, Will
from .websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, encode
from .wire import Late, subscription

pytestmark = pytest.mark.settings

MODERN = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
BOTH = pytest.mark.parametrize("place", ["HTTP port", "listener"], indirect=True)


# ---- packets in frames -----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("version", [V31, V311, V5], ids=["3.1", "3.1.1", "5.0"])
def test_messages_between_websocket_and_tcp(place, connect, connect_websocket, root, version):
    web, tcp = connect_websocket(version=version), connect(to=place[0], version=version)
    for subscriber, publisher in ((web, tcp), (tcp, web)):
        subscriber.subscribe(root, qos=2)
        for qos in (0, 1, 2):
            publisher.publish(root, b"%d" % qos, qos)
            subscriber.expect_message(root, b"%d" % qos, qos=qos)
        subscriber.unsubscribe(root)
    web.disconnect()


# The same conversation, cut where a frame ends, gives the same answers.
@pytest.mark.mqtt5("6.0.0-2")
@pytest.mark.mqtt311("6.0.0-2")
@BOTH
@pytest.mark.parametrize("version", [V31, V311, V5], ids=["3.1", "3.1.1", "5.0"])
@pytest.mark.parametrize(
    ("split", "seed"),
    [pytest.param(one_by_one, 0, id="bytes"), *(pytest.param(randomly, n, id=f"seed {n}") for n in range(3))],
)
def test_frames_cut_packets_anywhere(dial_websocket, root, version, split, seed):
    data = conversation(root, version)
    whole = dial_websocket(version).open()
    whole.send(data)
    expected = answers(whole)
    assert len(expected[0]) == 10
    wire = dial_websocket(version).open()
    wire.send_raw(b"".join(encode(BINARY, piece) for piece in split(data, seed)))
    assert answers(wire) == expected


# A message of several frames, with pings between them, is one piece of the stream like any other.
@pytest.mark.mqtt5("6.0.0-2")
@pytest.mark.mqtt311("6.0.0-2")
@BOTH
@MODERN
def test_fragmented_messages(dial_websocket, root, version):
    data = conversation(root, version)
    whole = dial_websocket(version).open()
    whole.send(data)
    expected = answers(whole)
    wire = dial_websocket(version).open()
    rng = random.Random(7)
    pieces = [b"", *randomly(data, 7)]
    opcode, pings = BINARY, []
    for place, piece in enumerate(pieces):
        if place % 5 == 3:
            pings.append(b"%d" % place)
            wire.send_raw(encode(PING, pings[-1]))
        last = place == len(pieces) - 1 or rng.random() < 0.3
        wire.send_raw(encode(opcode, piece, fin=last))
        opcode = BINARY if last else CONTINUATION
    assert answers(wire) == expected
    assert [frame.payload for frame in wire.control if frame.opcode == PONG] == pings


# On both sides of the sizes at which the form of a frame's length changes.
@BOTH
@pytest.mark.parametrize("size", [0, 100, 125, 126, 127, 65_535, 65_536, 1_000_000])
def test_frames_of_many_sizes(connect_websocket, root, size):
    wire = connect_websocket()
    wire.subscribe(root)
    overhead = len(Publish(root).encode(V5))
    payload = (bytes(range(256)) * (size // 256 + 1))[: max(0, size - overhead)]
    wire.send(Publish(root, payload))
    wire.expect_message(root, payload)
    wire.ping()


# A subscriber that takes thousands of messages gets them whole, in the order they were sent.
@BOTH
def test_many_messages(place, connect, connect_websocket, root):
    wire, publisher = connect_websocket(), connect(to=place[0])
    wire.subscribe(root)
    packets = [Publish(root, b"%d" % number * 10) for number in range(3000)]
    publisher.send(*packets, Pingreq())
    publisher.expect(Pingresp())
    assert [message.payload for message in wire.drain()] == [packet.payload for packet in packets]


# ---- control frames --------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("payload", [b"", b"hello", bytes(range(125))], ids=["empty", "short", "long"])
def test_pings_are_answered(dial_websocket, payload):
    wire = dial_websocket().open()
    wire.send_raw(encode(PING, payload))  # even before the CONNECT
    assert wire.read_frame() == Frame(PONG, payload)
    wire.connect(Connect("a"))
    wire.send_raw(encode(PING, payload))
    assert wire.read_frame() == Frame(PONG, payload)
    wire.ping()


@BOTH
def test_pongs_that_nobody_asked_for_are_ignored(connect_websocket):
    wire = connect_websocket()
    wire.send_raw(encode(PONG, b"hello") + encode(PONG))
    wire.ping()


# Of WebSocket, not of MQTT: it is as if the network had failed, and the will is published.
@pytest.mark.mqtt5("3.1.2-8")
@pytest.mark.mqtt311("3.1.2-8")
@BOTH
@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9leaving"], ids=["empty", "1000", "1001"])
def test_a_close_frame_is_answered(place, connect, connect_websocket, root, payload):
    watcher = connect(to=place[0])
    watcher.subscribe(f"{root}/will")
    wire = connect_websocket(will=Will(f"{root}/will", b"gone"))
    wire.send_raw(encode(CLOSE, payload))
    frame = wire.read_frame()
    assert frame.opcode == CLOSE
    assert frame.payload[:2] in (b"", payload[:2], b"\x03\xe8")
    wire.expect_end()
    watcher.expect_message(f"{root}/will", b"gone")


@pytest.mark.mqtt5("3.14.4-3")
@pytest.mark.mqtt311("3.14.4-3")
@BOTH
@MODERN
def test_a_disconnect_ends_the_websocket(place, connect, connect_websocket, root, version):
    watcher = connect(to=place[0])
    watcher.subscribe(f"{root}/will")
    wire = connect_websocket(version=version, will=Will(f"{root}/will", b"gone"))
    wire.send(Disconnect())
    assert wire.expect_end() in (None, 1000, 1005)
    watcher.expect_nothing(0.1)


# What the server has to say comes first, in a frame of its own kind.
@pytest.mark.mqtt5("4.13.1-1", "4.13.2-1")
@pytest.mark.mqtt311("4.8.0-1")
@BOTH
@MODERN
def test_a_malformed_packet_ends_the_websocket(connect_websocket, version):
    wire = connect_websocket(version=version)
    wire.send(b"\x36\x00")
    if version == V5:
        wire.expect(Disconnect(0x81))
    wire.expect_end()


@pytest.mark.mqtt5("3.1.4-3")
@pytest.mark.mqtt311("3.1.4-2")
@MODERN
def test_a_takeover_from_another_transport(place, connect, connect_websocket, version):
    web = connect_websocket("a", version=version)
    tcp = connect("a", to=place[0], version=version)
    if version == V5:
        web.expect(Disconnect(0x8E))
    web.expect_end()
    again = connect_websocket("a", version=version)
    tcp.expect_closed(*([Disconnect(0x8E)] if version == V5 else []))
    again.ping()


# ---- frames that must not be sent ------------------------------------------------------------------------

HELLO = Connect("a").encode(V311)


@pytest.mark.mqtt5("6.0.0-1")
@pytest.mark.mqtt311("6.0.0-1")
@BOTH
@pytest.mark.parametrize("connected", [False, True], ids=["before CONNECT", "after CONNECT"])
@pytest.mark.parametrize("data", [b"", b"hello", HELLO, Publish("smuggled", b"x").encode(V311)])
def test_a_text_frame_ends_the_connection(place, connect, dial_websocket, connected, data):
    watcher = connect(to=place[0])
    watcher.subscribe("#")
    wire = dial_websocket(V311).open()
    if connected:
        wire.connect(Connect("b"))
    wire.send_raw(encode(TEXT, data))
    wire.send_raw(encode(BINARY, Publish("smuggled", b"x").encode(V311)))
    assert wire.expect_end() in (None, 1002, 1003, 1007, 1008)
    watcher.expect_nothing()


# A message that begins as text is text to its end.
@pytest.mark.mqtt5("6.0.0-1")
@pytest.mark.mqtt311("6.0.0-1")
@BOTH
def test_a_fragmented_text_ends_the_connection(connect_websocket):
    wire = connect_websocket(version=V311)
    wire.send_raw(encode(TEXT, b"\xc0", fin=False) + encode(CONTINUATION, b"\x00"))
    assert wire.expect_end() in (None, 1002, 1003, 1007, 1008)


# What the server itself sends is in binary frames: `WebSocket` raises an error for any other data frame.
@pytest.mark.mqtt5("6.0.0-1")
@pytest.mark.mqtt311("6.0.0-1")
@BOTH
@MODERN
def test_the_server_sends_binary_frames(connect_websocket, root, version):
    wire = connect_websocket(version=version)
    wire.send(Subscribe(1, [subscription(root, 0)]))
    frame = wire.read_frame()
    assert (frame.opcode, frame.payload[0]) == (BINARY, 0x90)
    wire.send(Publish(root, b"plain text"))
    frame = wire.read_frame()
    assert (frame.opcode, frame.payload[0]) == (BINARY, 0x30)
    wire.send(Pingreq())
    assert wire.read_frame() == Frame(BINARY, b"\xd0\x00")


MESSAGE = Publish("smuggled", b"x").encode(V311)
WRONG = {
    "a frame without mask": encode(BINARY, MESSAGE, masked=False),
    "a ping without mask": encode(PING, b"x", masked=False),
    **{f"reserved bits {bits:03b}": encode(BINARY, MESSAGE, reserved=bits) for bits in (1, 2, 4)},
    **{f"opcode {opcode}": encode(opcode, MESSAGE) for opcode in (3, 7, 11, 15)},
    "a continuation of nothing": encode(CONTINUATION, MESSAGE),
    "a message within a message": encode(BINARY, MESSAGE[:3], fin=False) + encode(BINARY, MESSAGE[3:]),
    "a ping in two frames": encode(PING, b"x", fin=False) + encode(CONTINUATION, b"y"),
    "a ping of 126 bytes": encode(PING, b"x" * 126),
    "a close of one byte": encode(CLOSE, b"\x03"),
    "a close with the code 999": encode(CLOSE, b"\x03\xe7"),
    "a close with the code 1005": encode(CLOSE, b"\x03\xed"),
    "a close with words that are no text": encode(CLOSE, b"\x03\xe8\xff\xfe"),
    "a length of 63 bits and one": b"\x82\xff" + b"\xff" * 8 + bytes(4),
}


# RFC 6455 asks for the end of the connection: 1002 is a protocol error, 1007 wrong text, 1009 too much.
@BOTH
@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_wrong_frames_end_the_connection(place, connect, connect_websocket, root, data):
    watcher = connect(to=place[0])
    watcher.subscribe("#")
    wire = connect_websocket(version=V311, will=Will(f"{root}/will", b"gone"))
    wire.send_raw(data + encode(BINARY, MESSAGE))
    assert wire.expect_end() in (None, 1002, 1007, 1009)
    watcher.expect_message(f"{root}/will", b"gone")
    watcher.expect_nothing()


# Only the end of the TCP connection, with no close frame at all.
@BOTH
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_a_lost_connection_publishes_the_will(place, connect, connect_websocket, root, reset):
    watcher = connect(to=place[0])
    watcher.subscribe(f"{root}/will")
    wire = connect_websocket(will=Will(f"{root}/will", b"gone"))
    if reset:
        wire.reset()
    else:
        wire.close()
    watcher.expect_message(f"{root}/will", b"gone")


# A CONNECT that is refused is answered before the end.
@pytest.mark.mqtt5("3.2.2-7")
@pytest.mark.mqtt311("3.2.2-5")
@BOTH
def test_a_refused_connect(dial_websocket):
    wire = dial_websocket(V311).open()
    wire.send(Connect("", clean=False))
    wire.expect(Connack(2))
    wire.expect_end()
    wire = dial_websocket(V5).open()
    wire.send(Connect("a", properties={"authentication_method": "unknown"}))
    wire.expect(Connack(0x8C))
    wire.expect_end()


# The keep alive counts MQTT packets; frames of WebSocket alone do not keep a client.
@pytest.mark.mqtt5("3.1.2-22")
@BOTH
def test_pings_of_websocket_are_no_packets(connect_websocket, root):
    wire = connect_websocket(keep_alive=1)
    wire.deadline = 4.0
    for _ in range(3):
        wire.send_raw(encode(PING, b"still here"))
        with pytest.raises(Late):
            wire.read(0.4)
    wire.expect(Disconnect(0x8D))
    wire.expect_end()
