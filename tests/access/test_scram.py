"""SCRAM-SHA-256 from the users file, and what AUTH packets must not do."""

from __future__ import annotations

import pytest

from ..api.helpers import eventually
from ..protocol.packets import (
    V311,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Publish,
    Subscribe,
    subscription,
)
from ..protocol.wire import Closed
from .deciding import may_publish, session, topics
from .hashes import argon2id, mosquitto_6, scram
from .scram import AGAIN, CONTINUE, METHOD, Scram, auth

BAD_METHOD, NOT_AUTHORIZED, PROTOCOL_ERROR = 0x8C, 0x87, 0x82
REFUSED = (0x86, 0x87)
TANK = "tank:" + argon2id(b"secret") + ":" + scram(b"secret")


@pytest.fixture
def broker(gated):
    """A user with an entry for SCRAM, and one without."""
    return gated(TANK, "pump:" + mosquitto_6(b"other"))


def refused(wire, *codes: int) -> None:
    """The connection ends with one of the codes in a CONNACK."""
    answer = wire.read()
    assert isinstance(answer, Connack), answer
    assert answer.code in (codes or REFUSED), f"0x{answer.code:02X} {answer.properties}"
    wire.expect_closed()


# Logging in ------------------------------------------------------------------------------------------------


def test_a_client_logs_in(broker, dial):
    wire = dial()
    Scram("tank", b"secret").connect(wire, "c1")
    wire.subscribe("a")
    broker.publish("a", "x")
    wire.expect_message("a", b"x")


def test_each_exchange_has_a_nonce_of_its_own(broker, dial):
    nonces = set()
    for number in range(5):
        exchange = Scram("tank", b"secret", nonce="always-the-same")
        exchange.connect(dial(), f"c{number}")
        nonces.add(exchange.challenge["r"])
        assert int(exchange.challenge["i"]) == 4096
    assert len(nonces) == 5


@pytest.mark.parametrize("header", [b"n,,", b"y,,"])
def test_without_channel_binding(broker, dial, header):
    Scram("tank", b"secret", header=header).connect(dial(), "c1")


@pytest.mark.parametrize("user", ["a,b=c", "水位", "with space"])
def test_names_that_are_written_otherwise(gated, dial, user):
    broker = gated(f"{user}:{argon2id(b'secret')}:{scram(b'secret', iterations=5000)}")
    wire = dial(to=broker)
    Scram(user, b"secret").connect(wire, "c1")
    wire.ping()


def test_the_user_has_its_rights_and_its_session(broker_factory, dial, access):
    access.entries(TANK, "pump:" + argon2id(b"other") + ":" + scram(b"other"))
    access.rules("allow user tank all tank/#\nallow user pump all pump/#")
    files = {"access.users_file": str(access.users), "access.acl_file": str(access.acl)}
    broker = broker_factory(files)
    wire = dial(to=broker)
    Scram("tank", b"secret").connect(wire, "same", **session())
    assert may_publish(wire, "tank/1")
    assert not may_publish(wire, "pump/1")
    exchange = Scram("pump", b"other")
    other = dial(to=broker)
    other.send(exchange.begin("same", **session()))
    answer = exchange.answer(other)
    assert isinstance(answer, Connack)
    assert answer.code == NOT_AUTHORIZED
    wire.ping()
    again = dial(to=broker)
    assert Scram("tank", b"secret").connect(again, "same", **session()).session_present


def test_the_name_in_connect_gives_no_rights(broker_factory, dial, access):
    """Who proves to be tank is not admin because CONNECT says so."""
    access.entries(TANK, "admin:" + argon2id(b"other"))
    access.rules("allow user admin all #\nallow user tank all tank/#")
    files = {"access.users_file": str(access.users), "access.acl_file": str(access.acl)}
    broker = broker_factory(files)
    exchange = Scram("tank", b"secret")
    wire = dial(to=broker)
    wire.send(exchange.begin("c1", username="admin", password=b"other"))
    answer = exchange.answer(wire)
    assert isinstance(answer, Connack)
    if answer.code == 0:
        assert not may_publish(wire, "admin/x")
        assert may_publish(wire, "tank/x")
    else:
        assert answer.code in REFUSED


def test_a_hook_may_refuse_who_has_logged_in(broker, dial):
    broker.authenticate(lambda client: False if client.client_id == "banned" else None)
    Scram("tank", b"secret").connect(dial(), "c1")
    exchange = Scram("tank", b"secret")
    wire = dial()
    wire.send(exchange.begin("banned"))
    answer = exchange.answer(wire)
    assert isinstance(answer, Connack)
    assert answer.code in REFUSED
    wire.expect_closed()


