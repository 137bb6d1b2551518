"""Asking a running broker through the API of its HTTP port."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from hookmq.errors import ERRORS, HookMQError

from .run import DATA_DIR
from .usage import UsageError

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPResponse

    from hookmq.settings.config import Settings

__all__ = ["NOTHING_GIVEN", "HttpApi", "add_api_flags"]

TIMEOUT = 30.0
"""Seconds the broker has to answer."""

NOTHING_GIVEN = {"url": None, "cafile": None, "token_file": None, "config": None, "json": False}
"""What the flags of :func:`add_api_flags` are where they are left out."""

_PREFIX = "/api/v1/"

_PIECE = 1 << 16


def add_api_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which broker is asked, and ``--json``.

    They have no defaults, so that they can be given before and after the word for an action: the parser of
    the command has :data:`NOTHING_GIVEN`.
    """
    no = argparse.SUPPRESS
    where = "the broker's HTTP port (http_port of the configuration, http://127.0.0.1:8080)"
    parser.add_argument("--url", metavar="URL", default=no, help=where)
    parser.add_argument("--cafile", metavar="FILE", default=no, help="certificates to trust, for https")
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        default=no,
        help="file with an API token (else HOOKMQ_TOKEN, or the local token of the data directory)",
    )
    parser.add_argument(
        "--config", metavar="FILE", default=no, help="configuration file (hookmq.toml, if it is there)"
    )
    parser.add_argument("--json", action="store_true", default=no, help="print JSON")


