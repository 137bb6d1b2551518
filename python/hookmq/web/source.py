"""What the API is about: what operations ask of a broker, whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .._hookmq import NativeBroker
    from ..connectors.health import ConnectorInfo
    from ..execution.aio import EventLoop
    from ..hooks.failures import FailureLog
    from ..hooks.hook import Hook, HookInfo
    from ..rules.book import RuleBook
    from ..rules.live import LiveRule
    from ..scheduler import JobInfo
    from ..settings.config import Settings
    from ..settings.listeners import ListenerInfo

__all__ = ["Recording", "Running", "Source"]


class Recording(Protocol):
    """The history of a run."""

    in_memory: bool

    @property
    def url(self) -> str:
        """The URL of the database, without the password."""

    def count(self) -> int:
        """Return how many messages there are."""

    @property
    def is_well(self) -> bool:
        """Whether the database takes what is published."""

    @property
    def store(self) -> Any:
        """The :class:`~hookmq.storage.HistoryStore`."""

    def counters(self) -> dict[str, int]:
        """Return what was counted."""


class Running(Protocol):
    """One run of a broker, as :class:`hookmq.run.Run` is."""

    @property
    def settings(self) -> Settings:
        """Its settings."""

    @property
    def native(self) -> NativeBroker:
        """The native broker."""

    @property
    def listeners(self) -> list[ListenerInfo]:
        """Where MQTT is served."""

    @property
    def http_port(self) -> int | None:
        """Where HTTP is served."""

    @property
    def recorder(self) -> Recording | None:
        """The history, if there is one."""

    @property
    def is_ready(self) -> bool:
        """Whether clients are to be sent here: from the end of ``on_startup`` until the stop begins."""

    @property
    def started_at(self) -> float:
        """When it began, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Source:
    """What operations ask of a broker; each is called when it is asked for.

    What needs a running broker raises E503 when it does not run.
    """

    run: Callable[[], Running]
    hooks: Callable[[], Sequence[HookInfo]]
    hook: Callable[[str], Hook]
    """By its name; raises E508 if there is none."""
    failures: FailureLog
    jobs: Callable[[], Sequence[JobInfo]]
    run_job: Callable[[str], bool]
    """Start a run of a job now, unless one goes on; raises E508 if there is none of the name."""
    connectors: Callable[[], Sequence[ConnectorInfo]]
    bridges: Callable[[], Sequence[Any]]
    authenticators: Callable[[], Sequence[str]]
    """The names of those who say who a client is: hooks and services."""
    deciders: Callable[[str], Sequence[Hook]]
    """The hooks that are asked, by their kind, in their order."""
    reload_files: Callable[[], None]
    """Read certificates, users and access rules again."""
    book: Callable[[], RuleBook]
    rules: Callable[[], Sequence[LiveRule]]
    """Without making a book, if there is none."""
    pause: Callable[[str, bool, Sequence[str]], None]
    """Is called with a name, whether it is to be paused, and ``["hook"]``, ``["job"]`` or ``["bridge"]``."""
    reload: Callable[[], None]
    """Load the app's code again, or read certificates, users and access rules again if there is no code."""
    statistics: Callable[[], dict[str, int]]
    publish: Callable[..., Any]
    """As ``Broker.publish``, for whoever is named first: hooks are called as for a client."""
    loop: Callable[[], EventLoop]
    app: Callable[[], str | None]
    """Where the app's code is, if it is known."""
