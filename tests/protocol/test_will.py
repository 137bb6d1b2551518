"""Will messages: when they are published, when not, and what they carry."""

from __future__ import annotations

import time

import pytest

from .packets import V5, V31, V311, Connack, Disconnect, Publish, Suback, Subscribe, Will, subscription


@pytest.fixture
def watcher(connect, root):
    """A client that sees everything below the test's own topic."""
    wire = connect("watcher")
    wire.subscribe(f"{root}/#", qos=2)
    return wire


@pytest.mark.mqtt5("3.1.2-7", "3.1.2-8", "3.1.2-9", "3.1.2-12")
@pytest.mark.mqtt311("3.1.2-8", "3.1.2-9", "3.1.2-14")
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_a_lost_connection_publishes_the_will(connect, watcher, root, version, qos, reset):
    client = connect(version=version, will=Will(f"{root}/will", b"gone", qos))
    watcher.expect_nothing()
    if reset:
        client.reset()
    else:
        client.close()
    watcher.expect_message(f"{root}/will", b"gone", qos=qos)
    watcher.expect_nothing()


@pytest.mark.mqtt5("3.1.2-8", "3.1.2-10", "3.14.4-3")
@pytest.mark.mqtt311("3.1.2-8", "3.1.2-10", "3.14.4-3")
def test_a_normal_disconnect_deletes_the_will(connect, watcher, root, version):
    client = connect(version=version, will=Will(f"{root}/will", b"gone"))
    client.disconnect()
    watcher.expect_nothing(0.1)


@pytest.mark.mqtt311("3.1.2-12")
def test_no_will_no_message(connect, watcher, version):
    connect(version=version).close()
    watcher.expect_nothing(0.1)


# Only reason 0x00 deletes the will; 0x04 asks for it, and so does any other.
@pytest.mark.mqtt5("3.1.2-8", "3.14.4-3")
@pytest.mark.parametrize("code", [0x04, 0x80, 0x81, 0x83, 0x97])
def test_a_disconnect_with_another_reason_publishes_the_will(connect, watcher, root, code):
    client = connect(will=Will(f"{root}/will", b"gone", 1))
    client.disconnect(code)
    watcher.expect_message(f"{root}/will", b"gone", qos=1)


# The server closes the connection because of an error.
@pytest.mark.mqtt5("3.1.2-8")
@pytest.mark.mqtt311("3.1.2-8")
@pytest.mark.parametrize("version", [V31, V311, V5])
def test_a_protocol_error_publishes_the_will(connect, watcher, root, version):
    client = connect(version=version, will=Will(f"{root}/will", b"gone"))
    client.send(b"\x36\x00")  # a PUBLISH with QoS 3
    client.last_words()
    watcher.expect_message(f"{root}/will", b"gone")


@pytest.mark.mqtt5("3.1.2-15")
@pytest.mark.mqtt311("3.1.2-17")
def test_a_retained_will(connect, watcher, root, version):
    connect(version=version, will=Will(f"{root}/will", b"gone", 1, retain=True)).close()
    watcher.expect_message(f"{root}/will", b"gone", qos=1, retain=False)
    later = connect()
    later.subscribe(f"{root}/will", qos=1)
    later.expect_message(f"{root}/will", b"gone", qos=1, retain=True)


@pytest.mark.mqtt5("3.1.2-14")
@pytest.mark.mqtt311("3.1.2-16")
def test_a_will_is_not_retained_unless_asked(connect, watcher, root, version):
    connect(version=version, will=Will(f"{root}/will", b"gone", 1)).close()
    watcher.expect_message(f"{root}/will", b"gone", qos=1)
    later = connect()
    later.subscribe(f"{root}/will")
    later.expect_nothing()


# An empty retained will deletes the retained message.
@pytest.mark.mqtt5("3.1.2-15", "3.3.1-6", "3.3.1-7")
@pytest.mark.mqtt311("3.1.2-17", "3.3.1-10", "3.3.1-11")
def test_an_empty_retained_will_deletes(connect, watcher, root, version):
    connect().publish(f"{root}/will", b"online", 1, retain=True)
    watcher.expect_message(f"{root}/will", b"online", qos=1)
    connect(version=version, will=Will(f"{root}/will", b"", 1, retain=True)).close()
    watcher.expect_message(f"{root}/will", b"", qos=1)
    later = connect()
    later.subscribe(f"{root}/will")
    later.expect_nothing()


