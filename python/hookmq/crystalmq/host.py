"""What of a broker this package uses: it is given one, and does not import it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import schedule

    from ..authentication import AuthenticationService
    from ..parts import Part
    from ..settings.config import Settings
    from ..web.sockets import PageSockets

__all__ = ["Host"]

D = TypeVar("D", bound=Callable[..., Any])


class Host(Protocol):
    """A broker; :class:`hookmq.Broker` says what each of these does."""

    @property
    def settings(self) -> Settings:
        """Every setting and where it came from."""

    @property
    def running(self) -> bool:
        """Whether it serves."""

    def publish(self, topic: str, payload: object = None, *, qos: int = 0) -> None:
        """Publish a message."""

    def on_message_received(self, filter: str, /, **options: Any) -> Callable[[D], D]:
        """Call a function with what clients publish."""

    def on_message_sent(self, filter: str, /, **options: Any) -> Callable[[D], D]:
        """Call a function with what is sent to clients."""

    def on_client_connected(self, /, **options: Any) -> Callable[[D], D]:
        """Call a function when a client has connected."""

    def on_client_disconnected(self, /, **options: Any) -> Callable[[D], D]:
        """Call a function when a connection has ended."""

    def on_subscribed(self, /, **options: Any) -> Callable[[D], D]:
        """Call a function when a client has subscribed."""

    def authenticate(self, /, **options: Any) -> Callable[[D], D]:
        """Ask a function whether a client may connect."""

    def authenticate_with(self, service: AuthenticationService) -> None:
        """Ask a service who clients are."""

    def on_startup(self, /, **options: Any) -> Callable[[D], D]:
        """Call a function when the broker has begun to serve."""

    def schedule(self, when: schedule.Job, /, *, name: str | None = None) -> Callable[[D], D]:
        """Call a function at certain times."""

    def route(self, path: str, /, *, methods: tuple[str, ...] | None = None) -> Callable[[D], D]:
        """Serve what a function returns."""

    def websocket(self, path: str, /) -> PageSockets:
        """Make a place for WebSockets of pages."""

    def _add_part(self, part: Part, register: Callable[[], None]) -> None:
        """Start and stop something with the broker."""
