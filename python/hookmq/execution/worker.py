"""The worker's side: the process that a hook's function runs in, and how it and its parent speak.

The parent sends frames, each behind its length of four bytes: first where the function is, then calls, all of
them pickled. An empty frame asks for the answer to the batch before it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import mmap
import os
import pickle
import signal
import struct
import sys
import time

from .function_address import Terminated
from .worker_errors import described

__all__ = [
    "ANSWER",
    "BEGUN",
    "BOOTSTRAP",
    "BUSY",
    "COUNTERS",
    "DONE",
    "DYING",
    "FINISHED",
    "RAISED",
    "READY",
    "STOP",
    "UNSTARTED",
    "shared",
    "work",
]

# What a worker answers: the kind, the number of a message, the length of the text behind.
ANSWER = struct.Struct("!BQI")
READY, UNSTARTED, DONE, RAISED, DYING = range(5)

# The shared memory: messages begun and done since the first worker, nanoseconds in the function, and whether
# the process is to end instead of going on to its next message.
COUNTERS = 4
BEGUN, FINISHED, BUSY, STOP = range(COUNTERS)

BOOTSTRAP = "import sys; sys.path[:] = sys.argv[4:]; from hookmq.execution.worker import work; work()"


def work() -> None:
    """Be a worker. ``sys.argv`` has the descriptors of connection and memory, and the parent's identifier."""
    connection, memory, parent = (int(number) for number in sys.argv[1:4])
    counters = shared(memory)
    os.close(memory)
    _prepare(connection, counters, parent)
    # Nobody owns the descriptor: it is closed by the end of the process, or below in a forked child.
    reader = open(connection, "rb", buffering=1 << 16, closefd=False)  # noqa: SIM115
    inherited = [connection]
    # A child that lives on must not keep the connection of a worker that died.
    os.register_at_fork(after_in_child=lambda: os.close(inherited.pop()) if inherited else None)

    def next_frame() -> bytes | None:
        """Return what the parent sends next, ``None`` when it hung up."""
        head = reader.read(4)
        size = int.from_bytes(head)
        data = reader.read(size)
        return data if len(head) == 4 and len(data) == size else None

    def answer(kind: int, number: int, error: BaseException | None = None) -> None:
        text = b"" if error is None else described(error).encode(errors="backslashreplace")
        data = ANSWER.pack(kind, number, len(text)) + text
        with contextlib.suppress(OSError):  # nobody listens any more
            while data:
                data = data[os.write(connection, data) :]

    if (setup := next_frame()) is None:
        return None
    address, sys.argv = pickle.loads(setup)
    try:
        function = address.find()
    except BaseException as error:
        return answer(UNSTARTED, 0, error)
    answer(READY, 0)
    process = os.getpid()
    number = counters[FINISHED]
    while (data := next_frame()) is not None and not counters[STOP]:
        if not data:
            answer(DONE, number)
            continue
        number += 1
        counters[BEGUN] = number
        began = time.perf_counter_ns()
        raised: BaseException | None = None
        try:
            arguments, levels = pickle.loads(data)
            began = time.perf_counter_ns()
            function(*arguments, **levels)
        except BaseException as error:
            raised = error
        if os.getpid() != process:  # the function forked, and this is the child
            os._exit(0)
        counters[BUSY] += time.perf_counter_ns() - began
        if raised is not None:
            fatal = isinstance(raised, SystemExit | MemoryError)
            answer(DYING if fatal else RAISED, number, raised)
            if fatal:
                sys.exit(1)
        counters[FINISHED] = number
    return None


def shared(memory: int) -> memoryview[int]:
    """Return the counters that a worker and its parent share, of the memory with this descriptor."""
    return memoryview(mmap.mmap(memory, COUNTERS * 8)).cast("Q")


def _prepare(connection: int, counters: memoryview[int], parent: int) -> None:
    """Make a process a worker: it ends with its parent and by nobody else's signals, and starts no broker."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before
        os._exit(1)
    os.set_inheritable(connection, False)

    def terminate(*_: object) -> None:
        # Service managers send it to every process at once; the parent wants to let the hooks finish.
        if counters[STOP]:
            raise Terminated(1)

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if sys.stderr is not None:
        faulthandler.enable()  # says where it was when C code crashes

    from ..settings import config

    config.importing_app = True
