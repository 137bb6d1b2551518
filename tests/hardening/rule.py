"""The rules for clients as tables: reason codes, flags, properties and their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MALFORMED = frozenset({0x81})
VIOLATION = frozenset({0x82})
EITHER = MALFORMED | VIOLATION
TOPIC = EITHER | {0x90}

# AUTH of a client that named no method when it connected.
NO_METHOD = VIOLATION | {0x8C}

SERVER_PACKETS = frozenset({2, 9, 11, 13})

# The low four bits of the first byte, where they are not zero [MQTT-2.1.3-1].
FLAGS = {6: 2, 8: 2, 10: 2}

# Reasons a client may give; the others of DISCONNECT are for servers.
CLIENT_DISCONNECTS = frozenset({0x00, 0x04, *range(0x80, 0x84), 0x90, *range(0x93, 0x9A)})

_MESSAGE = frozenset(
    {
        "payload_format_indicator",
        "message_expiry_interval",
        "content_type",
        "response_topic",
        "correlation_data",
        "user_property",
    }
)
_DIAGNOSTIC = frozenset({"reason_string", "user_property"})

# Packet type -> properties that a client may put into it. A Subscription Identifier in a PUBLISH has a rule
# of its own, and a Server Reference in a DISCONNECT is of no use, but not forbidden.
CLIENT_PROPERTIES: dict[int | str, frozenset[str]] = {
    1: frozenset(
        {
            "session_expiry_interval",
            "receive_maximum",
            "maximum_packet_size",
            "topic_alias_maximum",
            "request_response_information",
            "request_problem_information",
            "user_property",
            "authentication_method",
            "authentication_data",
        }
    ),
    "will": _MESSAGE | {"will_delay_interval"},
    3: _MESSAGE | {"topic_alias", "subscription_identifier"},
    **dict.fromkeys((4, 5, 6, 7), _DIAGNOSTIC),
    8: frozenset({"subscription_identifier", "user_property"}),
    10: frozenset({"user_property"}),
    14: _DIAGNOSTIC | {"session_expiry_interval", "server_reference"},
    15: _DIAGNOSTIC | {"authentication_method", "authentication_data"},
}

# (property, packet type) that may come more than once. Two Subscription Identifiers in a PUBLISH are judged
# as one is: a client sends none.
REPEATED = frozenset({("user_property", packet) for packet in CLIENT_PROPERTIES}) | {
    ("subscription_identifier", 3)
}

_Wrong = tuple[Callable[[Any], bool], frozenset[int]]

WRONG_VALUES: dict[str, tuple[_Wrong, ...]] = {
    "payload_format_indicator": ((lambda value: value > 1, EITHER | {0x99}),),
    "request_problem_information": ((lambda value: value > 1, EITHER),),
    "request_response_information": ((lambda value: value > 1, EITHER),),
    "receive_maximum": ((lambda value: value == 0, VIOLATION),),
    "maximum_packet_size": ((lambda value: value == 0, VIOLATION),),
    "subscription_identifier": ((lambda value: value == 0, VIOLATION),),
    "topic_alias": ((lambda value: value == 0, VIOLATION | {0x94}),),  # [MQTT-3.3.2-8]
}


def is_topic(name: Any) -> bool:
    """Whether messages can be published to it."""
    return bool(name) and b"+" not in name and b"#" not in name


def is_filter(name: bytes) -> bool:
    """Whether it can be subscribed to."""
    if name.startswith(b"$share/"):
        share, slash, name = name[7:].partition(b"/")
        if not share or not slash or b"+" in share or b"#" in share:
            return False  # [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    levels = name.split(b"/")
    return (
        bool(name)
        and all(level == b"#" or b"#" not in level for level in levels)
        and b"#" not in levels[:-1]
        and all(level == b"+" or b"+" not in level for level in levels)
    )
