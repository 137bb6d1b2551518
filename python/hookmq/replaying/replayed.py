"""What came of a replay: counts, differences, publications and failures, and the report of them."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from ..banner import wants_colour
from ..message import Message
from .difference import ABSENT, Difference, message_to_dict, payload_text

if TYPE_CHECKING:
    from ..storage import Row

__all__ = ["Failure", "Publication", "Replay", "render"]

KEPT = 1_000
"""Differences, and publications, that a replay keeps; all of them are counted."""

KEPT_BYTES = 64 * 1024 * 1024
"""Payloads that these may have together."""

KEPT_FAILURES = 100
"""Kinds of failures that are kept."""

SHOWN = 20
"""Differences, and publications, that the text of a replay shows."""

_FACTS = ("hook", "where", "dry_run", "interrupted", "seconds", "first", "last")
_COUNTS = ("messages", "own", "calls", "errors", "changed", "dropped", "refused", "published")


@dataclass(frozen=True, slots=True)
class Publication:
    """A message that the hook published, or in a dry run would have, and the stored message it was given."""

    message: Message
    cause: Message


@dataclass(slots=True)
class Failure:
    """What the hook raised in one place: how often, and the first time with its message and traceback."""

    kind: str
    text: str
    where: str
    first: Message
    traceback: str
    count: int = 1


@dataclass
class Replay:
    """What came of a replay; while it goes on, what came of it so far.

    ``str()`` is the report as plain text; :meth:`show` prints it, in colour on a terminal.
    """

    hook: str
    """The hook's name."""
    where: str
    """Where it stands: ``app.py:7``."""
    dry_run: bool
    """Whether what the hook published was only kept."""
    messages: int = 0
    """Stored messages that were read."""
    own: int = 0
    """Of these, messages of the program itself, which the hook is not told of."""
    calls: int = 0
    """Calls of the hook."""
    errors: int = 0
    """Calls that raised, or returned what no transform can."""
    changed: int = 0
    """Messages that a transform would have changed, or made several of."""
    dropped: int = 0
    """Messages that it would have dropped."""
    refused: int = 0
    """Messages that it would have refused."""
    published: int = 0
    """Messages that the hook published; in a dry run, would have published."""
    changes: list[Difference] = field(default_factory=list, repr=False)
    """What was changed, dropped and refused: the first thousand, in the order of time."""
    publications: list[Publication] = field(default_factory=list, repr=False)
    """What was published: the first thousand."""
    failures: list[Failure] = field(default_factory=list, repr=False)
    """What was raised, once for each kind of exception and line of code."""
    first: float | None = None
    """When the first message was received that was read, in Unix seconds."""
    last: float | None = None
    """When the last one was."""
    total: int | None = None
    """Messages that there are to read, if somebody wants to know of progress."""
    seconds: float = 0.0
    """How long it took."""
    interrupted: bool = False
    """Whether it ended before its time, by Ctrl+C or because the broker stopped."""
    _bytes: int = field(default=0, repr=False)

    def __str__(self) -> str:
        return render(self)

    def show(self, stream: TextIO | None = None) -> None:
        """Print the report to a stream (standard output): in colour if it is a terminal."""
        stream = sys.stdout if stream is None else stream
        encoding = stream.encoding or "utf-8"
        text = render(self, colour=wants_colour(stream))
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def to_dict(self) -> dict[str, Any]:
        """The replay as values that JSON knows."""
        facts = {name: getattr(self, name) for name in (*_FACTS, *_COUNTS)}
        facts["changes"] = [one.to_dict() for one in self.changes]
        facts["publications"] = [
            {"message": message_to_dict(one.message), "cause": message_to_dict(one.cause)}
            for one in self.publications
        ]
        facts["failures"] = [
            {"kind": one.kind, "text": one.text, "where": one.where, "count": one.count}
            | {"first": message_to_dict(one.first), "traceback": one.traceback}
            for one in self.failures
        ]
        return facts

    def read(self, row: Row) -> None:
        """Count a stored message."""
        self.messages += 1
        self.first = row.timestamp if self.first is None else self.first
        self.last = row.timestamp

    def differs(self, difference: Difference) -> None:
        """Count what a transform did to a message, and keep it if there is room."""
        setattr(self, difference.kind, getattr(self, difference.kind) + 1)
        if self._has_room(self.changes, (difference.before, *difference.after)):
            self.changes.append(difference)

    def publishes(self, publication: Publication) -> None:
        """Count what the hook published, and keep it if there is room."""
        self.published += 1
        if self._has_room(self.publications, (publication.message, publication.cause)):
            self.publications.append(publication)

    def failed(self, error: BaseException, message: Message) -> None:
        """Count what the hook raised, and keep the first of each kind."""
        self.errors += 1
        kind, trace = type(error).__qualname__, _of_the_hook(error.__traceback__)
        where = _innermost(trace)
        known = next((one for one in self.failures if (one.kind, one.where) == (kind, where)), None)
        if known is not None:
            known.count += 1
        elif len(self.failures) < KEPT_FAILURES:
            # Its text, not itself: an exception keeps alive whatever its frames refer to.
            text = "".join(traceback.format_exception(type(error), error, trace))
            self.failures.append(Failure(kind, _text_of(error), where, message, text))

    def _has_room(self, kept: Sequence[object], messages: Sequence[Message]) -> bool:
        size = sum(len(message.payload) for message in messages)
        if len(kept) >= KEPT or self._bytes + size > KEPT_BYTES:
            return False
        self._bytes += size
        return True


# Failures -------------------------------------------------------------------------------------------------

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


