"""The action that calls a Python function."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ...connectors.record import Record
from ...errors import HookMQError
from ...execution.aio import EventLoop
from .action import Option
from .delivery import RETRYING, Context, CourierAction, Delivery, Patience
from .result import Result

__all__ = ["CallFunction"]

RETRIES = 3


class CallFunction(CourierAction):
    """Calls ``module:function`` with each result, and with its source if it takes two arguments."""

    kind = "function"
    what = "calls a Python function with the result, and with what it was selected from if it takes two"
    OPTIONS = (
        Option("function", "str", "`module:function`.", required=True),
        Option("retries", "int", "Attempts after the first, when it raises.", RETRIES),
        *RETRYING[1:],
    )

    def check(self) -> None:
        """Refuse what names no function."""
        module, _, name = str(self.options["function"]).partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
            raise HookMQError(
                "E303",
                where=self.where,
                key="function",
                value=repr(self.options["function"]),
                expected="a module and a function, such as plant.alarms:ring",
            )

    @property
    def target(self) -> str:
        """The function."""
        return str(self.options["function"])

    def delivery(self, name: str, context: Context) -> Delivery:
        """What calls the function. Raises E711 if there is none."""
        return _Calls(name, self.find(), self.target, self.patience, context)

    def preview(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """What would be called, and with what."""
        return {"function": self.target, "result": dict(row)}

    def find(self) -> Callable[..., Any]:
        """Import the function. Raises E711 if there is none."""
        module, _, name = self.target.partition(":")
        here = os.getcwd()
        if here not in sys.path and "" not in sys.path:
            sys.path.append(here)
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except Exception as error:  # whatever the module raises
            reason = f"`{self.target}` cannot be imported: {type(error).__name__}: {error}"
            raise HookMQError("E711", where=self.where, reason=reason) from None
        if not callable(found):
            raise HookMQError("E711", where=self.where, reason=f"`{self.target}` is not a function")
        function: Callable[..., Any] = found
        return function


class _Calls(Delivery):
    kind = "function"

    def __init__(
        self, name: str, function: Callable[..., Any], target: str, patience: Patience, context: Context
    ) -> None:
        super().__init__(name, patience)
        self._function, self._target = function, target
        self._both = _takes_two(function)
        self._loop: Callable[[], EventLoop] = context.event_loop

    def deliver(self, result: Result, record: Record) -> None:
        made = self._function(*(result if self._both else result[:1]))
        if isinstance(made, Coroutine):
            self._loop().ask(lambda: made).result()

    def is_rejection(self, error: Exception) -> bool:
        return False  # it may go better the next time, as often as it is told

    def describe(self) -> str:
        return self._target

    def reason(self, error: BaseException) -> str:
        return f"{type(error).__name__}: {super().reason(error)}"


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):
        return False
    return True
