"""New code in the place of old while messages pass: each meets the one or the other, and the whole of it."""

from __future__ import annotations

import threading

import pytest

from ..protocol.packets import Publish
from .helpers import eventually

MARKS = {
    "transform": """
        @broker.transform("t")
        def change(msg): return msg.text + "{mark}"

        broker.on_message_received("t", name="watch")(lambda msg: seen.append(msg.text))
        """,
    "on_deliver": """
        @broker.on_deliver("t")
        def change(msg): return msg.text + "{mark}"

        broker.on_message_sent("t", name="watch")(lambda msg: seen.append(msg.text))
        """,
    "def": """
        @broker.on_message_received("t")
        def watch(msg): seen.append(msg.text + "{mark}")
        """,
    "async def": """
        @broker.on_message_received("t")
        async def watch(msg): seen.append(msg.text + "{mark}")
        """,
    "threads": """
        @broker.on_message_received("t", threads=2)
        def watch(msg): seen.append(msg.text + "{mark}")
        """,
    "on_batch": """
        @broker.on_batch("t", max_delay=0)
        def watch(rows): seen.extend(msg.text + "{mark}" for msg in rows)
        """,
}


@pytest.mark.parametrize("kind", MARKS)
def test_every_message_meets_the_old_code_or_the_new(app, join, kind):
    """Not both, and not none of them."""
    broker = app.load(MARKS[kind].format(mark="A"))
    reader = join(broker)
    reader.subscribe("t", qos=0)
    over = threading.Event()
    count = [0]

    def publish() -> None:
        publisher = join(broker)
        while not over.is_set():
            publisher.publish("t", b"%d" % count[0], 1)
            count[0] += 1

    thread = threading.Thread(target=publish)
    thread.start()
    for mark in "BCDEFGHIJKLMNOPQRSTUVWXYZ":
        app.write(MARKS[kind].format(mark=mark))
        broker.reload()
        before = count[0]
        eventually(lambda before=before: count[0] > before + 20)
    over.set()
    thread.join()
    assert broker.wait_for_hooks()
    delivered = [one.payload.decode() for one in reader.drain()]
    told = delivered if kind in ("transform", "on_deliver") else list(app.seen)
    assert [text for text in told if not text[-1].isalpha()] == [], "nothing came through unchanged"
    assert [text for text in told if text[-2:].isalpha()] == [], "nothing was changed twice"
    numbers = [int(text[:-1]) for text in told]
    assert sorted(numbers) == list(range(count[0])), "each once"
    assert len(app.seen) == count[0]


SETS = [
    """
    @broker.on_message_received("{filter}", priority={rank})
    def one(msg): seen.append((msg.text, "one {mark}"))

    @broker.on_message_received("{other}", threads=2)
    def two(msg): seen.append((msg.text, "two {mark}"))

    @broker.on_message_received("{other}", payload=False)
    def bare(msg): seen.append((msg.text, "bare"))
    """,
    """
    @broker.on_message_received("{filter}", ack="after_hook")
    async def two(msg): seen.append((msg.text, "two {mark}"))

    @broker.on_message_received("{other}", where="payload.n > 1", name="absent")
    def absent(msg): seen.append((msg.text, "absent"))

    @broker.on_message_received("{other}", priority={rank})
    def one(msg): seen.append((msg.text, "one {mark}"))
    """,
]
"""Hooks under the same names whose filters, options and number change from one to the next."""


def test_every_message_meets_the_whole_old_code_or_the_whole_new(app, join):
    """Also where filters and options change: never a hook of each, never both, never neither."""
    filters = ["set/a", "set/+", "+/a", "#", "set/#"]

    def code(number: int) -> str:
        filter, other = filters[number % 5], filters[(number * 2 + 1) % 5]
        return SETS[number % 2].format(filter=filter, other=other, rank=number % 3 - 1, mark=number)

    broker = app.load(code(0))
    over = threading.Event()
    count = [0]

    def publish() -> None:
        publisher = join(broker)
        while not over.is_set():
            some = range(count[0], count[0] + 50)
            publisher.send(*(Publish("set/a", b"%d" % number, 1, id=number % 50 + 1) for number in some))
            for _ in some:
                publisher.read()
            count[0] += 50

    threads = [threading.Thread(target=publish)]
    threads[0].start()
    for number in range(1, 40):
        app.write(code(number))
        broker.reload()
        before = count[0]
        eventually(lambda before=before: count[0] > before)
    over.set()
    threads[0].join()
    assert broker.wait_for_hooks()
    told: dict[str, list[str]] = {}
    for text, mark in list(app.seen):
        if mark != "bare":
            told.setdefault(text, []).append(mark)
    assert len(told) == count[0], "each was told"
    pairs = {tuple(sorted(marks)) for marks in told.values()}
    assert pairs <= {(f"one {number}", f"two {number}") for number in range(40)}, (
        "to both hooks of one version"
    )
    assert len(pairs) > 30
