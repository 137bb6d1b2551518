"""What the annotations of functions and classes are, resolved where those were defined."""

# Without `from __future__ import annotations`, which would be another `annotations` in this module.

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NewType, Union

__all__ = ["alternatives", "annotations", "class_annotations", "own_annotations", "plain", "shown"]


def annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function's parameters, those that are written as text resolved.

    Names are looked up where the function was defined: in its module, and in the functions around it while
    they run. What cannot be resolved is left out.

    >>> def watch(level: "dict[str, float]", tank: int, unknown: "Nothing"): ...
    >>> annotations(watch)
    {'level': dict[str, float], 'tank': <class 'int'>}
    """
    inner = _innermost(function)
    if not isinstance(inner, types.FunctionType):
        inner = _innermost(getattr(type(inner), "__call__", None))  # noqa: B004 - the method itself is wanted
    if not isinstance(inner, types.FunctionType):
        return {}
    names = _names_around(inner.__qualname__, inner.__globals__)
    for name, cell in zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # it is not assigned yet
            continue
    found = _resolved(own_annotations(inner), inner.__globals__, names)
    found.pop("return", None)
    return found


def _innermost(function: Any) -> Any:
    """Return what ``partial``, methods and decorators were put around."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif callable(function) and hasattr(function, "__wrapped__"):
            function = inspect.unwrap(function)
        else:
            return function


def _names_around(qualname: str, module: Mapping[str, Any]) -> dict[str, Any]:
    """Return the local names of the functions, and classes, that are being run around a definition."""
    around = set()
    while "." in qualname:
        qualname = qualname.rpartition(".")[0].removesuffix(".<locals>")
        around.add(qualname)
    names: dict[str, Any] = {}
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and around:
        if frame.f_globals is module and frame.f_code.co_qualname in around:
            names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names


def own_annotations(owner: Any) -> dict[str, Any]:
    """Return the annotations of a function or class as they were written."""
    if sys.version_info >= (3, 14):  # they are evaluated when asked for, and then a name may be missing
        import annotationlib

        return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(owner)


def _resolved(raw: Mapping[str, Any], module: dict[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, annotation in raw.items():
        # One at a time, so that a name that is missing takes no other annotation with it; in a class, which
        # unlike a function may have ClassVar.
        holder = type("holder", (), {"__annotations__": {name: annotation}})
        try:
            found |= typing.get_type_hints(holder, module, dict(names), include_extras=True)
        except Exception:  # whatever the text of an annotation raises
            continue
    return found


def class_annotations(owner: type) -> dict[str, Any]:
    """Return the resolved annotations of a class and of those it inherits from."""
    found: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        module = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        names = {base.__name__: base} | _names_around(base.__qualname__, module)
        found |= _resolved(own_annotations(base), module, names)
    return found


_QUALIFIERS = ("ClassVar", "Final", "Required", "NotRequired", "ReadOnly")


def plain(annotation: Any) -> tuple[Any, set[str]]:
    """Return what stands in ``Annotated``, ``NewType``, an alias or a qualifier, and those qualifiers."""
    marks = set()
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation = annotation.__origin__
        elif (mark := getattr(origin, "_name", "")) in _QUALIFIERS:
            marks.add(mark)
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # `type Celsius = float`, from Python 3.12 on
            annotation = annotation.__value__
        else:
            return annotation, marks


def alternatives(annotation: Any) -> list[Any]:
    """Return the members of a union, or the one type it is."""
    annotation, _ = plain(annotation)
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return [inner for one in typing.get_args(annotation) for inner in alternatives(one)]
    return [types.NoneType if annotation is None else annotation]


def shown(annotation: Any) -> str:
    """Return a type as it is called in an error."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return annotation if isinstance(annotation, str) else repr(annotation)