# Not logging in --------------------------------------------------------------------------------------------


def test_a_wrong_password(broker, dial):
    exchange = Scram("tank", b"Secret")
    wire = dial()
    wire.send(exchange.begin("c1"))
    answer = exchange.answer(wire)
    assert isinstance(answer, Connack)
    assert answer.code in REFUSED
    assert "authentication_data" not in answer.properties
    wire.expect_closed()
    eventually(lambda: broker.statistics["auth_failures"] == 1)


@pytest.mark.parametrize("user", ["nobody", "", "Tank", "pump"])
def test_a_user_without_an_entry(broker, dial, user):
    """It is told so at once, or after an answer to a challenge that is worth nothing."""
    exchange = Scram(user, b"other")
    wire = dial()
    wire.send(exchange.begin("c1"))
    answer = wire.read()
    if isinstance(answer, Auth):
        given = dict(answer.properties)
        wire.send(auth(CONTINUE, exchange.final(given["authentication_data"])))
        answer = wire.read()
    assert isinstance(answer, Connack)
    assert answer.code in REFUSED
    wire.expect_closed()


@pytest.mark.parametrize(
    "mischief",
    [
        {"nonce": "my own"},
        {"nonce": "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"},
        {"binding": b"y,,"},
        {"binding": b"p=tls-unique,,"},
        {"binding": b""},
    ],
    ids=["nonce", "somebody else's nonce", "other binding", "claimed binding", "no binding"],
)
def test_an_answer_with_a_wrong_field(broker, dial, mischief):
    exchange = Scram("tank", b"secret")
    wire = dial()
    wire.send(exchange.begin("c1"))
    answer = exchange.answer(wire, **mischief)
    assert isinstance(answer, Connack)
    assert answer.code in REFUSED
    wire.expect_closed()


def test_an_answer_that_was_overheard_is_worth_nothing(broker, dial):
    first = Scram("tank", b"secret", nonce="the-same-for-both")
    wire = dial()
    wire.send(first.begin("c1"))
    challenge = dict(wire.read().properties)  # type: ignore[attr-defined]
    overheard = first.final(challenge["authentication_data"])
    wire.send(auth(CONTINUE, overheard))
    assert wire.read().code == 0  # type: ignore[attr-defined]
    thief = dial()
    thief.send(first.begin("c2"))
    assert isinstance(thief.read(), Auth)
    thief.send(auth(CONTINUE, overheard))
    refused(thief)


FIRST_MESSAGES = [
    b"",
    b"n",
    b"n,,",
    b"n,,n=tank",
    b"n,,r=nonce",
    b"n,,n=tank,r=",
    b"n,,r=nonce,n=tank",
    b"n,,m=ext,n=tank,r=nonce",
    b"n,a=admin,n=tank,r=nonce",
    b"p=tls-unique,,n=tank,r=nonce",
    b"x,,n=tank,r=nonce",
    b"n,,n=ta=nk,r=nonce",
    b"n,,n=\xff,r=nonce",
    b"n,,n=tank,r=non\0ce",
    b"\0" * 1000,
    b"n,,n=" + b"x" * 50_000 + b",r=nonce",
]


@pytest.mark.parametrize("first", FIRST_MESSAGES, ids=lambda data: repr(data[:30]))
def test_a_first_message_that_is_none(broker, dial, first):
    wire = dial()
    given = {"authentication_method": METHOD, "authentication_data": first}
    wire.send(Connect("c1", properties=given))
    answer = wire.read()
    # An empty one is as good as none; and who has this name is not told.
    if isinstance(answer, Auth) and (not first or first.startswith(b"n,,n=xx")):
        wire.send(auth(CONTINUE, b"c=biws,r=x,p=AAAA"))
        answer = wire.read()
    assert isinstance(answer, Connack), answer
    assert answer.code in (*REFUSED, PROTOCOL_ERROR, 0x80, 0x81)
    wire.expect_closed()


@pytest.mark.parametrize(
    "final",
    [None, b"", b"c=biws", b"c=biws,r=x,p=", b"p=AAAA", b"\xff\xfe", b"c=biws,r=\0,p=AAAA", b"," * 1000],
    ids=repr,
)
def test_a_final_message_that_is_none(broker, dial, final):
    exchange = Scram("tank", b"secret")
    wire = dial()
    wire.send(exchange.begin("c1"))
    assert isinstance(wire.read(), Auth)
    wire.send(auth(CONTINUE, final))
    refused(wire, *REFUSED, PROTOCOL_ERROR, 0x80, 0x81)


