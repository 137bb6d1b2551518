"""Between a message and a function whose annotations say what its payload is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any

from .annotated import annotations as annotations_of
from .conversion import InvalidPayload, level_conversion, payload_conversion

__all__ = ["Adapter"]

_READS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Adapter:
    """Calls a function with payloads and topic levels read as its annotations say.

    A positional parameter whose annotation is a type of payload (a dataclass, a ``TypedDict``, a model of
    pydantic or msgspec, ``dict``, ``float``, …) is given the payload; the first of the others is given the
    message. Levels of the topic are read as ``int``, ``float``, an ``Enum`` and so on.

    >>> def watch(level: float, tank: int): print(tank, level)
    >>> from hookmq import Message
    >>> adapter = Adapter.of(watch, ("message",), ["tank"])
    >>> adapter.call(Message("tank/7/level", "42.5"), tank="7")
    7 42.5
    """

    def __init__(
        self,
        function: Callable[..., Any],
        slots: Sequence[Callable[[bytes], Any] | None],
        levels: dict[str, Callable[[str], Any]],
        extra: Collection[str],
    ) -> None:
        self.function = function
        self.target: Callable[..., Any] = function
        """What is called instead, if the function runs elsewhere."""
        self.extra = extra
        """Parameters that are given the payload although they stand where nothing else would."""
        self.positional = 0
        """Of the arguments that the hook is given, how many the function takes."""
        self.invalid = 0
        self.reject: Callable[[Any, InvalidPayload], Any] | None = None
        """What becomes of a payload that is not what an annotation says; by default the error is raised."""
        self._slots = slots
        self._levels = levels
        self.__wrapped__ = function

    @classmethod
    def of(
        cls, function: Callable[..., Any], arguments: Sequence[str], levels: Collection[str]
    ) -> Adapter | None:
        """Return an adapter, or ``None`` if the annotations ask for nothing.

        Raises:
            TypeError: for an annotation that no payload can be read as.
        """
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None
        types = annotations_of(function)
        conversions: dict[str, Callable[[str], Any]] = {}
        slots: list[Callable[[bytes], Any] | None] = []
        extra: set[str] = set()
        for one in parameters:
            if one.name in levels and one.kind is not one.POSITIONAL_ONLY:
                convert = level_conversion(types.get(one.name, str))
                if convert is not None:
                    conversions[one.name] = convert
            elif one.kind in _READS:
                read = payload_conversion(types[one.name]) if one.name in types else None
                # Only what stands in the place of the message, or behind all that is given, is the payload.
                if read is not None and 0 < len(slots) < len(arguments):
                    read = None
                if read is not None and slots:
                    extra.add(one.name)
                slots.append(read)
        if not conversions and not any(slots):
            return None
        return cls(function, slots, conversions, extra)

    def call(self, message: Any, *others: Any, **levels: str) -> Any:
        """Call the function for a message."""
        given = (message, *others)
        try:
            arguments = []
            for index, read in enumerate(self._slots):
                if read is not None:
                    arguments.append(read(message.payload))
                elif index < len(given):
                    arguments.append(given[index])
            converted: dict[str, Any] = dict(levels)
            for name, convert in self._levels.items():
                if name in levels:
                    try:
                        converted[name] = convert(levels[name])
                    except InvalidPayload as error:
                        raise error.within(name) from None
        except InvalidPayload as error:
            self.invalid += 1
            if self.reject is None:
                raise
            return self.reject(message, error)
        return self.target(*arguments, **converted)
