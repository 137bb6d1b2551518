"""SCRAM-SHA-256 with the users of a file: client and server prove to each other that they know it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from .packets import V5, Auth, Connack, Connect, Disconnect, Publish
from .scram import ITERATIONS, METHOD, SALT, Scram, user
from .wire import Wire

pytestmark = pytest.mark.settings

NAMES = ["tank", "a,b=c", "\u00fcser", "user with space"]


@pytest.fixture
def keeper(broker_factory, tmp_path):
    """A broker with a users file; "plain" has no SCRAM part there."""
    users = tmp_path / "users"
    lines = [user(name, "secret") for name in NAMES]
    users.write_text("# users\n" + "".join(lines) + user("plain", "secret", scram=False), encoding="utf-8")
    return broker_factory({"access.users_file": str(users)}, allow_anonymous=True)


def auth(code: int, data: bytes) -> Auth:
    return Auth(code, {"authentication_method": METHOD, "authentication_data": data})


def begin(wire: Wire, name: str, data: bytes, **fields: Any) -> None:
    wire.send(
        Connect(name, properties={"authentication_method": METHOD, "authentication_data": data}, **fields)
    )


def challenged(wire: Wire) -> bytes:
    """The data of the server's question."""
    question = wire.read()
    assert isinstance(question, Auth), question
    assert question.code == 0x18
    given = dict(question.properties)
    assert given["authentication_method"] == METHOD
    return bytes(given["authentication_data"])


def accepted(wire: Wire, scram: Scram) -> None:
    """The next packet lets the client in, and proves that the server knows the password."""
    connack = wire.read()
    assert isinstance(connack, Connack), connack
    assert connack.code == 0, connack
    assert connack.properties["authentication_method"] == METHOD
    assert connack.properties["authentication_data"] == scram.confirmation


def refused(wire: Wire) -> None:
    """The next packet is a CONNACK that does not let the client in, and the last one."""
    (word,) = wire.last_words()
    assert isinstance(word, Connack), word
    assert word.code in (0x86, 0x87)


def refused_sooner_or_later(wire: Wire, scram: Scram | None = None) -> None:
    """As `refused`; before that the server may ask, so as to tell a stranger nothing."""
    reply = wire.read()
    if isinstance(reply, Auth):
        challenge = dict(reply.properties).get("authentication_data", b"")
        wire.send(auth(0x18, scram.final(challenge) if scram else b"c=biws,r=nonce,p=AAAA"))
        reply = wire.read()
    assert isinstance(reply, Connack), reply
    assert reply.code in (0x86, 0x87)
    wire.expect_closed()


@pytest.mark.mqtt5("3.15.2-1", "4.12.0-2", "4.12.0-3", "4.12.0-5")
@pytest.mark.parametrize("name", NAMES)
def test_a_login(keeper, dial, root, name):
    wire, scram = dial(V5, to=keeper), Scram(name, "secret")
    begin(wire, root, scram.first())
    challenge = challenged(wire)
    assert f",s={base64.b64encode(SALT).decode()},i={ITERATIONS}".encode() in challenge
    wire.send(auth(0x18, scram.final(challenge)))
    accepted(wire, scram)
    wire.subscribe(root, qos=1)
    wire.send(Publish(root, b"x"))
    wire.expect_message(root, b"x")


# A client that could bind the channel, but thinks that the server cannot, says y.
@pytest.mark.mqtt5("4.12.0-5")
def test_a_client_that_could_bind_the_channel(keeper, dial, root):
    wire, scram = dial(V5, to=keeper), Scram("tank", "secret")
    begin(wire, root, scram.first("y,,"))
    wire.send(auth(0x18, scram.final(challenged(wire), channel="y,,")))
    accepted(wire, scram)


# The server's part of the nonce is new each time, so an answer overheard is worth nothing.
@pytest.mark.mqtt5("4.12.0-4", "3.2.2-7")
def test_an_answer_cannot_be_used_again(keeper, dial, root):
    wire, scram = dial(V5, to=keeper), Scram("tank", "secret")
    begin(wire, root, scram.first())
    challenge = challenged(wire)
    answer = scram.final(challenge)
    wire.send(auth(0x18, answer))
    accepted(wire, scram)
    thief = dial(V5, to=keeper)
    begin(thief, root, scram.first())
    assert challenged(thief) != challenge
    thief.send(auth(0x18, answer))
    refused(thief)


# A stranger cannot tell from the answers whether there is such a user, wrong password or not.
@pytest.mark.mqtt5("3.1.4-2", "3.2.2-6", "3.2.2-7", "4.12.0-4")
@pytest.mark.parametrize(
    ("name", "password"),
    [("tank", "wrong"), ("tank", ""), ("nobody", "secret"), ("plain", "secret"), ("", "")],
)
def test_wrong_passwords_and_unknown_users(keeper, dial, root, name, password):
    wire, scram = dial(V5, to=keeper), Scram(name, password)
    begin(wire, root, scram.first())
    refused_sooner_or_later(wire, scram)


