"""Plain records, for modules that every start imports.

:mod:`dataclasses` would do, but it imports :mod:`inspect` and compiles code for each class: that takes longer
than all of a broker's start. For the same reason these modules import :mod:`typing` for type checkers only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    R = TypeVar("R", bound="Record")
else:

    def dataclass_transform(**_):
        """Do nothing: what it tells is for type checkers."""
        return lambda kind: kind


__all__ = ["Record", "changed"]


@dataclass_transform(frozen_default=True)
class Record:
    """An object of named values that cannot be changed; each annotation of the class is one.

    >>> class Point(Record):
    ...     x: int
    ...     y: int = 0
    >>> Point(1), Point(1) == Point(x=1, y=0), changed(Point(1), y=2)
    (Point(x=1, y=0), True, Point(x=1, y=2))
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()
    """The names of the values, in their order."""

    def __init_subclass__(cls) -> None:
        cls.FIELDS = tuple(cls.__annotations__)

    def __init__(self, *values: Any, **named: Any) -> None:
        kind = type(self)
        given = dict(zip(kind.FIELDS, values, strict=False))
        surplus = len(values) > len(kind.FIELDS) or any(
            name in given or name not in kind.FIELDS for name in named
        )
        given.update(named)
        # A default is an attribute of the class.
        if surplus or not all(name in given or hasattr(kind, name) for name in kind.FIELDS):
            raise TypeError(f"{kind.__name__} is made of {', '.join(kind.FIELDS)}; given were {given}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({values})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.FIELDS))


def changed(record: R, **values: Any) -> R:
    """Return a record that differs from another in some values."""
    return type(record)(**{name: getattr(record, name) for name in record.FIELDS} | values)