def _of_the_hook(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that is the hook's: without the frames that led to it."""
    inner = trace
    while inner is not None and _leads_to_hook(inner.tb_frame.f_code.co_filename):
        inner = inner.tb_next
    return inner or trace


def _leads_to_hook(file: str) -> bool:
    return file.startswith(_PACKAGE) or file.endswith(os.path.join("concurrent", "futures", "_base.py"))


def _innermost(trace: TracebackType | None) -> str:
    """Return ``app.py:7``: the line that raised."""
    if trace is None:
        return "?"
    while trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename
    return f"{file.removeprefix(os.getcwd() + os.sep)}:{trace.tb_lineno}"


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as own:  # a mistake in the exception must not end the replay
        return f"(its text cannot be had: {type(own).__name__})"


# Showing --------------------------------------------------------------------------------------------------

# By the first character of a line, as in every unified diff.
_COLOURS = {"-": "\x1b[31m", "+": "\x1b[32m", "@": "\x1b[36m"}
_RESET = "\x1b[0m"

_WIDTH = 160
"""Characters of a value that are shown."""

_BEFORE = 40
"""Characters shown before the first that differs, where two values are longer than that."""


def render(result: Replay, *, colour: bool = False) -> str:
    """Return the report as text, without a line end after the last line.

    >>> print(render(Replay("scale", "app.py:7", True, messages=2, calls=2, errors=1)))
    Replay of scale   app.py:7
      2 messages, in 0.0 s, a dry run
      2 calls   1 error
    """
    lines = [f"Replay of {result.hook}   {result.where}", *_summary(result)]
    for difference in result.changes[:SHOWN]:
        lines += ["", *_lines_of(difference)]
    lines += _rest(result.changed + result.dropped + result.refused - len(result.changes[:SHOWN]))
    if result.publications:
        lines += ["", "@@ would publish @@" if result.dry_run else "@@ published @@"]
        for one in result.publications[:SHOWN]:
            lines.append(f"+{_on_a_line(one.message)}   ← {_printable(_origin(one.cause))}")
        lines += _rest(result.published - len(result.publications[:SHOWN]))
    for failure in result.failures:
        times = f"{failure.count:,} × " if failure.count > 1 else ""
        head = f"@@ {times}{failure.kind} at {failure.where}, first for {_origin(failure.first)} @@"
        lines += ["", _printable(head), *(f"  {_printable(line)}" for line in failure.traceback.splitlines())]
    return "\n".join(_painted(line) if colour else line for line in lines)


def _summary(result: Replay) -> Iterator[str]:
    period = ""
    if result.first is not None and result.last is not None:
        first, last = _moment(result.first), _moment(result.last)
        period = f" of {first}" if first == last else f" from {first} to {last}"
    how = ", a dry run" if result.dry_run else ""
    how += ", interrupted" if result.interrupted else ""
    yield f"  {_counted(result.messages, 'message')}{period}, in {result.seconds:.1f} s{how}"
    numbers = [(result.changed, "changed"), (result.dropped, "dropped"), (result.refused, "refused")]
    numbers.append((result.published, "would be published" if result.dry_run else "published"))
    counts = [_counted(result.calls, "call"), *(f"{number:,} {what}" for number, what in numbers if number)]
    yield "  " + "   ".join(counts + ([_counted(result.errors, "error")] if result.errors else []))
    if result.own:
        yield f"  {result.own:,} of the program itself left out: the hook is not told of them"


def _lines_of(difference: Difference) -> Iterator[str]:
    reason = f": {difference.reason}" if difference.reason else ""
    yield _printable(f"@@ {difference.kind}{reason}, {_origin(difference.before)} @@")
    if not difference.after:
        yield f"-{_on_a_line(difference.before)}"
    for name, *values in difference.fields:
        texts = [None if value is ABSENT else _as_text(value) for value in values]
        for sign, text in zip("-+", _cut(texts), strict=True):
            if text is not None:
                yield f"{sign}{_printable(f'{name}: {text}')}"
    for message in difference.after[1:]:
        yield f"+{_on_a_line(message)}"


def _on_a_line(message: Message) -> str:
    flags = f"{f'   QoS {message.qos}' if message.qos else ''}{'   retained' if message.retain else ''}"
    return _printable(f"{message.topic} {_shortened(_as_text(message.payload))}{flags}")


def _origin(message: Message) -> str:
    return "   ".join(filter(None, (message.topic, _moment(message.timestamp), message.client_id)))


def _rest(number: int) -> list[str]:
    return [f"  … and {number:,} more"] if number > 0 else []


def _as_text(value: object) -> str:
    """Return a payload as its text, anything else as JSON, so that 1 and "1" are two things."""
    if isinstance(value, bytes):
        text = payload_text(value)
        return f"{len(value):,} bytes {value.hex(' ')}" if text is None else text
    return json.dumps(value, ensure_ascii=False, default=repr)


def _cut(texts: Sequence[str | None]) -> list[str | None]:
    """Shorten what is long, so that the first difference is still there."""
    start = 0
    if len(texts) == 2 and any(len(text or "") > _WIDTH for text in texts):
        letters = zip(texts[0] or "", texts[1] or "", strict=False)
        same = next((index for index, (one, other) in enumerate(letters) if one != other), 0)
        start = max(0, same - _BEFORE)
    return [None if text is None else _shortened(text, start) for text in texts]


def _shortened(text: str, start: int = 0) -> str:
    end = start + _WIDTH
    return ("…" if start else "") + text[start:end] + ("…" if len(text) > end else "")


def _printable(text: str) -> str:
    """Return the text without what could move the cursor: anybody who may publish chooses it."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp).isoformat(" ", "milliseconds")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _painted(line: str) -> str:
    code = _COLOURS.get(line[:1])
    return f"{code}{line}{_RESET}" if code else line
