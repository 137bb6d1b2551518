"""The specification's tables that the test packets need: properties and reason codes of version 5."""

from __future__ import annotations

PROPERTIES: dict[int, tuple[str, str]] = {
    0x01: ("payload_format_indicator", "byte"),
    0x02: ("message_expiry_interval", "u32"),
    0x03: ("content_type", "string"),
    0x08: ("response_topic", "string"),
    0x09: ("correlation_data", "binary"),
    0x0B: ("subscription_identifier", "variable"),
    0x11: ("session_expiry_interval", "u32"),
    0x12: ("assigned_client_identifier", "string"),
    0x13: ("server_keep_alive", "u16"),
    0x15: ("authentication_method", "string"),
    0x16: ("authentication_data", "binary"),
    0x17: ("request_problem_information", "byte"),
    0x18: ("will_delay_interval", "u32"),
    0x19: ("request_response_information", "byte"),
    0x1A: ("response_information", "string"),
    0x1C: ("server_reference", "string"),
    0x1F: ("reason_string", "string"),
    0x21: ("receive_maximum", "u16"),
    0x22: ("topic_alias_maximum", "u16"),
    0x23: ("topic_alias", "u16"),
    0x24: ("maximum_qos", "byte"),
    0x25: ("retain_available", "byte"),
    0x26: ("user_property", "pair"),
    0x27: ("maximum_packet_size", "u32"),
    0x28: ("wildcard_subscription_available", "byte"),
    0x29: ("subscription_identifier_available", "byte"),
    0x2A: ("shared_subscription_available", "byte"),
}
PROPERTY_IDS = {name: number for number, (name, _) in PROPERTIES.items()}

_DIAGNOSTIC = frozenset({"reason_string", "user_property"})

# Packet type -> the properties that a server may put into it, among them none of [MQTT-3.14.2-2].
SERVER_PROPERTIES: dict[int, frozenset[str]] = {
    2: _DIAGNOSTIC
    | {
        "session_expiry_interval",
        "receive_maximum",
        "maximum_qos",
        "retain_available",
        "maximum_packet_size",
        "assigned_client_identifier",
        "topic_alias_maximum",
        "wildcard_subscription_available",
        "subscription_identifier_available",
        "shared_subscription_available",
        "server_keep_alive",
        "response_information",
        "server_reference",
        "authentication_method",
        "authentication_data",
    },
    3: frozenset(
        {
            "payload_format_indicator",
            "message_expiry_interval",
            "topic_alias",
            "response_topic",
            "correlation_data",
            "user_property",
            "subscription_identifier",
            "content_type",
        }
    ),
    **dict.fromkeys((4, 5, 6, 7, 9, 11), _DIAGNOSTIC),
    14: _DIAGNOSTIC | {"server_reference"},
    15: _DIAGNOSTIC | {"authentication_method", "authentication_data"},
}

_RECEIVED = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_RELEASED = frozenset({0x00, 0x92})

# (packet type, is version 5) -> the reason codes that a server may send: [MQTT-3.2.2-8] [MQTT-3.4.2-1]
# [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1].
REASONS: dict[tuple[int, bool], frozenset[int]] = {
    (2, False): frozenset(range(6)),
    (2, True): frozenset(
        {0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}
    ),
    (4, True): _RECEIVED,
    (5, True): _RECEIVED,
    (6, True): _RELEASED,
    (7, True): _RELEASED,
    (9, False): frozenset({0, 1, 2, 0x80}),
    (9, True): frozenset({0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}),
    (11, True): frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}),
    (14, True): frozenset(
        {0x00, *range(0x80, 0x84), 0x87, 0x89, 0x8B, *range(0x8D, 0x91), *range(0x93, 0xA3)}
    ),
    (15, True): frozenset({0x00, 0x18}),
}
