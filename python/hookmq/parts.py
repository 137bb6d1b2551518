"""What lives as long as a broker runs: its connectors and authentication services."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
        """End all of them, in the seconds that are ``left()``."""
        for part in self:
            part.stop(left())

    def forget_configured(self) -> None:
        """Forget what the settings of a run have named."""
        self._configured.clear()

    def replace(self, fresh: Parts, broker: Any, data_dir: Path | None, left: Callable[[], float]) -> None:
        """Take what new code has made in the place of what the old code has; what the settings name stays."""
        before = {part.name: part for part in self._own}
        self._own = fresh._own
        for part in self._own:
            if (old := before.pop(part.name, None)) is None:
                part.start(broker, data_dir)
            else:
                part.take_over(old, broker, data_dir, left())
        for part in before.values():
            part.stop(left())
