"""`@broker.enhanced_authenticate`: methods of one's own, as functions, coroutines and generators."""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Any

import pytest

from hookmq import Deny
from hookmq.errors import HookMQError

from ..api.helpers import Gate, eventually
from ..protocol.packets import Auth, Connack, Connect, Disconnect
from .deciding import may_publish, session
from .scram import AGAIN, CONTINUE, auth

METHOD = "TEST"
UNAVAILABLE, NOT_AUTHORIZED, BAD_METHOD, PROTOCOL_ERROR = 0x88, 0x87, 0x8C, 0x82


def begin(data: bytes | None = b"hello", **fields: Any) -> Connect:
    """A CONNECT with the method."""
    given: dict[str, Any] = {"authentication_method": fields.pop("method", METHOD)}
    given |= fields.pop("properties", {}) | ({} if data is None else {"authentication_data": data})
    return Connect(fields.pop("client", "c1"), properties=given, **fields)


def ask(dial, broker, data: bytes | None = b"hello", **fields: Any) -> tuple[Any, Any]:
    """The wire and the first answer."""
    wire = dial(to=broker)
    wire.send(begin(data, **fields))
    return wire, wire.read(8)


def data_of(packet: Any) -> bytes | None:
    return dict(packet.properties).get("authentication_data")


def raising(error: BaseException) -> Any:
    raise error


