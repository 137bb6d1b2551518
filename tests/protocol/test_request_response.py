"""Request and response, and every property that a message carries through the broker."""

from __future__ import annotations

import pytest

from .packets import V311, Publish

EVERYTHING = {
    "payload_format_indicator": 1,
    "content_type": "application/json; charset=utf-8",
    "response_topic": "answers/here",
    "correlation_data": bytes(range(256)),
    "user_property": [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("\u9375", "\u5024")],
}


@pytest.mark.mqtt5("3.3.2-4", "3.3.2-15", "3.3.2-16", "3.3.2-17", "3.3.2-18", "3.3.2-20")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_all_properties_pass_through(connect, root, qos):
    subscriber = connect()
    subscriber.subscribe(root, qos=2)
    connect().publish(root, b"{}", qos, properties=EVERYTHING)
    subscriber.expect_message(root, b"{}", qos=qos, properties=EVERYTHING)


# The same for each alone: no property depends on another.
@pytest.mark.mqtt5("3.3.2-4", "3.3.2-15", "3.3.2-16", "3.3.2-17", "3.3.2-20")
@pytest.mark.parametrize("name", [*EVERYTHING, "no property"])
def test_each_property_passes_alone(connect, root, name):
    subscriber = connect()
    subscriber.subscribe(root)
    given = {name: EVERYTHING[name]} if name in EVERYTHING else {}
    connect().publish(root, b"x", properties=given)
    subscriber.expect_message(root, b"x", properties=given)


# Empty and zero values are values.
@pytest.mark.mqtt5("3.3.2-4", "3.3.2-16", "3.3.2-17", "3.3.2-18", "3.3.2-20")
@pytest.mark.parametrize(
    "given",
    [
        {"payload_format_indicator": 0},
        {"content_type": ""},
        {"correlation_data": b""},
        {"user_property": [("", "")]},
        {"user_property": [("same", "same")] * 3},
        {"user_property": [(f"key {number}", "value") for number in range(200)]},
        {"correlation_data": b"\xff" * 65_535},
        {"user_property": [("k" * 65_535, "v" * 65_535)]},
    ],
    ids=["format 0", "no type", "no data", "no words", "same", "many", "long data", "long words"],
)
def test_unusual_values_pass_through(connect, root, given):
    subscriber = connect()
    subscriber.subscribe(root)
    connect().publish(root, b"x", properties=given)
    subscriber.expect_message(root, b"x", properties=given)


# Nothing is lost while a message waits, nor when it is sent again.
@pytest.mark.mqtt5("3.3.2-4", "3.3.2-15", "3.3.2-16", "3.3.2-17", "3.3.2-18", "3.3.2-20")
def test_properties_wait_with_the_message(connect, root):
    session = {"clean": False, "properties": {"session_expiry_interval": 60}}
    subscriber = connect("a", **session)
    subscriber.subscribe(root, qos=1)
    subscriber.disconnect()
    connect().publish(root, b"{}", 1, properties=EVERYTHING)
    for dup in (False, True):
        subscriber = connect("a", **session)
        subscriber.expect(Publish(root, b"{}", 1, dup=dup, properties=EVERYTHING))
        subscriber.close()


# A subscriber of an older version gets the payload as it is.
def test_older_subscribers_see_no_properties(connect, root):
    subscriber = connect(version=V311)
    subscriber.subscribe(root, qos=1)
    connect().publish(root, b"{}", 1, properties=EVERYTHING)
    subscriber.expect_message(root, b"{}", qos=1)


# And a message of an older version gets no properties on its way.
def test_older_publishers_send_no_properties(connect, root):
    subscriber = connect()
    subscriber.subscribe(root, qos=1)
    connect(version=V311).publish(root, b"\x00\x01x", 1)
    subscriber.expect_message(root, b"\x00\x01x", qos=1, properties={})


# Section 4.10: a whole exchange, for two requesters whose answers must not be mixed up.
def test_a_request_and_its_response(connect, root):
    responder = connect()
    responder.subscribe(f"{root}/add", qos=1)
    for number in (1, 2):
        requester = connect()
        requester.subscribe(f"{root}/answer/{number}", qos=1)
        asked = {"response_topic": f"{root}/answer/{number}", "correlation_data": b"id %d" % number}
        requester.publish(f"{root}/add", b"%d+1" % number, 1, properties=asked)
        request = responder.expect_message(f"{root}/add", b"%d+1" % number, qos=1, properties=asked)
        seen = dict(request.properties)
        answer = {"correlation_data": seen["correlation_data"]}
        assert responder.publish(seen["response_topic"], b"%d" % (number + 1), 1, properties=answer) == 0
        requester.expect_message(f"{root}/answer/{number}", b"%d" % (number + 1), qos=1, properties=answer)


@pytest.mark.mqtt5("3.1.2-28")
@pytest.mark.parametrize("asked", [{}, {"request_response_information": 0}], ids=["absent", "zero"])
def test_no_response_information_unless_asked(connect, asked):
    assert "response_information" not in connect(properties=asked).connack.properties


# Section 3.1.2.11.6: the server may keep silent even when asked, and this one has nothing to say.
@pytest.mark.choice
def test_asking_for_response_information_is_allowed(connect):
    wire = connect(properties={"request_response_information": 1, "request_problem_information": 1})
    assert "response_information" not in wire.connack.properties
    wire.ping()


# User properties of other packets are read and ignored.
def test_user_properties_on_other_packets(connect, root):
    words = {"user_property": [("a", "b"), ("a", "c")]}
    wire = connect(properties=words)
    wire.subscribe(root, qos=2, **words)
    wire.send(b"\xa2" + bytes([2 + 1 + 7 + 2 + len(root)]) + b"\x00\x09\x07\x26\x00\x01a\x00\x01b")
    wire.send(len(root).to_bytes(2, "big") + root.encode())
    assert wire.read().codes == [0]  # type: ignore[attr-defined]
    wire.disconnect(0, **words)
