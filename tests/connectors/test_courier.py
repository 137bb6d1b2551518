"""Batches, retries, the spool, dead letters and promises."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable

import pytest

from hookmq.connectors import Courier, NotStored
from hookmq.connectors.backoff import Backoff

from .records import numbers, record, records, until, waiting
from .shelf import Shelf

MakeCourier = Callable[..., Courier]


def letters(courier: Courier) -> list[tuple[int, str]]:
    """Numbers and reasons of the dead letters."""
    assert courier.directory is not None
    lines = (courier.directory / "dead-letters.jsonl").read_text().splitlines()
    return [(line["record"]["number"], line["reason"]) for line in map(json.loads, lines)]


# Batches


def test_everything_arrives_in_order(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf)
    for start in range(1, 2001, 10):
        one.put(records(10, start=start))
    assert one.wait(10)
    assert shelf.numbers == list(range(1, 2001))
    info = one.info()
    assert (info.state, info.written, info.queued, info.spooled, info.retries) == ("up", 2000, 0, 0, 0)


def test_a_batch_has_at_most_batch_rows(courier: MakeCourier) -> None:
    shelf = Shelf(batch_rows=10)
    one = courier(shelf)
    shelf.answers.clear()
    for number in range(1, 96):
        one.put([record(number)])
    one.put(records(25, start=96))
    shelf.answers.set()
    assert one.wait(10)
    assert max(count for count, _ in shelf.calls) == 10
    assert shelf.numbers == list(range(1, 121))


def test_what_comes_meanwhile_makes_a_batch(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf)
    shelf.answers.clear()
    one.put([record(1)])
    until(lambda: shelf.calls)
    for number in range(2, 502):
        one.put([record(number)])
    shelf.answers.set()
    assert one.wait(10)
    assert shelf.calls == [(1, False), (500, False)]


# A service that is away


def test_a_short_absence_is_a_retry(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf, patience=10)
    shelf.loses_answers = 1
    one.put(records(3))
    assert one.wait(10)
    assert shelf.calls == [(3, False), (3, True)]
    assert shelf.numbers == [1, 2, 3]
    assert one.info().retries == 1 and one.info().reason == "the connection broke before the answer"


def test_a_long_absence_fills_the_spool_and_empties_it(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf)
    one.put(records(10))
    assert one.wait(10)
    shelf.away = True
    for start in range(11, 1011, 10):
        one.put(records(10, start=start))
    until(lambda: one.info().spooled == 1000)
    assert one.info().state == "down" and one.info().queued == 0
    shelf.away = False
    assert one.wait(15)
    assert shelf.numbers == list(range(1, 1011))
    assert one.info().state == "up" and one.info().spooled == 0


def test_away_at_the_start(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    shelf.away = True
    with caplog.at_level(logging.INFO, "hookmq.connectors"):
        one = courier(shelf)
        until(lambda: one.info().state == "down")
        one.put(records(3))
        until(lambda: one.info().spooled == 3)
        shelf.away = False
        assert one.wait(15)
    assert shelf.numbers == [1, 2, 3]
    told = [line.getMessage() for line in caplog.records]
    assert told.count("shelf: it is away, and tried again: nobody is there") == 1
    assert "shelf is back" in told


def test_the_next_broker_goes_on(courier: MakeCourier) -> None:
    away = Shelf()
    away.away = True
    one = courier(away)
    one.put(records(5))
    until(lambda: one.info().spooled == 5)
    one.stop(0)
    there = Shelf()
    two = courier(there)
    two.put(records(2, start=6))
    assert two.wait(15)
    assert there.numbers == [1, 2, 3, 4, 5, 6, 7]


def test_without_a_spool_memory_is_bounded(courier: MakeCourier) -> None:
    shelf = Shelf()
    shelf.away = True
    one = courier(shelf, spool=False, queue_rows=100)
    for number in range(1, 301):
        one.put([record(number)])
    info = one.info()
    assert info.dropped > 0 and info.queued <= 100
    shelf.away = False
    assert one.wait(15)
    # What is kept is what came last, in its order.
    assert shelf.numbers[-50:] == list(range(251, 301))
    assert len(shelf.numbers) + one.info().dropped == 300


def test_a_full_spool_drops_and_counts(courier: MakeCourier) -> None:
    shelf = Shelf()
    shelf.away = True
    one = courier(shelf, spool_bytes=2000)
    until(lambda: one.info().state == "down")
    for number in range(1, 31):
        one.put([record(number)])
    until(lambda: one.info().dropped > 0 and one.info().queued == 0)
    info = one.info()
    assert info.dropped + info.spooled == 30 and info.spooled > 3
    with pytest.raises(NotStored, match="nobody is there"):
        one.put([record(31)], promised=True)
    shelf.away = False
    assert one.wait(15)
    assert shelf.numbers == list(range(1, info.spooled + 1))


# Promises


def test_a_promise_is_in_the_service(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf)
    one.put(records(3), promised=True)
    assert shelf.numbers == [1, 2, 3]


def test_a_promise_is_in_the_spool_while_the_service_is_away(courier: MakeCourier) -> None:
    shelf = Shelf()
    shelf.away = True
    one = courier(shelf)
    one.put(records(3), promised=True)
    assert one.info().spooled == 3 and not shelf.taken
    begun = time.monotonic()
    one.put(records(3, start=4), promised=True)  # and later ones do not wait for anything
    assert time.monotonic() - begun < 0.15


def test_a_promise_while_the_service_hangs(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf)
    shelf.answers.clear()
    one.put(records(3), promised=True)
    assert one.info().spooled == 3
    shelf.answers.set()
    assert one.wait(15)
    assert shelf.numbers == [1, 2, 3]
    assert shelf.calls[0] == (3, False) and all(again for _, again in shelf.calls[1:])


def test_a_promise_without_a_spool_is_refused(courier: MakeCourier) -> None:
    shelf = Shelf()
    shelf.away = True
    one = courier(shelf, spool=False)
    with pytest.raises(NotStored, match="shelf has no room"):
        one.put(records(3), promised=True)
    assert one.info().dropped == 0


def test_promises_of_many_threads(courier: MakeCourier) -> None:
    shelf = Shelf(batch_rows=50)
    one = courier(shelf)
    kept: list[int] = []

    def publish(first: int) -> None:
        for number in range(first, first + 100):
            one.put([record(number)], promised=True)
            kept.append(number)

    threads = [threading.Thread(target=publish, args=(1000 * n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        shelf.away = not shelf.away
        enough = min(len(kept) + 10, 800)
        until(lambda enough=enough: len(kept) >= enough)
    shelf.away = False
    for thread in threads:
        thread.join()
    assert one.wait(15)
    assert sorted(shelf.numbers) == sorted(kept) and len(kept) == 800


def test_a_rejection_keeps_the_promise(courier: MakeCourier) -> None:
    shelf = Shelf()
    shelf.refuses = lambda record: True
    one = courier(shelf)
    one.put([record(1)], promised=True)
    assert letters(one) == [(1, "number 1 is impossible")]


# Rejections


@pytest.mark.parametrize("names", [False, True], ids=["found by halves", "named by the service"])
def test_the_rejected_go_to_the_dead_letters(courier: MakeCourier, names: bool) -> None:
    shelf = Shelf()
    shelf.refuses = lambda record: record.number in (3, 64, 100)
    shelf.names_refused = names
    one = courier(shelf)
    one.put(records(100))
    assert one.wait(10)
    assert sorted(shelf.numbers) == [number for number in range(1, 101) if number not in (3, 64, 100)]
    reason = "it is impossible" if names else "number {} is impossible"
    assert letters(one) == [(number, reason.format(number)) for number in (3, 64, 100)]
    info = one.info()
    assert (info.rejected, info.written, info.state) == (3, 97, "up")


def test_dead_letters_are_told_seldom(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    shelf.refuses = lambda record: True
    shelf.names_refused = True
    one = courier(shelf)
    with caplog.at_level(logging.WARNING, "hookmq.connectors"):
        one.put(records(1000))
        assert one.wait(10)
    assert len(letters(one)) == 1000
    assert len(caplog.records) == 10
    assert "dead-letters.jsonl" in caplog.text


def test_an_absence_while_halves_are_written(courier: MakeCourier) -> None:
    shelf = Shelf()
    shelf.refuses = lambda record: record.number == 7
    one = courier(shelf, patience=10)
    shelf.loses_answers = 2  # of the first halves that go well
    one.put(records(8))
    assert one.wait(10)
    assert sorted(shelf.numbers) == [1, 2, 3, 4, 5, 6, 8]
    assert {number for number, _ in letters(one)} == {7}


# The end


def test_a_stop_writes_what_waits(courier: MakeCourier) -> None:
    shelf = Shelf(batch_rows=10)
    one = courier(shelf)
    shelf.answers.clear()
    for number in range(1, 101):
        one.put([record(number)])
    threading.Timer(0.05, shelf.answers.set).start()
    one.stop(10)
    assert shelf.numbers == list(range(1, 101))
    assert one.info().state == "stopped"


def test_a_stop_while_the_service_is_away_is_quick(courier: MakeCourier) -> None:
    shelf = Shelf()
    shelf.away = True
    one = courier(shelf, patience=60)
    one.put(records(10))
    until(lambda: one.info().state == "down")
    begun = time.monotonic()
    one.stop(10)
    assert time.monotonic() - begun < 2
    assert one.directory is not None
    assert numbers(waiting(one.directory)) == list(range(1, 11))


def test_a_stop_breaks_off_what_hangs(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf, patience=60)
    shelf.answers.clear()
    one.put(records(10))
    until(lambda: shelf.calls)
    begun = time.monotonic()
    one.stop(0.2)
    assert time.monotonic() - begun < 2
    assert one.directory is not None
    assert numbers(waiting(one.directory)) == list(range(1, 11))


def test_after_the_stop_a_promise_is_refused(courier: MakeCourier) -> None:
    one = courier(Shelf())
    one.stop(1)
    with pytest.raises(NotStored):
        one.put([record(1)], promised=True)


def test_what_new_code_takes_over(courier: MakeCourier) -> None:
    one, there = courier(Shelf()), Shelf()
    one.stop(1)
    one.successor = courier(there, spool=False)
    one.put([record(1)], promised=True)
    assert there.numbers == [1]


# Pauses


def test_pauses_double_up_to_a_bound_and_differ() -> None:
    backoff = Backoff(first=0.1, longest=10)
    pauses = [backoff.pause() for _ in range(12)]
    for n, pause in enumerate(pauses):
        whole = min(0.1 * 2**n, 10)
        assert whole / 2 <= pause <= whole
    assert len({round(Backoff(first=1).pause(), 6) for _ in range(20)}) > 15
    backoff.reset()
    assert backoff.pause() <= 0.1


# What a review found


def test_order_while_the_service_comes_and_goes(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf, patience=0.05)
    over = threading.Event()

    def interrupt() -> None:
        while not over.is_set():
            shelf.away = not shelf.away
            time.sleep(0.03)
        shelf.away = False

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    for number in range(1, 1501):
        one.put(records(1, start=number), promised=number % 10 == 0)
    over.set()
    interrupting.join()
    assert one.wait(20)
    assert shelf.numbers == list(range(1, 1501))


def test_text_that_no_utf_8_can_hold(courier: MakeCourier) -> None:
    """Half a surrogate pair, as what a hook raised may have in it."""
    shelf = Shelf()
    shelf.refuses = lambda each: bool(each.detail) and not str(each.detail["text"]).isascii()
    one = courier(shelf)
    error = record(2, detail={"text": "bad \ud83d"})
    one.put([record(1), error, record(3)], promised=True)
    assert shelf.numbers == [1, 3]
    assert [number for number, _ in letters(one)] == [2]
    shelf.away = True
    shelf.refuses = lambda each: False
    one.put([record(4, detail={"text": "bad \ud83d"})], promised=True)  # that is in the spool
    shelf.away = False
    assert one.wait(10)
    assert shelf.taken[record(4).id].detail == {"text": "bad \ud83d"}


def test_an_unexpected_error_keeps_what_is_under_way(
    courier: MakeCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    one = courier(shelf, patience=5.0)
    real, failed = one._bury, []

    def bury(rejected: object) -> None:
        if not failed:
            failed.append(rejected)
            raise RuntimeError("a fault of ours")
        real(rejected)  # type: ignore[arg-type]

    monkeypatch.setattr(one, "_bury", bury)
    one.put(records(3), promised=True)
    assert failed and shelf.numbers == [1, 2, 3]


class Hanging(Shelf):
    """Hangs while it tidies up."""

    def __init__(self) -> None:
        super().__init__()
        self.tidies = threading.Event()
        self.tidies.set()

    def idle(self) -> None:
        self.tidies.wait()


def test_a_promise_while_the_service_hangs_in_tidying(courier: MakeCourier) -> None:
    shelf = Hanging()
    one = courier(shelf)
    one.put(records(1), promised=True)
    shelf.tidies.clear()
    one.put(records(1, start=2), promised=True)
    begun = time.monotonic()
    one.put(records(1, start=3), promised=True)
    assert time.monotonic() - begun < 2
    shelf.tidies.set()
    assert one.wait(10)
    assert shelf.numbers == [1, 2, 3]


def test_a_thread_that_is_left_behind_settles_nothing(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = courier(shelf)
    one.put(records(1), promised=True)
    shelf.answers.clear()
    shelf.abort = lambda: None  # type: ignore[method-assign]
    one.put(records(1, start=2), promised=True)  # in the spool: the service hangs
    one.stop(0.1)
    assert one.info().state == "stopped"
    with pytest.raises(NotStored):
        one.put(records(1, start=3), promised=True)
    shelf.answers.set()
    one.start()
    assert one.wait(10)
    assert shelf.numbers == [1, 2]


def test_what_waits_for_a_start_waits(courier: MakeCourier) -> None:
    shelf = Shelf()
    one = Courier(shelf, patience=0.1)
    putting = threading.Thread(target=lambda: one.put(records(2), promised=True))
    putting.start()
    putting.join(0.5)
    assert putting.is_alive()  # neither refused nor forgotten
    one.start()
    putting.join(5)
    assert shelf.numbers == [1, 2]
    one.stop(5)
