"""An account of somebody who logs in."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Account", "composed", "name_problem"]

LONGEST_NAME = 64

_NAME = re.compile(r"[^\s\x00-\x1f\x7f/\\](?:[^\x00-\x1f\x7f/\\]*[^\s\x00-\x1f\x7f/\\])?")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who logs in with a password.

    ``password`` is its hash; ``created_at`` and ``last_login_at`` are seconds since the epoch.
    """

    name: str
    role: str
    password: str
    created_at: float
    last_login_at: float | None = None


def composed(name: str) -> str:
    """Return a name as it is kept: the same letters are the same name, however a keyboard makes them.

    >>> composed("A\u0308nne") == "Änne"
    True
    """
    return unicodedata.normalize("NFC", name)


def name_problem(name: str) -> str | None:
    """Say what is wrong with the name of an account or a token, if anything is.

    >>> name_problem("Änne 7"), name_problem("a/b"), name_problem("")
    (None, 'it has a slash, a control character, or a space at an end', 'it is empty')
    """
    if not name:
        return "it is empty"
    if len(name) > LONGEST_NAME:
        return f"it has more than {LONGEST_NAME} characters"
    if not _NAME.fullmatch(name) or not name.isprintable():
        return "it has a slash, a control character, or a space at an end"
    return None
