"""Which hooks there are, and how a function becomes one.

``HOOKS`` is the one registry: decorators, ``broker.hooks`` and the documentation follow it.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, MappingProxyType
from typing import Any

from ._hookmq import HookHandle, check_filter
from .errors import HookMQError

__all__ = [
    "HOOKS",
    "Deny",
    "Hook",
    "HookInfo",
    "HookSpec",
    "Template",
    "bare",
    "defined_again",
    "function_name",
    "same_function",
    "where_defined",
]


class Deny(Exception):
    """Raised by a decider to say no, with words for the client and a reason code.

    ``reason`` goes to a client that may not connect, as the reason string (MQTT 5). ``code`` is a reason
    code of MQTT 5 from 0x80 on; 0x87 is "not authorized", 0x86 "bad user name or password".

    >>> str(Deny("come back tomorrow", code=0x88))
    'come back tomorrow'
    """

    def __init__(self, reason: str = "not authorized", *, code: int = 0x87) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class HookSpec:
    """A kind of hook.

    ``native`` is its name in the native module; ``arguments`` what it is given, by position; a hook that is
    ``filtered`` takes a topic filter, one that ``decides`` answers instead of observing.
    """

    name: str
    when: str
    arguments: tuple[str, ...]
    native: str
    filtered: bool = False
    decides: bool = False


_SPECS = (
    HookSpec(
        "on_message_received",
        "A client published a message, or its will was published. What the broker itself publishes does not "
        "fire it, so a hook that publishes cannot call itself.",
        ("message",),
        "received",
        filtered=True,
    ),
    HookSpec(
        "on_message_sent",
        "A message was sent to a client, once for each receiver; `message.client_id` is the receiver.",
        ("message",),
        "sent",
        filtered=True,
    ),
    HookSpec("on_client_connected", "A client connected.", ("client",), "connected"),
    HookSpec(
        "on_client_disconnected",
        "A client's connection ended; `reason` says why, in words.",
        ("client", "reason"),
        "disconnected",
    ),
    HookSpec(
        "authenticate",
        "A client wants to connect. True lets it in, False refuses it, None has no opinion; with no opinion "
        "from anyone, and with any error or time-out, it is refused.",
        ("client",),
        "authenticate",
        decides=True,
    ),
    HookSpec(
        "enhanced_authenticate",
        "A client of MQTT 5 wants to connect, or proves again who it is, by the authentication method that "
        "the hook names. A generator yields challenges and is given the answers; True, None or bytes at its "
        "end let the client in, False refuses it, and so do an error and a time-out.",
        ("client", "data"),
        "enhanced_authenticate",
        decides=True,
    ),
    HookSpec(
        "authorize",
        "A client wants to publish to a topic, or to subscribe to a filter. True and None allow it if nobody "
        "says False; an error or a time-out denies it.",
        ("client", "action", "topic", "qos", "retain"),
        "authorize",
        decides=True,
    ),
)

HOOKS: Mapping[str, HookSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""The registry: name → :class:`HookSpec`."""


