"""What is to be known of a function: its name, its place, whether it is a coroutine or another once more."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from types import CodeType
from typing import Any

from ..errors import HookMQError

__all__ = [
    "bare",
    "defined_again",
    "function_name",
    "innermost",
    "is_coroutine_function",
    "same_function",
    "where_defined",
]


def same_function(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Say whether two are one function: also a method that was asked for twice, or an equal ``partial``."""
    if isinstance(one, functools.partial) and isinstance(other, functools.partial):
        same = same_function(one.func, other.func)
        return same and one.args == other.args and one.keywords == other.keywords
    return bool(one == other)


def defined_again(new: Callable[..., Any], old: Callable[..., Any]) -> bool:
    """Say whether a function is another of the same name defined anew, as when a cell is run once more.

    Two functions of one name in one file are two, and so are those that one ``def`` makes in a loop; the same
    place compiled again, or another text of the same module, is a repetition. Of two lambdas only the same
    text is one: all of them have the same name.
    """
    mine, theirs = innermost(new), innermost(old)
    if getattr(mine, "__module__", None) != getattr(theirs, "__module__", None):
        return False
    here, there = code_of(mine), code_of(theirs)
    if here is None or there is None or here is there:
        return False
    if here.co_name == "<lambda>":
        return here == there and here.co_filename == there.co_filename
    return here.co_filename != there.co_filename or here.co_firstlineno == there.co_firstlineno


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Say whether a call makes a coroutine; also of methods, ``partial`` and objects with such a call."""
    call = getattr(function, "__call__", None)  # noqa: B004 - the method itself is wanted
    return inspect.iscoroutinefunction(innermost(function)) or inspect.iscoroutinefunction(call)


def function_name(function: object) -> str:
    """Return what a function is called; an object that can be called goes by its class."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def where_defined(function: Callable[..., Any]) -> str:
    """Return ``app.py:7``: the file, relative to the working directory if it is below, and the line."""
    code = code_of(innermost(function))
    if code is None:
        return "?"
    file, line = code.co_filename, code.co_firstlineno
    try:
        shown = os.path.relpath(file)
    except ValueError:  # another drive
        shown = file
    return f"{file if shown.startswith('..') else shown}:{line}"


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what ``partial`` and decorators were put around.

    >>> innermost(functools.partial(print, 1)) is print
    True
    """
    while isinstance(function, functools.partial):
        function = function.func
    if callable(function):
        function = inspect.unwrap(function)
    return function


def code_of(function: Callable[..., Any]) -> CodeType | None:
    code = getattr(function, "__code__", None) or getattr(
        getattr(type(function), "__call__", None),  # noqa: B004 - the method itself is wanted
        "__code__",
        None,
    )
    return code if isinstance(code, CodeType) else None


def bare(kind: str, function: Callable[..., Any], example: str) -> HookMQError:
    """Return the error for a decorator without the argument it cannot do without."""
    problem = f"it is to be given more than the function; write for example {example}"
    name, where = function_name(function), where_defined(function)
    return HookMQError("E501", hook=kind, function=name, where=where, problem=problem)
