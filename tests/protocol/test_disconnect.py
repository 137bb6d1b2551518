"""DISCONNECT: the last packet of either side."""

from __future__ import annotations

import pytest

from .packets import Disconnect, Pingreq, Publish, Subscribe, Will
from .wire import subscription


# The server closes the connection itself, and says nothing more.
@pytest.mark.mqtt5("3.14.4-1", "3.14.4-2", "3.14.4-3")
@pytest.mark.mqtt311("3.14.4-1", "3.14.4-2", "3.14.4-3")
def test_nothing_after_a_disconnect_has_an_effect(connect, root, version):
    watcher = connect()
    watcher.subscribe(f"{root}/#", qos=2)
    client = connect(version=version, will=Will(f"{root}/will", b"gone"))
    client.send(
        Publish(f"{root}/before", b"1"),
        Disconnect(),
        Publish(f"{root}/after", b"2"),
        Publish(f"{root}/after", b"3", 1, id=1),
        Subscribe(2, [subscription(f"{root}/#")]),
        Pingreq(),
    )
    client.expect_closed()
    watcher.expect_message(f"{root}/before", b"1")
    watcher.expect_nothing(0.1)


# A session that was to last, however the connection ends.
@pytest.mark.mqtt5("3.14.2-1", "3.14.2-2", "3.14.4-1", "3.14.4-2")
@pytest.mark.parametrize("why", ["taken over", "malformed", "protocol error"])
def test_the_servers_disconnect_has_no_expiry_interval(connect, why):
    session = {"clean": False, "properties": {"session_expiry_interval": 30}}
    client = connect("a", **session)
    client.send(Pingreq())
    client.read()
    if why == "taken over":
        connect("a", **session)
        client.expect_closed(Disconnect(0x8E))
    elif why == "malformed":
        client.send(b"\x36\x00", Pingreq())
        client.expect_closed(Disconnect(0x81))
    else:
        client.send(b"\xd0\x00", Pingreq())
        client.expect_closed(Disconnect(0x82))
    assert connect("a", **session).connack.session_present


# Each of the reasons that a client may give, with and without properties.
@pytest.mark.mqtt5("3.14.2-1", "3.14.4-2")
@pytest.mark.parametrize(
    "code", [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
)
def test_reasons_of_clients(connect, code):
    connect().disconnect(code)
    connect(properties={"session_expiry_interval": 5}).disconnect(
        code, session_expiry_interval=0, reason_string="why", user_property=[("a", "b")]
    )


# What counts is what CONNECT asked for, not what was granted.
@pytest.mark.settings
@pytest.mark.mqtt5("3.14.2-2")
def test_an_expiry_at_the_end_where_less_was_granted(broker_factory, connect, root):
    broker = broker_factory({"limits.max_session_expiry": 0})
    watcher = connect(to=broker)
    watcher.subscribe(f"{root}/will")
    wire = connect(to=broker, properties={"session_expiry_interval": 60}, will=Will(f"{root}/will", b"gone"))
    wire.send(Disconnect(0, {"session_expiry_interval": 60}))
    wire.expect_closed()
    watcher.expect_nothing(0.1)
