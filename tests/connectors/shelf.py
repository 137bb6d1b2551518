"""A connector whose service is a list, and can be away, hang or refuse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from hookmq.connectors import Connector, Record, Rejection


class Shelf(Connector):
    """Keeps what is written, once for each name, as services do that know `Record.id`."""

    kind = "shelf"

    def __init__(self, **options: float) -> None:
        super().__init__(name="shelf", batch_delay=0.0, **options)
        self.taken: dict[str, Record] = {}
        self.calls: list[tuple[int, bool]] = []
        self.away = False
        self.refuses: Callable[[Record], bool] = lambda record: False
        self.names_refused = False
        self.loses_answers = 0
        self.answers = threading.Event()
        self.answers.set()
        self.aborted = threading.Event()
        self.opened = 0

    def open(self) -> None:
        if self.away:
            raise ConnectionError("nobody is there")
        self.opened += 1

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        self.calls.append((len(records), again))
        self.answers.wait()
        if self.aborted.is_set():
            self.aborted.clear()
            raise TimeoutError("broken off")
        if self.away:
            raise ConnectionError("nobody is there")
        bad = [record for record in records if self.refuses(record)]
        if bad and not self.names_refused:
            raise ValueError(f"number {bad[0].number} is impossible")
        for record in records:
            if record not in bad:
                assert again or record.id not in self.taken, "written twice, and nobody said so"
                self.taken.setdefault(record.id, record)
        if self.loses_answers:
            self.loses_answers -= 1
            raise ConnectionError("the connection broke before the answer")
        return [Rejection(record, "it is impossible") for record in bad]

    def abort(self) -> None:
        self.aborted.set()
        self.answers.set()

    @property
    def numbers(self) -> list[int]:
        return [record.number for record in self.taken.values()]