ANSWERS = [
    ("True", lambda: True, 0, None),
    ("None", lambda: None, 0, None),
    ("bytes", lambda: b"\x00final\xff", 0, b"\x00final\xff"),
    ("no bytes", lambda: b"", 0, b""),
    ("False", lambda: False, None, None),
    ("Deny", lambda: raising(Deny("come back tomorrow")), NOT_AUTHORIZED, None),
    ("Deny code", lambda: raising(Deny("banned", code=0x8A)), 0x8A, None),
    ("an error", lambda: raising(ValueError("secret detail")), NOT_AUTHORIZED, None),
    ("an exit", lambda: raising(SystemExit(1)), NOT_AUTHORIZED, None),
    ("text", lambda: "yes", None, None),
    ("number", lambda: 1, None, None),
]


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator"])
@pytest.mark.parametrize(("name", "answer", "code", "final"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_an_answer(broker, dial, kind, name, answer, code, final):
    seen = []

    def function(client, data):
        seen.append((client.client_id, data))
        return answer()

    async def coroutine(client, data):
        await asyncio.sleep(0)
        return function(client, data)

    def generator(client, data):
        reply = yield b"challenge"
        assert reply == b"reply"
        return function(client, data)

    made = {"function": function, "coroutine": coroutine, "generator": generator}[kind]
    assert broker.enhanced_authenticate(METHOD)(made) is made
    wire, got = ask(dial, broker)
    if kind == "generator":
        assert isinstance(got, Auth)
        assert (got.code, data_of(got)) == (CONTINUE, b"challenge")
        assert dict(got.properties)["authentication_method"] == METHOD
        wire.send(auth(CONTINUE, b"reply", METHOD))
        got = wire.read()
    assert isinstance(got, Connack)
    assert seen == [("c1", b"hello")]
    if code == 0:
        assert got.code == 0
        assert got.properties["authentication_method"] == METHOD
        assert (data_of(got) or None) == (final or None)
        wire.ping()
    else:
        assert got.code in ((0x86, 0x87) if code is None else (code,))
        assert "secret detail" not in str(got)
        wire.expect_closed()
    if name == "Deny":
        assert got.properties["reason_string"] == "come back tomorrow"
    # Whatever was answered, the next one is asked again.
    wire, again = ask(dial, broker, client="c2")
    assert isinstance(again, Auth if kind == "generator" else Connack)


def test_several_challenges(broker, dial):
    @broker.enhanced_authenticate(METHOD)
    def count(client, data):
        for number in range(20):
            reply = yield b"%d" % number
            if reply != b"re %d" % number:
                raise Deny("miscounted")
        return b"done"

    wire, got = ask(dial, broker)
    for number in range(20):
        assert data_of(got) == b"%d" % number
        wire.send(auth(CONTINUE, b"re %d" % number, METHOD))
        got = wire.read()
    assert isinstance(got, Connack)
    assert (got.code, data_of(got)) == (0, b"done")
    wire, got = ask(dial, broker, client="c2")
    wire.send(auth(CONTINUE, b"wrong", METHOD))
    got = wire.read()
    assert isinstance(got, Connack)
    assert got.code == NOT_AUTHORIZED


def test_a_challenge_and_response_in_a_few_lines(broker, dial):
    @broker.enhanced_authenticate("HMAC")
    def prove(client, data):
        nonce = bytes(range(256))
        proof = yield nonce
        return hmac.compare_digest(proof, hmac.digest(b"key of " + data, nonce, "sha256"))

    for key, code in ((b"key of tank", 0), (b"key of pump", 0x86)):
        wire, got = ask(dial, broker, b"tank", method="HMAC")
        wire.send(auth(CONTINUE, hmac.digest(key, data_of(got), "sha256"), "HMAC"))
        got = wire.read()
        assert isinstance(got, Connack)
        assert got.code in ((0,) if code == 0 else (0x86, 0x87))


def test_what_it_is_given(broker, dial):
    seen = []

    @broker.enhanced_authenticate(METHOD)
    def admit(client, data):
        seen.append((client.client_id, client.username, client.password_bytes, client.address, data))

    ask(dial, broker, None, username="tank", password=b"pw")
    ask(dial, broker, b"", client="c2")
    assert seen == [
        ("c1", "tank", b"pw", "127.0.0.1", b""),
        ("c2", None, None, "127.0.0.1", b""),
    ]


def test_a_challenge_without_a_reply_is_an_empty_one(broker, dial):
    seen = []

    @broker.enhanced_authenticate(METHOD)
    def admit(client, data):
        seen.append((yield b""))
        return True

    wire, got = ask(dial, broker)
    assert isinstance(got, Auth)
    wire.send(auth(CONTINUE, None, METHOD))
    got = wire.read()
    assert isinstance(got, Connack)
    assert got.code == 0
    assert seen == [b""]


@pytest.mark.parametrize("challenge", ["text", None, 7], ids=repr)
def test_a_challenge_that_is_not_bytes_denies(broker, dial, challenge):
    @broker.enhanced_authenticate(METHOD)
    def admit(client, data):
        yield challenge
        return True

    wire, got = ask(dial, broker)
    assert isinstance(got, Connack)
    assert got.code == NOT_AUTHORIZED
    wire.expect_closed()


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator"])
def test_an_answer_that_takes_too_long_denies(broker_factory, dial, kind):
    broker = broker_factory({"hooks.decision_timeout": 0.3})
    gate = Gate()

    def function(client, data):
        gate.wait()
        return True

    async def coroutine(client, data):
        await asyncio.to_thread(gate.wait)
        return True

    def generator(client, data):
        yield b"challenge"
        gate.wait()
        return True

    broker.enhanced_authenticate(METHOD)({"function": function, "coroutine": coroutine}.get(kind, generator))
    begun = time.monotonic()
    wire, got = ask(dial, broker)
    if kind == "generator":
        wire.send(auth(CONTINUE, b"", METHOD))
        got = wire.read()
    assert isinstance(got, Connack)
    assert got.code in (UNAVAILABLE, NOT_AUTHORIZED)
    assert 0.2 < time.monotonic() - begun < 3
    wire.expect_closed()
    gate.opened.set()


def test_a_generator_that_never_ends_is_ended(broker_factory, dial):
    """It asks for ever; a client that answers for ever is closed when its time is over."""
    broker = broker_factory({"limits.connect_timeout": 1})
    ended = []

    @broker.enhanced_authenticate(METHOD)
    def ask_on(client, data):
        try:
            while True:
                yield b"again"
        finally:
            ended.append(client.client_id)

    begun = time.monotonic()
    wire, got = ask(dial, broker)
    while isinstance(got, Auth) and time.monotonic() - begun < 5:
        wire.send(auth(CONTINUE, b"", METHOD))
        try:
            got = wire.read()
        except AssertionError:
            break
    assert time.monotonic() - begun < 4
    eventually(lambda: ended == ["c1"])


def test_a_generator_learns_that_its_client_has_gone(broker, dial):
    ended = []

    @broker.enhanced_authenticate(METHOD)
    def admit(client, data):
        try:
            yield b"challenge"
        finally:
            ended.append(client.client_id)

    wire, got = ask(dial, broker)
    assert isinstance(got, Auth)
    wire.close()
    eventually(lambda: ended == ["c1"])
    assert broker.statistics["clients_connected"] == 0


def test_a_slow_answer_delays_only_who_waits_for_it(broker, dial):
    gate = Gate()

    @broker.enhanced_authenticate(METHOD)
    def admit(client, data):
        if client.client_id == "slow":
            gate.wait()
        return True

    slow = dial(to=broker)
    slow.send(begin(client="slow"))
    assert gate.entered.wait(5)
    _, got = ask(dial, broker, client="quick")
    assert got.code == 0
    gate.opened.set()
    assert slow.read().code == 0


# Who gets in -----------------------------------------------------------------------------------------------


def test_who_uses_no_method_is_not_vouched_for(broker, dial):
    broker.enhanced_authenticate(METHOD)(lambda client, data: True)
    wire = dial(to=broker)
    wire.send(Connect("c1", username="tank"))
    answer = wire.read()
    assert isinstance(answer, Connack)
    assert answer.code in (0x86, NOT_AUTHORIZED)


def test_another_method_is_unknown(broker, dial):
    broker.enhanced_authenticate(METHOD)(lambda client, data: True)
    for method in ("test", "TEST ", "OTHER", "", "SCRAM-SHA-256"):
        wire, got = ask(dial, broker, method=method)
        assert got.code == BAD_METHOD
        wire.expect_closed()


def test_several_methods(broker, dial):
    broker.enhanced_authenticate("A")(lambda client, data: data == b"a")
    broker.enhanced_authenticate("B")(lambda client, data: data == b"b")
    codes = [ask(dial, broker, data, method=method)[1].code for method in "AB" for data in (b"a", b"b")]
    assert [code == 0 for code in codes] == [True, False, False, True]


def test_an_authenticate_hook_may_refuse_all_the_same(broker, dial):
    broker.enhanced_authenticate(METHOD)(lambda client, data: True)
    broker.authenticate(lambda client: False if client.username == "banned" else None)
    assert ask(dial, broker, username="tank")[1].code == 0
    assert ask(dial, broker, username="banned")[1].code in (0x86, NOT_AUTHORIZED)


def test_the_user_name_in_connect_is_vouched_for(ruled, dial):
    broker = ruled("allow user tank all tank/#")
    broker.enhanced_authenticate(METHOD)(lambda client, data: client.username == "tank")
    wire, got = ask(dial, broker, username="tank", **session())
    assert got.code == 0
    assert may_publish(wire, "tank/x")
    assert not may_publish(wire, "pump/x")
    assert ask(dial, broker, username="pump", client="c2")[1].code in (0x86, NOT_AUTHORIZED)


def test_a_method_may_be_added_while_it_runs(broker, dial):
    assert ask(dial, broker)[1].code == BAD_METHOD
    broker.enhanced_authenticate(METHOD)(lambda client, data: False)
    assert ask(dial, broker)[1].code in (0x86, NOT_AUTHORIZED)


def test_a_function_that_cannot_be_called_so(broker):
    with pytest.raises(HookMQError) as caught:

        @broker.enhanced_authenticate(METHOD)
        def admit(client, data, more):
            return True

    assert caught.value.code == "E501"


def test_the_method_has_to_be_named(broker):
    with pytest.raises(HookMQError) as caught:

        @broker.enhanced_authenticate
        def admit(client, data):
            return True

    assert caught.value.code == "E501"


def test_it_is_among_the_hooks(broker, dial):
    @broker.enhanced_authenticate(METHOD)
    def admit(client, data):
        return True

    ask(dial, broker)
    (hook,) = broker.hooks
    assert (hook.name, hook.kind, hook.calls, hook.errors) == ("admit", "enhanced_authenticate", 1, 0)


# Once more -------------------------------------------------------------------------------------------------


def test_a_client_authenticates_again(broker, dial):
    asked = []

    @broker.enhanced_authenticate(METHOD)
    def admit(client, data):
        asked.append(data)
        if data == b"third":
            return False
        reply = yield b"challenge"
        return b"re " + reply

    wire, _ = ask(dial, broker, b"first")
    wire.send(auth(CONTINUE, b"1", METHOD))
    assert data_of(wire.read()) == b"re 1"
    wire.send(auth(AGAIN, b"second", METHOD))
    got = wire.read()
    assert isinstance(got, Auth)
    assert (got.code, data_of(got)) == (CONTINUE, b"challenge")
    wire.send(auth(CONTINUE, b"2", METHOD))
    got = wire.read()
    assert isinstance(got, Auth)
    assert (got.code, data_of(got)) == (0, b"re 2")
    wire.ping()
    wire.send(auth(AGAIN, b"third", METHOD))
    wire.expect_closed(Disconnect(NOT_AUTHORIZED))
    assert asked == [b"first", b"second", b"third"]


def test_another_method_the_second_time(broker, dial):
    for method in (METHOD, "OTHER"):
        broker.enhanced_authenticate(method)(lambda client, data: True)
    wire, _ = ask(dial, broker)
    wire.send(auth(AGAIN, b"", "OTHER"))
    wire.expect_closed(Disconnect(PROTOCOL_ERROR))
