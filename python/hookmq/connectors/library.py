"""The client library of a service, imported when it is first needed."""

from __future__ import annotations

import importlib
from typing import Any

from .connector import missing

__all__ = ["library"]


def library(module: str, *, kind: str, extra: str) -> Any:
    """Return a module that an extra of HookMQ installs.

    Args:
        module: its name.
        kind: the connector that needs it, for the error.
        extra: what installs it: ``pip install 'hookmq[EXTRA]'``.

    Raises:
        HookMQError: E603 if it is not installed, with the command that installs it.

    >>> library("json", kind="example", extra="example").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise missing(kind, extra, error) from None
