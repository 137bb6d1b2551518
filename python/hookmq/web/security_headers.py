"""Headers by which browsers keep other pages out, and what a proxy has put in front of the paths.

``X-Content-Type-Options: nosniff`` is not among them: the native side adds it to every answer of this port.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from .access.hosts import split

__all__ = ["COMMON", "FRESH", "attachment", "base_href", "content_security_policy", "of_page", "without_base"]

COMMON: Mapping[str, str] = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer of the broker's own: pages, their files, the API."""

FRESH: Mapping[str, str] = {**COMMON, "Cache-Control": "no-store"}
"""Of answers of the API: what is true now may not be so in a moment."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src {connect}; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def content_security_policy(host: str) -> str:
    """Return the policy of a page that was called by a Host header.

    The host is written out because some browsers do not take WebSockets for ``'self'``.

    >>> content_security_policy("localhost:8080").split("; ")[5]
    "connect-src 'self' ws://localhost:8080 wss://localhost:8080"
    >>> content_security_policy("x; script-src *").split("; ")[5]
    "connect-src 'self'"
    """
    connect = "'self'"
    if (parts := split(host)) is not None:
        named = parts[0] if parts[1] is None else f"{parts[0]}:{parts[1]}"
        connect += f" ws://{named} wss://{named}"
    return _POLICY.format(connect=connect)


def of_page(host: str) -> dict[str, str]:
    """Return the headers of a page of the broker's own, which was called by a Host header.

    >>> sorted(of_page("localhost"))[:2]
    ['Content-Security-Policy', 'Cross-Origin-Opener-Policy']
    """
    return {
        **COMMON,
        "Content-Security-Policy": content_security_policy(host),
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def attachment(name: str) -> str:
    """Return the Content-Disposition of a download.

    Whatever stands in the name, also a line break or a quotation mark, it stays one name of a file.

    >>> attachment("tank/1.csv")
    'attachment; filename="tank-1.csv"'
    >>> attachment('é";x="1.csv')
    'attachment; filename="---x--1.csv"; filename*=UTF-8\\'\\'%C3%A9-%3Bx%3D-1.csv'
    """
    from urllib.parse import quote

    cleaned = "".join(char if char.isprintable() and char not in '/\\"' else "-" for char in name)[
        :200
    ].strip(". ")
    plain = "".join(
        char if char.isascii() and (char.isalnum() or char in "-_. ()") else "-" for char in cleaned
    )
    header = f'attachment; filename="{plain or "download"}"'
    return (
        header
        if plain == cleaned
        else f"{header}; filename*=UTF-8''{quote(cleaned, safe='', errors='replace')}"
    )


def without_base(path: str, base: str) -> str:
    """Return a path without what a proxy has put in front of it, whether or not the proxy has taken it away.

    >>> without_base("/mqtt-broker/api/v1/hooks", "/mqtt-broker"), without_base("/api", "/mqtt-broker")
    ('/api/v1/hooks', '/api')
    >>> without_base("/mqtt-brokers", "/mqtt-broker"), without_base("/mqtt-broker", "/mqtt-broker")
    ('/mqtt-brokers', '/')
    """
    if not base:
        return path
    if path == base:
        return "/"
    return path[len(base) :] if path.startswith(f"{base}/") else path


def base_href(base: str) -> str:
    """Return the element of a page's head by which its relative URLs are found.

    >>> base_href("/mqtt-broker"), base_href("")
    ('<base href="/mqtt-broker/">', '<base href="/">')
    """
    return f'<base href="{html.escape(base)}/">'
