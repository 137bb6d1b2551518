"""CONNECT and CONNACK: who is let in, and what the server says about itself."""

from __future__ import annotations

import time

import pytest

from .packets import V5, V31, V311, Connack, Connect, Pingreq, Pingresp, Publish, Suback, Subscribe, Will
from .wire import Wire, subscription


@pytest.mark.mqtt5("3.1.4-5", "3.2.2-1", "3.2.2-2")
@pytest.mark.mqtt311("3.1.4-4", "3.2.2-1")
def test_a_connect_is_accepted(dial, root, version):
    wire = dial(version)
    connack = wire.connect(Connect(root))
    assert not connack.session_present


# Nothing overtakes the CONNACK, not even the answers to packets sent along with the CONNECT.
@pytest.mark.mqtt5("3.2.0-1")
@pytest.mark.mqtt311("3.2.0-1")
def test_the_connack_comes_first(connect, dial, root, version):
    connect("publisher").publish(f"{root}/kept", b"kept", retain=True)
    wire = dial(version)
    wire.send(Connect(root), Subscribe(1, [subscription(f"{root}/kept")]), Pingreq())
    connack = wire.read()
    assert isinstance(connack, Connack)
    assert connack.code == 0
    replies = [wire.read() for _ in range(3)]
    assert Suback(1, [0]) in replies
    assert Publish(f"{root}/kept", b"kept", retain=True) in replies
    assert Pingresp() in replies


@pytest.mark.mqtt5("3.2.0-2")
def test_one_connack_only(connect, version):
    connect(version=version).expect_nothing()


# No property limits what this server supports: all of it is supported.
@pytest.mark.mqtt5("3.2.2-9", "3.2.2-10", "3.2.2-12", "3.2.2-13")
def test_the_connack_limits_nothing_that_is_supported(connect, root):
    wire = connect(will=Will(f"{root}/will", b"gone", 2, retain=True))
    told = wire.connack.properties
    limits = ("maximum_qos", "retain_available", "wildcard_subscription_available")
    limits += ("subscription_identifier_available", "shared_subscription_available")
    assert not [name for name in limits if told.get(name) == 0 or (name == "maximum_qos" and name in told)]
    wire.subscribe((f"{root}/0", 0), (f"{root}/1", 1), (f"{root}/+", 2), subscription_identifier=1)
    wire.subscribe(f"$share/group/{root}/2", qos=2)
    for qos in (0, 1, 2):
        assert connect().publish(f"{root}/kept", b"kept", qos, retain=True) == 0
        wire.expect_message(f"{root}/kept", b"kept", qos=qos, properties={"subscription_identifier": [1]})


# The choice: a CONNACK is as short as it can be: only the three limits that a client must know of.
@pytest.mark.choice
def test_the_connack_says_only_what_differs_from_the_defaults(connect):
    told = connect(properties={"session_expiry_interval": 30}).connack.properties
    assert set(told) == {"topic_alias_maximum", "receive_maximum", "maximum_packet_size"}


# The choice: the limits announced are the ones set.
@pytest.mark.settings
def test_the_connack_announces_the_limits_set(broker_factory, connect):
    broker = broker_factory(
        {"limits.topic_alias_maximum": 7, "limits.receive_maximum": 11, "limits.max_packet_size": 5000}
    )
    assert connect(to=broker).connack.properties == {
        "topic_alias_maximum": 7,
        "receive_maximum": 11,
        "maximum_packet_size": 5000,
    }


@pytest.mark.mqtt5("3.1.3-6", "3.1.3-7", "3.2.2-16")
@pytest.mark.parametrize("clean", [True, False])
def test_an_empty_client_identifier_is_replaced_in_version_5(dial, root, clean):
    assigned = []
    for _ in range(2):
        connack = dial().connect(Connect("", clean=clean))
        assert not connack.session_present
        assigned.append(connack.properties["assigned_client_identifier"])
    assert len(set(assigned)) == 2
    assert all(assigned)


# The identifier that was assigned is the client's own: it can come back with it.
@pytest.mark.mqtt5("3.1.3-7", "3.2.2-3")
def test_an_assigned_client_identifier_finds_its_session(dial, root):
    first = dial()
    name = first.connect(Connect("", properties={"session_expiry_interval": 30})).properties[
        "assigned_client_identifier"
    ]
    first.subscribe(f"{root}/x")
    first.disconnect()
    second = dial()
    connack = second.connect(Connect(name, clean=False))
    assert connack.session_present
    assert "assigned_client_identifier" not in connack.properties


