"""The breaker, the answers and the threads of a service, each by itself."""

from __future__ import annotations

import threading

import pytest

from hookmq import Deny
from hookmq.authentication.answers import MOST, Answers
from hookmq.authentication.breaker import Breaker
from hookmq.authentication.workers import Busy, Workers

from ..api.helpers import eventually


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_breaker_opens_after_failures_in_a_row_only():
    breaker = Breaker(failures=3, pause=10, clock=Clock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.answered()
    assert breaker.admits()
    for _ in range(3):
        breaker.failed()
    assert breaker.is_open
    assert not breaker.admits()


def test_a_trial_that_fails_opens_it_again_and_one_that_is_lost_is_followed_by_another():
    clock = Clock()
    breaker = Breaker(failures=1, pause=10, clock=clock)
    breaker.failed()
    clock.now = 10
    assert breaker.admits()
    breaker.failed()
    clock.now = 19
    assert not breaker.admits()
    clock.now = 20
    assert breaker.admits()  # and nobody ever says how that went
    assert not breaker.admits()
    clock.now = 30
    assert breaker.admits()
    breaker.answered()
    assert breaker.admits()
    assert not breaker.is_open


def test_a_breaker_without_a_number_never_opens():
    breaker = Breaker(failures=0)
    for _ in range(100):
        breaker.failed()
    assert breaker.admits()


def test_one_of_many_threads_is_the_trial():
    clock = Clock()
    breaker = Breaker(failures=1, pause=10, clock=clock)
    breaker.failed()
    clock.now = 10
    admitted, barrier = [], threading.Barrier(8)

    def ask():
        barrier.wait()
        admitted.append(breaker.admits())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(admitted) == [False] * 7 + [True]


def test_answers_are_bounded_and_the_oldest_go_first():
    answers, no = Answers(), Deny("no")
    keys = [answers.key((number,)) for number in range(MOST + 5)]
    for key in keys:
        answers.keep(key, no, 60)
    assert len(answers) == MOST
    assert answers.recall(keys[4]) is None
    assert answers.recall(keys[5]) is no


def test_answers_of_one_process_are_not_those_of_another():
    """The key of a password cannot be looked up: it depends on a secret."""
    shown = ("tank", b"water")
    assert Answers().key(shown) != Answers().key(shown)


def test_an_answer_holds_as_long_as_was_said():
    answers = Answers()
    key = answers.key(("tank",))
    answers.keep(key, Deny("no"), 0)
    assert answers.recall(key) is None
    answers.keep(key, Deny("no"), 0.05)
    assert answers.recall(key) is not None
    eventually(lambda: answers.recall(key) is None)
    assert len(answers) == 0


def test_workers_are_no_more_than_they_may_be():
    workers, released = Workers("test", threads=3), threading.Event()
    try:
        futures = [
            workers.submit(lambda: released.wait(10) and threading.current_thread().name) for _ in range(9)
        ]
        released.set()
        assert len({future.result(10) for future in futures}) <= 3
        with pytest.raises(ZeroDivisionError):
            workers.submit(lambda: 1 / 0).result(10)
    finally:
        workers.stop()


def test_what_waits_for_workers_that_stop_is_told():
    workers, began, released = Workers("test", threads=1), threading.Event(), threading.Event()

    def run():
        began.set()
        return released.wait(10)

    running = workers.submit(run)
    assert began.wait(10)
    waiting = workers.submit(lambda: 1)
    stopping = threading.Thread(target=workers.stop)
    stopping.start()
    with pytest.raises(Busy):
        waiting.result(10)
    with pytest.raises(Busy):
        workers.submit(lambda: 1)
    released.set()
    stopping.join(10)
    assert running.result(1)
    workers.start()
    assert workers.submit(lambda: 2).result(10) == 2
    workers.stop()
