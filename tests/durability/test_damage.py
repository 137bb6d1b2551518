"""Damaged files: the broker starts, or says clearly why not, and what it then delivers was sent.

`rust/store/tests` does the same with some 2,000 damages, at each edge of a record, and looks at every value.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hookmq import Broker
from hookmq._hookmq import hash_user
from hookmq.errors import HookMQError

from ..protocol.packets import Publish
from ..protocol.wire import Wire

CASES = 300
MESSAGES = 60
SECRET = b"a secret"


def payload(number: int) -> bytes:
    return f"message {number} ".encode() * 20


def damage(files: list[Path], rng: random.Random) -> str:
    """Does to one of the files what disks and people do; what that was."""
    file = rng.choice(files)
    data = bytearray(file.read_bytes())
    at = rng.randrange(len(data))
    what = rng.choice(["cut", "bit", "page", "garbage", "doubled"])
    match what:
        case "cut":
            del data[at:]
        case "bit":
            data[at] ^= 1 << rng.randrange(8)
        case "page":
            start = at // 4096 * 4096
            data[start : start + 4096] = bytes(len(data[start : start + 4096]))
        case "garbage":
            data[at : at + 64] = rng.randbytes(len(data[at : at + 64]))
        case "doubled":
            data[at:at] = data[max(0, at - 200) : at]
    file.write_bytes(data)
    return f"{what} at {at} of {file.name}"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    """Two users, for whom a session is not the same."""
    users = tmp_path / "users"
    users.write_text("".join(hash_user(name, SECRET, False) + "\n" for name in ("anna", "bob")))
    return {"port": 0, "http_port": None, "history": {"enabled": False}, "access": {"users_file": users}}


@pytest.mark.timeout(300)
def test_damaged_files(
    settings: dict[str, object],
    connect: Callable[..., Wire],
    tmp_path: Path,
    seed: int,
    figures: Callable[[str], None],
) -> None:
    whole = tmp_path / "whole"
    sent = {payload(number) for number in range(MESSAGES)}
    with Broker(**settings, data_dir=whole) as broker:
        anna = connect(broker.port, "device", username="anna", password=SECRET)
        anna.subscribe("a/#", qos=1)
        anna.disconnect()
        bob = connect(broker.port, "sender", clean=True, username="bob", password=SECRET)
        for number in range(MESSAGES):
            bob.publish("a/b", payload(number), 1)
            bob.publish(f"r/{number}", payload(number), 1, retain=True)
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    for number in range(CASES):
        copy = tmp_path / "copy"
        shutil.copytree(whole, copy)
        files = sorted(file for file in (copy / "store").iterdir() if file.suffix in (".log", ""))
        what = damage([file for file in files if file.stat().st_size and file.name != "reserve"], rng)
        case = f"seed {seed}, case {number}: {what}"
        try:
            broker = Broker(**settings, data_dir=copy).start()
        except HookMQError as error:
            assert error.code == "E602", case
            outcomes["refused to start"] += 1
            shutil.rmtree(copy)
            continue
        try:
            outcomes[deliveries(broker, connect, sent, case)] += 1
        finally:
            broker.stop()
        shutil.rmtree(copy)
    counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    figures(f"damage: {CASES} damaged stores: {counted}; nothing was delivered that was not sent")


def deliveries(broker: Broker, connect: Callable[..., Wire], sent: set[bytes], case: str) -> str:
    """Looks at everything that a broker has to say; how much of it is there."""
    try:
        bob = connect(broker.port, "device", expiry=60, username="bob", password=SECRET)
    except AssertionError:
        pass  # 0x87: the session is anna's
    else:
        # Her session is gone, and he has not got it.
        assert not bob.connack.session_present, case
        bob.disconnect()
        return "without the session"
    anna = connect(broker.port, "device", username="anna", password=SECRET)
    assert anna.connack.session_present, case
    queued = [message.payload for message in anna.drain()]
    assert set(queued) <= sent and len(queued) == len(set(queued)), case
    reader = connect(broker.port, "reader", clean=True, username="anna", password=SECRET)
    reader.subscribe("r/#")
    retained = {str(message.topic): message.payload for message in reader.drain()}
    assert all(content == payload(int(topic[2:])) for topic, content in retained.items()), case
    reader.disconnect()
    anna.disconnect()
    return "whole" if len(queued) == len(retained) == MESSAGES else "with less"


def test_what_is_damaged_is_told(
    settings: dict[str, object],
    connect: Callable[..., Wire],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Broker(**settings, data_dir=tmp_path) as broker:
        anna = connect(broker.port, "device", username="anna", password=SECRET)
        anna.subscribe("a/#", qos=1)
        anna.disconnect()
        bob = connect(broker.port, "sender", clean=True, username="bob", password=SECRET)
        bob.send(*(Publish("a/b", payload(number), 1, id=number + 1) for number in range(MESSAGES)))
        for _ in range(MESSAGES):
            bob.read()
    (file,) = (tmp_path / "store").glob("*.log")
    data = bytearray(file.read_bytes())
    at = data.index(b"message 30 ")
    data[at] ^= 1
    file.write_bytes(data)
    before = file.read_bytes()
    with Broker(**settings, data_dir=tmp_path) as broker:
        anna = connect(broker.port, "device", username="anna", password=SECRET)
        got = [message.payload for message in anna.drain()]
        assert len(got) == MESSAGES - 1 and payload(30) not in got, "it cost what was damaged, and no more"
    log = caplog.text
    assert "cannot be read, and 1 records with them; a copy of the file is kept in" in log
    assert (tmp_path / "store" / "damaged" / file.name).read_bytes() == before
