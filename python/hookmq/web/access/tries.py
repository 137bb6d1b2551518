"""How often somebody may try to log in."""

from __future__ import annotations

import ipaddress
import threading
import time
from typing import TypeAlias

from ..request import Request
from . import secret
from .refusal import Refusal
from .throttle import Throttle

__all__ = ["Taken", "Tries"]

Taken: TypeAlias = "list[tuple[Throttle, str]]"
"""Where a try counts."""


class Tries:
    """Counts logins that fail: by address and name together, and by each of them alone.

    Who shares an address with one who guesses, or has the name that is guessed, is slowed down and not locked
    out: long pauses are for one name by one address. A browser that has logged in before is counted apart,
    whatever others do.

    >>> tries = Tries()
    >>> request = Request("POST", "/api/v1/session", "", {}, b"", "10.0.0.9")
    >>> for _ in range(5):
    ...     taken = tries.begin(request, "anna")
    >>> tries.begin(request, "anna")
    Traceback (most recent call last):
        ...
    hookmq.web.access.refusal.Refusal: too many logins have failed
    >>> tries.succeeded(tries.begin(request, "anna", device="x"))
    """

    def __init__(self) -> None:
        self._by_address = Throttle(2.0, time.monotonic, free=20)
        self._by_name = Throttle(10.0, time.monotonic, free=20)
        self._by_both = Throttle(900.0, time.monotonic)
        self._lock = threading.Lock()

    def begin(self, request: Request, name: str, *, device: str | None = None) -> Taken:
        """Count a try, and return where; ``device`` is what shows that the browser is known to the account.

        Raises:
            Refusal: 429 if those before it were too many; then it counts nowhere.
        """
        address, name = _counted(request), name[:200]
        if device is not None:
            taken = [(self._by_both, f"device {secret.digest(device)}")]
        else:
            taken = [(self._by_address, address), (self._by_both, f"{address} {name}")]
            taken += [(self._by_name, name)] if name else []
        with self._lock:
            wait = max(throttle.wait(key) for throttle, key in taken)
            if wait > 0:
                raise Refusal.too_often(wait, "too many logins have failed")
            for throttle, key in taken:
                throttle.attempt(key)
        return taken

    def check(self, request: Request) -> None:
        """Raise a refusal (429) if an address has to wait whatever it tries; nothing is counted."""
        wait = self._by_address.wait(_counted(request))
        if wait > 0:
            raise Refusal.too_often(wait, "too many logins have failed")

    def succeeded(self, taken: Taken) -> None:
        """Take a try back that did not fail, and forget those of the name before it."""
        for throttle, key in taken:
            # With an account of one's own nobody is to go on guessing those of others.
            throttle.succeeded(key, forget=throttle is not self._by_address)

    def forget(self) -> None:
        """Forget all failures."""
        for throttle in (self._by_address, self._by_name, self._by_both):
            throttle.clear()


def _counted(request: Request) -> str:
    """Return whose failures are counted together: an address, a network of IPv6, whom a local proxy names."""
    address = request.address.removeprefix("::ffff:")
    try:
        parsed = ipaddress.ip_address(address)
        forwarded = request.headers.get("x-forwarded-for", "")
        if parsed.is_loopback and forwarded:
            # The last one is what the proxy itself has seen.
            parsed = ipaddress.ip_address(forwarded.rpartition(",")[2].strip())
        if parsed.version == 6:
            return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
        return str(parsed)
    except ValueError:
        return address
