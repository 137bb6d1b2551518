"""Strings: every character counts, and none is changed."""

from __future__ import annotations

import pytest

from .packets import V5, Connect, Will

BOM = "\ufeff"  # as the first character of a file it is a byte order mark; in MQTT it is a character


@pytest.mark.mqtt5("1.5.4-3")
@pytest.mark.mqtt311("1.5.3-3")
def test_a_byte_order_mark_is_a_character_of_a_topic(connect, root, version):
    marked, plain, publisher = (connect(version=version) for _ in range(3))
    marked.subscribe(f"{BOM}{root}/#")
    plain.subscribe(f"{root}/#")
    publisher.publish(f"{BOM}{root}/a{BOM}b", b"marked", retain=True)
    publisher.publish(f"{root}/ab", b"plain", retain=True)
    marked.expect_message(f"{BOM}{root}/a{BOM}b", b"marked")
    plain.expect_message(f"{root}/ab", b"plain")
    for wire in (marked, plain):
        wire.expect_nothing()
    later = connect(version=version)
    later.subscribe(f"{root}/a{BOM}b", f"{BOM}{root}/ab")
    later.expect_nothing()
    later.subscribe(f"{BOM}{root}/a{BOM}b")
    later.expect_message(f"{BOM}{root}/a{BOM}b", b"marked", retain=True)
    publisher.publish(f"{BOM}{root}/a{BOM}b", retain=True)


@pytest.mark.mqtt5("1.5.4-3", "3.1.3-2")
@pytest.mark.mqtt311("1.5.3-3", "3.1.3-2")
def test_a_byte_order_mark_is_a_character_of_a_client_identifier(dial, root, version):
    wires = []
    for name in (root, BOM + root, root + BOM):
        wires.append(dial(version))
        wires[-1].connect(Connect(name))
    for wire in wires:
        wire.ping()


@pytest.mark.mqtt5("1.5.4-3")
@pytest.mark.mqtt311("1.5.3-3")
def test_a_byte_order_mark_is_a_character_of_a_will_topic(connect, root, version):
    watcher = connect(version=version)
    watcher.subscribe(f"{BOM}{root}", root)
    connect(version=version, will=Will(f"{BOM}{root}", b"gone")).close()
    watcher.expect_message(f"{BOM}{root}", b"gone")


@pytest.mark.mqtt5("1.5.4-3", "3.3.2-15", "3.3.2-17", "3.3.2-20")
def test_a_byte_order_mark_is_a_character_of_a_property(connect, root):
    given = {
        "content_type": f"{BOM}text",
        "response_topic": f"{BOM}answer",
        "user_property": [(BOM, BOM), (f"{BOM}key", f"value{BOM}")],
    }
    subscriber = connect(version=V5)
    subscriber.subscribe(root)
    connect().publish(root, b"x", properties=given)
    subscriber.expect_message(root, b"x", properties=given)


# What looks alike, or is the same to Unicode, is not the same to MQTT.
@pytest.mark.mqtt5("4.7.3-4")
@pytest.mark.mqtt311("4.7.3-4")
@pytest.mark.parametrize(
    ("subscribed", "published"),
    [
        ("\u00e9", "e\u0301"),
        ("\u212b", "\u00c5"),
        ("\uff41", "a"),
        ("\u0130", "i\u0307"),
        ("stra\u00dfe", "strasse"),
        ("a", "A"),
        ("a/b", "a//b"),
        ("a", "a/"),
        ("a", "a "),
        ("a/../b", "b"),
        ("a%2Fb", "a/b"),
        ("\u200d", ""),
    ],
)
def test_nothing_is_normalised(connect, root, version, subscribed, published):
    wire, publisher = connect(version=version), connect(version=version)
    wire.subscribe(f"{root}/{subscribed}")
    publisher.publish(f"{root}/{published}", b"other")
    publisher.publish(f"{root}/{subscribed}", b"same")
    wire.expect_message(f"{root}/{subscribed}", b"same")
    wire.expect_nothing()
