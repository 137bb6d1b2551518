"""Enhanced authentication: AUTH packets before the CONNACK, and again while connected.

RIDDLE is a method made up for these tests; SCRAM-SHA-256 has a file of its own, test_scram.py.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from hookmq import Deny

from .packets import (
    V5,
    V311,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Publish,
    Subscribe,
    Will,
    raw,
)
from .wire import Closed, Late, Wire, subscription

pytestmark = pytest.mark.settings

METHOD = "RIDDLE"
FIRST, SECOND = b"what has teeth and cannot bite?", b"and what has a neck and no head?"
SESSION = {"session_expiry_interval": 60}


@pytest.fixture
def riddler(broker_factory):
    """A broker that asks two questions; who names no method gets in without."""
    broker = broker_factory(start=False, allow_anonymous=True)

    @broker.enhanced_authenticate(METHOD)
    def ask(client, data: bytes):
        if data == b"friend":
            return b"welcome back"
        if data == b"silent friend":
            return True
        if data == b"nobody":
            raise Deny("not today")
        if (yield FIRST) != b"a comb":
            return False
        return b"well done" if (yield SECOND) == b"a bottle" else False

    return broker.start()


def auth(data: bytes | None = None, code: int = 0x18, method: str = METHOD, **more: Any) -> Auth:
    given: dict[str, Any] = {"authentication_method": method}
    if data is not None:
        given["authentication_data"] = data
    return Auth(code, given | more)


def hello(
    name: str, data: bytes | None = b"", *, clean: bool = True, will: Will | None = None, **more: Any
) -> Connect:
    """A CONNECT that names the method."""
    given: dict[str, Any] = {"authentication_method": METHOD, **more}
    if data is not None:
        given["authentication_data"] = data
    return Connect(name, clean=clean, will=will, properties=given)


def accepted(wire: Wire, data: bytes | None) -> Connack:
    """The next packet, a CONNACK that lets the client in and names the method."""
    connack = wire.read()
    assert isinstance(connack, Connack), connack
    assert connack.code == 0, connack
    assert connack.properties["authentication_method"] == METHOD
    assert connack.properties.get("authentication_data", b"") == (data or b"")
    wire.connack = connack
    return connack


def refused(wire: Wire) -> None:
    """The next packet is a CONNACK that does not let the client in, and the last one."""
    (word,) = wire.last_words()
    assert isinstance(word, Connack), word
    assert word.code in (0x86, 0x87)


def solve(wire: Wire) -> None:
    """Both questions, answered."""
    wire.expect(auth(FIRST))
    wire.send(auth(b"a comb"))
    wire.expect(auth(SECOND))
    wire.send(auth(b"a bottle"))


@pytest.fixture
def solver(riddler, dial, root):
    """`solver("alice")` gives a client that was asked and let in."""

    def solver(name: str = "solver", **fields: Any) -> Wire:
        wire = dial(V5, to=riddler)
        wire.send(hello(root + name, **fields))
        solve(wire)
        accepted(wire, b"well done")
        return wire

    return solver


# ---- before the CONNACK ----------------------------------------------------------------------------------


@pytest.mark.mqtt5("3.1.4-5", "3.2.0-1", "3.15.2-1", "4.12.0-2", "4.12.0-3", "4.12.0-5")
@pytest.mark.parametrize("data", [None, b"", b"hello"], ids=["no data", "empty data", "data"])
def test_questions_before_the_connack(riddler, dial, root, data):
    wire = dial(V5, to=riddler)
    wire.send(hello(root, data))
    solve(wire)
    assert not accepted(wire, b"well done").session_present
    wire.ping()
    wire.subscribe(root, qos=1)
    wire.send(Publish(root, b"x"))
    wire.expect_message(root, b"x")


# Who is known already is not asked, and needs no answer but the CONNACK.
@pytest.mark.mqtt5("4.12.0-5")
@pytest.mark.parametrize(("data", "answer"), [(b"friend", b"welcome back"), (b"silent friend", None)])
def test_a_method_that_has_no_questions(riddler, dial, root, data, answer):
    wire = dial(V5, to=riddler)
    wire.send(hello(root, data))
    accepted(wire, answer)
    wire.ping()


# At any point: at once, at the first and at the second answer.
@pytest.mark.mqtt5("3.1.4-2", "3.2.2-6", "3.2.2-7", "3.2.2-8", "3.14.0-1", "4.12.0-4", "4.13.2-1")
@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_a_failed_authentication(riddler, connect, dial, root, fails_at):
    connect("a", to=riddler, clean=False, properties=SESSION).disconnect()
    wire = dial(V5, to=riddler)
    wire.send(hello(f"{root}a", b"nobody" if fails_at == 0 else b"", clean=False))
    if fails_at:
        wire.expect(auth(FIRST))
        wire.send(auth(b"a comb" if fails_at == 2 else b"a shark"))
    if fails_at == 2:
        wire.expect(auth(SECOND))
        wire.send(auth(b"a giraffe"))
    refused(wire)


@pytest.mark.mqtt5("4.12.0-1", "3.2.2-7")
@pytest.mark.parametrize("method", ["riddle", "RIDDLES", "", "PLAIN", "x" * 1000])
def test_unknown_methods(riddler, dial, root, method):
    wire = dial(V5, to=riddler)
    wire.send(Connect(root, properties={"authentication_method": method, "authentication_data": b"friend"}))
    wire.expect_closed(Connack(0x8C))


# Not even where there are methods, and whatever else the client tells of itself.
@pytest.mark.mqtt5("4.12.0-6")
def test_no_method_no_questions(riddler, dial, root):
    wire = dial(V5, to=riddler)
    connack = wire.connect(Connect(root))
    assert "authentication_method" not in connack.properties
    assert "authentication_data" not in connack.properties
    wire.expect_nothing()
    old = dial(V311, to=riddler)
    old.connect(Connect(f"{root}old"))
    old.expect_nothing()


WRONG_ANSWERS: dict[str, tuple[Packet | bytes, set[int]]] = {
    "again": (auth(b"a comb", 0x19), {0x81, 0x82}),
    "success": (auth(b"a comb", 0x00), {0x81, 0x82}),
    "another method": (auth(b"a comb", method="OTHER"), {0x82, 0x87, 0x8C}),
    "no properties": (Auth(0x18), {0x82}),
    "no method": (Auth(0x18, {"authentication_data": b"a comb"}), {0x82}),
    "unknown reason": (raw(0xF0, b"\x55\x00"), {0x81, 0x82}),
    "nothing": (raw(0xF0), {0x81, 0x82}),
    "two methods": (Auth(0x18, [("authentication_method", METHOD)] * 2), {0x82}),
    "wrong property": (auth(b"a comb", session_expiry_interval=1), {0x81, 0x82}),
}


# The answer to a question is AUTH 0x18 with the same method, and nothing else.
@pytest.mark.mqtt5("3.14.0-1", "3.15.2-1", "4.12.0-3", "4.12.0-5")
@pytest.mark.parametrize(("answer", "codes"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_wrong_answers(riddler, dial, root, answer, codes):
    wire = dial(V5, to=riddler)
    wire.send(hello(root))
    wire.expect(auth(FIRST))
    wire.send(answer, auth(b"a comb"), auth(b"a bottle"))
    words = wire.last_words()
    assert all(isinstance(word, Connack) and word.code in codes for word in words), words
    assert len(words) <= 1


@pytest.mark.mqtt5("2.1.3-1", "3.15.1-1")
@pytest.mark.parametrize("flags", [1, 2, 4, 8, 15])
def test_flags_of_auth(riddler, solver, dial, root, flags):
    answer = auth(b"a comb").encode(V5)
    wire = dial(V5, to=riddler)
    wire.send(hello(root))
    wire.expect(auth(FIRST))
    wire.send(bytes([answer[0] | flags]) + answer[1:])
    words = wire.last_words()
    assert all(isinstance(word, Connack) and word.code == 0x81 for word in words), words
    assert len(words) <= 1
    wire = solver()
    again = auth(b"friend", 0x19).encode(V5)
    wire.send(bytes([again[0] | flags]) + again[1:])
    wire.expect_closed(Disconnect(0x81))


# Until it is let in a client may send AUTH and DISCONNECT, and nothing else has an effect.
@pytest.mark.mqtt5("3.1.2-30", "3.1.4-6", "3.2.0-1", "3.14.0-1")
@pytest.mark.parametrize(
    "packet",
    [
        Publish("smuggled", b"x"),
        Publish("smuggled", b"x", 1, id=1),
        Subscribe(1, [subscription("#")]),
        Pingreq(),
        Puback(1),
        Connect("other"),
        hello("other", b"friend"),
    ],
    ids=["PUBLISH", "QoS 1", "SUBSCRIBE", "PINGREQ", "PUBACK", "CONNECT", "CONNECT of a friend"],
)
def test_other_packets_before_the_connack(riddler, connect, dial, root, packet: Packet):
    watcher = connect(to=riddler)
    watcher.subscribe("#")
    wire = dial(V5, to=riddler)
    wire.send(hello(root, will=Will("will", b"gone")))
    wire.expect(auth(FIRST))
    wire.send(packet, auth(b"a comb"), auth(b"a bottle"))
    words = wire.last_words()
    assert all(isinstance(word, Connack) and word.code == 0x82 for word in words), words
    assert len(words) <= 1
    watcher.expect_nothing(0.1)


@pytest.mark.mqtt5("3.1.2-30", "3.14.4-1", "3.14.4-2")
@pytest.mark.parametrize("code", [0x00, 0x04])
def test_a_disconnect_before_the_connack(riddler, connect, dial, root, code):
    watcher = connect(to=riddler)
    watcher.subscribe("#")
    wire = dial(V5, to=riddler)
    wire.send(hello(root, will=Will("will", b"gone")))
    wire.expect(auth(FIRST))
    wire.send(Disconnect(code), auth(b"a comb"))
    wire.expect_closed()
    watcher.expect_nothing(0.1)


# Nobody's place is taken, and no session touched, before the last answer was right.
@pytest.mark.mqtt5("3.1.4-3", "3.1.4-4", "3.1.2-4")
def test_nothing_is_taken_over_before_the_last_answer(solver, riddler, dial, root):
    owner = solver("a")
    owner.subscribe(root)
    for answers in ([b"a shark"], [b"a comb", b"a giraffe"]):
        wire = dial(V5, to=riddler)
        wire.send(hello(f"{root}a"))
        for question, answer in zip((FIRST, SECOND), answers, strict=False):
            wire.expect(auth(question))
            owner.expect_nothing()
            wire.send(auth(answer))
        refused(wire)
    owner.send(Publish(root, b"still here"))
    owner.expect_message(root, b"still here")
    solver("a").ping()
    owner.expect_closed(Disconnect(0x8E))


# What waits for the client comes after the CONNACK.
@pytest.mark.mqtt5("3.1.2-5", "3.2.0-1", "3.2.2-3")
def test_messages_wait_for_the_connack(solver, riddler, connect, dial, root):
    wire = solver("a", clean=False, **SESSION)
    wire.subscribe(root, qos=1)
    wire.close()
    connect(to=riddler).publish(root, b"x", 1)
    wire = dial(V5, to=riddler)
    wire.send(hello(f"{root}a", clean=False, **SESSION))
    solve(wire)
    assert accepted(wire, b"well done").session_present
    wire.expect_message(root, b"x", qos=1)


# A question that would be too large is not asked; one that just fits comes without any explanation.
@pytest.mark.mqtt5("3.1.2-24", "3.15.2-2", "3.15.2-3")
def test_the_packet_size_of_auth(riddler, dial, root):
    size = len(auth(FIRST).encode(V5))
    room = len(auth(SECOND).encode(V5))
    wire = dial(V5, to=riddler)
    wire.send(hello(root, maximum_packet_size=room))
    solve(wire)
    accepted(wire, b"well done")
    wire.send(auth(b"friend", 0x19))
    wire.expect(auth(b"welcome back", 0x00))
    assert wire.largest <= room
    wire = dial(V5, to=riddler)
    wire.send(hello(root, maximum_packet_size=size - 1))
    with contextlib.suppress(Closed, Late):  # closed at once, or when the time for connecting is over
        wire.read(0.5)
    assert wire.largest < size


# The choice: who does not answer is not waited for longer than anybody else who does not finish connecting.
@pytest.mark.choice
def test_a_client_that_does_not_answer(broker_factory, dial, root):
    broker = broker_factory({"limits.connect_timeout": 1}, start=False)

    @broker.enhanced_authenticate(METHOD)
    def ask(client, data: bytes):
        yield FIRST

    broker.start()
    wire = dial(V5, to=broker)
    wire.send(hello(root))
    wire.expect(auth(FIRST))
    words = wire.last_words()
    assert all(isinstance(word, Connack) and word.code >= 0x80 for word in words), words


# ---- while connected -------------------------------------------------------------------------------------


@pytest.mark.mqtt5("3.15.2-1", "4.12.0-2", "4.12.0-5", "4.12.1-1")
@pytest.mark.parametrize("times", [1, 3])
def test_authenticating_again(solver, root, times):
    wire = solver()
    wire.subscribe(root)
    for _ in range(times):
        wire.send(auth(b"", 0x19))
        solve(wire)
        wire.expect(auth(b"well done", 0x00))
        wire.send(auth(b"friend", 0x19))
        wire.expect(auth(b"welcome back", 0x00))
    wire.send(Publish(root, b"x"))
    wire.expect_message(root, b"x")


# Both sides go on with everything else meanwhile (section 4.12.1).
@pytest.mark.mqtt5("4.12.1-1")
def test_messages_flow_while_authenticating_again(solver, riddler, connect, root):
    wire, other = solver(), connect(to=riddler)
    wire.subscribe(f"{root}/in", qos=2)
    other.subscribe(f"{root}/out", qos=2)
    wire.send(auth(b"", 0x19))
    wire.expect(auth(FIRST))
    for qos in (0, 1, 2):
        other.publish(f"{root}/in", b"%d" % qos, qos)
        wire.expect_message(f"{root}/in", b"%d" % qos, qos=qos)
        wire.publish(f"{root}/out", b"%d" % qos, qos)
        other.expect_message(f"{root}/out", b"%d" % qos, qos=qos)
    wire.send(auth(b"a comb"))
    wire.expect(auth(SECOND))
    wire.ping()
    wire.send(auth(b"a bottle"))
    wire.expect(auth(b"well done", 0x00))


@pytest.mark.mqtt5("3.1.2-8", "3.14.2-1", "4.12.1-2", "4.13.2-1")
@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_a_failure_ends_the_connection(solver, riddler, connect, root, fails_at):
    watcher = connect(to=riddler)
    watcher.subscribe(f"{root}/#")
    wire = solver(will=Will(f"{root}/will", b"gone"))
    wire.send(auth(b"nobody" if fails_at == 0 else b"", 0x19))
    if fails_at:
        wire.expect(auth(FIRST))
        wire.send(auth(b"a comb" if fails_at == 2 else b"a shark"))
    if fails_at == 2:
        wire.expect(auth(SECOND))
        wire.send(auth(b"a giraffe"))
    wire.expect_closed(Disconnect(0x87))
    watcher.expect_message(f"{root}/will", b"gone")


WRONG_BEGINNINGS: dict[str, tuple[Packet | bytes, set[int]]] = {
    "another method": (auth(b"friend", 0x19, "OTHER"), {0x82}),
    "another known method": (auth(b"friend", 0x19, "SCRAM-SHA-256"), {0x82}),
    "an answer to no question": (auth(b"friend", 0x18), {0x82}),
    "success": (auth(b"friend", 0x00), {0x81, 0x82}),
    "no properties": (Auth(0x19), {0x82}),
    "no method": (Auth(0x19, {"authentication_data": b"friend"}), {0x82}),
    "nothing": (raw(0xF0), {0x81, 0x82}),
    "unknown reason": (raw(0xF0, b"\x55\x00"), {0x81, 0x82}),
}


@pytest.mark.mqtt5("3.15.2-1", "4.12.0-5", "4.12.1-1", "4.13.1-1")
@pytest.mark.parametrize(("packet", "codes"), WRONG_BEGINNINGS.values(), ids=WRONG_BEGINNINGS)
def test_wrong_beginnings(solver, connect, riddler, root, packet, codes):
    watcher = connect(to=riddler)
    watcher.subscribe(f"{root}/#")
    wire = solver()
    wire.send(packet, Publish(f"{root}/x", b"smuggled"))
    (word,) = wire.last_words()
    assert isinstance(word, Disconnect)
    assert word.code in codes
    watcher.expect_nothing()


@pytest.mark.mqtt5("4.12.0-5", "4.12.1-1", "4.13.1-1")
@pytest.mark.parametrize(
    "answer",
    [auth(b"a comb", method="OTHER"), auth(b"friend", 0x19), Auth(0x18)],
    ids=["another method", "again", "no method"],
)
def test_wrong_answers_while_connected(solver, answer):
    wire = solver()
    wire.send(auth(b"", 0x19))
    wire.expect(auth(FIRST))
    wire.send(answer, auth(b"a comb"))
    wire.expect_closed(Disconnect(0x82))


# Who connected without a method has none to authenticate again with.
@pytest.mark.mqtt5("4.12.0-7")
@pytest.mark.parametrize("code", [0x00, 0x18, 0x19])
def test_auth_of_a_client_without_method(riddler, connect, code):
    wire = connect(to=riddler)
    wire.send(auth(b"friend", code))
    (word,) = wire.last_words()
    assert isinstance(word, Disconnect)
    assert word.code in (0x81, 0x82)


# The protocol of version 3.1.1 has no such packet.
@pytest.mark.mqtt311("4.8.0-1")
def test_auth_in_version_311(riddler, connect):
    wire = connect(to=riddler, version=V311)
    wire.send(auth(b"friend", 0x19).encode(V5))
    wire.expect_closed()