# All properties of the message are passed on; the delay is not one of them.
@pytest.mark.mqtt5("3.1.2-9", "3.1.3-10")
def test_will_properties(connect, watcher, root):
    given = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": f"{root}/answer",
        "correlation_data": b"\0\x01\xff",
        "user_property": [("z", "1"), ("a", "2"), ("z", "1"), ("", "")],
    }
    will = Will(f"{root}/will", b"gone", 1, properties={**given, "will_delay_interval": 0})
    connect(will=will).close()
    watcher.expect_message(f"{root}/will", b"gone", qos=1, properties=given)


# Section 3.1.3.2.4: the lifetime of the message begins when it is published, not with the CONNECT.
def test_will_expiry_counts_from_its_publication(connect, watcher, root):
    client = connect(will=Will(f"{root}/will", b"gone", properties={"message_expiry_interval": 100}))
    time.sleep(1.1)
    client.close()
    message = watcher.read()
    assert isinstance(message, Publish)
    assert message.properties["message_expiry_interval"] in (99, 100)  # type: ignore[call-overload]


# Once published it is gone from the session.
@pytest.mark.mqtt5("3.1.2-10")
def test_a_will_is_published_once(connect, watcher, root):
    session = {"clean": False, "properties": {"session_expiry_interval": 60}}
    connect("client", will=Will(f"{root}/will", b"gone"), **session).close()
    watcher.expect_message(f"{root}/will", b"gone")
    connect("client", **session).close()
    watcher.expect_nothing(0.1)


# Each CONNECT brings its own will.
@pytest.mark.mqtt5("3.1.2-7", "3.1.2-10")
@pytest.mark.mqtt311("3.1.2-8", "3.1.2-10")
def test_the_last_will_counts(connect, watcher, root, version):
    client = connect("client", version=version, will=Will(f"{root}/old", b"old"))
    client.disconnect()
    connect("client", version=version, will=Will(f"{root}/new", b"new")).close()
    watcher.expect_message(f"{root}/new", b"new")
    watcher.expect_nothing()


# The choice in every version: the old connection ended, its will is said.
@pytest.mark.mqtt5("3.1.2-8")
@pytest.mark.mqtt311("3.1.2-8")
def test_a_takeover_publishes_the_will(connect, watcher, root, version):
    old = connect("client", version=version, will=Will(f"{root}/old", b"old"))
    new = connect("client", version=version, will=Will(f"{root}/new", b"new"))
    old.last_words()
    watcher.expect_message(f"{root}/old", b"old")
    watcher.expect_nothing()
    new.ping()


# Section 3.1.4 of 5.0: whether a takeover says the will depends on its delay and on the end of the session.
@pytest.mark.mqtt5("3.1.2-8", "3.1.3-9")
@pytest.mark.parametrize(
    ("delay", "expiry", "clean", "published"),
    [
        (0, 60, False, True),  # no delay
        (60, 60, False, False),  # the session goes on before the delay has passed
        (60, 60, True, True),  # the session ends, and with it the delay
        (60, 0, False, True),  # so it does without an expiry interval
    ],
)
def test_a_takeover_and_the_delay(connect, watcher, root, delay, expiry, clean, published):
    will = Will(f"{root}/will", b"gone", 1, properties={"will_delay_interval": delay})
    old = connect("client", will=will, properties={"session_expiry_interval": expiry})
    connect("client", clean=clean)
    old.expect_closed(Disconnect(0x8E))
    if published:
        watcher.expect_message(f"{root}/will", b"gone", qos=1)
    watcher.expect_nothing(0.1)


# One client comes back in time, the other does not.
@pytest.mark.mqtt5("3.1.2-8", "3.1.3-9")
def test_the_delay(connect, watcher, root):
    session = {"clean": False, "properties": {"session_expiry_interval": 60}}
    for name in ("absent", "back"):
        will = Will(f"{root}/{name}", b"gone", 1, properties={"will_delay_interval": 1})
        connect(name, will=will, **session).close()
    begun = time.monotonic()
    watcher.expect_nothing(0.3)
    assert connect("back", **session).connack.session_present
    watcher.expect_message(f"{root}/absent", b"gone", qos=1)
    assert 0.8 < time.monotonic() - begun < 2.5
    watcher.expect_nothing(0.4)


