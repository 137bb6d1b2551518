"""What is told to browsers: values that know what changed since a browser was told.

Everything is kept as the JSON that is sent, so it is encoded once for however many browsers. Each change has
a number, and all that is remembered of a browser is the number it has come to, as a mark: one that is slow is
told later all at once, and nothing waits for it.
"""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias

from ..json_text import encode

__all__ = ["NOTHING", "Keyed", "Mark", "State", "Stream", "Whole"]

Mark: TypeAlias = tuple[int, int]
"""How far a browser has come: the change at which its whole began, and the last one that it was told."""

NOTHING: Mark = (0, 0)
"""The mark of a browser that was told nothing yet."""

PIECE = 256 << 10
"""Characters of JSON in one frame, as long as one item is not larger."""

FORGOTTEN = 1000
"""Keys that are gone and remembered, for browsers that were not told yet."""


class State:
    """Something that is watched."""

    def news(self, mark: Mark) -> tuple[str, Mark] | None:
        """Return what to tell a browser that has come to a mark, and to which it comes by that.

        It is the inside of a frame: ``"whole":…`` or ``"set":…``. ``None`` if there is nothing new.
        """
        raise NotImplementedError


class Whole(State):
    """A value that is told as a whole each time it changes.

    >>> state = Whole()
    >>> state.put({"a": 1})
    >>> state.news(NOTHING), state.news((1, 1))
    (('"whole":{"a":1}', (1, 1)), None)
    """

    def __init__(self) -> None:
        self._text: str | None = None
        self._number = 0

    def put(self, value: Any) -> None:
        """Take the value as it is now."""
        text = encode(value)
        if text != self._text:
            self._text = text
            self._number += 1

    def news(self, mark: Mark) -> tuple[str, Mark] | None:
        """Return what to tell a browser; see :class:`State`."""
        if self._text is None or mark[1] == self._number:
            return None
        return f'"whole":{self._text}', (self._number, self._number)


