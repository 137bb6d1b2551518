"""HTTP requests to one host that a rule may reach: checked, connected to what was checked, not redirected."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from ...connectors.http import MAX_ANSWER, Refused, Unavailable, outcome, retry_after
from .addresses import resolve

__all__ = ["GuardedHTTP"]


class GuardedHTTP:
    """Sends requests to the host of a URL, over one connection that is kept.

    The name is resolved anew for each connection, all of its addresses are checked, and one of these is
    connected to: a name that changes its address in between leads nowhere else. Neither redirects nor
    proxies nor what the environment says are followed.

    Args:
        url: of which scheme, host and port count.
        allow_private: whether addresses that are not public may be reached.
        timeout: seconds for a connection, and again for the answer.
        ca: path of the authorities' certificates.
    """

    def __init__(self, url: str, *, allow_private: bool, timeout: float, ca: str | None = None) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._allow_private = allow_private
        self._timeout = timeout
        self._ca = ca
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._not_before = 0.0

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> str:
        """Send a request and return what was answered, if that is 2xx.

        Raises:
            Refused: for an answer that says that the request is at fault.
            Unavailable: for every other, and for none.
            Forbidden: if the host has an address that may not be reached.
        """
        if (pause := self._not_before - time.monotonic()) > 0:
            raise Unavailable(f"it asked to be left alone for another {pause:.0f} s")
        kept = self._connection is not None
        try:
            status, text, retry = self._ask(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not kept:
                raise Unavailable("it closed the connection without an answer") from None
            # The other side had closed a connection that was kept: worth another one, once.
            status, text, retry = self._asked_anew(method, path, body, headers)
        try:
            return outcome(status, text)
        except (Refused, Unavailable):
            self._not_before = time.monotonic() + retry
            raise

    def abort(self) -> None:
        """Make a request that hangs raise; from any thread."""
        open_socket = self._socket
        if open_socket is not None:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            connection.close()

    def _asked_anew(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, float]:
        try:
            return self._ask(method, path, body, headers)
        except OSError as error:
            raise Unavailable(_words(error)) from None

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, float]:
        """Send a request; return the status, the text, and the seconds that Retry-After asks for."""
        try:
            connection = self._opened()
            connection.request(method, path, body, dict(headers))
            with connection.getresponse() as answer:
                text = self._read(answer)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            raise
        except TimeoutError:
            self.close()
            raise Unavailable(f"no connection, or no answer, within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(_words(error)) from None
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, text, retry_after(answer.headers.get("Retry-After"))

    def _opened(self) -> http.client.HTTPConnection:
        if self._connection is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
            made.sock = self._connect()
            made.auto_open = 0  # nobody but `_connect` chooses whom it speaks to
            if self._secure:
                made.default_port = 443  # which the header Host then leaves out
            self._connection = made
        return self._connection

    def _connect(self) -> socket.socket:
        last: OSError = OSError("it has no address")
        for family, address in resolve(self._host, self._port, allow_private=self._allow_private):
            made = self._socket = socket.socket(family, socket.SOCK_STREAM)
            try:
                made.settimeout(self._timeout)
                made.connect(address)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not self._secure:
                    return made
                context = ssl.create_default_context(cafile=self._ca)
                self._socket = secure = context.wrap_socket(made, server_hostname=self._host)
                return secure
            except OSError as error:
                made.close()
                last = error
        raise last

    def _read(self, answer: http.client.HTTPResponse) -> str:
        """Read an answer, but not for ever: the time-out begins anew with each byte."""
        deadline = time.monotonic() + self._timeout
        found = bytearray()
        while chunk := answer.read1(65536):
            found += chunk
            if len(found) > MAX_ANSWER or time.monotonic() > deadline:
                self.close()
                break
        else:
            answer.read()  # nothing is left, and only now it knows: the connection can be used again
        return found[:MAX_ANSWER].decode(errors="replace")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    with contextlib.suppress(AttributeError):
        if text := error.strerror:  # type: ignore[attr-defined]
            return " ".join(str(text).split())
    return " ".join(str(error).split()) or type(error).__name__