class HttpApi:
    """The API of the broker at a URL; ``command`` is what the help of an error tells to type.

    Raises ``UsageError`` for what is no such URL, E701 for a file of certificates that cannot be used.

    >>> HttpApi("http://localhost", command="hookmq jobs").address
    ('localhost', 80)
    """

    def __init__(
        self,
        url: str,
        *,
        command: str,
        cafile: str | None = None,
        pinned: bool = False,
        token: str | None = None,
    ) -> None:
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80}.get(parts.scheme, 443)
        except (KeyError, ValueError):
            raise UsageError(_no_url(url)) from None
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise UsageError(_no_url(url))
        self.url = url.rstrip("/")
        self.address = (parts.hostname, port)
        self._path = parts.path.rstrip("/")
        self._command = command
        self._token = token
        self._local_token: str | None = None
        """What is tried where no token was given."""
        self._cookie: str | None = None
        """Of the session that :meth:`login` has begun."""
        self._logs_in = False
        self._context = _context(cafile, pinned) if parts.scheme == "https" else None

    @classmethod
    def of(cls, options: argparse.Namespace, *, command: str) -> HttpApi:
        """Return the API of the broker that the flags name, or else the configuration.

        Raises E402 if the configuration says no port, and E3xx if it cannot be read.
        """
        token = _given_token(options.token_file)
        if options.url is not None:
            from hookmq.settings.config import is_loopback

            api = cls(options.url, command=command, cafile=options.cafile, token=token)
            if token is None and is_loopback(api.address[0]):
                with contextlib.suppress(HookMQError):  # a configuration that nobody asked for
                    api._local_token = _local_token(_settings(options))
            return api
        settings = _settings(options)
        port = settings["http_port"]
        if not port:
            serves = "the broker serves no HTTP" if port is None else "the broker's HTTP port is any free one"
            raise HookMQError("E402", f"{serves} ({settings.origin('http_port')})", help=_name_it(command))
        host = str(settings["host"])
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        named = f"[{host}]" if ":" in host else host
        if not settings["tls.http"]:
            api = cls(f"http://{named}:{port}", command=command, token=token)
        else:
            # The certificate is for the name that others call it by: it is to be this one, not of this name.
            cafile, pinned = (options.cafile, False) if options.cafile else (str(settings["tls.cert"]), True)
            url = f"https://{named}:{port}"
            api = cls(url, command=command, cafile=cafile, pinned=pinned, token=token)
        if token is None:
            api._local_token = _local_token(settings)
        return api

    def login(self, name: str, password: str) -> None:
        """Ask from now on as an account, until :meth:`logout`. Raises E401 if it is refused."""
        self._token, self._local_token, self._logs_in = None, None, True
        self.send("POST", "session", body={"name": name, "password": password})

    def logout(self) -> None:
        """End the session that :meth:`login` has begun."""
        self.send("DELETE", "session")
        self._cookie = None

    def get(self, path: str) -> Any:
        """Return what is below a path.

        Raises E401 if it is refused, E402 if no broker answers, or the error that the broker answers with.
        """
        return self._ask("GET", path)

    def list(self, path: str, *, limit: int | None = None, **query: Any) -> dict[str, Any]:
        """Return ``items`` and ``total`` of a list: all of them page by page, or the first ``limit``.

        Parameters that are None are left out. Raises as :meth:`get`.
        """
        from urllib.parse import urlencode

        given = {name: _written(value) for name, value in query.items() if value is not None}
        found: list[Any] = []
        cursor: str | None = None
        while True:
            left = 1000 if limit is None else min(1000, limit - len(found))
            page = given | {"limit": str(left)} | ({} if cursor is None else {"cursor": cursor})
            answer: dict[str, Any] = self.get(f"{path}?{urlencode(page)}")
            found += answer["items"]
            cursor = answer["next"]
            if cursor is None or (limit is not None and len(found) >= limit):
                return answer | {"items": found, "next": cursor}

    def post(self, *parts: str) -> Any:
        """Let something be done, and return the answer; the path is given in parts. Raises as :meth:`get`."""
        from urllib.parse import quote

        return self._ask("POST", "/".join(quote(part, safe="") for part in parts))

    def send(self, method: str, *parts: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        """Send JSON, and return the answer; the path is given in parts. Raises as :meth:`get`."""
        from urllib.parse import quote, urlencode

        path = "/".join(quote(part, safe="") for part in parts)
        return self._ask(method, path + (f"?{urlencode(query)}" if query else ""), body)

    def download(self, path: str, into: BinaryIO, **query: Any) -> int:
        """Write what is answered into a file, piece by piece, and return the bytes. Raises as :meth:`get`."""
        from urllib.parse import urlencode

        given = {name: _written(value) for name, value in query.items() if value is not None}
        written = 0

        def take(answer: HTTPResponse) -> bytes:
            nonlocal written
            if answer.status != 200:
                return answer.read()
            while piece := answer.read(_PIECE):
                written += into.write(piece)
            return b""

        whole = f"{path}?{urlencode(given)}"
        status, text = self._exchange("GET", whole, None, self._token or self._local_token, take)
        if status == 401 and self._token is None and self._local_token is not None:
            status, text = self._exchange("GET", whole, None, None, take)
        if status != 200:
            self._read(status, text)
        return written

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        status, text = self._exchange(method, path, body, self._token or self._local_token)
        if status == 401 and self._token is None and self._local_token is not None:
            # It is of another broker, or of an earlier start; where nobody has an account none is needed.
            status, text = self._exchange(method, path, body, None)
        return self._read(status, text)

    def _exchange(
        self,
        method: str,
        path: str,
        body: Any,
        token: str | None,
        take: Callable[[HTTPResponse], bytes] | None = None,
    ) -> tuple[int, bytes]:
        import http.client

        host, port = self.address
        connection = (
            http.client.HTTPConnection(host, port, timeout=TIMEOUT)
            if self._context is None
            else http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._context)
        )
        try:
            sent = None if body is None else json.dumps(body).encode()
            headers = {"X-HookMQ": "1", "X-HookMQ-User": _user()}
            if sent is not None:
                headers["Content-Type"] = "application/json"
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            if self._cookie is not None:
                headers["Cookie"] = self._cookie
            connection.request(method, f"{self._path}{_PREFIX}{path}", sent, headers)
            answer = connection.getresponse()
            if (cookie := answer.headers["Set-Cookie"]) is not None:
                self._cookie = cookie.partition(";")[0]
            return answer.status, answer.read() if take is None else take(answer)
        except (OSError, http.client.HTTPException) as error:
            reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
            help = f"is it running? If its HTTP port is another one, name it:   {self._with_url()}"
            if self._context is not None and _is_no_tls(error):
                reason = "what answers there speaks no TLS"
                help = f"ask it by http:   {self._command} --url http{self.url.removeprefix('https')}"
            raise HookMQError("E402", help=help, host=host, port=port, reason=reason) from None
        finally:
            connection.close()

    def _read(self, status: int, text: bytes) -> Any:
        if status == 204:
            return None
        try:
            values = json.loads(text)
            if status in (200, 201, 202):
                return values
            code, message, help = (values["error"][name] for name in ("code", "message", "help"))
        except (ValueError, TypeError, LookupError):
            message = f"what answers at {self.url} is not the API of a broker: status {status}"
            help = f"if it is another program, or a page of the broker's own:   {self._with_url()}"
            raise HookMQError("E402", message, help=help) from None
        if code in ERRORS:
            raise HookMQError(code, message, help=help or "")
        if status == 401:
            if self._token is None and not self._logs_in:
                help = (
                    f"give an API token in HOOKMQ_TOKEN, or in a file:   {self._command} --token-file FILE\n"
                    "with an account you make one:   hookmq tokens add NAME --user ACCOUNT"
                )
            raise HookMQError("E401", f"the broker refused to answer: {message}", help=help or "")
        if status in (403, 429):
            raise HookMQError("E401", f"the broker refused to answer: {message}", help=help or "")
        # What the API calls a list has a command of the same name here.
        help = re.sub(r"^GET (clients|topics|retained) lists", r"`hookmq \1 ls` lists", help or "")
        raise HookMQError("E402", f"the broker cannot do that: {message}", help=help)

    def _with_url(self) -> str:
        return f"{self._command} --url http://127.0.0.1:8080"


