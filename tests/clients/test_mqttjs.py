"""MQTT.js, the client of Node.js programs and of browsers; mqttjs/conversations.cjs speaks with it."""

from __future__ import annotations

import pytest

from .programs import mqttjs

BOTH = [
    "publish_and_subscribe",
    "wildcards",
    "unsubscribing",
    "a_retained_message",
    "a_will",
    "a_shared_subscription",
    "a_large_payload",
    "many_messages_in_order",
    "a_session_with_queued_messages",
    "coming_back_by_itself",
]
ONLY_5 = ["properties", "request_and_response"]


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
@pytest.mark.parametrize("conversation", BOTH)
def test_a_conversation(address, root, conversation, version):
    host, port = address
    mqttjs(conversation, f"mqtt://{host}:{port}", version, root)


@pytest.mark.parametrize("conversation", ONLY_5)
def test_a_conversation_of_version_5(address, root, conversation):
    host, port = address
    mqttjs(conversation, f"mqtt://{host}:{port}", "5.0", root)


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
@pytest.mark.parametrize("conversation", ["a_known_user", "a_wrong_password"])
def test_logging_in(guarded, root, conversation, version):
    host, port = guarded
    mqttjs(conversation, f"mqtt://{host}:{port}", version, root)


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
@pytest.mark.parametrize("way", ["mqtt", "mqtts", "ws", "wss", "http", "unix"])
@pytest.mark.parametrize("conversation", ["publish_and_subscribe", "a_large_payload"])
def test_a_transport(doors, root, conversation, way, version):
    mqttjs(conversation, doors.url(way), version, root, doors.authority if way in ("mqtts", "wss") else None)
