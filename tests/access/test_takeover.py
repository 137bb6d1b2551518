"""A session belongs to the user who made it: nobody else takes its connection, its queue or its place."""

from __future__ import annotations

import pytest

from ..api.helpers import eventually
from ..protocol.packets import V5, V311, Connack, Connect, Will
from ..protocol.wire import Wire
from .deciding import enter, session, topics
from .hashes import mosquitto_6

USERS = ["ann:" + mosquitto_6(b"a"), "bob:" + mosquitto_6(b"b")]
SECRET = {"ann": b"a", "bob": b"b", None: None}

OLD_AND_NEW = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


@pytest.fixture
def broker(gated):
    """Two users, and clients without a name."""
    return gated(*USERS, allow_anonymous=True)


@pytest.fixture
def come(dial):
    """`come("ann", clean=False)` connects as this user, always with the same client identifier."""

    def come(user, *, version=V5, **fields):
        if version == V5 and not fields.get("clean", True):
            fields.setdefault("properties", {"session_expiry_interval": 60})
        return enter(dial, "same", user, version=version, password=SECRET[user], **fields)

    return come


@pytest.fixture
def shut_out(dial):
    """`shut_out("bob", clean=True)` is refused, because the session is somebody else's."""

    def shut_out(user, *, version=V5, clean=True, will=None):
        wire = dial(version)
        wire.send(Connect("same", username=user, password=SECRET[user], clean=clean, will=will))
        wire.expect_closed(Connack(0x87 if version == V5 else 5))

    return shut_out


@OLD_AND_NEW
@pytest.mark.parametrize("clean", [True, False], ids=["clean", "resume"])
@pytest.mark.parametrize("intruder", ["bob", None])
def test_nobody_else_takes_a_connection(broker, come, shut_out, version, clean, intruder):
    ann = come("ann", clean=False, version=version)
    ann.subscribe("a", qos=1)
    before = broker.statistics["takeovers_refused"]
    shut_out(intruder, version=version, clean=clean)
    eventually(lambda: broker.statistics["takeovers_refused"] == before + 1)
    ann.ping()
    broker.publish("a", "x", qos=1)
    assert topics(ann) == ["a"]


@OLD_AND_NEW
@pytest.mark.parametrize("clean", [True, False], ids=["clean", "resume"])
@pytest.mark.parametrize("intruder", ["bob", None])
def test_nobody_else_takes_a_session_that_waits(broker, come, shut_out, version, clean, intruder):
    ann = come("ann", clean=False, version=version)
    ann.subscribe("a", qos=1)
    ann.disconnect()
    broker.publish("a", "x", qos=1)
    shut_out(intruder, version=version, clean=clean)
    eventually(lambda: broker.statistics["takeovers_refused"] == 1)
    back = come("ann", clean=False, version=version)
    assert back.connack.session_present
    assert topics(back) == ["a"]


def test_nobody_else_triggers_a_will(broker, come, shut_out, dial):
    watcher = enter(dial, "watcher", "ann", password=b"a")
    watcher.subscribe("will/#")
    ann = come("ann", clean=False, will=Will("will/ann", b"x"))
    shut_out("bob", will=Will("will/bob", b"x"))
    watcher.expect_nothing()
    ann.close()
    watcher.expect_message("will/ann", b"x")


@OLD_AND_NEW
@pytest.mark.parametrize("clean", [True, False], ids=["clean", "resume"])
def test_its_user_takes_it(broker, come, version, clean):
    first = come("ann", clean=False, version=version)
    first.subscribe("a", qos=1)
    second = come("ann", clean=clean, version=version)
    assert first.last_codes() == ([0x8E] if version == V5 else [])
    assert second.connack.session_present is not clean
    broker.publish("a", "x", qos=1)
    assert topics(second) == ([] if clean else ["a"])
    assert broker.statistics["takeovers_refused"] == 0


def test_anyone_takes_a_session_without_a_user(broker, come, shut_out):
    nobody = come(None, clean=False)
    nobody.subscribe("a", qos=1)
    ann = come("ann", clean=False)
    assert nobody.last_codes() == [0x8E]
    assert ann.connack.session_present
    # From now on it is hers.
    shut_out(None)
    shut_out("bob")
    ann.ping()


def test_after_its_end_the_identifier_is_free(broker, come):
    come("ann", clean=True).disconnect()
    bob = come("bob", clean=False)
    assert not bob.connack.session_present
    bob.disconnect(0, session_expiry_interval=0)
    come("ann").ping()


def test_a_user_whom_a_hook_lets_in_owns_its_session(broker_factory, dial):
    broker = broker_factory()
    broker.authenticate(lambda client: True)
    ann = enter(dial, "same", "ann", to=broker, **session())
    wire = dial(to=broker)
    wire.send(Connect("same", username="bob"))
    wire.expect_closed(Connack(0x87))
    ann.ping()
    enter(dial, "same", "ann", to=broker).ping()


def test_a_name_that_nobody_checked_owns_nothing(broker_factory, dial):
    broker = broker_factory()
    ann = enter(dial, "same", "ann", to=broker)
    enter(dial, "same", "bob", to=broker).ping()
    assert ann.last_codes() == [0x8E]


def test_an_identifier_that_is_refused_is_not_disturbed_by_many_tries(broker, come, shut_out):
    ann = come("ann", clean=False)
    for _ in range(20):
        shut_out("bob")
    ann.ping()
    eventually(lambda: broker.statistics["takeovers_refused"] == 20)


# The same name of another users file is somebody else.
def test_a_name_of_another_listener_is_another_user(broker_factory, tmp_path, dial):
    files = [tmp_path / "here", tmp_path / "there"]
    for file, secret in zip(files, (b"a", b"b"), strict=True):
        file.write_text("ann:" + mosquitto_6(secret) + "\n")
    listeners = [{"url": "mqtt://127.0.0.1:0", "users_file": str(files[1])}]
    broker = broker_factory({"access.users_file": str(files[0])}, listeners=listeners)
    kept = {"session_expiry_interval": 60}
    owner = dial(to=broker)
    owner.connect(Connect("same", username="ann", password=b"a", properties=kept))
    other = Wire("127.0.0.1", broker.listeners[1].port)
    try:
        other.send(Connect("same", username="ann", password=b"b", clean=False, properties=kept))
        other.expect_closed(Connack(0x87))
    finally:
        other.close()
    owner.ping()


# Who takes somebody else's free identifier again and again is held himself, not its owner.
def test_nobody_is_held_for_what_another_did(gated, dial):
    broker = gated(*USERS, **{"limits.max_reconnects": 5})
    for _ in range(5):
        wire = dial(to=broker)
        wire.connect(Connect("anns", username="bob", password=b"b"))
        wire.reset()
        eventually(lambda: broker.statistics["clients_connected"] == 0)
    wire = dial(to=broker)
    wire.send(Connect("anns", username="bob", password=b"b"))
    wire.expect_closed(Connack(0x9F))
    dial(to=broker).connect(Connect("anns", username="ann", password=b"a"))
