"""What lives as long as a broker runs: its connectors and authentication services."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .log import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Protocol

    from .connectors import ConnectorInfo

    class Part(Protocol):
        """One of them."""

        @property
        def name(self) -> str:
            """What it is called; no two of a broker have the same."""

        def start(self, broker: Any, data_dir: Path | None) -> None:
            """Begin. Raises HookMQError for what cannot be; then it has not begun."""

        def stop(self, grace: float) -> None:
            """End, in so many seconds. Without effect if it has not begun."""

        def info(self) -> ConnectorInfo | None:
            """How it is, if it is a connector."""

        def check(self) -> None:
            """Find what keeps it from beginning. Raises HookMQError."""

        def pair(self, before: Any) -> None:
            """Learn whose place it will take, before its hooks are called."""

        def take_over(self, before: Any, broker: Any, data_dir: Path | None, grace: float) -> None:
            """Begin in the place of another of this name, which ends."""


__all__ = ["Parts"]


class Parts:
    """The parts of a broker; those that the settings name are there for one run only.

    >>> parts = Parts()
    >>> len(list(parts))
    0
    """

    def __init__(self) -> None:
        self._own: list[Part] = []
        self._configured: list[Part] = []

    def __iter__(self) -> Iterator[Part]:
        return iter([*self._own, *self._configured])

    def add(self, part: Part, *, configured: bool = False) -> None:
        """Add one that has not begun. Raises ``ValueError`` if there is one of its name."""
        if any(other.name == part.name for other in self):
            raise ValueError(f"there is a `{part.name}` already; give this one another name: name=…")
        (self._configured if configured else self._own).append(part)

    def remove(self, part: Part) -> None:
        """Forget one of those that were added."""
        self._own.remove(part)

    def start(self, broker: Any, data_dir: Path | None) -> None:
        """Begin with all of them. If one raises, none has begun."""
        begun: list[Part] = []
        try:
            for part in self:
                part.start(broker, data_dir)
                begun.append(part)
        except BaseException:
            for part in begun:
                part.stop(0)
            raise

    def stop(self, left: Callable[[], float]) -> None:
        """End all of them, in the seconds that are ``left()``. An error of one is logged."""
        for part in self:
            try:
                part.stop(left())
            except Exception:
                logger().exception("%s did not end as it should", part.name)

    def forget_configured(self) -> None:
        """Forget what the settings of a run have named."""
        self._configured.clear()

    def pair(self, fresh: Parts) -> None:
        """Say to parts of new code whose place they will take; :meth:`replace` comes next.

        Raises:
            HookMQError: E603 for one that cannot begin.
            ValueError: if there is one of its name that the settings name.
        """
        before = {part.name: part for part in self._own}
        taken = {part.name for part in self._configured}
        for part in fresh._own:
            if part.name in taken:
                raise ValueError(f"the settings name a `{part.name}` already; give it another name: name=…")
            part.check()
        for part in fresh._own:
            if (old := before.get(part.name)) is not None and type(old) is type(part):
                part.pair(old)

    def replace(self, fresh: Parts, broker: Any, data_dir: Path | None, left: Callable[[], float]) -> None:
        """Take what new code has made in the place of what the old code has; what the settings name stays.

        All of them are seen to, also when one raises; the first error is raised then.
        """
        before = {part.name: part for part in self._own}
        self._own = list(fresh._own)
        errors: list[Exception] = []
        for part in self._own:
            old = before.pop(part.name, None)
            try:
                if old is None:
                    part.start(broker, data_dir)
                else:
                    part.take_over(old, broker, data_dir, left())
            except Exception as error:
                part.stop(0)  # whoever waits for it is told
                errors.append(error)
        for part in before.values():
            part.stop(left())
        if errors:
            raise errors[0]
