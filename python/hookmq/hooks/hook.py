"""How a function becomes a hook: what is checked, what it wants, what it counts."""

from __future__ import annotations

import contextlib
import copy
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .._hookmq import HookHandle, Stopwatch, check_condition, check_filter
from ..errors import HookMQError
from .functions import (
    defined_again,
    function_name,
    innermost,
    is_coroutine_function,
    same_function,
    where_defined,
)
from .registry import HookSpec

if TYPE_CHECKING:
    from ..execution.processes import ProcessExecutor
    from ..typed.adapter import Adapter

__all__ = ["Hook", "HookInfo", "Options", "Template"]

OVERFLOWS = ("drop_oldest", "drop_newest", "block")
FORMATS = ("messages", "dicts", "arrow")
COLUMNS = ("time", "topic", "client", "qos", "retain", "payload")
FIELD_TYPES = ("float", "int", "str", "bool")

# As rust/rules/src/path.rs reads it.
_STEP = r"""\[(?:\d+|"[^"]*"|'[^']*')\]"""
_PATH = rf"(?:[\w$]+|{_STEP})(?:\.(?:[\w$]+|{_STEP})|{_STEP})*"


@dataclass(frozen=True, slots=True)
class Options:
    """How a hook wants to be called: what its decorator was given."""

    overflow: str | None = None
    priority: int = 0
    where: str | None = None
    payload: bool = True
    threads: int | None = None
    executor: str = "thread"
    workers: int | None = None
    ack: str | None = None
    dead_letter: str | None = None
    max_rows: int = 4096
    max_delay: float = 0.05
    format: str = "messages"
    fields: tuple[tuple[str, str], ...] = ()


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

    Of observers, ``queued`` are events that wait, ``dropped`` those that were lost to a full queue,
    ``skipped`` those that came while it was paused, ``invalid`` payloads that were not what its annotation
    says. ``busy`` is the time spent in the function; ``wait_p50`` and ``wait_p99`` how long events waited for
    it, ``run_p50`` and ``run_p99`` how long calls took: half of them, and 99 of 100, took no longer. All
    times are in seconds.
    """

    name: str
    kind: str
    filter: str | None
    where: str
    thread: str = ""
    overflow: str = ""
    priority: int = 0
    condition: str | None = None
    paused: bool = False
    calls: int = 0
    errors: int = 0
    dropped: int = 0
    queued: int = 0
    skipped: int = 0
    invalid: int = 0
    busy: float = 0.0
    wait_p50: float = 0.0
    wait_p99: float = 0.0
    run_p50: float = 0.0
    run_p99: float = 0.0
    id: str = ""
    """Its name, with a number behind it where a hook that was registered before has the same."""


@dataclass(eq=False)
class Hook:
    """A function that was registered for a kind of hook."""

    spec: HookSpec
    function: Callable[..., Any]
    """What is called: the user's function, or what reads payloads for it."""
    name: str
    template: Template | None
    options: Options
    where: str
    positional: int
    levels: Sequence[tuple[int, str]]
    handle: HookHandle | None = field(default=None, repr=False)
    executor: ProcessExecutor | None = field(default=None, repr=False)
    adapter: Adapter | None = field(default=None, repr=False)
    stopwatch: Stopwatch | None = field(default=None, repr=False)
    """Measures calls that are made from here, not natively."""
    active: int = 0
    """How many of them go on."""
    paused: bool = False
    calls: int = 0
    errors: int = 0
    busy: float = 0.0
    method: str | None = None
    """The authentication method it is for."""

    @classmethod
    def of(
        cls,
        spec: HookSpec,
        function: Callable[..., Any],
        filter: str | None = None,
        options: Options = Options(),
        name: str | None = None,
    ) -> Hook:
        """Check that the function fits the hook. Raises E501 or E502 with what is wrong."""
        where = where_defined(function)

        def unfit(problem: str) -> HookMQError:
            return _unfit(spec, function, where, problem)

        if filter is not None and not spec.filtered:
            raise unfit(f"it takes no topic filter, but was given {filter!r}")
        template = Template.parse(filter) if filter is not None else None
        _check_options(spec, function, options, unfit)
        levels = template.levels if template else ()
        adapter = None
        called = function
        if spec.payload and getattr(innermost(function), "__annotations__", None):
            from ..typed.adapter import Adapter

            try:
                adapter = Adapter.of(function, spec.arguments, [level for _, level in levels])
            except TypeError as error:
                raise unfit(str(error)) from None
        if adapter is not None:
            called = adapter.call
        extra = adapter.extra if adapter else ()
        positional, taken = _fit(spec, function, where, levels, template, extra)
        if adapter is not None:
            adapter.positional = positional
            positional = max(positional, 1)
        named = name or function_name(function)
        return cls(spec, called, named, template, options, where, positional, taken, adapter=adapter)

    @property
    def user_function(self) -> Callable[..., Any]:
        """The function that was registered."""
        return self.adapter.function if self.adapter is not None else self.function

    def user_call(self, *arguments: Any, **levels: str) -> Any:
        """Call the function as for a message, without counting; a payload that does not fit raises."""
        if self.adapter is None:
            return self.function(*arguments, **levels)
        trial = copy.copy(self.adapter)
        trial.reject, trial.target = None, trial.function
        return trial.call(*arguments, **levels)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return is_coroutine_function(self.user_function)

    @property
    def overflow(self) -> str:
        """What happens when more comes than it can take."""
        if self.options.overflow is not None:
            return self.options.overflow
        # Who keeps messages must not lose any.
        return "block" if self.options.ack else self.spec.overflow

    @property
    def thread(self) -> str:
        """On which thread it runs."""
        if self.is_async:
            return "hookmq-asyncio"
        if self.options.executor == "process":
            return f"{self.options.workers or 1} processes"
        if self.options.threads:
            return f"hookmq-{self.name}-N, N < {self.options.threads}"
        return self.spec.thread.partition(",")[0].strip("`").replace("NAME", self.name)

    def info(self) -> HookInfo:
        """Return what is known of it at this moment."""
        handle, executor = self.handle, self.executor
        info = HookInfo(
            self.name,
            self.spec.name,
            self.template.filter if self.template else None,
            self.where,
            self.thread,
            self.overflow,
            self.options.priority,
            self.options.where,
            paused=self.paused,
            calls=self.calls,
            errors=self.errors,
            invalid=self.adapter.invalid if self.adapter is not None else 0,
            busy=self.busy,
        )
        if handle is None:
            return info
        info = replace(
            info,
            calls=info.calls + handle.calls,
            errors=info.errors + handle.errors,
            dropped=handle.dropped,
            queued=handle.queued,
            skipped=handle.skipped,
            busy=handle.busy,
            wait_p50=handle.waited(0.5),
            wait_p99=handle.waited(0.99),
            run_p50=handle.ran(0.5),
            run_p99=handle.ran(0.99),
        )
        if executor is None:
            return info
        # The native side only counts what it handed over.
        return replace(
            info,
            calls=executor.calls,
            errors=executor.errors,
            queued=handle.queued + executor.queued,
            busy=executor.busy,
        )

    def count_anew(self) -> None:
        """Begin to count, at a start of the broker."""
        self.calls = self.errors = 0
        self.busy = 0.0
        if self.adapter is not None:
            self.adapter.invalid = 0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Measure a call, so that one which does not come back is named in the log."""
        running = self.stopwatch.begin() if self.stopwatch is not None else None
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            if running is not None:
                running.end()

    def pause(self, paused: bool) -> None:
        """Keep what happens from it, or no longer. A decider that is paused denies."""
        self.paused = paused
        if self.handle is not None:
            self.handle.pause(paused)

    def replaces(self, other: Hook) -> bool:
        """Say whether this is the same hook once more: the same function, or one that was defined again."""
        if (self.spec, self.name, self.method) != (other.spec, other.name, other.method):
            return False
        if same_function(self.user_function, other.user_function):
            return self.template == other.template
        return defined_again(self.user_function, other.user_function)


def identified(hooks: Iterable[Hook]) -> dict[str, Hook]:
    """Return hooks by what tells each of them apart, in the order of their registration."""
    found: dict[str, Hook] = {}
    for hook in hooks:
        id, number = hook.name, 2
        while id in found:  # one function may have several decorators
            id, number = f"{hook.name} {number}", number + 1
        found[id] = hook
    return found


def _unfit(spec: HookSpec, function: Callable[..., Any], where: str, problem: str) -> HookMQError:
    return HookMQError("E501", hook=spec.name, function=function_name(function), where=where, problem=problem)


def _check_options(
    spec: HookSpec, function: Callable[..., Any], options: Options, unfit: Callable[[str], HookMQError]
) -> None:
    """Raise E501 for options that no hook can have, or not together."""
    is_async = callable(function) and is_coroutine_function(function)
    if options.overflow not in (None, *OVERFLOWS):
        raise unfit(f"overflow is {options.overflow!r}, it must be {one_of(OVERFLOWS)}")
    if options.ack not in (None, "after_hook"):
        raise unfit(f"ack is {options.ack!r}, it must be 'after_hook' or be left out")
    if options.ack and spec.native != "received":
        raise unfit("ack= is for hooks that are told of what clients publish")
    if options.ack and options.overflow not in (None, "block"):
        raise unfit("with ack='after_hook' nothing may be dropped: overflow must be 'block'")
    if options.executor not in ("thread", "process"):
        raise unfit(f"executor is {options.executor!r}, it must be 'thread' or 'process'")
    if options.executor == "process" and (is_async or options.threads or options.ack):
        raise unfit("executor='process' goes neither with async def nor with threads= or ack=")
    if options.threads is not None and (is_async or options.threads < 1):
        raise unfit("threads= is a number from 1 on, and not for async def")
    if options.format not in FORMATS:
        raise unfit(f"format is {options.format!r}, it must be {one_of(FORMATS)}")
    if options.max_rows < 1 or options.max_delay < 0:
        raise unfit("max_rows is a number from 1 on, max_delay is in seconds and not negative")
    if options.fields and options.format != "arrow":
        raise unfit("fields= is for format='arrow'; otherwise read the payloads")
    taken = set(COLUMNS)
    for path, kind in options.fields:
        if kind not in FIELD_TYPES:
            raise unfit(f"the field {path!r} is read as {kind}, it must be {one_of(FIELD_TYPES)}")
        if path in taken:
            raise unfit(f"fields= names {path!r}, but there is a column of this name already")
        taken.add(path)
        if not re.fullmatch(_PATH, path):
            raise unfit(f"{path!r} is no path of a field, such as sensor.values[0]")
    if spec.name == "on_batch" and is_async:
        raise unfit("a batch hook has a thread of its own: write it with def")
    if options.where is not None:
        try:
            check_condition(options.where)
        except ValueError as error:
            raise unfit(f"where={options.where!r}: {error}") from None


def one_of(words: Sequence[str]) -> str:
    """Return words as a choice.

    >>> one_of(["a", "b", "c"])
    "'a', 'b' or 'c'"
    """
    quoted = [repr(word) for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]])


def _fit(
    spec: HookSpec,
    function: Callable[..., Any],
    where: str,
    levels: Sequence[tuple[int, str]],
    template: Template | None,
    extra: Collection[str],
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
        elif one.name in extra:
            positional = max(positional, 1)  # read from the payload of what is given
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
