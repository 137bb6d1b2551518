"""Expiry and delays over restarts, on a computer whose clock is set while the broker runs or is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..protocol.packets import Publish, Will
from ..protocol.wire import Wire
from .power import build
from .server import Node

MINUTE, HOUR, DAY = 60, 3600, 86_400

LIBRARIES = list(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))


class WallClock:
    """What brokers that are started from now on take for the time of day."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """So much later than it is, or earlier."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}")
        fresh.rename(self._file)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WallClock:
    library = LIBRARIES[0] if LIBRARIES else build(tmp_path, "clock")
    clock = WallClock(tmp_path / "clock")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(tmp_path / "clock"))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("DONT_FAKE_MONOTONIC", "1")
    return clock


class Scene:
    """A broker with what time does away with: sessions, messages, a will."""

    def __init__(self, node: Node, connect: Callable[..., Wire]) -> None:
        self.node, self._connect = node, connect
        for name, expiry in (("two hours", 2 * HOUR), ("two days", 2 * DAY), ("for ever", 0xFFFF_FFFF)):
            wire = connect(node.port, name, expiry=expiry)
            wire.subscribe("a", qos=1)
            wire.disconnect()
        will = Will("will", b"left", retain=True, properties={"will_delay_interval": HOUR})
        connect(node.port, "who leaves", expiry=DAY, will=will).close()
        publisher = connect(node.port, "publisher", clean=True)
        for payload, expiry in ((b"a minute", MINUTE), (b"a day", DAY), (b"kept", None)):
            properties = {} if expiry is None else {"message_expiry_interval": expiry}
            publisher.publish("a", payload, 1, properties=properties)
            publisher.publish(f"retained/{payload.decode()}", payload, 1, retain=True, properties=properties)
        publisher.close()

    def sessions(self) -> set[str]:
        """Those that are there."""
        names = ("two hours", "two days", "for ever", "who leaves")
        found = set()
        for name in names:
            wire = self._connect(self.node.port, name)
            if wire.connack.session_present:
                found.add(name)
            wire.close()
        return found

    def queued(self, name: str = "for ever") -> dict[bytes, int | None]:
        """What waits for a session, and for how many seconds more."""
        wire = self._connect(self.node.port, name)
        found = {message.payload: _expiry(message) for message in wire.drain()}
        wire.close()
        return found

    def retained(self) -> set[bytes]:
        wire = self._connect(self.node.port, "who asks", clean=True)
        wire.subscribe("retained/#", "will")
        found = {message.payload for message in wire.drain()}
        wire.close()
        return found


def _expiry(message: Publish) -> int | None:
    expiry = dict(message.properties).get("message_expiry_interval")
    assert expiry is None or isinstance(expiry, int)
    return expiry


@pytest.fixture
def scene(clock: WallClock, node: Callable[..., Node], connect: Callable[..., Wire], tmp_path: Path) -> Scene:
    return Scene(node(tmp_path / "data"), connect)


def test_time_passes_while_the_broker_is_away(scene: Scene, clock: WallClock) -> None:
    scene.node.kill()
    clock.set(3 * HOUR)
    scene.node.start()
    scene.node.wait_until("sessions", (3).__eq__)
    scene.node.wait_until("retained_messages", (3).__eq__)
    queued = scene.queued()
    assert queued.keys() == {b"a day", b"kept"}
    left = queued[b"a day"]
    assert left is not None and 21 * HOUR - MINUTE <= left <= 21 * HOUR
    assert scene.retained() == {b"a day", b"kept", b"left"}, "the will was due, and is retained"
    assert scene.sessions() == {"two days", "for ever", "who leaves"}


def test_no_time_passes_on_a_computer_that_does_not_know_it(scene: Scene, clock: WallClock) -> None:
    scene.node.kill()
    clock.set(-10 * DAY)
    scene.node.start()
    time.sleep(0.5)
    assert scene.retained() == {b"a minute", b"a day", b"kept"}
    assert scene.queued().keys() == {b"a minute", b"a day", b"kept"}
    assert scene.sessions() == {"two hours", "two days", "for ever", "who leaves"}


@pytest.mark.parametrize("jump", [30 * DAY, -30 * DAY])
def test_a_clock_that_is_set_while_the_broker_runs_changes_nothing(
    scene: Scene, clock: WallClock, jump: int
) -> None:
    clock.set(jump)
    time.sleep(1.0)
    everything = {b"a minute", b"a day", b"kept"}
    assert scene.retained() == everything
    scene.node.kill()
    scene.node.start()
    time.sleep(0.5)
    assert scene.retained() == everything
    assert scene.queued().keys() == everything
    assert scene.sessions() == {"two hours", "two days", "for ever", "who leaves"}


def test_one_crash_after_the_other_does_not_make_a_session_younger(
    clock: WallClock, node: Callable[..., Node], connect: Callable[..., Wire], tmp_path: Path
) -> None:
    broker = node(tmp_path / "data")
    connect(broker.port, "connected", expiry=HOUR)
    for minutes in (40, 80):
        broker.kill()
        clock.set(minutes * MINUTE)
        broker.start()
        time.sleep(0.5)
    assert broker.server.statistics()["sessions"] == 1, "40 minutes since its connection ended"
    broker.kill()
    clock.set(105 * MINUTE)
    broker.start()
    broker.wait_until("sessions", (0).__eq__)


def test_a_will_of_who_was_connected_is_published_after_a_crash(
    clock: WallClock, node: Callable[..., Node], connect: Callable[..., Wire], tmp_path: Path
) -> None:
    broker = node(tmp_path / "data")
    at_once = Will("will/at-once", b"gone", qos=1, retain=True)
    later = Will("will/later", b"gone", qos=1, retain=True, properties={"will_delay_interval": HOUR})
    connect(broker.port, "clean", clean=True, will=at_once)
    connect(broker.port, "comes back", will=later)
    connect(broker.port, "stays away", will=later)
    left = connect(broker.port, "left well", clean=True, will=Will("will/never", b"gone", retain=True))
    left.disconnect()
    broker.wait_until("clients_connected", (3).__eq__)
    broker.kill()
    broker.start()
    broker.wait_until("retained_messages", (1).__eq__)
    reader = connect(broker.port, "reader", clean=True)
    reader.subscribe("will/#", qos=1)
    reader.expect_message("will/at-once", b"gone", qos=1, retain=True)
    assert connect(broker.port, "comes back").connack.session_present
    broker.kill()
    clock.set(2 * HOUR)
    broker.start()
    broker.wait_until("retained_messages", (2).__eq__)
    reader = connect(broker.port, "reader", clean=True)
    reader.subscribe("will/#", qos=1)
    assert sorted(str(message.topic) for message in reader.drain()) == ["will/at-once", "will/later"]
