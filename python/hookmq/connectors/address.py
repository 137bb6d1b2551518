"""What may be shown of an address, and what in it is secret."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

__all__ = ["HIDDEN", "in_text", "masked", "parts_of", "secrets_of", "without_secrets"]

HIDDEN = "***"
"""What stands for something that is not shown."""

_WEB = re.compile(r"(https?)://([^\s/?#\"'<>\\]+)([/?#][^\s\"'<>]*)?", re.IGNORECASE)
_LONG = 8
"""Characters from which a level of a path may be a secret."""

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


def masked(url: str) -> str:
    """Return a web address with its host alone: its user, its path and its query may be secrets.

    >>> masked("https://plant:pw@hooks.example.com:8443/services/T0/B0?key=x")
    'https://hooks.example.com:8443/***'
    >>> masked("https://hooks.example.com"), masked("https://hooks.example.com/")
    ('https://hooks.example.com', 'https://hooks.example.com/')
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return HIDDEN
    # As `without_secrets`: a password in which somebody forgot to escape a `/` is not shown either.
    behind = rest.rpartition("@")[2]
    host = re.split(r"[/?#]", behind, maxsplit=1)[0]
    bare = (host, f"{host}/")
    return url if rest in bare else f"{scheme}://{host}/{HIDDEN}"


def in_text(text: str) -> str:
    """Return a text with the web addresses in it masked.

    >>> in_text("POST https://hooks.example.com/services/T0?x=1 failed (see http://docs.example)")
    'POST https://hooks.example.com/*** failed (see http://docs.example)'
    """
    return _WEB.sub(lambda found: masked(found[0]), text)


def parts_of(url: str) -> tuple[str, ...]:
    """Return what of a web address may be a secret, for texts in which somebody repeats it.

    >>> parts_of("https://hooks.example.com/services/T0AB/B0CDEFGH?key=x")
    ('/services/T0AB/B0CDEFGH?key=x', '/services/T0AB/B0CDEFGH', 'services', 'B0CDEFGH', 'key=x')
    """
    behind = url.partition("://")[2].rpartition("@")[2]
    whole = behind[len(re.split(r"[/?#]", behind, maxsplit=1)[0]) :]
    path, _, query = whole.partition("?")
    levels = (level for level in path.split("/") if len(level) >= _LONG)
    found = [whole, path, *levels, query]
    return tuple(dict.fromkeys(one for one in found if len(one) > 1))
