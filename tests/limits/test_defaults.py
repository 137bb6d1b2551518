"""Every limit has the default that the documentation states, and a counter that starts at zero."""

from __future__ import annotations

import pytest

from hookmq.errors import HookMQError
from hookmq.settings.config import SETTINGS, resolve

from ..api.helpers import eventually

KIB, MIB, GIB = 1024, 1024**2, 1024**3

DEFAULTS = {
    "limits.connect_timeout": 10.0,
    "limits.max_packet_size": 16 * MIB,
    "limits.max_connect_size": 64 * KIB,
    "limits.max_clients": 100_000,
    "limits.max_clients_per_address": 0,
    "limits.max_clients_per_user": 0,
    "limits.connect_rate": 0,
    "limits.max_half_open": 20_000,
    "limits.max_http_connections": 10_000,
    "limits.message_rate": 0,
    "limits.byte_rate": 0,
    "limits.max_sessions": 1_000_000,
    "limits.max_user_property_bytes": 256 * KIB,
    "limits.queue_policy": "refuse",
    "limits.hold_timeout": 10.0,
    "limits.max_reconnects": 100,
    "limits.jail_time": 30.0,
    "limits.max_inflight": 1000,
    "limits.receive_maximum": 1000,
    "limits.max_queued_messages": 100_000,
    "limits.max_queued_bytes": 64 * MIB,
    "limits.max_outbox_bytes": MIB,
    "limits.topic_alias_maximum": 64,
    "limits.max_topic_levels": 201,
    "limits.max_subscriptions": 100_000,
    "limits.max_session_expiry": 2**32 - 1,
    "limits.max_retained_messages": 1_000_000,
    "limits.max_retained_bytes": GIB,
    "limits.max_topic_statistics_bytes": GIB,
    "limits.default_keep_alive": 0,
    "limits.max_keep_alive": 65_535,
    "sys_interval": 10.0,
}

COUNTERS = [
    "max_clients",
    "connect_timeout",
    "max_connect_size",
    "max_packet_size",
    "connect_rate",
    "max_half_open",
    "max_http_connections",
    "max_inflight",
    "max_outbox_bytes",
    "message_rate",
    "byte_rate",
    "max_topic_levels",
    "max_subscriptions",
    "receive_maximum",
    "max_queued",
    "hold",
    "qos0_dropped",
    "max_retained",
    "max_sessions",
    "max_session_expiry",
    "max_keep_alive",
    "topic_alias_maximum",
    "max_user_property_bytes",
    "max_reconnects",
    "max_clients_per_address",
    "max_clients_per_user",
]
OTHERS = ["takeovers_refused", "auth_failures", "tls_failures", "half_open"]


@pytest.mark.parametrize("key", DEFAULTS)
def test_a_limit_has_its_default(key):
    settings = resolve(arguments={}, environ={})
    assert settings[key] == DEFAULTS[key]
    assert settings.origin(key) == "default"


def test_no_limit_is_left_out_of_this_table():
    keys = {setting.key for setting in SETTINGS if setting.key.startswith("limits.")}
    assert keys - DEFAULTS.keys() == set()


def test_every_limit_is_counted_from_zero(broker):
    statistics = broker.statistics
    assert {name: statistics.get(f"limit_{name}") for name in COUNTERS} == dict.fromkeys(COUNTERS, 0)
    assert {name: statistics.get(name) for name in OTHERS} == dict.fromkeys(OTHERS, 0)


def test_the_policy_of_a_full_queue_is_one_of_two():
    for policy in ("refuse", "hold"):
        assert resolve(arguments={"limits.queue_policy": policy}, environ={})["limits.queue_policy"] == policy
    with pytest.raises(HookMQError) as caught:
        resolve(arguments={"limits.queue_policy": "drop"}, environ={})
    assert caught.value.code == "E303"


def test_the_counters_are_topics_as_well(broker_factory, connect):
    broker = broker_factory({"sys_interval": 1, "limits.max_topic_levels": 4})
    wire = connect(to=broker)
    assert wire.publish("a/b/c/d/e", b"x", 1) == 0x90
    wire.subscribe("$SYS/broker/hookmq/#")
    seen: dict[str, bytes] = {}

    def told() -> bool:
        seen.update((str(message.topic), message.payload) for message in wire.drain())
        return seen.get("$SYS/broker/hookmq/limit_max_topic_levels") == b"1"

    eventually(told)
    names = [*(f"limit_{name}" for name in COUNTERS), *OTHERS]
    missing = [name for name in names if f"$SYS/broker/hookmq/{name}" not in seen]
    assert missing == []


def test_without_an_interval_there_are_no_such_topics(broker_factory, connect):
    broker = broker_factory({"sys_interval": 0})
    wire = connect(to=broker)
    wire.subscribe("$SYS/#")
    wire.expect_nothing(0.3)