class Keyed(State):
    """Items by key, of which those are told that changed. ``head`` is JSON beside the items of a whole.

    An item may also be a list that grows at its end (:meth:`append`): then a browser is told what was added.

    >>> state = Keyed()
    >>> state.put("a", 1)
    >>> state.put("b", 2)
    >>> state.news(NOTHING)
    ('"whole":{"items":{"a":1,"b":2}}', (3, 3))
    >>> state.put("b", 3)
    >>> state.remove("a")
    >>> state.append("c", "points", 7)
    >>> state.news((3, 3))
    ('"set":{"b":3,"c":{"points":[7]}},"gone":["a"]', (6, 6))
    """

    def __init__(self) -> None:
        self.head = ""
        self._items: dict[str, str] = {}
        # By the number of the change, the last one last: what changed since is read from the end.
        self._changes: dict[str, int] = {}
        self._lists: dict[str, tuple[str, deque[tuple[int, str]]]] = {}
        self._gone: deque[tuple[str, int]] = deque()
        self._number = self._floor = 1

    def __contains__(self, key: str) -> bool:
        return key in self._items or key in self._lists

    def put(self, key: str, item: Any) -> None:
        """Take an item."""
        self.put_text(key, encode(item))

    def put_text(self, key: str, text: str) -> None:
        """Take an item that is JSON already."""
        if self._items.get(key) != text:
            self._items[key] = text
            self._change(key)

    def append(self, key: str, member: str, item: Any, keep: int = 500) -> None:
        """Add to a list, which is the only ``member`` of the item; the newest are kept.

        Such an item is there until :meth:`restart`.
        """
        _, kept = self._lists.setdefault(key, (member, deque(maxlen=keep)))
        self._number += 1
        kept.append((self._number, encode(item)))

    def remove(self, key: str) -> None:
        """Forget an item of :meth:`put`."""
        if self._items.pop(key, None) is not None:
            self._gone.append((key, self._change(key)))
            while len(self._gone) > FORGOTTEN:
                self._forget(*self._gone.popleft())

    def replace(self, items: dict[str, Any]) -> None:
        """Take these and no others."""
        for key in [key for key in self._items if key not in items]:
            self.remove(key)
        for key, item in items.items():
            self.put(key, item)

    def restart(self, head: str = "") -> None:
        """Forget everything: all browsers are told anew."""
        self.head = head
        for known in (self._items, self._changes, self._lists, self._gone):
            known.clear()
        self._number += 1
        self._floor = self._number

    def news(self, mark: Mark) -> tuple[str, Mark] | None:
        """Return what to tell a browser; see :class:`State`."""
        begun, told = mark
        # What was forgotten after its whole began is something that it may still show.
        whole = max(begun, told) < self._floor
        if whole:
            begun, told = self._number, 0
        elif told == self._number:
            return None
        there, gone, told = self._since(told)
        items = ",".join(f"{encode(key)}:{text}" for key, text in there.items())
        if told == self._number:
            begun = told
        if whole:
            return f'"whole":{{{self.head}"items":{{{items}}}}}', (begun, told)
        parts = ([f'"set":{{{items}}}'] if items else []) + ([f'"gone":{encode(gone)}'] if gone else [])
        return ",".join(parts) or '"set":{}', (begun, told)

    def _since(self, told: int) -> tuple[dict[str, str], list[str], int]:
        """Return what changed, what is gone, and up to which change that is: at most one piece."""
        events: list[tuple[int, str, str | None]] = []
        for key, number in reversed(self._changes.items()):
            if number <= told:
                break
            events.append((number, key, None))
        for key, (_, kept) in self._lists.items():
            for number, text in reversed(kept):
                if number <= told:
                    break
                events.append((number, key, text))
        events.sort(key=lambda event: event[0])
        there: dict[str, str] = {}
        added: dict[str, list[str]] = {}
        gone: list[str] = []
        size = 0
        for at, (number, key, piece) in enumerate(events):
            size += len(key) + len(piece if piece is not None else self._items.get(key, ""))
            if at and size > PIECE:
                break
            told = number
            if piece is not None:
                added.setdefault(key, []).append(piece)
            elif key in self._items:
                there[key] = self._items[key]
            else:
                gone.append(key)
        else:
            told = self._number
        for name, texts in added.items():
            there[name] = f'{{"{self._lists[name][0]}":[{",".join(texts)}]}}'
        return there, gone, told

    def _change(self, key: str) -> int:
        self._number += 1
        self._changes.pop(key, None)
        self._changes[key] = self._number
        return self._number

    def _forget(self, key: str, number: int) -> None:
        if self._changes.get(key) == number:
            del self._changes[key]
            self._floor = max(self._floor, number)


class Stream(State):
    """Items in their order, of which the newest are kept: who is slow is told how many were lost.

    Args:
        keep: how many are kept.
        head: the JSON of the first frame's whole; the items that are there then by default.

    >>> state = Stream(keep=2)
    >>> state.news(NOTHING)
    ('"whole":[]', (1, 1))
    >>> for item in "abc":
    ...     state.add(item)
    >>> state.news((1, 1)), state.news((3, 3)), state.news((4, 4))
    (('"add":["b","c"],"lost":1', (4, 4)), ('"add":["c"]', (4, 4)), None)
    """

    def __init__(self, keep: int = 200, head: str | None = None) -> None:
        self.head = head
        self._keep = keep
        self._items: deque[str] = deque()
        self._size = 0
        self._number = 1

    def add(self, item: Any) -> None:
        """Take an item."""
        text = encode(item)
        self._items.append(text)
        self._size += len(text)
        self._number += 1
        while len(self._items) > self._keep or (self._size > PIECE and len(self._items) > 1):
            self._size -= len(self._items.popleft())

    def lose(self, count: int) -> None:
        """Count items that never came here; those before them are not told any more."""
        if count > 0:
            self._items.clear()
            self._size = 0
            self._number += count

    def news(self, mark: Mark) -> tuple[str, Mark] | None:
        """Return what to tell a browser; see :class:`State`."""
        now = (self._number, self._number)
        if mark == NOTHING:
            return f'"whole":{self.head or self._joined(len(self._items))}', now
        missed = self._number - mark[1]
        if missed <= 0:
            return None
        lost = max(0, missed - len(self._items))
        counted = f',"lost":{lost}' if lost else ""
        return f'"add":{self._joined(missed - lost)}{counted}', now

    def _joined(self, count: int) -> str:
        """Return the newest as a list."""
        items = self._items
        return f"[{','.join(items[at] for at in range(len(items) - count, len(items)))}]"