def _no_url(url: str) -> str:
    if url.partition(":")[0] in ("mqtt", "mqtts", "ws", "wss", "tcp", "ssl"):
        return (
            f"--url is {url!r}, which is where MQTT is spoken; commands ask the HTTP port: http://HOST:8080"
        )
    return f"--url is {url!r}; expected http://HOST:PORT"


def _is_no_tls(error: BaseException) -> bool:
    """Say whether an error of TLS means that the other side does not speak it."""
    reason = str(getattr(error, "reason", "") or "")
    return reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _settings(options: argparse.Namespace) -> Settings:
    from hookmq.settings import config

    return config.resolve(arguments={}, flags={"config": options.config} if options.config else {})


def _given_token(path: str | None) -> str | None:
    """Return the API token of a file, or of the environment. Raises E701 for a file that has none."""
    if path is None:
        return os.environ.get("HOOKMQ_TOKEN", "").strip() or None
    from hookmq import api_token

    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise HookMQError("E701", path=path, reason=(error.strerror or str(error)).lower()) from None
    token = api_token.read(path)
    if token is None or not token.isprintable():
        raise HookMQError("E701", path=path, reason="its first line is no API token")
    return token


def _local_token(settings: Settings) -> str | None:
    """Return the token that the broker of a configuration has written into its data directory."""
    from hookmq import api_token

    directory = settings["data_dir"] or DATA_DIR
    return api_token.read(os.path.join(str(directory), api_token.FILE))


def _user() -> str:
    """Return who types the command, for those who look later who has changed something."""
    import getpass

    try:
        return getpass.getuser().encode("ascii", "replace").decode()
    except (OSError, KeyError, ImportError):
        return ""


def _name_it(command: str) -> str:
    return f"name where it is:   {command} --url http://127.0.0.1:8080"


def _context(cafile: str | None, pinned: bool) -> ssl.SSLContext:
    """Return how https is spoken: with what is trusted by the system, or with these certificates alone."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=cafile)
    except OSError as error:  # an error of TLS is one as well
        reason = (error.strerror or str(error)).lower()
        raise HookMQError("E701", path=cafile, reason=reason) from None
    if pinned:
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