@pytest.mark.mqtt5("4.12.0-4")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"n,,",
        b"n,,n=tank",
        b"n,,n=tank,r=",
        b"n,,r=nonce,n=tank",
        b"n,,n=tank,r=non ce",
        b"n,,m=1,n=tank,r=nonce",
        b"n,,n=ta=nk,r=nonce",
        b"n,,n=tank\0,r=nonce",
        b"n,,n=\xff,r=nonce",
        b"p=tls-unique,,n=tank,r=nonce",
        b"p=tls-exporter,,n=tank,r=nonce",
        b"x,,n=tank,r=nonce",
        b"n=tank,r=nonce",
        b"\0" * 100,
        b"n,,n=tank,r=" + b"," * 60_000,
    ],
)
def test_wrong_first_messages(keeper, dial, root, data):
    wire = dial(V5, to=keeper)
    begin(wire, root, data)
    refused_sooner_or_later(wire)


def without(part: str, message: bytes) -> bytes:
    return b",".join(each for each in message.split(b",") if not each.startswith(part.encode()))


@pytest.mark.mqtt5("4.12.0-4")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda scram, challenge: b"",
        lambda scram, challenge: scram.final(challenge, nonce="rOprNGfwEbeRWgbNEkqOother"),
        lambda scram, challenge: scram.final(challenge, nonce="rOprNGfwEbeRWgbNEkqO"),
        lambda scram, challenge: scram.final(challenge, channel="y,,"),
        lambda scram, challenge: scram.final(challenge, channel="p=tls-exporter,,"),
        lambda scram, challenge: scram.final(challenge)[:-4],
        lambda scram, challenge: scram.final(challenge)[:-5] + b"!" + scram.final(challenge)[-4:],
        lambda scram, challenge: scram.final(challenge) + b"AAAA",
        lambda scram, challenge: without("p=", scram.final(challenge)),
        lambda scram, challenge: without("c=", scram.final(challenge)),
        lambda scram, challenge: without("r=", scram.final(challenge)),
        lambda scram, challenge: b"n,," + scram.final(challenge),
        lambda scram, challenge: b"\xff" * 200,
    ],
    ids=[
        "nothing",
        "another nonce",
        "half a nonce",
        "another header",
        "a bound channel",
        "a short proof",
        "a proof that is no base64",
        "a long proof",
        "no proof",
        "no channel",
        "no nonce",
        "a header",
        "no text",
    ],
)
def test_wrong_final_messages(keeper, dial, root, spoil):
    wire, scram = dial(V5, to=keeper), Scram("tank", "secret")
    begin(wire, root, scram.first())
    wire.send(auth(0x18, spoil(scram, challenged(wire))))
    refused(wire)


@pytest.mark.mqtt5("4.12.0-4")
def test_no_data_at_all(keeper, dial, root):
    wire = dial(V5, to=keeper)
    wire.send(Connect(root, properties={"authentication_method": METHOD}))
    refused_sooner_or_later(wire)


# Without a users file there is nobody whom the method could know.
@pytest.mark.mqtt5("4.12.0-1", "3.2.2-7")
def test_a_broker_without_users(broker_factory, dial, root):
    wire = dial(V5, to=broker_factory())
    begin(wire, root, Scram("tank", "secret").first())
    wire.expect_closed(Connack(0x8C))


@pytest.mark.mqtt5("4.12.0-5", "4.12.1-1", "4.12.1-2", "3.15.2-1")
@pytest.mark.parametrize("password", ["secret", "wrong"])
def test_authenticating_again(keeper, dial, root, password):
    wire, scram = dial(V5, to=keeper), Scram("tank", "secret")
    begin(wire, root, scram.first())
    wire.send(auth(0x18, scram.final(challenged(wire))))
    accepted(wire, scram)
    scram = Scram("tank", password, nonce="anothernonce")
    wire.send(auth(0x19, scram.first()))
    wire.send(auth(0x18, scram.final(challenged(wire))))
    if password == "secret":
        wire.expect(auth(0x00, scram.confirmation))
        wire.ping()
    else:
        wire.expect_closed(Disconnect(0x87))


# A method does not stand in the way of the ordinary user name and password.
@pytest.mark.mqtt5("4.12.0-6", "3.1.4-2")
def test_user_name_and_password_beside_it(keeper, dial, root):
    wire = dial(V5, to=keeper)
    connack = wire.connect(Connect(root, username="tank", password=b"secret"))
    assert "authentication_method" not in connack.properties
    wire.ping()
    wire = dial(V5, to=keeper)
    wire.send(Connect(root, username="tank", password=b"wrong"))
    wire.expect_closed(Connack(0x86))