def test_a_proof_of_the_wrong_length(broker, dial):
    exchange = Scram("tank", b"secret")
    wire = dial()
    wire.send(exchange.begin("c1"))
    challenge = dict(wire.read().properties)  # type: ignore[attr-defined]
    good = exchange.final(challenge["authentication_data"])
    head, _, _ = good.rpartition(b",p=")
    wire.send(auth(CONTINUE, head + b",p=AAAA"))
    refused(wire)


def test_a_method_without_data(broker, dial):
    """A client may leave the first message to the AUTH packet that follows; this server wants it at once."""
    wire = dial()
    wire.send(Connect("c1", properties={"authentication_method": METHOD}))
    answer = wire.read()
    if isinstance(answer, Auth):
        exchange = Scram("tank", b"secret")
        wire.send(auth(CONTINUE, exchange.first))
        answer = exchange.answer(wire)
        assert isinstance(answer, Connack)
        assert answer.code == 0
    else:
        assert isinstance(answer, Connack)
        assert answer.code in (*REFUSED, PROTOCOL_ERROR)


@pytest.mark.parametrize("method", ["SCRAM-SHA-1", "scram-sha-256", "SCRAM-SHA-256-PLUS", "", "PLAIN"])
def test_another_method(broker, dial, method):
    wire = dial()
    given = {"authentication_method": method, "authentication_data": Scram("tank", b"secret").first}
    wire.send(Connect("c1", properties=given))
    refused(wire, BAD_METHOD)


def test_without_a_users_file_the_method_is_unknown(broker_factory, dial):
    wire = dial(to=broker_factory())
    wire.send(Scram("tank", b"secret").begin("c1"))
    refused(wire, BAD_METHOD)


def test_who_never_answers_the_challenge_is_closed(gated, dial):
    broker = gated(TANK, limits={"connect_timeout": 1})
    wire = dial(to=broker)
    wire.send(Scram("tank", b"secret").begin("c1"))
    assert isinstance(wire.read(), Auth)
    wire.last_words(5)
    eventually(lambda: broker.statistics["half_open"] == 0)


# AUTH where it does not belong -----------------------------------------------------------------------------


def test_an_auth_before_connect(broker, dial):
    wire = dial()
    wire.send(auth(CONTINUE, Scram("tank", b"secret").first))
    wire.expect_closed()


@pytest.mark.parametrize("code", [0, CONTINUE, AGAIN])
def test_an_auth_from_a_client_without_a_method(gated, connect, code):
    broker = gated(TANK, allow_anonymous=True)
    wire = connect(to=broker)
    wire.send(auth(code, Scram("tank", b"secret").first))
    wire.expect_closed(Disconnect(PROTOCOL_ERROR))


def test_there_is_no_auth_before_version_5(gated, connect):
    broker = gated(TANK, allow_anonymous=True)
    wire = connect(to=broker, version=V311)
    wire.send(b"\xf0\x00")
    wire.expect_closed()


# [MQTT-3.1.2-30]
@pytest.mark.parametrize(
    "packet",
    [Pingreq(), Publish("a", b"smuggled"), Subscribe(1, [subscription("#")]), Connect("c1")],
    ids=["PINGREQ", "PUBLISH", "SUBSCRIBE", "CONNECT"],
)
def test_nothing_but_auth_during_the_exchange(broker, dial, packet):
    watcher = dial()
    Scram("tank", b"secret").connect(watcher, "watcher")
    watcher.subscribe("#")
    wire = dial()
    wire.send(Scram("tank", b"secret").begin("c1"))
    assert isinstance(wire.read(), Auth)
    wire.send(packet)
    codes = wire.last_codes()
    assert codes in ([], [PROTOCOL_ERROR])
    watcher.expect_nothing()


def test_who_changes_its_mind_says_goodbye(broker, dial):
    wire = dial()
    wire.send(Scram("tank", b"secret").begin("c1"))
    assert isinstance(wire.read(), Auth)
    wire.send(Disconnect())
    wire.expect_closed()
    assert broker.statistics["clients_connected"] == 0


@pytest.mark.parametrize("code", [0, AGAIN])
def test_an_auth_with_the_wrong_code_during_the_exchange(broker, dial, code):
    exchange = Scram("tank", b"secret")
    wire = dial()
    wire.send(exchange.begin("c1"))
    challenge = dict(wire.read().properties)  # type: ignore[attr-defined]
    wire.send(auth(code, exchange.final(challenge["authentication_data"])))
    assert wire.last_codes() in ([], [PROTOCOL_ERROR])


