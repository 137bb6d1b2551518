"""An MQTT topic filter, as a test in Python and as a condition in SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, true

from hookmq.errors import HookMQError
from hookmq.storage.schema import messages

# SQLite refuses a LIKE pattern of more than 50,000 bytes; a shorter one only lets more rows through to the
# exact test.
_LONGEST_PATTERN = 1_000

_NAME = re.compile(r"\{[^{}/]*\}")


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """A topic filter, ready to be asked about topics.

    `matches` is exact. The SQL conditions select *at least* what matches, so that an index can be used;
    whoever reads with them asks `matches` about every row.

    >>> TopicFilter.parse("plant/{pipe}/flow").matches("plant/north/flow")
    True
    """

    text: str
    """The filter as it was given."""
    prefix: str
    """What every matching topic starts with; the whole topic when there is no wildcard."""
    suffix: str
    """What every matching topic ends with; empty behind `#`."""
    wildcard: bool
    """Whether more than one topic can match."""
    _pattern: re.Pattern[str] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> TopicFilter:
        """Reads a topic filter or a template (`plant/{pipe}/flow`).

        Raises:
            HookMQError: E502, when it is neither.
        """
        if not text:
            raise _invalid(text, "it is empty")
        if "\0" in text:
            raise _invalid(text, "it contains the character U+0000")
        levels = ["+" if _NAME.fullmatch(level) else level for level in text.split("/")]
        for position, level in enumerate(levels):
            if "#" in level and (level != "#" or position != len(levels) - 1):
                raise _invalid(text, "`#` must be the whole last level")
            if "+" in level and level != "+":
                raise _invalid(text, "`+` must be a whole level")

        if "+" not in levels and "#" not in levels:
            return cls.exactly(text)
        wildcards = [position for position, level in enumerate(levels) if level in {"+", "#"}]
        first, last = wildcards[0], wildcards[-1]
        # `a/#` also matches its parent `a` [MQTT-4.7.1-2], so the separator before `#` is not part of the
        # prefix.
        prefix = "/".join(levels[:first])
        if first > 0 and levels[first] != "#":
            prefix += "/"
        suffix = "" if levels[-1] == "#" else "".join("/" + level for level in levels[last + 1 :])
        return cls(text, prefix, suffix, True, _compile(levels))

    @classmethod
    def exactly(cls, topic: str) -> TopicFilter:
        """The filter that matches one topic, whatever characters it has (a topic may contain braces)."""
        return cls(topic, topic, "", False, re.compile(re.escape(topic)))

    def matches(self, topic: str) -> bool:
        """Whether the filter matches the topic."""
        return self._pattern.fullmatch(topic) is not None

    def likeness(self) -> ColumnElement[bool]:
        """A cheap test to make on every row of a walk: equality, or `LIKE 'prefix%suffix'`.

        Only one `%`: with more of them the test could take exponential time on a topic with many levels.
        """
        if not self.wildcard:
            return messages.c.topic == self.prefix
        if not self.prefix and not self.suffix:
            return true()
        prefix, suffix = self.prefix[:_LONGEST_PATTERN], self.suffix[-_LONGEST_PATTERN:]
        return messages.c.topic.like(f"{_escape(prefix)}%{_escape(suffix)}", escape="\\")

    def interval(self) -> ColumnElement[bool] | None:
        """The interval of the topic index that holds every match; None when that would be the whole index."""
        if not self.wildcard:
            return messages.c.topic == self.prefix
        if not self.prefix:
            return None
        # "0" is the character after "/", and topics are compared byte by byte (see schema.py). For `a/#` the
        # interval begins at `a` itself, which lets `a-b` in too: one interval is worth more than an exact
        # condition.
        return and_(messages.c.topic >= self.prefix, messages.c.topic < self.prefix.removesuffix("/") + "0")


def _compile(levels: list[str]) -> re.Pattern[str]:
    # A wildcard as the first level does not match topics that begin with `$` [MQTT-4.7.2-1].
    parts = [r"(?!\$)"] if levels[0] in {"+", "#"} else []
    for position, level in enumerate(levels):
        separator = "/" if position else ""
        if level == "#":
            parts.append("(?:/.*)?" if position else ".*")
        elif level == "+":
            parts.append(separator + "[^/]*")
        else:
            parts.append(separator + re.escape(level))
    return re.compile("".join(parts), re.DOTALL)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _invalid(text: str, problem: str) -> HookMQError:
    return HookMQError("E502", filter=text, problem=problem)
