"""A service that is spoken to over HTTP: time-outs everywhere, no redirects, and what its answers mean."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from .library import library

__all__ = ["HTTPService", "Refused", "Unavailable", "cause", "no_http_url", "outcome", "retry_after"]

MAX_ANSWER = 1 << 20
"""Bytes of an answer that are read."""

LONGEST_PAUSE = 3600.0
"""Seconds that a service may ask for with Retry-After, at most."""

_ABOUT_THE_SERVICE = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.MISDIRECTED_REQUEST,
        HTTPStatus.LOCKED,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Of 4xx those that say nothing against the records: the address, the credentials or the moment are wrong."""


class Refused(Exception):
    """The service says that what was sent is at fault: it will never take it. ``text`` is its answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(_answer_in_words(status, text))
        self.status, self.text = status, text


class Unavailable(Exception):
    """The service has not taken what was sent, and may do so later."""


class HTTPService:
    """A session with one service, for one thread.

    Redirects are not followed, because who answers at the other place was not chosen by the operator, and
    neither proxies nor passwords are taken from the environment or from ``~/.netrc``, for the same reason.

    Args:
        kind, extra: of the connector, for the error when ``requests`` is not installed.
        connect_timeout, timeout: seconds for a connection, and for each wait of an answer.
        verify: whether certificates are checked, or the path of the authorities' certificates.
        headers: sent with each request.
        auth: user and password for Basic authentication.
        proxy: URL of a proxy.
    """

    def __init__(
        self,
        *,
        kind: str,
        extra: str,
        connect_timeout: float = 5.0,
        timeout: float = 10.0,
        verify: bool | str = True,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        proxy: str | None = None,
    ) -> None:
        self._kind, self._extra = kind, extra
        self._timeouts = connect_timeout, timeout
        self._verify = verify
        self._headers = dict(headers or {})
        self._auth = auth
        self._proxy = proxy
        self._session: Any = None
        self._not_before = 0.0  # on the monotonic clock: what Retry-After asked for

    def check(self) -> None:
        """Raise E603 if the library is missing."""
        self._requests()

    def send(
        self,
        method: str,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
    ) -> str:
        """Send a request and return what was answered, if that is 2xx.

        Raises:
            Refused: for an answer that says that the request is at fault.
            Unavailable: for every other, and for none; also, without asking, until the time is over that
                the last answer asked for with Retry-After.
        """
        if (pause := self._not_before - time.monotonic()) > 0:
            raise Unavailable(f"it asked to be left alone for another {pause:.0f} s")
        requests = self._requests()
        try:
            with self._opened(requests).request(
                method,
                url,
                data=body,
                headers=headers,
                params=params,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                text = self._read(response)
        except requests.Timeout:
            connect, answer = self._timeouts
            raise Unavailable(
                f"no connection within {connect:g} s, or no answer within {answer:g} s"
            ) from None
        except requests.RequestException as error:
            raise Unavailable(cause(error) or type(error).__name__) from None
        try:
            return outcome(int(response.status_code), text)
        except (Refused, Unavailable):
            self._not_before = time.monotonic() + retry_after(response.headers.get("Retry-After"))
            raise

    def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _requests(self) -> Any:
        return library("requests", kind=self._kind, extra=self._extra)

    def _opened(self, requests: Any) -> Any:
        if self._session is None:
            session = requests.Session()
            session.trust_env = False
            session.verify = self._verify
            session.headers.update({"User-Agent": "hookmq"} | self._headers)
            session.auth = self._auth
            if self._proxy is not None:
                session.proxies = {"http": self._proxy, "https": self._proxy}
            self._session = session
        return self._session

    def _read(self, response: Any) -> str:
        """Read an answer, but not for ever: the time-out of the library begins anew with each byte."""
        deadline = time.monotonic() + self._timeouts[1]
        found = bytearray()
        for chunk in response.iter_content(65536):
            found += chunk
            if len(found) > MAX_ANSWER or time.monotonic() > deadline:
                break
        return found[:MAX_ANSWER].decode(errors="replace")


def outcome(status: int, text: str) -> str:
    """Return what was answered, if that is 2xx.

    Raises:
        Refused: for an answer that says that the request is at fault.
        Unavailable: for every other.
    """
    if 200 <= status < 300:
        return text
    if 400 <= status < 500 and status not in _ABOUT_THE_SERVICE:
        raise Refused(status, text)
    if 300 <= status < 400:
        raise Unavailable(f"it answered {status}, and redirects are not followed: write the address it names")
    raise Unavailable(_answer_in_words(status, text))


def _answer_in_words(status: int, text: str) -> str:
    shown = " ".join(text.split())[:300]
    return f"it answered {status}" + (f": {shown}" if shown else "")


def cause(error: BaseException) -> str:
    """Say what went wrong below a library; nothing if that is not known.

    The library's own words contain the whole address, and so perhaps a token.
    """
    words = [
        str(link.strerror)
        for link in _chain(error)
        if isinstance(link, OSError) and link.strerror is not None
    ]
    return " ".join(words[-1].split()) if words else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def retry_after(value: str | None) -> float:
    """Return the seconds that a header Retry-After asks for, within bounds.

    >>> retry_after("7"), retry_after(None), retry_after("soon")
    (7.0, 0.0, 0.0)
    """
    if value is None:
        return 0.0
    try:
        seconds = float(value) if value.strip().isdigit() else _until(value)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def _until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    return (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds()


def no_http_url(url: str) -> str | None:
    """Say why a text is no URL of HTTP; ``None`` if it is one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its address is no URL"
    if parts.scheme not in ("http", "https"):
        return "its address does not begin with http:// or https://"
    if not parts.hostname or port == 0:
        return "its address names no host"
    return None
