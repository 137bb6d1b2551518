"""Programs of the broker's own machine: who they are told apart by."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings.config import is_loopback
from .operations.operation import Who
from .problem import Problem
from .request import Request

__all__ = ["OwnMachine", "is_of_this_machine"]

PERMIT = "x-hookmq"
"""The header without which nothing is changed: a page of somebody else's cannot send it unasked."""

# What proxies add. The address that is seen is theirs then, not that of who asks.
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

_HERE = "run the command on the machine on which the broker runs"


@dataclass(frozen=True, slots=True)
class _Identity:
    name: str
    role: str
    via: str


class OwnMachine:
    """Lets every program of the broker's own machine do everything, and nobody else anything.

    The client's address and the name by which it calls the broker must be of the loopback interface, an
    ``Origin`` must be the broker's own, and what changes something must carry the header ``X-HookMQ: 1``.

    >>> OwnMachine().identify(Request("GET", "/", "", {"host": "localhost"}, b"", "127.0.0.1")).role
    'admin'
    """

    def identify(self, request: Request) -> Who:
        """Return who asks. Raises :class:`Problem` if that is nobody who may."""
        reason = _foreign(request)
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if reason is None and origin is not None and origin.partition("://")[2].lower() != host.lower():
            reason = f"pages of {origin} may not ask"
        if reason is not None:
            raise Problem(403, reason, help=_HERE)
        if request.method not in ("GET", "HEAD") and request.headers.get(PERMIT) != "1":
            raise Problem(403, "the header X-HookMQ: 1 is missing", code="csrf")
        return _Identity("", "admin", "local")


def is_of_this_machine(request: Request) -> bool:
    """Say whether a program of the broker's own machine asks, by a name of this machine."""
    return _foreign(request) is None


def _foreign(request: Request) -> str | None:
    headers = request.headers
    # An IPv4 client of a socket that takes both kinds has an address of IPv6.
    if not is_loopback(request.address.removeprefix("::ffff:")):
        return f"only programs on the broker's own machine are answered, not {request.address}"
    if any(name in headers for name in _OF_PROXIES):
        return "only programs on the broker's own machine are answered, not proxies"
    # Somebody else's name that leads here is how a page reaches what it should not: DNS rebinding.
    host = headers.get("host", "")
    if not is_loopback(_name(host)):
        return f"the broker is to be called localhost or by a loopback address, not {host!r}"
    return None


def _name(host: str) -> str:
    """Return a Host header without its port.

    >>> _name("localhost:8080"), _name("[::1]:8080"), _name("127.0.0.1")
    ('localhost', '[::1]', '127.0.0.1')
    """
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