# The session ends before the delay does: at once, or after its expiry interval.
@pytest.mark.mqtt5("3.1.2-8")
@pytest.mark.parametrize(("expiry", "earliest"), [(0, 0.0), (1, 0.8)])
def test_the_end_of_the_session_ends_the_delay(connect, watcher, root, expiry, earliest):
    will = Will(f"{root}/will", b"gone", 1, properties={"will_delay_interval": 60})
    connect(will=will, properties={"session_expiry_interval": expiry}).close()
    begun = time.monotonic()
    watcher.expect_message(f"{root}/will", b"gone", qos=1)
    assert time.monotonic() - begun >= earliest


# With a DISCONNECT that ends the session.
@pytest.mark.mqtt5("3.1.2-8")
def test_a_disconnect_that_ends_the_session_ends_the_delay(connect, watcher, root):
    will = Will(f"{root}/will", b"gone", 1, properties={"will_delay_interval": 60})
    connect(will=will, properties={"session_expiry_interval": 60}).disconnect(0x04, session_expiry_interval=0)
    watcher.expect_message(f"{root}/will", b"gone", qos=1)


# Clean Start ends the old session while its will waits.
@pytest.mark.mqtt5("3.1.2-4", "3.1.2-8")
def test_a_clean_start_ends_the_delay(connect, watcher, root):
    will = Will(f"{root}/will", b"gone", 1, properties={"will_delay_interval": 60})
    connect("client", will=will, properties={"session_expiry_interval": 60}).close()
    watcher.expect_nothing(0.05)
    connect("client", clean=True)
    watcher.expect_message(f"{root}/will", b"gone", qos=1)


# A normal DISCONNECT deletes a delayed will too.
@pytest.mark.mqtt5("3.1.2-10", "3.14.4-3")
def test_a_normal_disconnect_deletes_a_delayed_will(connect, watcher, root):
    will = Will(f"{root}/will", b"gone", 1, properties={"will_delay_interval": 0})
    connect(will=will, properties={"session_expiry_interval": 60}).disconnect()
    will.properties = {"will_delay_interval": 1}
    connect(will=will, properties={"session_expiry_interval": 1}).disconnect()
    watcher.expect_nothing(1.3)


# A rejected CONNECT leaves no will behind (3.1.1 section 3.1.2.5).
@pytest.mark.mqtt311("3.1.2-8")
def test_a_rejected_connect_has_no_will(dial, watcher, root):
    wire = dial(V311)
    wire.send(
        b"\x10\x1b\x00\x04MQTT\x04\x04\x00\x3c\x00\x00"  # no Clean Session and no client identifier
        + len(f"{root}/w").to_bytes(2, "big")
        + f"{root}/w".encode()
        + b"\x00\x01x"
    )
    wire.expect_closed(Connack(2))
    watcher.expect_nothing(0.05)


# A will reaches sessions that are away.
@pytest.mark.mqtt311("3.1.2-5", "4.5.0-1")
def test_a_will_is_queued_for_absent_sessions(connect, root):
    session = {"clean": False, "version": V311}
    away = connect("away", **session)
    away.subscribe(f"{root}/will", qos=1)
    away.disconnect()
    here = connect("here")
    here.subscribe(f"{root}/will")
    connect(will=Will(f"{root}/will", b"gone", 1)).close()
    here.expect_message(f"{root}/will", b"gone")
    connect("away", **session).expect_message(f"{root}/will", b"gone", qos=1)


# A will is published by the client's own session.
@pytest.mark.mqtt5("3.8.3-3")
@pytest.mark.parametrize("no_local", [False, True], ids=["local", "No Local"])
def test_a_will_for_its_own_session(connect, root, no_local):
    kept = {"session_expiry_interval": 60}
    fields = {"will": Will(f"{root}/will", b"gone", 1), "properties": kept, "clean": False}
    client = connect("client", **fields)
    client.send(Subscribe(1, [subscription(f"{root}/will", 1, no_local=no_local)]))
    client.expect(Suback(1, [1]))
    client.reset()
    client = connect("client", clean=False, properties=kept)
    if no_local:
        client.expect_nothing(0.2)
    else:
        client.expect_message(f"{root}/will", b"gone", qos=1)
