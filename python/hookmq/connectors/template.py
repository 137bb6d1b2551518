"""From a topic to the name of a collection, a key, an index."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .record import Record

__all__ = ["Template"]

_FIELD = re.compile(r"\{(\w*)(?:\[(-?\d+)\])?\}")
_FIELDS = ("topic", "client_id", "kind", "qos", "unixtime", "id", "run", "number", "username")


@dataclass(frozen=True, slots=True)
class Template:
    """A text in which names in braces stand for what a record says.

    ``{topic}``, ``{topic[0]}`` (its first level; ``-1`` is the last), ``{client_id}``, ``{kind}``, ``{qos}``,
    ``{unixtime}`` (whole seconds), ``{id}`` (unique), ``{run}`` and ``{number}`` (together unique). ``%Y``,
    ``%m``, ``%d``, ``%H`` and the other codes of ``strftime`` stand for when it happened, in UTC. A level
    that a topic does not have is empty.

    >>> template = Template.parse("plant-{topic[1]}-%Y.%m.%d")
    >>> template.render(Record(1, 7, "received", 1_650_000_000.0, topic="plant/north/flow"))
    'plant-north-2022.04.15'
    """

    text: str
    parts: tuple[str | tuple[str, int | None], ...]
    """Literal text, and fields with the number of a level."""

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template. Raises ``ValueError`` for a field that no record has, and for lonely braces."""
        if not isinstance(text, str) or not text:
            raise ValueError(f"a template is text such as '{{topic}}', not {text!r}")
        parts: list[str | tuple[str, int | None]] = []
        at = 0
        for found in _FIELD.finditer(text):
            name, level = found.group(1), found.group(2)
            if name not in _FIELDS:
                raise ValueError(f"no record has `{{{name}}}`; there are {', '.join(_FIELDS)}")
            if level is not None and name != "topic":
                raise ValueError(f"`{{{name}}}` has no levels; only a topic has")
            parts += [text[at : found.start()], (name, None if level is None else int(level))]
            at = found.end()
        parts.append(text[at:])
        literal = "".join(part for part in parts if isinstance(part, str))
        if "{" in literal or "}" in literal:
            raise ValueError(f"a brace in {text!r} stands alone; write fields like {{topic}} or {{topic[0]}}")
        return cls(text, tuple(part for part in parts if part))

    @property
    def is_constant(self) -> bool:
        """Whether it is the same for all records."""
        return all(isinstance(part, str) and "%" not in part for part in self.parts)

    def render(self, record: Record) -> str:
        """Return the text for a record."""
        return "".join(
            self._literal(part, record) if isinstance(part, str) else _field(record, *part)
            for part in self.parts
        )

    @staticmethod
    def _literal(text: str, record: Record) -> str:
        return record.moment.strftime(text) if "%" in text else text


def _field(record: Record, name: str, level: int | None) -> str:
    if name == "unixtime":
        return str(int(record.time))
    if name == "username":
        return str((record.detail or {}).get("username") or "")
    if level is None:
        return str(getattr(record, name))
    levels = record.topic.split("/")
    return levels[level] if -len(levels) <= level < len(levels) else ""
