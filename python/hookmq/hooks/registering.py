"""What every decorator does: make a hook of a function, and hand it to the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, overload

    from .hook import Hook

    F = TypeVar("F", bound=Callable[..., Any])
else:

    def overload(function):
        """Do nothing: what it tells is for type checkers."""
        return function


__all__ = ["Registering", "overload"]


class Registering:
    """What the decorators of hooks have in common.

    What a hook is gets imported with the first one.
    """

    def _add_hook(self, hook: Hook) -> None:
        raise NotImplementedError

    def _decorate(
        self,
        kind: str,
        given: object,
        options: Mapping[str, Any],
        *,
        default: str | None = None,
        method: str | None = None,
    ) -> Any:
        """Register ``given`` if it is the function, else return a decorator for the filter ``given``.

        ``default`` is the filter if none is given, ``method`` the authentication method that it is for.
        """
        from .hook import Hook, Options
        from .registry import HOOKS

        spec = HOOKS[kind]
        chosen = dict(options)
        name = chosen.pop("name", None)
        fields = chosen.get("fields")
        if fields is not None:
            pairs = fields.items() if isinstance(fields, Mapping) else ((path, float) for path in fields)
            chosen["fields"] = tuple((path, getattr(one, "__name__", str(one))) for path, one in pairs)
        if callable(given):
            self._add_hook(Hook.of(spec, given, default, Options(**chosen), name))
            return given

        def decorate(function: F) -> F:
            filter: Any = default if given is None else given
            hook = Hook.of(spec, function, filter, Options(**chosen), name)
            hook.method = method
            self._add_hook(hook)
            return function

        return decorate
