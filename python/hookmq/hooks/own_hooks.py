"""The hooks of the broker's own life: ``on_startup`` and ``on_shutdown``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterable

from ..errors import HookMQError
from ..execution.threads import interrupt
from ..log import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..execution.aio import EventLoop
    from .failures import FailureLog
    from .hook import Hook

__all__ = ["OwnHooks"]


class OwnHooks:
    """Calls the hooks of the broker's own life, among all those that are registered."""

    def __init__(self, hooks: Iterable[Hook], loop: Callable[[], EventLoop], failures: FailureLog) -> None:
        self._hooks = hooks
        self._loop = loop
        self._failures = failures

    def start(self) -> None:
        """Call the ``on_startup`` hooks. Raises E510 for the first that raises."""
        for hook in self._of("on_startup"):
            if (error := self._call(hook)) is not None:
                raise HookMQError("E510", hook=hook.name, where=hook.where, problem=str(error)) from error

    def stop(self, grace: float) -> None:
        """Call the ``on_shutdown`` hooks, on a thread of their own: one that does not end is left behind."""
        hooks = self._of("on_shutdown")
        if not hooks:
            return

        def call() -> None:
            for hook in hooks:
                self._call(hook)

        thread = threading.Thread(target=call, name="hookmq-shutdown", daemon=True)
        thread.start()
        thread.join(grace)
        if thread.is_alive():
            logger().warning("an on_shutdown hook did not end in time")
            interrupt(thread)

    def _of(self, kind: str) -> list[Hook]:
        own = [hook for hook in self._hooks if hook.spec.name == kind]
        return sorted(own, key=lambda hook: -hook.options.priority)  # equals as they were registered

    def _call(self, hook: Hook) -> BaseException | None:
        """Call a hook, and return what it raised."""
        hook.calls += 1
        try:
            made: Any = hook.function()
            if isinstance(made, Coroutine):
                self._loop().ask(lambda: made).result()
        except BaseException as error:
            hook.errors += 1
            self._failures.failed(hook.name, error)
            return error
        return None
