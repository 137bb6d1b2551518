"""Functions of hooks that run in processes of their own, and how these come, die and come back.

A worker is ``python -c`` with :func:`hookmq.execution.worker.work`, on one end of a socket pair. Messages go
to it in batches; it answers each batch once, and at once what its function raises. How far it is stands in
memory that both share, so that it is known to the message when a worker is killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

from .function_address import FunctionAddress
from .worker import (
    ANSWER,
    BEGUN,
    BOOTSTRAP,
    BUSY,
    COUNTERS,
    DONE,
    DYING,
    FINISHED,
    READY,
    STOP,
    UNSTARTED,
    shared,
)
from .worker_errors import RemoteError, WorkerDied, fate, named, noted

__all__ = ["ProcessExecutor", "RemoteError", "WorkerDied"]

BATCH = 256
"""Messages in a full batch."""

BATCH_BYTES = 1 << 20
"""A batch of so many bytes is full as well: it is kept until it is answered, for another worker."""

UNACKNOWLEDGED = 4
"""Batches a worker may have that it has not answered; beyond them the caller waits."""

FIRST_PAUSE, LAST_PAUSE = 0.1, 5.0
"""Seconds before another start of a worker that did nothing in its life; each pause is twice the last."""

PATIENCE = 0.5
"""Seconds a worker is given to end when its connection is closed, after SIGTERM, and after SIGKILL."""

STARTING = 30.0
"""Seconds after which it is reported that a worker still imports the function's module."""


class ProcessExecutor:
    """Calls a function in other processes, in order for each client.

    Args:
        name: what reports call the function.
        function: what is called; it must be on the top level of a module, or of the script that is run.
        workers: processes; each serves the clients whose identifiers fall to it.
        failed: is told what the function raises (:class:`RemoteError`) and when a process dies
            (:class:`WorkerDied`), on a thread of this object.

    A worker that dies is started again; the message it was on is an error, the others are not lost and not
    repeated. Raises ``ValueError`` for a function that another process cannot find.

    >>> import textwrap
    >>> executor = ProcessExecutor("dedent", textwrap.dedent, workers=2, failed=print)
    >>> executor.queued, executor.stop(grace=1)
    (0, 0)
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        workers: int,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        if workers < 1:
            raise ValueError(f"{name} needs at least one worker, not {workers}")
        address = FunctionAddress.of(function)
        self._name = name
        self._failed = failed
        self._unsendable = 0
        self._workers = [_Worker(f"{name}-{index}", name, address, failed) for index in range(workers)]

    def __call__(self, *arguments: Any, **levels: str) -> None:
        """Put a call behind the others of ``arguments[0].client_id``, as :meth:`put` does."""
        self.put(arguments[0].client_id, *arguments, **levels)

    def put(self, client_id: str, /, *arguments: Any, **levels: Any) -> None:
        """Put a call behind the others of a client; wait while too many are under way.

        Without effect after :meth:`stop`.
        """
        try:
            data = pickle.dumps((arguments, levels), protocol=5)
        except Exception as error:
            self._unsendable += 1
            return self._failed(self._name, error)
        client = client_id.encode(errors="surrogatepass")
        return self._workers[zlib.crc32(client) % len(self._workers)].put(len(data).to_bytes(4) + data)

    def flush(self) -> None:
        """Send the calls that wait for their batch to fill. Never waits."""
        for worker in self._workers:
            worker.flush()

    def drain(self, timeout: float) -> bool:
        """Wait until everything is done and what it raised was reported; False after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        self.flush()
        return all([worker.drain(deadline) for worker in self._workers])

    def stop(self, grace: float) -> int:
        """Let at most ``grace`` seconds for what waits, end the workers, return how many calls were left.

        It takes at most two seconds longer. A call that waits for room returns.
        """
        self.drain(grace)
        for worker in self._workers:
            worker.end()
        deadline = time.monotonic() + 4 * PATIENCE
        for worker in self._workers:
            worker.join(deadline)
        return self.queued

    @property
    def calls(self) -> int:
        """Messages done, those that ended in an error included."""
        return sum(worker.counters[FINISHED] for worker in self._workers)

    @property
    def errors(self) -> int:
        """Messages for which the function raised or its process died, or that could not be pickled."""
        return self._unsendable + sum(worker.errors for worker in self._workers)

    @property
    def restarts(self) -> int:
        """Processes that were started in the place of one that died."""
        return sum(max(0, worker.starts - 1) for worker in self._workers)

    @property
    def queued(self) -> int:
        """Messages that were handed over and are not done."""
        return sum(worker.accepted - worker.counters[FINISHED] for worker in self._workers)

    @property
    def busy(self) -> float:
        """Seconds that all workers spent in the function."""
        return sum(worker.counters[BUSY] for worker in self._workers) / 1e9


