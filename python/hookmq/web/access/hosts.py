"""Names by which the broker may be called, and which pages are its own.

A page of somebody else's reaches the broker by a name of its own that leads here (DNS rebinding). Addresses
are no such names, and those of this machine belong to nobody else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from ...settings.config import is_loopback, machine_names
from ..request import Request

__all__ = ["Hosts", "is_of_this_machine", "is_sent_by_a_page", "split"]

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)", re.IGNORECASE)

_DEFAULT_PORTS = {"http": "80", "https": "443"}

# What proxies add. The address that is seen is theirs then, not that of who asks.
_OF_PROXIES = (
    "forwarded",
    "via",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-original-host",
    "true-client-ip",
    "fastly-client-ip",
    "cf-connecting-ip",
)

# What programs do not send, while browsers send one or another, by their age and the request.
_OF_BROWSERS = ("origin", "referer", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest")


class Hosts:
    """The names of a broker: those of the loopback interface, addresses, the machine's, and ``named`` ones.

    A named one may have a port, and ``"*"`` is any. With ``secure`` only pages that came by TLS are its own.

    >>> hosts = Hosts(["broker.example"], machine="Pump7.local")
    >>> [hosts.knows(host) for host in ("localhost:8080", "10.0.0.9", "pump7", "broker.example:80", "evil")]
    [True, True, True, True, False]
    """

    def __init__(
        self, named: Iterable[str] = (), *, machine: str | None = None, secure: bool = False
    ) -> None:
        self._any = "*" in named
        self._named = {one.lower().rstrip(".") for one in named}
        self._machine = machine_names(machine)
        self._secure = secure

    def knows(self, host: str) -> bool:
        """Say whether a Host header is one by which the broker may be called."""
        parts = split(host)
        if parts is None:
            return False
        name, port = parts
        if self._any or name in self._machine or name in self._named or f"{name}:{port}" in self._named:
            return True
        return is_loopback(name) or name.endswith(".localhost") or _is_address(name)

    def is_own(self, origin: str, host: str) -> bool:
        """Say whether an Origin header is of the broker's own pages, which called it by a Host header.

        >>> Hosts().is_own("http://localhost:8080", "localhost:8080")
        True
        >>> [Hosts().is_own(origin, "localhost:8080") for origin in ("http://localhost:3000", "null")]
        [False, False]
        """
        match = _ORIGIN.fullmatch(origin)
        if match is None:
            return False
        scheme = match[1].lower()
        theirs, ours = split(match[2]), split(host)
        if theirs is None or (self._secure and scheme != "https"):
            return False
        name, port = theirs[0], theirs[1] or _DEFAULT_PORTS[scheme]
        if ours is not None and (name, port) == (ours[0], ours[1] or _DEFAULT_PORTS[scheme]):
            return self.knows(host)
        # A proxy that does not hand the browser's Host on.
        return f"{name}:{port}" in self._named or (name in self._named and port in _DEFAULT_PORTS.values())


def split(host: str) -> tuple[str, str | None] | None:
    """Return a Host header's name, in lower case, and its port; ``None`` for what is none.

    >>> split("LocalHost.:8080"), split("[::1]"), split("a b")
    (('localhost', '8080'), ('[::1]', None), None)
    """
    match = _AUTHORITY.fullmatch(host)
    if match is None or (match[2] is not None and int(match[2]) > 65_535):
        return None
    return match[1].lower().rstrip("."), match[2]


def is_of_this_machine(request: Request) -> bool:
    """Say whether a request comes from this machine, without a proxy, by a name of the loopback interface."""
    headers: Mapping[str, str] = request.headers
    # An IPv4 client of a socket that takes both kinds has an address of IPv6.
    if not is_loopback(request.address.removeprefix("::ffff:")):
        return False
    if any(name in headers for name in _OF_PROXIES) or any(
        name.startswith("x-forwarded-") for name in headers
    ):
        return False
    parts = split(headers.get("host", ""))
    return parts is not None and is_loopback(parts[0])


def is_sent_by_a_page(request: Request) -> bool:
    """Say whether a browser sent a request, and not a program."""
    return any(name in request.headers for name in _OF_BROWSERS)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
