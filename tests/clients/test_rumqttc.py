"""rumqttc, the client of Rust programs; rumqttc/ is the program that speaks with it."""

from __future__ import annotations

import pytest

from .programs import rumqttc

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
    rumqttc(conversation, address, version, root)


@pytest.mark.parametrize("conversation", ONLY_5)
def test_a_conversation_of_version_5(address, root, conversation):
    rumqttc(conversation, address, "5.0", root)


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
@pytest.mark.parametrize("conversation", ["a_known_user", "a_wrong_password"])
def test_logging_in(guarded, root, conversation, version):
    rumqttc(conversation, guarded, version, root)


@pytest.mark.parametrize("version", ["3.1.1", "5.0"])
@pytest.mark.parametrize("conversation", ["publish_and_subscribe", "a_large_payload"])
def test_a_unix_socket(doors, root, conversation, version):
    rumqttc(conversation, (str(doors.unix), 0), version, root)