class _Worker:
    """One place for a process: what it has to do, and the thread that starts it and speaks with it.

    The thread is the only one that touches the process and its connection, so nothing is closed under
    anybody's hands, and nobody else waits for a process that does not read.
    """

    def __init__(
        self,
        label: str,
        name: str,
        address: FunctionAddress,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self.counters: memoryview[int] = memoryview(array("Q", [0] * COUNTERS))
        self.accepted = self.errors = self.starts = 0
        self._label, self._name, self._address, self._failed = label, name, address, failed
        self._changed = threading.Condition()
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._flushed = False  # the open batch is to go as soon as there is room
        self._batches: deque[list[bytes]] = deque()  # closed and not acknowledged
        self._sent = 0  # how many of them this process has got
        self._acknowledged = 0
        self._raised = 0  # the last message that was answered by an error
        self._start_at = 0  # messages that were done before this process
        self._explained = self._ready = False
        self._ending = False
        self._thread: threading.Thread | None = None
        self._memory = self._wakeup = -1

    # For callers ----------------------------------------------------------------------------------------

    def put(self, frame: bytes) -> None:
        """Append a message to the open batch; wait for room when it is full."""
        with self._changed:
            while self._is_full() and not self._ending:
                self._changed.wait()
            if self._ending:
                return
            if self._thread is None:
                self._begin()
            self._open.append(frame)
            self._open_bytes += len(frame)
            self.accepted += 1
            if self._is_full():
                self._close_batch()

    def flush(self) -> None:
        """Send the open batch as soon as the process may have one more."""
        with self._changed:
            if self._open and not self._ending:
                self._flushed = True
                self._close_batch()

    def drain(self, deadline: float) -> bool:
        """Wait until every message is acknowledged, or nobody will."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_idle() or self._ending, deadline - time.monotonic())
            return self._is_idle()

    def end(self) -> None:
        """Have the process ended, and the thread."""
        with self._changed:
            if not self._ending:
                self._ending = True
                self._wake()

    def join(self, deadline: float) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def _begin(self) -> None:
        """Start the thread. Raises what the system lacks for it; the next call tries again."""
        with contextlib.ExitStack() as undo:
            memory = os.memfd_create("hookmq")
            undo.callback(os.close, memory)
            os.ftruncate(memory, COUNTERS * 8)
            counters = shared(memory)
            wakeup = os.eventfd(0)
            undo.callback(os.close, wakeup)
            thread = threading.Thread(target=self._run, name=f"hookmq-{self._label}", daemon=True)
            thread.start()  # it waits for the lock that is held here
            undo.pop_all()
        self.counters, self._memory, self._wakeup, self._thread = counters, memory, wakeup, thread

    def _is_full(self) -> bool:
        return len(self._open) >= BATCH or self._open_bytes >= BATCH_BYTES

    def _is_idle(self) -> bool:
        return self._acknowledged == self.accepted

    def _close_batch(self) -> None:
        if len(self._batches) < UNACKNOWLEDGED:
            self._batches.append(self._open)
            self._open, self._open_bytes, self._flushed = [], 0, False
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        if self._wakeup >= 0:
            os.eventfd_write(self._wakeup, 1)

    # The thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        # Processes inherit it, so Ctrl+C does not hit one before it has said that it ignores it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        pause = 0.0
        try:
            while self._wait_for_work(pause):
                useful = self._live_once()
                pause = 0.0 if useful else min(2 * pause or FIRST_PAUSE, LAST_PAUSE)
        finally:
            with self._changed:
                self._ending = True
                # The memory goes with its last reader.
                self.counters = memoryview(array("Q", self.counters))
                os.close(self._memory)
                os.close(self._wakeup)
                self._wakeup = -1
                self._changed.notify_all()

    def _wait_for_work(self, pause: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ending, pause)
            self._changed.wait_for(lambda: self._ending or self._batches)
            self._sent = 0
            return not self._ending

    def _live_once(self) -> bool:
        """Start a process, stay with it, and settle what it left; say whether it did anything."""
        self._explained = self._ready = False
        self.counters[STOP] = 0
        try:
            process, connection = self._start()
        except Exception as error:  # no memory, no descriptors, no interpreter
            self._report(WorkerDied(f"its process cannot be started: {error}"))
            return False
        self.starts += 1
        with connection:
            self._converse(connection)
            self.counters[STOP] = 1
        code = _end(process)
        return not self._ending and self._settle(code)

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        inherited = (theirs.fileno(), self._memory)
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # as multiprocessing does
        numbers = [str(number) for number in (*inherited, os.getpid())]
        path = [entry for entry in sys.path if isinstance(entry, str)]
        command = [sys.executable, *flags, "-c", BOOTSTRAP, *numbers, *path]
        with theirs:
            try:
                # By this thread, which outlives it: the system ends a worker with the thread that started it.
                return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=inherited), ours
            except BaseException:
                ours.close()
                raise

    def _converse(self, connection: socket.socket) -> None:
        """Send batches and take answers, until the process ends or has to."""
        connection.setblocking(False)
        poller = select.poll()
        poller.register(self._wakeup, select.POLLIN)
        setup = pickle.dumps((self._address, sys.argv))
        outgoing = memoryview(len(setup).to_bytes(4) + setup)
        answers = bytearray()
        patience: float | None = STARTING * 1000
        while not self._ending:
            outgoing = outgoing or self._next_batch()
            poller.register(connection, select.POLLIN | (select.POLLOUT if outgoing else 0))
            events = dict(poller.poll(None if self._ready else patience))
            if not events:
                patience = None
                self._report(_slow_to_start(self._address))
            if self._wakeup in events:
                os.eventfd_read(self._wakeup)
            event = events.get(connection.fileno(), 0)
            if event & select.POLLOUT:
                with contextlib.suppress(OSError):  # it died: what it answered before is read below
                    outgoing = outgoing[connection.send(outgoing) :]
            if event & ~select.POLLOUT:
                try:
                    data = connection.recv(1 << 16)
                except BlockingIOError:
                    continue
                except OSError:
                    return
                if not data:
                    return
                answers += data
                self._take(answers)

    def _next_batch(self) -> memoryview[int]:
        """Return the next batch for the process; an empty frame behind it asks for the answer."""
        with self._changed:
            if self._sent == len(self._batches):
                return memoryview(b"")
            batch = self._batches[self._sent]
            self._sent += 1
            return memoryview(b"".join([*batch, bytes(4)]))

    def _take(self, answers: bytearray) -> None:
        while len(answers) >= ANSWER.size:
            kind, number, size = ANSWER.unpack_from(answers)
            end = ANSWER.size + size
            if len(answers) < end:
                return
            text = answers[ANSWER.size : end].decode(errors="replace")
            del answers[:end]
            self._answered(kind, number, text)

    def _answered(self, kind: int, number: int, text: str) -> None:
        if kind == READY:
            self._ready = True
        elif kind == DONE:
            self._acknowledge(number)
        elif kind == UNSTARTED:
            self._explained = True
            self._report(noted(WorkerDied, "its process cannot be started: ", text))
        elif kind == DYING:
            self._explained = True
            self._report(noted(WorkerDied, "its process ended by ", text))
        else:
            self.errors += 1
            self._raised = number
            self._report(noted(RemoteError, "", text))

    def _acknowledge(self, done: int) -> None:
        """Forget the messages up to a number, and send what waits for the room."""
        with self._changed:
            count, self._acknowledged = done - self._acknowledged, done
            while self._batches and count >= len(self._batches[0]):
                count -= len(self._batches.popleft())
                self._sent -= 1
            if count:
                del self._batches[0][:count]
            if self._flushed or self._is_full():
                self._close_batch()
            self._changed.notify_all()

    def _settle(self, code: int | None) -> bool:
        """Count what a process did that is dead, and the message it was on; say whether it did any."""
        # An error is sent before its message counts as done.
        done = max(self.counters[FINISHED], self._raised)
        useful = done > self._start_at
        problem = "between two messages" if self._ready else "while it imported the function's module"
        if self.counters[BEGUN] > done:
            problem = f"with {named(self._first_after(done))}, which is not tried again"
            done += 1
            self.errors += 1
        if not self._explained:
            self._report(WorkerDied(f"its process {fate(code)} {problem}"))
        self.counters[BEGUN] = self.counters[FINISHED] = self._start_at = done
        self._acknowledge(done)
        return useful

    def _first_after(self, done: int) -> bytes:
        position = done - self._acknowledged
        for batch in self._batches:
            if position < len(batch):
                return batch[position]
            position -= len(batch)
        raise AssertionError("a worker was on a message that it was not sent")

    def _report(self, error: BaseException) -> None:
        with contextlib.suppress(Exception):  # a filter of a log must not end this thread
            self._failed(self._name, error)


def _end(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for a process whose connection is closed, make it end if it does not; return its exit code."""
    for insist in (None, process.terminate, process.kill):
        if insist:
            insist()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(PATIENCE)
    return None


def _slow_to_start(address: FunctionAddress) -> WorkerDied:
    place = address.file or address.module
    return WorkerDied(
        f"its process has been importing {place} for {STARTING:g} s; what only the main program is to do "
        'must stand under `if __name__ == "__main__":`'
    )
