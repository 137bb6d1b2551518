"""How workers end and what is raised in them, on its way from there to the parent and into words."""

from __future__ import annotations

import contextlib
import pickle
import signal
import traceback

__all__ = ["RemoteError", "WorkerDied", "described", "fate", "named", "noted"]

LONGEST_TEXT = 20_000
"""Characters of a traceback that are brought back."""


class WorkerDied(RuntimeError):
    """The process of a hook ended, or could not begin. The message says how, and with which message."""


class RemoteError(Exception):
    """What a function raised in its process: its type and text; a note has the traceback there."""


def described(error: BaseException) -> str:
    """Return the type and the text of an error, and behind a zero its traceback from the function on."""
    name = type(error).__name__
    try:
        # The first frame is the worker's own.
        trace = error.__traceback__ and error.__traceback__.tb_next
        told = traceback.TracebackException(type(error), error, trace)
        summary, lines = str(told), "".join(told.format())
    except Exception as own:
        summary, lines = "", f"(its traceback cannot be had: {type(own).__name__})"
    summary = f"{name}: {summary}" if summary else name
    return "\0".join((summary.replace("\0", " ")[:LONGEST_TEXT], lines[-LONGEST_TEXT:]))


def noted(kind: type[Exception], head: str, text: str) -> Exception:
    """Return the error that a worker described, with its traceback as a note."""
    summary, _, trace = text.partition("\0")
    error = kind(head + summary)
    error.add_note(trace.rstrip())
    return error


def fate(code: int | None) -> str:
    """Return in words how a process ended, by its exit code."""
    if code is None:
        return "cannot be ended"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-code}"


def named(frame: bytes) -> str:
    """Return in words which message it is."""
    with contextlib.suppress(Exception):  # it is the user's class
        message = pickle.loads(frame[4:])[0][0]
        topic = getattr(message, "topic", None)
        return f"a message of client {message.client_id!r}" + (f" to {topic!r}" if topic else "")
    return "a message"
