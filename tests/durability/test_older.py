"""A store that an earlier version has written is taken over, with everything in it.

`older/format-N.tar.gz` is a data directory as the last version with format N left it when it was killed.
Before the format of the store is changed, `HOOKMQ_TEST_WRITE_STORE=1 pytest tests/durability/test_older.py`
writes one more.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ..hardening.server import eventually
from ..protocol.packets import (
    V31,
    V311,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Will,
    subscription,
)
from ..protocol.wire import Wire
from .server import Node

OLDER = Path(__file__).parent / "older"
STORES = sorted(OLDER.glob("*.tar.gz"))
PROPERTIES = {
    "content_type": "text/ö",
    "correlation_data": b"\0\xff",
    "user_property": [("a", "b"), ("a", "")],
}
LONG = 4_000_000_000  # seconds: the delay of a Will that is not published while this project lives

Connects = Callable[..., Wire]


def fill(port: int, connect: Connects) -> None:
    """Leaves one of everything that outlives the process."""
    queue = connect(port, "queue")
    queue.subscribe(subscription("a/+", 2, retain_as_published=True), subscription_identifier=7)
    queue.subscribe("$share/group/shared", qos=1)
    queue.disconnect()
    old = connect(port, "old", version=V311)
    old.subscribe("a/#", qos=1)
    connect(port, "older", version=V31).subscribe("a/1", qos=2)
    way = connect(port, "way")
    way.subscribe("way", qos=2)
    writer = connect(port, "writer")
    writer.send(Publish("way", b"once", 2, id=9))
    writer.expect(Pubrec(9))
    writer.publish("way", b"released", 2)
    once, released = (way.expect(Publish("way", payload, 2)).id or 0 for payload in (b"once", b"released"))
    way.send(Pubrec(released))
    way.expect(Pubrel(released))
    assert (once, released) == (1, 2)
    writer.publish("shared", b"s", 1)
    for number in range(3):
        writer.publish(f"a/{number}", str(number).encode(), 2, properties=PROPERTIES)
    writer.publish("a/retained", b"kept", 1, retain=True, properties=PROPERTIES)
    writer.publish("a/taken", b"x", 1, retain=True)
    writer.publish("a/taken", b"", 1, retain=True)
    connect(
        port, "will", will=Will("w", b"last words", 1, properties={"will_delay_interval": LONG})
    ).subscribe("n")


def look(broker: Node, connect: Connects) -> None:
    """Finds all of it again."""
    queue = connect(broker.port, "queue")
    queue.expect_message("shared", b"s", qos=1)
    for number in range(3):
        queue.expect_message(
            f"a/{number}",
            str(number).encode(),
            qos=2,
            properties={**PROPERTIES, "subscription_identifier": [7]},
        )
    queue.expect_message(
        "a/retained", b"kept", qos=1, retain=True, properties={**PROPERTIES, "subscription_identifier": [7]}
    )
    queue.expect_message("a/taken", b"x", qos=1, retain=True, properties={"subscription_identifier": [7]})
    queue.expect_message("a/taken", b"", qos=1, retain=True, properties={"subscription_identifier": [7]})
    old = connect(broker.port, "old", version=V311)
    assert old.connack.session_present
    payloads = [(str(one.topic), one.payload) for one in old.drain()]
    assert ("a/2", b"2") in payloads and ("a/retained", b"kept") in payloads
    older = connect(broker.port, "older", version=V31)
    assert [(one.payload, one.dup) for one in older.drain()] == [(b"1", True)]  # it was under way
    way = connect(broker.port, "way")
    way.expect(Pubrel(2))
    way.expect(Publish("way", b"once", 2, dup=True, id=1))
    way.send(Pubrec(1), Pubcomp(2))
    way.expect(Pubrel(1))
    way.send(Pubcomp(1))
    writer = connect(broker.port, "writer")
    writer.send(Publish("way", b"once", 2, dup=True, id=9))
    writer.expect(Pubrec(9))
    writer.send(Pubrel(9))
    writer.expect(Pubcomp(9))
    way.expect_nothing()
    reader = connect(broker.port, "reader", clean=True)
    reader.subscribe("a/#", qos=1)
    reader.expect_message("a/retained", b"kept", qos=1, retain=True, properties=PROPERTIES)
    reader.subscribe("w", qos=1)
    reader.expect_nothing()
    connect(broker.port, "will", clean=True)  # its session ends, and so the delay [MQTT-3.1.3-9]
    reader.expect_message("w", b"last words", qos=1)


@pytest.mark.parametrize("path", STORES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def test_an_earlier_version(node: Callable[..., Node], connect: Connects, tmp_path: Path, path: Path) -> None:
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    number = int(path.name.removeprefix("format-").removesuffix(".tar.gz"))
    assert written_format(tmp_path / "data") == number
    broker = node(tmp_path / "data", log={"level": "info"})
    eventually(broker.server.errors, lambda log: f"taken over from format {number}" in log)
    broker.kill()  # once more, now that files of both are there
    broker.start()
    look(broker, connect)
    assert written_format(tmp_path / "data") > number


def written_format(data: Path) -> int:
    """What the newest file of a store says."""
    newest = max((data / "store").glob("*.log"))
    return int.from_bytes(newest.read_bytes()[12:16], "little")


def test_this_version(node: Callable[..., Node], connect: Connects, tmp_path: Path) -> None:
    broker = node(tmp_path / "data")
    fill(broker.port, connect)
    broker.kill()
    form = written_format(tmp_path / "data")
    if os.environ.get("HOOKMQ_TEST_WRITE_STORE"):
        OLDER.mkdir(exist_ok=True)
        with tarfile.open(OLDER / f"format-{form}.tar.gz", "w:gz") as archive:
            for path in sorted((tmp_path / "data" / "store").iterdir()):
                if path.name not in ("lock", "reserve"):
                    archive.add(path, f"data/store/{path.name}")
    broker.start()
    look(broker, connect)
