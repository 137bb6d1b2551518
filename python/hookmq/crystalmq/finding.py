"""Something in a home that its owner should know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["SEVERITIES", "Finding", "Severity"]

Severity: TypeAlias = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From what keeps a home from running to what is merely good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, where, and what to do about it.

    ``where`` is a file and, if there is one, a line: ``conf/mqtt.conf:7``.

    >>> print(Finding("warning", "conf/mqtt.conf:7", "the password is a default", "choose another one"))
    warning: conf/mqtt.conf:7  the password is a default
      help: choose another one
    """

    severity: Severity
    where: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.severity}: {self.where}  {self.text}"
        return f"{line}\n  help: {self.remedy}" if self.remedy else line

    def as_dict(self) -> dict[str, str]:
        """Return it as values that JSON knows."""
        return {"severity": self.severity, "where": self.where, "text": self.text, "remedy": self.remedy}