@dataclass(frozen=True, slots=True)
class Template:
    """A topic filter in which ``{name}`` stands for one level that is handed over by name.

    >>> Template.parse("tank/{tank}/level")
    Template(text='tank/{tank}/level', filter='tank/+/level', levels=((1, 'tank'),))
    """

    text: str
    filter: str
    levels: tuple[tuple[int, str], ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template. Raises E502 for what is no topic filter."""
        if not isinstance(text, str):
            raise HookMQError("E502", filter=repr(text), problem="it is not a string")
        parts = text.split("/")
        levels: list[tuple[int, str]] = []
        for index, part in enumerate(parts):
            if "{" not in part and "}" not in part:
                continue
            name = part[1:-1]
            if not (part.startswith("{") and part.endswith("}") and name.isidentifier()):
                problem = f"`{part}` must be a whole level that reads {{name}}"
                raise HookMQError("E502", filter=text, problem=problem)
            if name in (other for _, other in levels):
                raise HookMQError("E502", filter=text, problem=f"it names {{{name}}} twice")
            levels.append((index, name))
            parts[index] = "+"
        filter = "/".join(parts)
        try:
            check_filter(filter)
        except ValueError as error:
            raise HookMQError("E502", filter=text, problem=f"it {error}") from None
        return cls(text, filter, tuple(levels))


@dataclass(frozen=True, slots=True)
class HookInfo:
    """What ``broker.hooks`` tells of a hook: what it is, where it stands, what it counted since the start.

    ``busy`` is in seconds; ``queued`` are events that wait, ``dropped`` those that were lost to a full queue.
    """

    name: str
    kind: str
    filter: str | None
    where: str
    calls: int = 0
    errors: int = 0
    dropped: int = 0
    queued: int = 0
    busy: float = 0.0


@dataclass(eq=False)
class Hook:
    """A function that was registered for a kind of hook."""

    spec: HookSpec
    function: Callable[..., Any]
    name: str
    template: Template | None
    overflow: str
    where: str
    positional: int
    levels: Sequence[tuple[int, str]]
    handle: HookHandle | None = field(default=None, repr=False)
    calls: int = 0
    errors: int = 0
    method: str | None = None
    """The authentication method it is for."""

    @classmethod
    def of(
        cls, spec: HookSpec, function: Callable[..., Any], filter: str | None, overflow: str, name: str | None
    ) -> Hook:
        """Check that the function fits the hook. Raises E501 or E502 with what is wrong."""
        where = where_defined(function)
        if filter is not None and not spec.filtered:
            raise _unfit(spec, function, where, f"it takes no topic filter, but was given {filter!r}")
        template = Template.parse(filter) if filter is not None else None
        if overflow not in ("drop_oldest", "drop_newest"):
            problem = f"overflow is {overflow!r}, it must be 'drop_oldest' or 'drop_newest'"
            raise _unfit(spec, function, where, problem)
        levels = template.levels if template else ()
        positional, taken = _fit(spec, function, where, levels, template)
        named = name or function_name(function)
        return cls(spec, function, named, template, overflow, where, positional, taken)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return is_coroutine_function(self.function)

    def info(self) -> HookInfo:
        """Return what is known of it at this moment."""
        handle = self.handle
        filter = self.template.filter if self.template else None
        if handle is None:
            return HookInfo(self.name, self.spec.name, filter, self.where, self.calls, self.errors)
        return HookInfo(
            self.name,
            self.spec.name,
            filter,
            self.where,
            handle.calls,
            handle.errors + self.errors,
            handle.dropped,
            handle.queued,
            handle.busy,
        )

    def replaces(self, other: Hook) -> bool:
        """Say whether this is the same hook once more: the same function, or one that was defined again."""
        if (self.spec, self.name, self.method) != (other.spec, other.name, other.method):
            return False
        if same_function(self.function, other.function):
            return self.template == other.template
        return defined_again(self.function, other.function)


def same_function(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Say whether two are one function: also a method that was asked for twice, or an equal ``partial``."""
    if isinstance(one, functools.partial) and isinstance(other, functools.partial):
        same = same_function(one.func, other.func)
        return same and one.args == other.args and one.keywords == other.keywords
    return bool(one == other)


def defined_again(new: Callable[..., Any], old: Callable[..., Any]) -> bool:
    """Say whether a function is another of the same name defined anew, as when a cell is run once more.

    Two functions of one name in one file are two, and so are those that one ``def`` makes in a loop; the same
    place compiled again, or another text of the same module, is a repetition. Of two lambdas only the same
    text is one: all of them have the same name.
    """
    mine, theirs = _innermost(new), _innermost(old)
    if getattr(mine, "__module__", None) != getattr(theirs, "__module__", None):
        return False
    here, there = _code_of(mine), _code_of(theirs)
    if here is None or there is None or here is there:
        return False
    if here.co_name == "<lambda>":
        return here == there and here.co_filename == there.co_filename
    return here.co_filename != there.co_filename or here.co_firstlineno == there.co_firstlineno


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Say whether a call makes a coroutine; also of methods, ``partial`` and objects with such a call."""
    call = getattr(function, "__call__", None)  # noqa: B004 - the method itself is wanted
    return inspect.iscoroutinefunction(_innermost(function)) or inspect.iscoroutinefunction(call)


def function_name(function: object) -> str:
    """Return what a function is called; an object that can be called goes by its class."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def where_defined(function: Callable[..., Any]) -> str:
    """Return ``app.py:7``: the file, relative to the working directory if it is below, and the line."""
    code = _code_of(_innermost(function))
    if code is None:
        return "?"
    file, line = code.co_filename, code.co_firstlineno
    try:
        shown = os.path.relpath(file)
    except ValueError:  # another drive
        shown = file
    return f"{file if shown.startswith('..') else shown}:{line}"


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what ``partial`` and decorators were put around."""
    while isinstance(function, functools.partial):
        function = function.func
    if callable(function):
        function = inspect.unwrap(function)
    return function


def _code_of(function: Callable[..., Any]) -> CodeType | None:
    code = getattr(function, "__code__", None) or getattr(
        getattr(type(function), "__call__", None),  # noqa: B004 - the method itself is wanted
        "__code__",
        None,
    )
    return code if isinstance(code, CodeType) else None


def bare(kind: str, function: Callable[..., Any], example: str) -> HookMQError:
    """Return the error for a decorator without the argument it cannot do without."""
    problem = f"it is to be given more than the function; write for example {example}"
    name, where = function_name(function), where_defined(function)
    return HookMQError("E501", hook=kind, function=name, where=where, problem=problem)


def _unfit(spec: HookSpec, function: Callable[..., Any], where: str, problem: str) -> HookMQError:
    return HookMQError("E501", hook=spec.name, function=function_name(function), where=where, problem=problem)


def _fit(
    spec: HookSpec,
    function: Callable[..., Any],
    where: str,
    levels: Sequence[tuple[int, str]],
    template: Template | None,
) -> tuple[int, list[tuple[int, str]]]:
    """Return how many arguments the function takes by position, and which levels by name."""
    if not callable(function):
        raise _unfit(spec, function, where, "it is not a function")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-ins tell nothing: give them all there is
        return len(spec.arguments), []
    names = {name for _, name in levels}
    any_name = any(one.kind is one.VAR_KEYWORD for one in parameters)
    positional, taken = 0, set()
    limit = len(spec.arguments)
    given = ", ".join(spec.arguments)
    for one in parameters:
        if one.kind is one.VAR_POSITIONAL:
            positional = limit
        elif one.name in names and one.kind is not one.POSITIONAL_ONLY:
            taken.add(one.name)
        elif one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            if taken:
                problem = f"`{one.name}` stands behind a level of the topic; the {given} comes first"
                raise _unfit(spec, function, where, problem)
            if positional < limit:
                positional += 1
            elif one.default is one.empty:
                raise _unfit(spec, function, where, _surplus(one.name, given, template))
        elif one.kind is one.KEYWORD_ONLY and one.default is one.empty:
            raise _unfit(spec, function, where, _surplus(one.name, given, template))
    return positional, [(index, name) for index, name in levels if any_name or name in taken]


def _surplus(name: str, given: str, template: Template | None) -> str:
    if template is None:
        return f"it takes `{name}`, but is given {given}"
    return f"it takes `{name}`, but is given {given} and the levels `{template.text}` names as {{…}}"
