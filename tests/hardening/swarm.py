"""Sends many cases at a time, with a watcher who sees what slips through, and counts what came of them."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..protocol.packets import V311, Connect, Pingreq, Subscribe
from .judge import CLOSED
from .mutation import Case
from .trial import PATIENCE, Trial

AT_A_TIME = 64


@dataclass
class Figures:
    """What came of the cases."""

    types: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    accepted: int = 0  # CONNACKs that let in
    errors: int = 0  # connections that were closed after it with an error
    open: int = 0  # cases for which the specification leaves open whether they are errors
    slowest: float = 0.0  # seconds

    @property
    def cases(self) -> int:
        return sum(self.types.values())

    def complaints(self) -> str:
        """What was wrong, one example of each kind."""
        kinds: dict[str, list[str]] = {}
        for wrong in self.wrong:
            kinds.setdefault(re.sub(r"0x[0-9A-F]+|\d+|'.*?'", "#", wrong.partition("\n")[0]), []).append(
                wrong
            )
        return "\n".join(f"{len(each)} times: {each[0]}" for each in kinds.values())


class Watcher:
    """A client that sees every message that was handled, though it may have stood behind an error."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.seen: Counter[bytes] = Counter()
        self._unread = b""
        self._answered = False
        self.socket.sendall(Connect("watcher", keep_alive=0).encode(V311))
        self.socket.sendall(Subscribe(1, [("smuggled/#", 0)]).encode(V311))
        self.barrier()

    def read(self) -> None:
        data = self.socket.recv(65_536)
        assert data, "the watcher was disconnected"
        self._unread += data
        while len(self._unread) >= 2 and len(self._unread) >= 2 + self._unread[1]:
            kind, length = self._unread[0] >> 4, self._unread[1]
            if kind == 3:
                self.seen[self._unread[4 : 2 + length]] += 1
            self._answered |= kind == 13
            self._unread = self._unread[2 + length :]

    def barrier(self) -> None:
        """On return it has seen all there was."""
        self._answered = False
        self.socket.sendall(Pingreq().encode(V311))
        while not self._answered:
            self.read()


class Swarm:
    """Runs the cases."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.figures = Figures()
        self.watcher = Watcher(port)
        self.poll = select.epoll()
        self.running: dict[int, Trial] = {}
        self.busy: set[bytes] = set()  # Client Identifiers: no case may take over the session of another
        self.handled: Counter[bytes] = Counter()  # topics the watcher must have seen …
        self.unknown: set[bytes] = set()  # … and those it may have seen

    def run(self, cases: Iterable[Case]) -> Figures:
        with self.poll, contextlib.closing(self.watcher.socket):
            try:
                self._run_all(cases)
            finally:
                for trial in self.running.values():
                    trial.end()
        return self.figures

    def _run_all(self, cases: Iterable[Case]) -> None:
        self.poll.register(self.watcher.socket, select.EPOLLIN)
        fresh = (Trial(case, number) for number, case in enumerate(cases, 1))
        postponed: deque[Trial] = deque()
        while self._fill(fresh, postponed):
            for number, _ in self.poll.poll(1.0):
                if number == self.watcher.socket.fileno():
                    self.watcher.read()
                elif self.running[number].read():
                    self._finish(number)
            self._give_up()
        self.watcher.barrier()
        self._compare_messages()

    def _fill(self, fresh: Iterable[Trial], postponed: deque[Trial]) -> bool:
        """Begins as many trials as may run; says whether any does."""
        for _ in range(len(postponed)):
            self._begin(postponed.popleft(), postponed)
        fresh = iter(fresh)
        while len(self.running) < AT_A_TIME and (trial := next(fresh, None)) is not None:
            self._begin(trial, postponed)
        return bool(self.running)

    def _begin(self, trial: Trial, postponed: deque[Trial]) -> None:
        if trial.verdict.client_id in self.busy:
            postponed.append(trial)
            return
        if trial.verdict.client_id:
            self.busy.add(trial.verdict.client_id)
        opened = trial.begin(self.port)
        self.running[opened.fileno()] = trial
        self.poll.register(opened, select.EPOLLIN)

    def _finish(self, number: int) -> None:
        trial = self.running.pop(number)
        self.poll.unregister(number)
        trial.end()
        self.busy.discard(trial.verdict.client_id)
        figures, verdict = self.figures, trial.verdict
        figures.types[trial.case.type] += 1
        figures.ends[verdict.end] += 1
        figures.slowest = max(figures.slowest, time.monotonic() - trial.began)
        figures.accepted += trial.was_let_in()
        figures.open += verdict.choice
        figures.errors += verdict.end == CLOSED and not verdict.choice
        if problem := trial.wrong():
            figures.wrong.append(trial.describe(problem))
        if verdict.choice:
            self.unknown.add(trial.sentinel)
        else:
            self.handled[trial.sentinel] = verdict.published.count(trial.sentinel)

    def _give_up(self) -> None:
        now = time.monotonic()
        for number, trial in list(self.running.items()):
            if now - trial.began > PATIENCE:
                trial.trouble = f"nothing happened within {PATIENCE:.0f} s"
                self._finish(number)

    def _compare_messages(self) -> None:
        """What stood behind an error was not handled; what stood behind a valid packet was, once."""
        for topic, times in self.handled.items():
            if self.watcher.seen[topic] != times:
                self.figures.wrong.append(
                    f"{topic!r} came {self.watcher.seen[topic]} times, expected {times}"
                )
