"""What a hook is given: the message."""

from __future__ import annotations

import ast
import json
import time

import pytest

from hookmq import Message

from .helpers import DEADLINE, Device, MQTTv5, Seen, properties


@pytest.fixture
def message(broker):
    """Publish from a client and return the message that a hook is given."""
    seen = Seen()
    broker.on_message_received(seen.append)
    with Device(broker, "pump") as device:

        def send(payload: object, topic: str = "plant/flow", **more: object) -> Message:
            seen.clear()
            device.publish(topic, payload, **more)
            return seen.until(1)[0]

        yield send


def test_attributes(message):
    before = time.time()
    msg = message(b'{"flow": 1.5}', qos=2, retain=True)
    assert isinstance(msg, Message)
    assert (msg.topic, msg.payload, msg.text) == ("plant/flow", b'{"flow": 1.5}', '{"flow": 1.5}')
    assert msg.json() == {"flow": 1.5}
    assert (msg.qos, msg.retain, msg.client_id, msg.publisher) == (2, True, "pump", "pump")
    assert (msg.packet_id, msg.properties) == (None, {})
    assert isinstance(msg.timestamp, float) and before - 0.01 <= msg.timestamp <= time.time()


def test_the_keys_of_crystalmq(message):
    msg = message("42")
    assert msg["sender"] == "pump"
    assert msg["topic"] == "plant/flow"
    assert msg["message"] == "42"
    assert msg["unixtime"] == int(msg.timestamp) and type(msg["unixtime"]) is int
    local = time.localtime(msg["unixtime"])
    assert msg["datetime"] == time.strftime("%Y-%m-%d %H:%M:%S", local)
    keys = ["sender", "topic", "message", "unixtime", "datetime"]
    assert (list(msg.keys()), len(msg), "topic" in msg, "payload" in msg) == (keys, 5, True, False)
    assert dict(msg) == {**msg} == {key: msg[key] for key in keys}
    assert json.loads(json.dumps(dict(msg)))["message"] == "42"
    for wrong in ("payload", ""):
        with pytest.raises(KeyError):
            msg[wrong]


def test_it_is_iterated_like_a_dict(message):
    msg = message("42")
    assert list(msg) == ["sender", "topic", "message", "unixtime", "datetime"]
    assert (msg.get("topic"), msg.get("nothing"), msg.get("nothing", 1)) == ("plant/flow", None, 1)


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"\x80'\"\\", bytes(range(256)), b"\xc3", b"\xed\xa0\x80"])
def test_a_binary_payload_can_be_had_back_from_its_text(message, payload):
    msg = message(payload)
    assert msg.payload == payload
    assert msg["message"] == repr(payload)
    assert ast.literal_eval(msg["message"]) == payload
    assert msg.text == payload.decode(errors="replace")


@pytest.mark.parametrize("payload", ["", "grün", "\0", "b'no bytes'", "x" * 1_000_000])
def test_text(message, payload):
    msg = message(payload)
    assert msg.text == msg["message"] == payload


@pytest.mark.parametrize("payload", [b"", b"{", b"nothing", b"\xff", b'{"a":}', b"'a'"])
def test_what_is_not_json(message, payload):
    with pytest.raises(ValueError):
        message(payload).json()


@pytest.mark.parametrize("value", [None, True, 5, 1.5, "ü", [1], {"a": {"b": []}}])
def test_json(message, value):
    assert message(json.dumps(value)).json() == value


def test_json_is_read_anew_each_time(message):
    msg = message("[1]")
    msg.json().append(2)
    assert msg.json() == [1]


def test_it_cannot_be_changed(message):
    msg = message("42", properties=properties(ContentType="text/plain"))
    for name in ("topic", "payload", "text", "qos", "retain", "client_id", "timestamp", "properties", "new"):
        with pytest.raises(AttributeError):
            setattr(msg, name, "x")
        with pytest.raises(AttributeError):
            delattr(msg, name)
    with pytest.raises(TypeError):
        msg["topic"] = "x"
    with pytest.raises(TypeError):
        del msg["topic"]
    msg.properties["content_type"] = "changed"
    assert msg.properties == {"content_type": "text/plain"}
    with pytest.raises(TypeError):
        Message()


def test_properties(message):
    msg = message("", properties=properties(UserProperty=[("a", "1"), ("a", "2")], CorrelationData=b"\0"))
    assert msg.properties == {"user_properties": [("a", "1"), ("a", "2")], "correlation_data": b"\0"}


def test_repr(message):
    assert repr(message("42")) == "<Message plant/flow b'42' qos=1>"
    assert repr(message(b"\xff" * 41, qos=2)) == "<Message plant/flow " + repr(b"\xff" * 40) + "… qos=2>"
    assert str(message("42")) == "<Message plant/flow b'42' qos=1>"


def test_repr_stays_on_one_line(message):
    """A topic may hold what would forge lines of a log or control a terminal."""
    text = repr(message("42", topic="a\n2026-01-01 INFO all is well\x1b[2J"))
    assert text.isprintable()


def test_the_message_of_the_broker_itself(broker):
    with broker.subscribe("a") as messages:
        broker.publish("a", b"\xff", qos=1, retain=True)
        msg = messages.get(timeout=DEADLINE)
    assert (msg.client_id, msg.publisher, msg["sender"]) == ("", "", "")
    assert (msg.qos, msg.retain, msg["message"]) == (1, True, "b'\\xff'")


def test_messages_outlive_their_broker(broker):
    seen = Seen()
    broker.on_message_received(seen.append)
    with Device(broker, "pump", version=MQTTv5) as device:
        device.publish("a", "42")
    seen.until(1)
    broker.stop()
    assert (seen[0].topic, seen[0].json(), seen[0].client_id) == ("a", 42, "pump")