@pytest.mark.mqtt311("3.1.3-6")
def test_an_empty_client_identifier_with_a_clean_session_is_accepted(dial):
    first, second = dial(V311), dial(V311)
    first.connect(Connect("", clean=True))
    second.connect(Connect("", clean=True))
    first.ping()  # the second one did not take the first one's place


# Without a name there is nothing to keep a session under.
@pytest.mark.mqtt311("3.1.3-7", "3.1.3-8", "3.1.3-9", "3.2.2-4", "3.2.2-5")
def test_an_empty_client_identifier_that_wants_a_session_is_rejected(dial):
    wire = dial(V311)
    wire.send(Connect("", clean=False))
    wire.expect_closed(Connack(2))


# Version 3.1 knows no empty client identifiers (section 3.1 there).
@pytest.mark.parametrize("clean", [True, False])
def test_an_empty_client_identifier_is_rejected_in_version_31(dial, clean):
    wire = dial(V31)
    wire.send(Connect("", clean=clean))
    wire.expect_closed(Connack(2))


# The first three are all that a server must allow; the others are the choice of every good broker.
@pytest.mark.mqtt5("3.1.3-5")
@pytest.mark.mqtt311("3.1.3-5")
@pytest.mark.parametrize(
    "name",
    [
        "0123456789abcdefghijklm",
        "nopqrstuvwxyzABCDEFGHIJ",
        "KLMNOPQRSTUVWXYZ",
        pytest.param("with space/slash+plus#hash", marks=pytest.mark.choice),
        pytest.param("\u65e5\u672c \u00e9\U0001f600", marks=pytest.mark.choice),
        pytest.param("x" * 1000, marks=pytest.mark.choice),
    ],
    ids=["digits", "letters", "capitals", "signs", "unicode", "long"],
)
def test_client_identifiers_that_are_allowed(dial, name, version):
    wire = dial(version)
    wire.connect(Connect(name))
    wire.ping()


# Identifiers that differ in case, or in Unicode's form only, are different clients.
@pytest.mark.mqtt5("3.1.3-2")
@pytest.mark.mqtt311("3.1.3-2")
def test_client_identifiers_are_compared_byte_by_byte(dial, root, version):
    wires = []
    for name in ("a", "A", "\u00e9", "e\u0301"):
        wires.append(dial(version))
        wires[-1].connect(Connect(root + name))
    for wire in wires:
        wire.ping()


# A broker without authentication reads and ignores the credentials.
@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("user", None),
        ("user", b"secret"),
        ("user", b""),
        ("", b"secret"),
        ("\u7528\u6237", bytes(range(256))),
    ],
)
def test_credentials(connect, version, username, password):
    connect(version=version, username=username, password=password).ping()


@pytest.mark.mqtt311("3.1.2-22")
def test_a_password_without_a_user_name_is_a_violation_in_version_311(dial, root):
    wire = dial(V311)
    wire.send(Connect(root, password=b"secret"))
    wire.expect_closed()


# Section 3.1.2.9 of version 5 allows a password alone, for tokens.
def test_a_password_without_a_user_name_is_allowed_in_version_5(connect):
    connect(password=b"token").ping()


# An unknown level is refused in the form its own version would read.
@pytest.mark.mqtt5("3.1.2-2")
@pytest.mark.mqtt311("3.1.2-2", "3.2.2-5")
@pytest.mark.parametrize(
    ("protocol", "version", "code"),
    [
        pytest.param((b"MQTT", 6), V5, 0x84, marks=pytest.mark.choice),
        ((b"MQTT", 3), V311, 0x01),
        ((b"MQTT", 0), V311, 0x01),
        ((b"MQIsdp", 4), V31, 0x01),
    ],
    ids=["MQTT 6", "MQTT 3", "MQTT 0", "MQIsdp 4"],
)
def test_unknown_protocol_levels(dial, root, protocol, version, code):
    wire = dial(version)
    wire.send(Connect(root, protocol=protocol))
    wire.expect_closed(Connack(code))


