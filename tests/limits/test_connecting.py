"""Limits on who connects: how fast, how many, how large, how slowly."""

from __future__ import annotations

import time

import pytest

from ..api.helpers import eventually
from ..protocol.packets import V5, V31, V311, Connack, Connect, Will
from ..protocol.wire import Closed
from .counting import QUOTA_EXCEEDED, RATE_EXCEEDED, SERVER_BUSY, UNAVAILABLE, count, counted, keep, refuses

OLD_AND_NEW = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


# How slowly ----------------------------------------------------------------------------------------------


def test_a_connection_has_so_long_to_send_connect(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.connect_timeout": 1})
    other = connect(to=broker)
    begun = time.monotonic()
    silent, slow, punctual = (dial(version, to=broker) for _ in range(3))
    whole = Connect(f"{root}late").encode(version)
    slow.send(whole[:-1])
    punctual.send(whole[:5])
    other.expect_nothing(0.5)
    punctual.send(whole[5:])
    assert punctual.expect(Connack(0, properties=_properties(other, version)))
    silent.expect_closed(timeout=5)
    slow.expect_closed(timeout=5)
    assert 0.8 < time.monotonic() - begun < 3
    counted(broker, "connect_timeout", 2)
    punctual.ping()
    other.ping()


def _properties(like, version: int) -> dict:
    return like.connack.properties if version == V5 else {}


def test_bytes_that_trickle_do_not_prolong_the_time(broker_factory, dial, root):
    broker = broker_factory({"limits.connect_timeout": 1})
    wire = dial(to=broker)
    begun = time.monotonic()
    with pytest.raises((Closed, ConnectionError)):
        for byte in Connect(root + "x" * 100).encode(V5):
            wire.send(bytes([byte]))
            try:
                wire.read(0.1)
            except Closed:
                raise
            except AssertionError:  # nothing yet
                continue
    assert 0.8 < time.monotonic() - begun < 3
    counted(broker, "connect_timeout", 1)


# How large -----------------------------------------------------------------------------------------------


def connect_of(size: int, version: int, root: str) -> bytes:
    """A CONNECT of exactly so many bytes."""
    empty = Connect(root, will=Will(f"{root}/will", b"")).encode(version)
    # Beyond 127 bytes the Remaining Length has one byte more.
    payload = b"x" * (size - len(empty) - (len(empty) < 130))
    packet = Connect(root, will=Will(f"{root}/will", payload)).encode(version)
    assert len(packet) == size
    return packet


def test_a_connect_may_have_so_many_bytes(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.max_connect_size": 1000})
    other = connect(to=broker)
    fits = dial(version, to=broker)
    fits.send(connect_of(1000, version, root))
    fits.expect(Connack(0, properties=_properties(other, version)))
    assert count(broker, "max_connect_size") == 0
    too_large = dial(version, to=broker)
    too_large.send(connect_of(1001, version, root))
    too_large.expect_closed(*([Connack(0x95)] if version == V5 else []))
    counted(broker, "max_connect_size", 1)
    other.ping()


def test_a_client_that_was_let_in_may_send_more_than_a_stranger(broker_factory, connect):
    broker = broker_factory({"limits.max_connect_size": 64})
    assert connect("a", to=broker).publish("a", b"x" * 10_000, 1) in (0, 0x10)
    assert count(broker, "max_connect_size") == 0


def properties_of(size: int) -> list[tuple[str, str]]:
    """User properties whose names and values have so many bytes."""
    return [("name", "v" * (size - 4 - 2)), ("x", "y")]


def test_a_connect_may_have_so_many_bytes_of_user_properties(broker_factory, connect, dial, root):
    broker = broker_factory({"limits.max_user_property_bytes": 100})
    other = connect(to=broker)
    # Whether the five bytes around each pair count is open: with them the first is at the limit,
    # without them the second is just beyond it.
    connect("fits", to=broker, properties={"user_property": properties_of(90)}).ping()
    assert count(broker, "max_user_property_bytes") == 0
    wire = dial(to=broker)
    refuses(wire, Connect(root, properties={"user_property": properties_of(101)}), QUOTA_EXCEEDED)
    counted(broker, "max_user_property_bytes", 1)
    other.ping()


def test_the_user_properties_of_a_will_count(broker_factory, dial, root):
    broker = broker_factory({"limits.max_user_property_bytes": 100})
    will = Will(f"{root}/will", b"", properties={"user_property": properties_of(101)})
    refuses(dial(to=broker), Connect(root, will=will), QUOTA_EXCEEDED)
    counted(broker, "max_user_property_bytes", 1)


# How many ------------------------------------------------------------------------------------------------


def test_so_many_clients_may_be_connected(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.max_clients": 2})
    one, two = connect("one", to=broker), connect("two", to=broker)
    for number in range(3):
        refuses(dial(version, to=broker), Connect(f"{root}three{number}"), SERVER_BUSY)
    counted(broker, "max_clients", 3)
    connect("two", to=broker).ping()  # who is in may come again
    two.last_words()
    one.ping()
    one.disconnect()
    eventually(lambda: broker.statistics["clients_connected"] == 1)
    connect("three", version=version, to=broker).ping()
    counted(broker, "max_clients", 3)


@OLD_AND_NEW
def test_so_many_clients_may_come_from_one_address(broker_factory, reach, root, version):
    broker = broker_factory({"limits.max_clients_per_address": 2})
    first, second = reach(broker), reach(broker)
    for line, name in ((first, "first"), (second, "second")):
        line.connect(Connect(root + name))
    refuses(reach(broker, version), Connect(f"{root}third"), QUOTA_EXCEEDED)
    counted(broker, "max_clients_per_address", 1)
    reach(broker, version, source="127.0.0.2").connect(Connect(f"{root}elsewhere"))
    reach(broker, version).connect(Connect(f"{root}second"))  # takes its own place again
    first.disconnect()
    eventually(lambda: broker.statistics["clients_connected"] == 2)
    reach(broker, version).connect(Connect(f"{root}third"))
    counted(broker, "max_clients_per_address", 1)


@OLD_AND_NEW
def test_so_many_clients_may_have_one_user_name(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.max_clients_per_user": 2})
    broker.authenticate(lambda client: True)
    first = connect("first", to=broker, username="tom", version=version)
    second = connect("second", to=broker, username="tom", version=version)
    refuses(dial(version, to=broker), Connect(f"{root}third", username="tom"), QUOTA_EXCEEDED)
    counted(broker, "max_clients_per_user", 1)
    connect("other", to=broker, username="ann", version=version).ping()
    for number in range(3):  # nobody is nobody's user
        connect(f"anonymous{number}", to=broker, version=version).ping()
    second.ping()
    first.close()
    eventually(lambda: broker.statistics["clients_connected"] == 5)
    connect("third", to=broker, username="tom", version=version).ping()
    counted(broker, "max_clients_per_user", 1)


@OLD_AND_NEW
def test_so_many_connections_may_wait_for_their_connect(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.max_half_open": 3})
    other = connect(to=broker)
    waiting = [dial(version, to=broker) for _ in range(3)]
    eventually(lambda: broker.statistics["half_open"] == 3)
    dial(version, to=broker).expect_closed()
    dial(version, to=broker).expect_closed()
    counted(broker, "max_half_open", 2)
    waiting[0].connect(Connect(f"{root}late"))
    waiting[1].close()
    eventually(lambda: broker.statistics["half_open"] == 1)
    connect("in time", to=broker, version=version).ping()
    other.ping()
    counted(broker, "max_half_open", 2)


@OLD_AND_NEW
def test_so_many_sessions_are_kept(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.max_sessions": 3})
    for name in ("one", "two"):
        connect(name, to=broker, **keep(version)).disconnect()
    third = connect("three", to=broker, **keep(version))
    wire = dial(version, to=broker)
    packet = Connect(
        f"{root}four", clean=False, properties={"session_expiry_interval": 60} if version == V5 else {}
    )
    refuses(wire, packet, QUOTA_EXCEEDED)
    counted(broker, "max_sessions", 1)
    back = connect("two", to=broker, **keep(version))  # a session that is there needs no room
    assert back.connack.session_present
    third.ping()
    connect("one", to=broker, version=version, clean=True).disconnect()
    eventually(lambda: broker.statistics["sessions"] == 2)
    connect("four", to=broker, **keep(version)).ping()
    counted(broker, "max_sessions", 1)


# How fast ------------------------------------------------------------------------------------------------


@OLD_AND_NEW
def test_so_many_clients_may_connect_in_a_second(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.connect_rate": 5})
    begun = time.monotonic()
    first = [connect(f"{number}", to=broker, version=version) for number in range(5)]
    late = dial(version, to=broker)
    late.send(Connect(f"{root}late"))
    code = late.read().code  # type: ignore[attr-defined]
    assert time.monotonic() - begun < 0.15, "this machine is too slow to tell"
    assert code == (RATE_EXCEEDED if version == V5 else UNAVAILABLE)
    late.expect_closed()
    counted(broker, "connect_rate", 1)
    for wire in first:
        wire.ping()
    refused = 1

    def let_in() -> bool:
        nonlocal refused
        wire = dial(version, to=broker)
        wire.send(Connect(f"{root}again"))
        code = wire.read().code  # type: ignore[attr-defined]
        refused += code != 0
        return code == 0

    eventually(let_in, 3)
    counted(broker, "connect_rate", refused)


def come(broker, dial, name: str, version: int = V5) -> int:
    """Connects, ends without DISCONNECT, and says the code of the CONNACK."""
    wire = dial(version, to=broker)
    wire.send(Connect(name))
    code = wire.read().code
    connected = broker.statistics["clients_connected"]
    wire.close()
    if code == 0:
        eventually(lambda: broker.statistics["clients_connected"] < connected)
    return code


def test_who_comes_again_and_again_is_jailed(broker_factory, connect, dial, root, version):
    broker = broker_factory({"limits.max_reconnects": 3, "limits.jail_time": 1.5})
    other = connect("other", to=broker)
    assert [come(broker, dial, f"{root}storm", version) for _ in range(3)] == [0, 0, 0]
    assert count(broker, "max_reconnects") == 0
    begun = time.monotonic()
    refuses(dial(version, to=broker), Connect(f"{root}storm"), RATE_EXCEEDED)
    counted(broker, "max_reconnects", 1)
    connect("calm", to=broker, version=version).ping()
    other.ping()
    eventually(lambda: come(broker, dial, f"{root}storm", version) == 0, 5)
    assert 1.3 < time.monotonic() - begun < 4


def test_clients_that_fight_for_an_identifier_are_jailed(broker_factory, connect, dial, root):
    broker = broker_factory({"limits.max_reconnects": 3})
    wires = [connect("same", to=broker) for _ in range(4)]  # three of them have ended now
    refuses(dial(to=broker), Connect(f"{root}same"), RATE_EXCEEDED)
    counted(broker, "max_reconnects", 1)
    for wire in wires[:-1]:
        assert wire.last_codes() == [0x8E]
    wires[-1].ping()  # whoever is in stays


def test_who_says_goodbye_may_come_again_as_often_as_it_likes(broker_factory, connect):
    broker = broker_factory({"limits.max_reconnects": 2})
    for _ in range(10):
        connect("tidy", to=broker).disconnect()
    assert count(broker, "max_reconnects") == 0


@pytest.mark.parametrize("version", [V31, V311, V5], ids=["3.1", "3.1.1", "5.0"])
def test_without_a_bound_nobody_is_jailed(broker_factory, dial, root, version):
    broker = broker_factory({"limits.max_reconnects": 0})
    assert {come(broker, dial, f"{root}storm", version) for _ in range(20)} == {0}
    assert count(broker, "max_reconnects") == 0


# What a client is given ----------------------------------------------------------------------------------


def test_a_client_without_keep_alive_is_given_one(broker_factory, connect):
    broker = broker_factory({"limits.default_keep_alive": 1})
    begun = time.monotonic()
    silent = connect(to=broker, keep_alive=0)
    other = connect(to=broker, keep_alive=60)
    assert silent.connack.properties["server_keep_alive"] == 1
    assert "server_keep_alive" not in other.connack.properties
    assert silent.last_codes() == [0x8D]
    assert 1.3 < time.monotonic() - begun < 4
    other.ping()


@pytest.mark.mqtt5("3.2.2-21")
def test_a_keep_alive_may_be_so_long(broker_factory, connect):
    broker = broker_factory({"limits.max_keep_alive": 60})
    assert "server_keep_alive" not in connect(to=broker, keep_alive=60).connack.properties
    assert count(broker, "max_keep_alive") == 0
    for asked in (61, 65_535, 0):
        assert connect(to=broker, keep_alive=asked).connack.properties["server_keep_alive"] == 60
    connect(to=broker, version=V311, keep_alive=120).ping()  # who cannot be told keeps its own
    counted(broker, "max_keep_alive", 3)


def test_the_keep_alive_that_is_given_is_the_one_that_holds(broker_factory, connect):
    broker = broker_factory({"limits.max_keep_alive": 1})
    begun = time.monotonic()
    silent, old = connect(to=broker, keep_alive=600), connect(to=broker, version=V311, keep_alive=600)
    assert silent.last_codes() == [0x8D]
    assert 1.3 < time.monotonic() - begun < 4
    old.ping()


def test_a_session_may_be_kept_so_long(broker_factory, connect):
    broker = broker_factory({"limits.max_session_expiry": 30})
    short = connect("short", to=broker, **keep(seconds=30))
    assert "session_expiry_interval" not in short.connack.properties
    assert count(broker, "max_session_expiry") == 0
    long = connect("long", to=broker, **keep(seconds=31))
    assert long.connack.properties["session_expiry_interval"] == 30
    counted(broker, "max_session_expiry", 1)
    connect("old", to=broker, **keep(V311)).ping()  # these are to be kept for ever
    counted(broker, "max_session_expiry", 2)
