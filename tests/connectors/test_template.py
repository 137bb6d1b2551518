"""From a topic to a name."""

from __future__ import annotations

import pytest

from hookmq.connectors import Template

from .records import record

RENDERED = [
    ("{topic}", "plant/north/flow"),
    ("{topic[0]}", "plant"),
    ("{topic[-1]}-{topic[1]}", "flow-north"),
    ("{topic[3]}|{topic[-4]}", "|"),
    ("{client_id}_{unixtime}", "pump_1780000000"),
    ("{run}/{number}/{id}", "11259375/1/0000000000abcdef-1"),
    ("{kind}{qos}", "received1"),
    ("{username}", ""),
    ("mqtt-%Y.%m.%d-%H", "mqtt-2026.05.28-20"),
]


@pytest.mark.parametrize(("text", "expected"), RENDERED)
def test_rendered(text: str, expected: str) -> None:
    assert Template.parse(text).render(record()) == expected


def test_what_a_client_wrote_is_no_template() -> None:
    assert Template.parse("{client_id}").render(record(client_id="{topic}%Y")) == "{topic}%Y"


def test_the_user_of_a_connection() -> None:
    connected = record(kind="connected", detail={"username": "anna"})
    assert Template.parse("{username}").render(connected) == "anna"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{payload}", "no record has `{payload}`"),
        ("{client_id[0]}", "no levels"),
        ("{topic", "stands alone"),
        ("{topic.name}", "stands alone"),
        ("}{", "stands alone"),
        ("", "a template is text"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        Template.parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(("text", "constant"), [("mqtt", True), ("{qos}", False), ("mqtt-%Y", False)])
def test_constant(text: str, constant: bool) -> None:
    assert Template.parse(text).is_constant is constant
