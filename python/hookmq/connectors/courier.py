"""Carries records to a connector: batches, tries again, and sees to it that nothing promised is lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import HookMQError
from ..log import logger
from .backoff import Backoff
from .connector import Connector, Rejection
from .dead_letters import DeadLetters
from .health import ConnectorInfo, Health
from .record import Record
from .spool import Spool

__all__ = ["Courier", "NotStored"]

PATIENCE = 2.0
"""Seconds that a service may be away, or not come back with an answer, before records go to the spool."""

HANGS = 30.0
"""Seconds after which a call of the service that does not come back is broken off."""


class NotStored(Exception):
    """What was promised cannot be kept: neither the service nor the spool has taken the records."""


@dataclass(slots=True, eq=False)
class _Parcel:
    records: Sequence[Record]
    size: int
    promised: bool
    done: threading.Event | None = None
    stored: bool = False
    tried: bool = False
    """Whether it may be in the service already."""
    since: float = field(default_factory=time.monotonic)

    def settle(self, stored: bool) -> None:
        self.stored = stored
        if self.done is not None:
            self.done.set()


@dataclass(slots=True)
class _Counts:
    written: int = 0
    dropped: int = 0
    retries: int = 0
    write_time: float = 0.0


class Courier:
    """One connector with its queue, its spool and the thread that writes.

    Records wait in memory, within bounds, until the thread has written them. When the service is away for
    longer than ``patience``, or hangs, they go to the spool, all of them, so that their order stays; when it
    is back the spool is emptied first. What is promised is in the service or in the spool when :meth:`put`
    returns.

    Args:
        connector: where to.
        directory: for the spool and the dead letters; without one there is no spool, and what does not fit
            into memory is dropped or, if it was promised, refused.
        queue_rows, queue_bytes: bounds of what waits in memory.
        spool_bytes: bound of what waits on disk.
        patience: seconds, see above.
    """

    def __init__(
        self,
        connector: Connector,
        directory: Path | None = None,
        *,
        queue_rows: int = 100_000,
        queue_bytes: int = 64 << 20,
        spool_bytes: int = 1 << 30,
        patience: float = PATIENCE,
    ) -> None:
        self.connector = connector
        self.directory = directory
        """Where the spool and the dead letters are; may be set until :meth:`start`."""
        self.dead_letters = DeadLetters(None)
        self._limits = queue_rows, queue_bytes
        self._spool_bytes = spool_bytes
        self._patience = patience
        self._spool: Spool | None = None
        self._queue: deque[_Parcel] = deque()
        self._queued_rows = self._queued_bytes = 0
        self._under_way: list[_Parcel] = []
        """What the thread writes at this moment, as far as nobody else has put it into the spool."""
        self._changed = threading.Condition()
        self._spilling = threading.Lock()
        """Held while records go to the spool, and while the thread takes some: so their order stays."""
        self._thread: threading.Thread | None = None
        self._left_behind: threading.Thread | None = None
        """A thread that had not come back from the service when it was to stop."""
        self._started = self._stopped = False
        self.successor: Courier | None = None
        """Who has what comes after the stop: the courier of new code."""
        self._closing: float | None = None  # until when what waits is still written
        self._open = False
        self._counts = _Counts()
        self._health = Health(connector.name)

    # Life -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Check the connector and begin to write.

        Raises:
            HookMQError: E603 for what no waiting mends; that the service is away is no error.
        """
        self.connector.check()
        if self._left_behind is not None:
            self._left_behind.join(5.0)
            if self._left_behind.is_alive():
                reason = "its last call has not come back yet"
                raise HookMQError("E603", name=self.connector.name, reason=reason)
            self._left_behind = None
        if self.directory is not None and self._spool is None:
            self.dead_letters = DeadLetters(self.directory / "dead-letters.jsonl")
            try:
                self._spool = Spool(self.directory / "spool", max_bytes=self._spool_bytes)
            except OSError as error:
                reason = f"{error.strerror}: {self.directory}"
                raise HookMQError("E603", name=self.connector.name, reason=reason) from None
        self._closing = None
        self._open = False
        self._started, self._stopped = True, False
        self._health = Health(self.connector.name)
        self._thread = threading.Thread(
            target=self._run, name=f"hookmq-connector-{self.connector.name}", daemon=True
        )
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Write what waits, for at most so many seconds; what is left goes to the spool, or is lost."""
        thread = self._thread
        if thread is not None:
            with self._changed:
                self._closing = time.monotonic() + grace
                self._changed.notify_all()
            thread.join(grace)
            if thread.is_alive():
                self.connector.abort()
                thread.join(1.0)
        with self._spilling:
            with self._changed:
                left = self._take_all()
                self._stopped, self._started, self._thread = True, False, None
                self._health.set("stopped")
            lost = self._keep(left)
            if self._spool is not None:
                self._spool.close()
                self._spool = None
        if thread is not None and thread.is_alive():
            self._left_behind = thread
        if lost:
            logger("hookmq.connectors").error(
                "%s: %d records were not stored in time", self.connector.name, lost
            )

    # Taking ---------------------------------------------------------------------------------------------

    def put(self, records: Sequence[Record], *, promised: bool = False) -> None:
        """Take records, from any thread.

        Without ``promised`` it returns at once. With it, it returns when they are in the service or on disk.

        Raises:
            NotStored: if they are neither, and were promised.
        """
        if not records:
            return
        if self.successor is not None:
            self.successor.put(records, promised=promised)
            return
        size = sum(record.size for record in records)
        parcel = _Parcel(records, size, promised, threading.Event() if promised else None)
        with self._changed:
            self._queue.append(parcel)
            self._queued_rows += len(records)
            self._queued_bytes += size
            is_overdue = self._is_overdue()
            self._changed.notify_all()
        # The thread may hang in the service: whoever has more to store sees to what there is.
        if is_overdue:
            self._spill()
        if not promised or parcel.done is None:
            return
        while not parcel.done.wait(self._patience):
            self._spill()
        if not parcel.stored:
            raise NotStored(f"{self.connector.name} has no room: {self._health.reason or 'it is away'}")

    def wait(self, timeout: float) -> bool:
        """Wait until everything that was put is in the service. Return whether it was in time."""
        deadline = time.monotonic() + timeout
        with self._changed:
            return self._changed.wait_for(self._is_done, max(0.0, deadline - time.monotonic()))

    def info(self) -> ConnectorInfo:
        """Say how it is."""
        health, counts = self._health, self._counts
        return ConnectorInfo(
            self.connector.name,
            self.connector.kind,
            self.connector.describe(),
            health.state,
            health.since,
            health.reason,
            counts.written,
            self.dead_letters.count,
            counts.dropped,
            counts.retries,
            self._queued_rows,
            0 if self._spool is None else len(self._spool),
            counts.write_time,
        )

    # Under the lock -------------------------------------------------------------------------------------

    def _spools(self) -> bool:
        """Whether there is something in the spool."""
        return self._spool is not None and len(self._spool) > 0

    def _is_behind(self) -> bool:
        """Whether records go to the spool, because earlier ones are there.

        What is little and under way is waited for in memory, where the order is kept as well: otherwise a
        busy publisher would never leave the spool again.
        """
        if self._spool is None:
            return False
        near = 2 * self.connector.batch_rows if self._health.state == "up" else 0
        return len(self._spool) > near

    def _is_too_much(self) -> bool:
        rows, size = self._limits
        return self._queued_rows > rows or self._queued_bytes > size

    def _is_late(self) -> bool:
        """Whether the service has not come back, or somebody has waited for a promise, for too long."""
        if self._health.is_late(self._patience):
            return True
        patient = time.monotonic() - self._patience
        waiting = (*self._under_way, *self._queue)
        return any(parcel.promised and parcel.since < patient for parcel in waiting)

    def _is_overdue(self) -> bool:
        """Whether something has to leave the memory."""
        return self._stopped or self._is_behind() or self._is_too_much() or self._is_late()

    def _is_done(self) -> bool:
        return not (self._queue or self._under_way or self._spools())

    def _take_all(self) -> list[_Parcel]:
        """Take what waits and what the thread writes; should that be written all the same, it is once."""
        taken = [*self._under_way, *self._queue]
        self._under_way = []
        self._queue.clear()
        self._queued_rows = self._queued_bytes = 0
        return taken

    def _take_overdue(self) -> list[_Parcel]:
        """Take what cannot wait in memory any longer, because it is too much or because of a promise."""
        if self._stopped or (self._spool is not None and self._is_overdue()):
            return self._take_all()
        taken: list[_Parcel] = []
        if self._started:  # before, what waits is waited for
            # Nobody else can keep a promise: whoever has waited is told.
            patient = time.monotonic() - self._patience
            waiting = (*self._under_way, *self._queue)
            taken = [parcel for parcel in waiting if parcel.promised and parcel.since < patient]
            self._under_way = [parcel for parcel in self._under_way if parcel not in taken]
            for parcel in taken:
                if parcel in self._queue:
                    self._remove(parcel)
        while self._is_too_much():
            taken.append(self._queue[0])
            self._remove(self._queue[0])
        return taken

    def _spill(self) -> None:
        """Put what cannot wait in memory into the spool, and break off a call that does not come back."""
        with self._spilling:
            with self._changed:
                parcels = self._take_overdue()
            self._keep(parcels)
        if self._health.is_late(HANGS):
            self.connector.abort()

    def _remove(self, parcel: _Parcel) -> None:
        self._queue.remove(parcel)
        self._queued_rows -= len(parcel.records)
        self._queued_bytes -= parcel.size

    def _keep(self, parcels: Sequence[_Parcel]) -> int:
        """Put parcels into the spool. Return how many records had no room there, and are lost or refused."""
        if not parcels:
            return 0
        # All of them with one synchronization; one by one only when they do not fit.
        if self._append([record for parcel in parcels for record in parcel.records]):
            refused: list[_Parcel] = []
        else:
            refused = [parcel for parcel in parcels if len(parcels) == 1 or not self._append(parcel.records)]
        for parcel in parcels:
            parcel.settle(parcel not in refused)
        dropped = sum(len(parcel.records) for parcel in refused if not parcel.promised)
        with self._changed:
            self._counts.dropped += dropped
            self._changed.notify_all()
        return sum(len(parcel.records) for parcel in refused)

    def _append(self, records: Sequence[Record]) -> bool:
        if self._spool is None:
            return False
        try:
            self._spool.append(records)
        except Exception as error:  # whatever it is: somebody waits for the answer
            self._health.complain(f"the spool takes no more: {error}")
            return False
        return True

    # The thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff()
        while not self._is_over():
            try:
                if self._spools():
                    self._empty_spool()
                elif parcels := self._next_parcels():
                    self._write_parcels(parcels)
                self._look_after()
                backoff.reset()
            except _Away as away:
                self._note_away(away.error)
                self._spill()
                self._rest(backoff.pause())
            except Exception as error:  # a fault of ours, or a disk that fails: what waits still waits
                logger("hookmq.connectors").exception("unexpected error of %s", self.connector.name)
                self._note_away(error)
                self._spill()
                self._rest(backoff.pause())
        self._close_connector()

    def _is_mine(self) -> bool:
        """Whether the calling thread is the one that writes, and was not left behind by a stop."""
        return threading.current_thread() is self._thread

    def _is_over(self) -> bool:
        with self._changed:
            if not self._is_mine():
                return True
            if self._closing is None:
                return False
            if not (self._queue or self._under_way) or time.monotonic() > self._closing:
                return True
            # Who stops waits neither for what is in the spool nor for what can go there: that is safe.
            return self._spools() or (self._spool is not None and self._health.state == "down")

    def _next_parcels(self) -> list[_Parcel]:
        """Take what makes a batch; waits for others up to ``batch_delay``."""
        rows = self.connector.batch_rows
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._under_way or self._closing is not None, 1.0)
            deadline = time.monotonic() + self.connector.batch_delay
            while (
                self._queue and self._queued_rows < rows and self._closing is None and not self._has_promise()
            ):
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    break
        with self._spilling, self._changed:
            if self._spools() or not self._is_mine():
                return []
            # What an unexpected error has left is first.
            taken, self._under_way = self._under_way, []
            count = sum(len(parcel.records) for parcel in taken)
            while self._queue and (not taken or count + len(self._queue[0].records) <= rows):
                parcel = self._queue[0]
                self._remove(parcel)
                count += len(parcel.records)
                taken.append(parcel)
            self._under_way = list(taken)
            if taken:
                self._health.begin()
            return taken

    def _has_promise(self) -> bool:
        # Somebody waits for it: the batch was made where it was put together.
        return any(parcel.promised for parcel in self._queue)

    def _write_parcels(self, parcels: Sequence[_Parcel]) -> None:
        """Write a batch, however often it takes, unless it goes to the spool meanwhile."""
        records = [record for parcel in parcels for record in parcel.records]
        backoff = Backoff()
        again = any(parcel.tried for parcel in parcels)
        for parcel in parcels:
            parcel.tried = True
        while True:
            try:
                for start in range(0, len(records), self.connector.batch_rows):
                    self._write(records[start : start + self.connector.batch_rows], again=again)
                break
            except _Away as away:
                again = True
                self._counts.retries += 1
                self._note_away(away.error)
                self._spill()
                self._rest(backoff.pause())
                if not self._is_mine():
                    return
                if not self._under_way:
                    self._health.done()
                    return  # it is in the spool, or was refused
                if self._gives_up():
                    return  # whoever stops sees to it
        with self._changed:
            if not self._is_mine():
                return
            mine, self._under_way = self._under_way, []
            self._health.done()
            self._changed.notify_all()
        self._health.set("up")
        for parcel in mine:
            parcel.settle(True)

    def _gives_up(self) -> bool:
        """Whether there is no time for another attempt. Where there is a spool, none is needed."""
        closing = self._closing
        return closing is not None and (self._spool is not None or time.monotonic() > closing)

    def _empty_spool(self) -> None:
        """Write what waits on disk, oldest first. Raises `_Away`."""
        spool = self._spool
        if spool is None:
            return
        before = len(spool)
        for chunk in spool.chunks(self.connector.batch_rows):
            self._health.begin()
            self._write(chunk, again=True)
            if not self._is_mine():
                return
            self._health.set("up")
            if self._closing is not None:
                return
        with self._changed:
            self._health.done()
            self._changed.notify_all()
        logger("hookmq.connectors").info(
            "%s has what waited for it (%d records)", self.connector.name, before
        )

    def _write(self, records: Sequence[Record], *, again: bool) -> None:
        """Write records, those that cannot be written to the dead letters. Raises `_Away`."""
        begun = time.monotonic()
        self._health.begin(anew=False)
        try:
            self._open_connector()
            rejected = self.connector.write(records, again=again) or ()
        except _Away:
            raise
        except Exception as error:
            if not self.connector.is_rejection(error):
                raise _Away(error) from error
            self._write_apart(records, error)
            return
        finally:
            self._counts.write_time += time.monotonic() - begun
        self._counts.written += len(records) - len(rejected)
        self._bury(rejected)

    def _write_apart(self, records: Sequence[Record], error: Exception) -> None:
        if len(records) == 1:
            self._bury([Rejection(records[0], self.connector.reason(error))])
            return
        middle = len(records) // 2
        # Some of them may be written already, if the service takes them one by one.
        self._write(records[:middle], again=True)
        self._write(records[middle:], again=True)

    def _bury(self, rejected: Sequence[Rejection]) -> None:
        for record, reason in rejected:
            self.dead_letters.add(self.connector.name, record, reason)

    def _rest(self, seconds: float) -> None:
        """Wait before the next attempt, unless it is to stop."""
        with self._changed:
            if self._closing is None:
                self._changed.wait_for(lambda: self._closing is not None, seconds)
            elif self._spool is None:
                self._changed.wait(min(seconds, max(0.0, self._closing - time.monotonic())))

    def _open_connector(self) -> None:
        """Connect, if it is not connected. Raises `_Away`."""
        if self._open:
            return
        try:
            self.connector.open()
        except Exception as error:
            raise _Away(error) from error
        self._open = True
        if self._is_mine():
            self._health.set("up")

    def _look_after(self) -> None:
        """Connect, if nothing did until now, and let the connector tidy up. Raises `_Away`."""
        self._health.begin(anew=False)  # it may hang here as well
        self._open_connector()
        try:
            self.connector.idle()
        except Exception as error:
            raise _Away(error) from error
        self._health.done()

    def _note_away(self, error: Exception) -> None:
        if not self._is_mine():
            return
        self._close_connector()
        reason = self.connector.reason(error)
        self._health.set("down", reason)
        self._health.complain(f"it is away, and tried again: {reason}")

    def _close_connector(self) -> None:
        self._open = False
        with contextlib.suppress(Exception):
            self.connector.close()


class _Away(Exception):
    """The service has not taken a batch."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
