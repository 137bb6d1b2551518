"""Messages that go from rule to rule: what would not end is found, whichever thread it is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hookmq import Broker

from ..api.helpers import Device, eventually

Listen = Callable[..., Device]


def test_a_loop_through_a_function_of_pythons_ends(broker: Broker) -> None:
    @broker.rule_function
    def same(value: object) -> object:
        return value

    broker.add_rule(
        "loop",
        'SELECT same(payload) AS p FROM "a"',
        [{"kind": "republish", "topic": "a", "payload": "${p}"}],
    )
    broker.publish("a", b"1")
    eventually(lambda: broker.rules["loop"].info().loops)
    assert broker.rules["loop"].info().matched == 2


def test_a_loop_through_acknowledgements_ends(broker: Broker, listen: Listen) -> None:
    broker.add_rule(
        "acks",
        'SELECT topic FROM "$events/message_acked"',
        [{"kind": "republish", "topic": "acked", "payload": "x", "qos": 1}],
    )
    device = listen(broker, "acked")
    device.subscribe("acked", 1)
    broker.publish("acked", b"0", qos=1)
    info = eventually(lambda: (info := broker.rules["acks"].info()).loops and info)
    assert info.matched < 50


def test_many_rules_that_see_everything_end_soon(broker: Broker) -> None:
    for index in range(12):
        broker.add_rule(
            f"all{index}",
            'SELECT payload FROM "#"',
            [{"kind": "republish", "topic": f"out/{index}", "payload": "${payload}"}],
        )
    broker.publish("in", b"1")
    total = sum(broker.rules[f"all{index}"].info().results for index in range(12))
    assert total < 20_000
    assert sum(broker.rules[f"all{index}"].info().loops for index in range(12)) > 0


def test_a_user_property_that_cannot_be_is_no_message(broker: Broker, listen: Listen) -> None:
    broker.add_rule(
        "properties",
        'SELECT payload.x AS x FROM "in"',
        [{"kind": "republish", "topic": "out", "payload": "p", "user_properties": {"x": "${x}"}}],
    )
    device = listen(broker, "out")
    for value in ("y" * 70_000, "a\0b", "fine"):
        broker.publish("in", {"x": value})
    assert device.receive().payload == b"p"
    action: Any = broker.rules["properties"].info().actions[0]
    assert (action.done, action.failed) == (1, 2)
