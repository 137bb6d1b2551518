"""`ack="after_hook"` where the broker is killed before the hook has returned.

Nothing is acknowledged then, so the client sends the message again. With QoS 2 its subscribers have it
already, and only the hook is to get it once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..hardening.server import eventually
from ..protocol.packets import V5, V311, Pubcomp, Publish, Pubrec, Pubrel
from ..protocol.wire import Wire
from .server import Node

KEEPER = """
import time
from pathlib import Path

folder = Path({folder!r})

@broker.on_message_received("a/#", ack="after_hook", threads=1)
def keeper(msg):
    with (folder / "seen").open("a") as file:
        file.write(msg.text + "\\n")
    while (folder / "hold").exists():
        time.sleep(0.01)
    if (folder / "raise").exists():
        raise ValueError("wrong")
"""
DECIDER = """
@broker.on_deliver("a/#")
def deliver(msg, client):
    return True
"""
CHANGER = """
from hookmq import Change

@broker.transform("a/#")
def change(msg):
    return Change(payload=msg.payload + b"!")
"""


class Hooked:
    """A broker whose hook holds what it sees as long as the test likes."""

    def __init__(self, node: Callable[..., Node], folder: Path, extra: str) -> None:
        self.folder = folder
        self.hold(True)
        self.node = node(folder / "data", hooks=KEEPER.format(folder=str(folder)) + extra)

    def hold(self, yes: bool) -> None:
        self._set("hold", yes)

    def fail(self, yes: bool) -> None:
        self._set("raise", yes)

    def seen(self) -> list[str]:
        path = self.folder / "seen"
        return path.read_text().split() if path.exists() else []

    def until_seen(self, *texts: str) -> None:
        eventually(self.seen, lambda seen: seen == list(texts))

    def again(self) -> None:
        # What was noted is committed within some milliseconds, also where nobody waits for it.
        time.sleep(0.3)
        self.node.kill()
        self.node.start()

    def _set(self, name: str, yes: bool) -> None:
        path = self.folder / name
        if yes:
            path.touch()
        else:
            path.unlink(missing_ok=True)


@pytest.fixture
def hooked(node: Callable[..., Node], tmp_path: Path) -> Callable[[str], Hooked]:
    return lambda extra: Hooked(node, tmp_path, extra)


@pytest.mark.parametrize(
    "extra", ["", DECIDER, CHANGER, DECIDER + CHANGER], ids=["", "deliver", "transform", "both"]
)
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_qos_2_is_delivered_once_and_the_hook_asked_again(
    hooked: Callable[[str], Hooked], connect: Callable[..., Wire], version: int, extra: str
) -> None:
    broker, mark = hooked(extra), "!" if CHANGER in extra else ""
    text = "1" + mark
    reader = connect(broker.node.port, "reader")
    reader.subscribe("a/#", qos=2)
    reader.disconnect()
    wire = connect(broker.node.port, "writer", version=version)
    wire.send(Publish("a/x", b"1", 2, retain=True, id=7))
    broker.until_seen(text)
    for round_ in range(2):
        wire.expect_nothing()
        broker.again()
        wire = connect(broker.node.port, "writer", version=version)
        wire.send(Publish("a/x", b"1", 2, retain=True, dup=True, id=7))
        broker.until_seen(*[text] * (round_ + 2))
    wire.expect_nothing()
    broker.hold(False)
    wire.expect(Pubrec(7))
    wire.send(Pubrel(7))
    wire.expect(Pubcomp(7))
    # The identifier is free for another message.
    wire.send(Publish("a/x", b"2", 2, id=7))
    wire.expect(Pubrec(7))
    wire.send(Pubrel(7))
    wire.expect(Pubcomp(7))
    broker.until_seen(text, text, text, "2" + mark)
    reader = connect(broker.node.port, "reader")
    assert [one.payload.decode() for one in reader.drain()] == [text, "2" + mark]


def test_a_message_that_was_acknowledged_is_not_asked_about_again(
    hooked: Callable[[str], Hooked], connect: Callable[..., Wire]
) -> None:
    broker = hooked("")
    broker.hold(False)
    wire = connect(broker.node.port, "writer")
    wire.send(Publish("a/x", b"1", 2, id=7))
    wire.expect(Pubrec(7, 0x10))
    broker.again()
    wire = connect(broker.node.port, "writer")
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7))
    wire.expect(Pubrec(7))
    wire.expect_nothing()
    assert broker.seen() == ["1"]


@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_a_hook_that_fails_after_the_restart(
    hooked: Callable[[str], Hooked], connect: Callable[..., Wire], version: int
) -> None:
    """An older client sends it again, one of MQTT 5 is told, and its identifier is free."""
    broker = hooked("")
    reader = connect(broker.node.port, "reader")
    reader.subscribe("a/#", qos=2)
    reader.disconnect()
    wire = connect(broker.node.port, "writer", version=version)
    wire.send(Publish("a/x", b"1", 2, id=7))
    broker.until_seen("1")
    broker.again()
    broker.fail(True)
    broker.hold(False)
    wire = connect(broker.node.port, "writer", version=version)
    wire.send(Publish("a/x", b"1", 2, dup=True, id=7))
    if version == V5:
        wire.expect(Pubrec(7, 0x83))
    else:
        wire.expect_closed()
    broker.fail(False)
    broker.again()
    wire = connect(broker.node.port, "writer", version=version)
    wire.send(Publish("a/x", b"2" if version == V5 else b"1", 2, dup=version == V311, id=7))
    wire.expect(Pubrec(7))
    broker.until_seen("1", "1", "2" if version == V5 else "1")
    reader = connect(broker.node.port, "reader")
    assert [one.payload for one in reader.drain()] == [b"1", b"2"] if version == V5 else [b"1"]


def test_the_session_takes_the_mark_with_it(
    hooked: Callable[[str], Hooked], connect: Callable[..., Wire]
) -> None:
    """Who begins anew after the restart uses the identifier for another message, and that is heard."""
    broker = hooked("")
    wire = connect(broker.node.port, "writer")
    wire.send(Publish("a/x", b"1", 2, id=7))
    broker.until_seen("1")
    broker.again()
    broker.hold(False)
    reader = connect(broker.node.port, "reader")
    reader.subscribe("a/#", qos=2)
    wire = connect(broker.node.port, "writer", clean=True)
    wire.send(Publish("a/x", b"2", 2, id=7))
    wire.expect(Pubrec(7))
    reader.expect_message("a/x", b"2", qos=2)
