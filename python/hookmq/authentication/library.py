"""Libraries that only some services need, imported when one is made."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import HookMQError

__all__ = ["library"]


def library(module: str, *, kind: str, extra: str, hint: str = "") -> Any:
    """Return a module that an extra of HookMQ installs.

    Args:
        module: its name.
        kind: the service that needs it, for the error.
        extra: what installs it: ``pip install 'hookmq[EXTRA]'``.
        hint: what else is needed.

    Raises:
        HookMQError: E304 if it is not installed, with the command that installs it.

    >>> library("json", kind="example", extra="example").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise HookMQError(
            "E304",
            where=f"authentication by {kind}",
            reason=f"the module `{error.name}` is not installed",
            help=f"install it:   pip install 'hookmq[{extra}]'{hint}",
        ) from None