# [MQTT-4.12.0-5]
def test_another_method_during_the_exchange(broker, dial):
    exchange = Scram("tank", b"secret")
    wire = dial()
    wire.send(exchange.begin("c1"))
    challenge = dict(wire.read().properties)  # type: ignore[attr-defined]
    wire.send(auth(CONTINUE, exchange.final(challenge["authentication_data"]), "SCRAM-SHA-1"))
    assert wire.last_codes() in ([], [PROTOCOL_ERROR], [BAD_METHOD])


# Once more -------------------------------------------------------------------------------------------------


def test_a_client_authenticates_again(broker, dial):
    wire = dial()
    Scram("tank", b"secret").connect(wire, "c1")
    wire.subscribe("a")
    for _ in range(3):
        Scram("tank", b"secret").again(wire)
    broker.publish("a", "x")
    assert topics(wire) == ["a"]


# [MQTT-4.12.1-1] and section 4.12.1: it goes on with what it was allowed before.
def test_it_goes_on_while_it_authenticates_again(broker, dial):
    wire = dial()
    exchange = Scram("tank", b"secret")
    exchange.connect(wire, "c1")
    wire.subscribe("a")
    exchange = Scram("tank", b"secret")
    wire.send(auth(AGAIN, exchange.first))
    challenge = wire.read()
    assert isinstance(challenge, Auth)
    assert wire.publish("b", b"x", 1) in (0, 0x10)
    broker.publish("a", "x")
    wire.expect_message("a", b"x")
    wire.ping()
    wire.send(auth(CONTINUE, exchange.final(dict(challenge.properties)["authentication_data"])))
    answer = wire.read()
    assert isinstance(answer, Auth)
    assert answer.code == 0


# [MQTT-4.12.1-2]
def test_a_wrong_password_the_second_time(broker, dial):
    wire = dial()
    Scram("tank", b"secret").connect(wire, "c1")
    exchange = Scram("tank", b"wrong")
    wire.send(auth(AGAIN, exchange.first))
    answer = exchange.answer(wire)
    assert isinstance(answer, Disconnect)
    assert answer.code == NOT_AUTHORIZED
    with pytest.raises(Closed):
        wire.read()


def test_a_password_that_was_changed_meanwhile(broker, dial, access):
    wire = dial()
    Scram("tank", b"secret").connect(wire, "c1")
    access.entries("tank:" + argon2id(b"new") + ":" + scram(b"new"))
    broker.reload()
    wire.ping()  # who is in stays
    Scram("tank", b"new").again(wire)
    exchange = Scram("tank", b"secret")
    wire.send(auth(AGAIN, exchange.first))
    answer = exchange.answer(wire)
    assert isinstance(answer, Disconnect)
    assert answer.code == NOT_AUTHORIZED


# [MQTT-4.12.1-1]
def test_another_method_the_second_time(broker, dial):
    wire = dial()
    Scram("tank", b"secret").connect(wire, "c1")
    wire.send(auth(AGAIN, Scram("tank", b"secret").first, "SCRAM-SHA-1"))
    wire.expect_closed(Disconnect(PROTOCOL_ERROR))


def test_nobody_becomes_another_user_the_second_time(gated, dial):
    broker = gated(TANK, "pump:" + argon2id(b"other") + ":" + scram(b"other"))
    wire = dial(to=broker)
    Scram("tank", b"secret").connect(wire, "c1")
    exchange = Scram("pump", b"other")
    wire.send(auth(AGAIN, exchange.first))
    answer = exchange.answer(wire)
    assert isinstance(answer, Disconnect)
    assert answer.code == NOT_AUTHORIZED


@pytest.mark.parametrize("code", [0, CONTINUE])
def test_an_answer_that_nobody_asked_for(broker, dial, code):
    wire = dial()
    Scram("tank", b"secret").connect(wire, "c1")
    wire.send(auth(code, b"c=biws,r=x,p=AAAA"))
    wire.expect_closed(Disconnect(PROTOCOL_ERROR))


def test_an_auth_without_a_method_the_second_time(broker, dial):
    wire = dial()
    Scram("tank", b"secret").connect(wire, "c1")
    wire.send(Auth(AGAIN, {"authentication_data": Scram("tank", b"secret").first}))
    assert wire.last_codes() in ([PROTOCOL_ERROR], [NOT_AUTHORIZED])