# Who speaks another protocol is cut off (5.0 allows a CONNACK 0x84 before that).
@pytest.mark.mqtt5("3.1.2-1")
@pytest.mark.mqtt311("3.1.2-1")
@pytest.mark.parametrize("name", [b"MQTx", b"mqtt", b"", b"MQIsd", b"HTTP/1.1"])
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_unknown_protocol_names(dial, root, version, name):
    wire = dial(version)
    wire.send(Connect(root, protocol=(name, version)))
    assert wire.last_codes() in ([], [0x84 if version == V5 else 0x01])


@pytest.mark.mqtt5("3.1.4-6", "3.2.2-6", "3.2.2-7", "4.13.2-1")
@pytest.mark.mqtt311("3.1.4-5", "3.2.2-4", "3.2.2-5")
@pytest.mark.parametrize(
    ("version", "rejected", "code"),
    [
        (V311, Connect("", clean=False), 2),
        (V5, Connect("x", properties={"authentication_method": "unknown"}), 0x8C),
    ],
    ids=["3.1.1", "5.0"],
)
def test_nothing_is_processed_after_a_rejected_connect(connect, dial, root, version, rejected, code):
    watcher = connect()
    watcher.subscribe(f"{root}/#")
    wire = dial(version)
    wire.send(rejected, Publish(f"{root}/x", b"smuggled"), Pingreq())
    wire.expect_closed(Connack(code))
    watcher.expect_nothing()


# No method is known without a hook for it.
@pytest.mark.mqtt5("4.12.0-1", "3.2.2-7")
def test_an_unknown_authentication_method_is_refused(dial, root):
    wire = dial()
    wire.send(
        Connect(root, properties={"authentication_method": "SCRAM-SHA-1", "authentication_data": b"n,,"})
    )
    wire.expect_closed(Connack(0x8C))


@pytest.mark.mqtt5("4.12.0-6")
def test_no_authentication_method_unless_the_client_named_one(connect):
    assert "authentication_method" not in connect(username="u", password=b"p").connack.properties


# A server closes connections that do not say CONNECT in good time (section 3.1.4 of 5.0).
@pytest.mark.settings
def test_a_connection_without_connect_is_closed(broker_factory, dial, root):
    broker = broker_factory({"limits.connect_timeout": 1})
    begun = time.monotonic()
    silent, slow = dial(to=broker), dial(to=broker)
    slow.send(Connect(root).encode(V5)[:-1])
    silent.expect_closed(timeout=5)
    slow.expect_closed(timeout=5)
    assert 0.7 < time.monotonic() - begun < 3


# The timeout ends with the CONNECT.
@pytest.mark.settings
def test_the_connect_timeout_does_not_touch_connected_clients(broker_factory, connect):
    broker = broker_factory({"limits.connect_timeout": 1})
    wire = connect(to=broker, keep_alive=0)
    wire.expect_nothing(1.4)


# The choice: what a stranger may send at most is bounded long before the packet is complete.
@pytest.mark.settings
def test_a_connect_that_is_too_large_is_refused(broker_factory, connect, dial, root):
    broker = broker_factory({"limits.max_connect_size": 2048})
    connect(to=broker, will=Will(f"{root}/will", b"x" * 1900)).ping()
    wire = dial(to=broker)
    wire.send(Connect(root, will=Will(f"{root}/will", b"x" * 3000)).encode(V5)[:20])
    assert wire.last_codes() in ([], [0x95])


# The choice: a full server refuses newcomers, and takes them again when somebody has left.
@pytest.mark.settings
@pytest.mark.parametrize(("version", "codes"), [(V311, {3}), (V5, {0x88, 0x89, 0x97})], ids=["3.1.1", "5.0"])
def test_too_many_clients(broker_factory, connect, dial, root, version, codes):
    broker = broker_factory({"limits.max_clients": 2})
    one, two = connect("one", to=broker), connect("two", to=broker)
    refused = dial(version, to=broker)
    refused.send(Connect(f"{root}three"))
    words = refused.last_words()
    assert not words or (isinstance(words[0], Connack) and words[0].code in codes), words
    two.ping()
    one.disconnect()
    end = time.monotonic() + 3  # the place is free a moment after the end of the connection was seen
    while not _accepted(dial(version, to=broker), f"{root}four"):
        assert time.monotonic() < end, "the place that became free was not given away"
        time.sleep(0.02)


def _accepted(wire: Wire, name: str) -> bool:
    wire.send(Connect(name))
    try:
        reply = wire.read()
    except AssertionError:
        return False
    return isinstance(reply, Connack) and reply.code == 0
