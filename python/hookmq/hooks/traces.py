"""Where errors came from: frames with their source lines, without keeping anything alive."""

from __future__ import annotations

from ..records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any

__all__ = ["Frame", "Trace", "code_of"]

DEEPEST = 40
"""Frames that are kept of an error, the last of them."""

CHAIN = 5
"""Errors that are kept of those that caused each other."""

AROUND = 3
"""Lines of source before and after the one of a frame."""


class Frame(Record):
    """One frame of a traceback; ``source`` are lines around it as ``(number, text)``."""

    file: str
    line: int
    function: str
    source: tuple[tuple[int, str], ...]


class Trace(Record):
    """An error, what caused it, and the frames it went through.

    >>> try:
    ...     {}["level"]
    ... except KeyError as error:
    ...     trace = Trace.of(error)
    >>> trace.error, [frame.function for frame in trace.frames]
    ("KeyError: 'level'", ['<module>'])
    """

    error: str
    """Its type and text."""
    text: str
    """The traceback as Python prints it."""
    frames: tuple[Frame, ...]
    """From the outermost to the one that raised."""

    @classmethod
    def of(cls, error: BaseException, *, skip: str = "") -> Trace:
        """Return that of an error; leading frames of files below the directory ``skip`` are left out."""
        chain = _chain(error)
        frames = _frames(error.__traceback__, skip)
        parts: list[str] = []
        for one, joint in reversed(chain):
            own = frames if one is error else _frames(one.__traceback__, skip)
            parts.append(_written(one, own) + (f"\n\n{joint}\n" if joint else ""))
        return cls(summary(error), "\n".join(parts), tuple(frames))


def summary(error: BaseException) -> str:
    """Return the type and the text of an error.

    >>> summary(ValueError("no number")), summary(ValueError())
    ('ValueError: no number', 'ValueError')
    """
    try:
        text = str(error)
    except Exception as own:  # a mistake in the exception must not end the thread that reports it
        text = f"(its text cannot be had: {type(own).__name__})"
    return f"{type(error).__name__}: {text[:4000]}" if text else type(error).__name__


def code_of(error: BaseException) -> tuple[tuple[CodeType, int], ...]:
    """Return the frames of an error as code and line, which is cheap and tells places apart."""
    found: list[tuple[CodeType, int]] = []
    step = error.__traceback__
    while step is not None:
        found.append((step.tb_frame.f_code, step.tb_lineno))
        step = step.tb_next
    return tuple(found[-DEEPEST:])


def lines_around(file: str, line: int, around: int = AROUND) -> tuple[tuple[int, str], ...]:
    """Return the lines of a file around one, each with its number."""
    import linecache

    linecache.checkcache(file)
    found = linecache.getlines(file)
    first = max(1, line - around)
    return tuple(
        (number, found[number - 1].rstrip("\n")[:1000])
        for number in range(first, min(line + around, len(found)) + 1)
    )


def _frames(trace: TracebackType | None, skip: str) -> list[Frame]:
    found: list[tuple[str, int, str]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    while skip and len(found) > 1 and found[0][0].startswith(skip):
        del found[0]
    return [Frame(*one, lines_around(one[0], one[1])) for one in found[-DEEPEST:]]


def _chain(error: BaseException) -> list[tuple[BaseException, str]]:
    """Return an error and what led to it, each with the words that join it to the one before."""
    chain: list[tuple[BaseException, str]] = [(error, "")]
    current: BaseException = error
    while len(chain) < CHAIN:
        if current.__cause__ is not None:
            current, joint = current.__cause__, "The above exception was the direct cause of the following:"
        elif current.__context__ is not None and not current.__suppress_context__:
            current, joint = current.__context__, "During handling of it, another exception occurred:"
        else:
            break
        if any(one is current for one, _ in chain):
            break
        chain.append((current, joint))
    return chain


def _written(error: BaseException, frames: list[Frame]) -> str:
    lines = ["Traceback (most recent call last):"] if frames else []
    for frame in frames:
        lines.append(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
        here = [text for number, text in frame.source if number == frame.line]
        if here and here[0].strip():
            lines.append(f"    {here[0].strip()}")
    lines.append(summary(error))
    notes: Any = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        lines += [str(note)[:20_000] for note in notes[:10]]
    return "\n".join(lines)
