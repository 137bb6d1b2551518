"""What may be shown of an address, and what in it is secret."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

__all__ = ["secrets_of", "without_secrets"]

_SECRET = re.compile(r"pass|pwd|secret|token|key|auth|sig", re.IGNORECASE)


def without_secrets(url: str) -> str:
    """Return a URL without user, password and query.

    It is cut at the last ``@``, wherever that is: a password in which somebody forgot to escape a ``/`` is
    still not shown.

    >>> without_secrets("mongodb://plant:pa/ss@a:27017,b:27017/db?authSource=admin")
    'mongodb://a:27017,b:27017/db'
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "…"  # anything, perhaps a password
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def secrets_of(url: str) -> tuple[str, ...]:
    """Return the password and the secret looking values of the query of a URL, escaped and not.

    >>> secrets_of("redis://plant:p%40ss@host/0?ssl_password=key")
    ('p%40ss', 'p@ss', 'key')
    """
    rest = url.partition("://")[2]
    credentials, at, _ = rest.rpartition("@")
    password = credentials.partition(":")[2] if at else ""
    query = rest.rpartition("@")[2].partition("?")[2]
    found = [password, unquote(password)]
    found += [value for name, value in parse_qsl(query) if _SECRET.search(name)]
    return tuple(dict.fromkeys(value for value in found if value))
