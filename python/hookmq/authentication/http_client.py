"""How services are asked over HTTP: with time-outs, without redirects, cookies or the environment."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .library import library
from .trouble import Failure, Outage

__all__ = ["HTTPAnswer", "HTTPClient", "checked_url"]

MAX_ANSWER = 1 << 20
"""Bytes of an answer, at most."""

OUT_OF_ORDER = frozenset({429, 502, 503, 504})
"""What is answered in the place of a service that is down or has too much to do."""


class HTTPAnswer(NamedTuple):
    """What a service answered."""

    status: int
    content_type: str
    """In lower case, without parameters."""
    body: bytes

    def object(self) -> dict[str, Any]:
        """Return the JSON object of the body. Raises :class:`Failure` if there is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Failure("its answer is no JSON") from None
        if not isinstance(found, dict):
            raise Failure("its answer is JSON, but no object")
        return found


class HTTPClient:
    """Asks over a pool of connections, from any thread.

    Redirects are not followed: who answers at the other place was not chosen by the operator. For the same
    reason neither proxies nor passwords are taken from the environment or from ``~/.netrc``.

    Args:
        kind, extra: of the service, for the error when ``requests`` is not installed.
        timeout: seconds for a connection, and again for the answer.
        retries: attempts to connect after the first; what has been sent is not sent again.
        ca: path of the authorities' certificates, instead of those that every browser trusts.
        headers: sent with each request.
        auth: user name and password for Basic authentication.
        connections: that are kept.
    """

    def __init__(
        self,
        *,
        kind: str,
        extra: str,
        timeout: float,
        retries: int = 0,
        ca: str | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        connections: int = 8,
    ) -> None:
        self._requests = library("requests", kind=kind, extra=extra)
        self._urllib3 = library("urllib3", kind=kind, extra=extra)
        self._timeout = timeout
        self._retries = retries
        self._verify: bool | str = ca or True
        self._headers = {"User-Agent": "hookmq"} | dict(headers or {})
        self._auth = auth
        self._connections = connections
        self._session = self._opened()
        for name in ("urllib3.connectionpool", "urllib3.util.retry"):
            logging.getLogger(name).addFilter(_without_queries)  # once, however often it is called

    def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | bytes] | None = None,
        data: Mapping[str, str | bytes] | None = None,
        json: object = None,
    ) -> HTTPAnswer:
        """Send a request and return the answer, whatever its status is.

        Raises:
            Outage: if there is none, or 429, 502, 503 or 504.
            Failure: for a redirect, and for an answer that is too long.
        """
        options = {"params": params, "data": data, "json": json}
        try:
            answer = self._send(method, url, options)
        except _Stale:
            answer = self._send(method, url, options)
        if answer.status in OUT_OF_ORDER:
            raise Outage(f"{place(url)} answered {answer.status}")
        if 300 <= answer.status < 400:
            raise Failure(
                f"{place(url)} answered {answer.status}; redirects are not followed: name the other address"
            )
        return answer

    def close(self) -> None:
        """Close the connections. They are opened again when somebody asks."""
        self._session.close()

    def _send(self, method: str, url: str, options: Mapping[str, Any]) -> HTTPAnswer:
        requests = self._requests
        _asking.now = True
        try:
            with self._session.request(
                method, url, timeout=self._timeout, allow_redirects=False, stream=True, **options
            ) as response:
                content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                return HTTPAnswer(int(response.status_code), content_type, self._read(response, url))
        except requests.Timeout:
            raise Outage(f"no answer from {place(url)} within {self._timeout:g} s") from None
        except requests.RequestException as error:
            if any(isinstance(link, self._urllib3.exceptions.ProtocolError) for link in _chain(error)):
                raise _Stale(f"{place(url)} closed the connection") from None
            raise Outage(f"{place(url)}: {_cause(error)}") from None
        finally:
            _asking.now = False

    def _read(self, response: Any, url: str) -> bytes:
        """Read a body, but not for ever: the time-out of the library begins anew with each byte."""
        deadline = time.monotonic() + self._timeout
        found = bytearray()
        for chunk in response.iter_content(65536):
            found += chunk
            if len(found) > MAX_ANSWER:
                raise Failure(f"the answer of {place(url)} is longer than {MAX_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise Outage(f"no whole answer from {place(url)} within {self._timeout:g} s")
        return bytes(found)

    def _opened(self) -> Any:
        from http.cookiejar import DefaultCookiePolicy

        session = self._requests.Session()
        session.trust_env = False
        session.verify = self._verify
        session.headers.update(self._headers)
        session.auth = self._auth
        # With a cookie one client's answer could depend on another's.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        retry = self._urllib3.Retry(
            total=self._retries, connect=self._retries, read=False, redirect=False, status=False, other=0
        )
        adapter = self._requests.adapters.HTTPAdapter(
            pool_maxsize=self._connections, pool_connections=4, max_retries=retry
        )
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session


_asking = threading.local()


def _without_queries(record: logging.LogRecord) -> bool:
    """Cut off the queries that urllib3 puts into its log while we ask: with GET they have passwords."""
    if getattr(_asking, "now", False) and isinstance(record.args, tuple):
        record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in record.args)
    return True


class _Stale(Outage):
    """A connection that was kept turned out to be closed: worth another one, once."""


def checked_url(url: str, what: str = "url") -> str:
    """Return an address of HTTP. Raises ``ValueError`` for what is none, without showing it.

    >>> checked_url("https://auth.example/login")
    'https://auth.example/login'
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError, TypeError):
        good = False
    if not good:
        raise ValueError(f"{what} is an address such as https://auth.example/login")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{what} has a password in it: give it as an option of its own, or as a header")
    return url


def place(url: str) -> str:
    """Return what may be shown of an address.

    >>> place("https://auth.example/login?key=secret")
    'https://auth.example/login'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _cause(error: BaseException) -> str:
    """Say what went wrong below the library; its own words have the address, perhaps with a password."""
    words = [link.strerror for link in _chain(error) if isinstance(link, OSError) and link.strerror]
    return " ".join(words[-1].split()) if words else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [one for one in (link.__cause__, link.__context__) if one is not None]
        waiting += [
            one for one in (*link.args, getattr(link, "reason", None)) if isinstance(one, BaseException)
        ]
