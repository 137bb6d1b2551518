"""HTTP and WebSockets by hand: what no client sends, and every header that comes back."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

PASSWORD = "correct horse"
DEADLINE = 10.0
ROLES = ("viewer", "operator", "admin")
ACCOUNTS = {"viewer": "vera", "operator": "otto", "admin": "anna"}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name.lower()]

    def header(self, name: str) -> str:
        """The only value of a header, or nothing."""
        values = self.all(name)
        assert len(values) <= 1, (name, values)
        return values[0] if values else ""

    @property
    def media(self) -> str:
        """The type without parameters."""
        return self.header("content-type").partition(";")[0]

    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


def parse(data: bytes) -> list[Answer]:
    """Read whole answers off a stream, strictly."""
    answers = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, f"an answer that is cut off: {head[:200]!r}"
        first, *rows = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1."), first
        headers = [(name.lower(), value.strip()) for name, _, value in (row.partition(":") for row in rows)]
        named = dict(headers)
        status = int(first.split()[1])
        if named.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size, _, data = data.partition(b"\r\n")
                piece, data = data[: int(size, 16)], data[int(size, 16) + 2 :]
                if not piece:
                    break
                body += piece
        else:
            size = int(named.get("content-length", 0))
            body, data = data[:size], data[size:]
        answers.append(Answer(status, headers, body))
    return answers


class HttpSite:
    """The HTTP port of a broker."""

    def __init__(self, start: Any) -> None:
        self.start = start
        self.port = start.http_port
        self.host = f"localhost:{self.port}"
        self.cookies: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    # Speaking -------------------------------------------------------------------------------------------

    def connect(self) -> socket.socket:
        """A connection on which nothing was said yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)

    def send(self, data: bytes, *, patience: float = DEADLINE) -> list[Answer]:
        """Send bytes, and read until the broker closes or says nothing more."""
        with self.connect() as connection:
            received = b""
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
            connection.settimeout(patience)
            try:
                while piece := connection.recv(1 << 16):
                    received += piece
            except (TimeoutError, ConnectionResetError):
                pass
        return parse(received)

    def raw(self, data: bytes) -> Answer:
        """Send bytes that are to be answered once."""
        answers = self.send(data)
        assert len(answers) == 1, [answer.status for answer in answers]
        return answers[0]

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str | None = None,
        via: str = "token",
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Ask as an account's page (`via="cookie"`), or with its token; a `body` that is no bytes is JSON.

        A header of None is left out.
        """
        sent: dict[str, str | None] = {"Host": self.host, "Connection": "close"}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        if body is not None or method not in ("GET", "HEAD"):
            sent["Content-Length"] = str(len(body or b""))
        if who is not None and via == "token":
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        elif who is not None:
            page = {"Cookie": self.cookies[who], "Origin": f"http://{self.host}", "X-HookMQ": "1"}
            sent |= page | {"Sec-Fetch-Site": "same-origin"}
        # Names are the same in whatever case they are written.
        by_name = {name.lower(): (name, value) for name, value in sent.items()}
        by_name |= {name.lower(): (name, value) for name, value in (headers or {}).items()}
        rows = "".join(f"{name}: {value}\r\n" for name, value in by_name.values() if value is not None)
        head = f"{method} {path} HTTP/1.1\r\n{rows}\r\n".encode("utf-8", "surrogateescape")
        answers = self.send(head + (body or b""))
        assert len(answers) == 1, [answer.status for answer in answers]
        return answers[0]

    def get(self, path: str, who: str | None = "admin", **more: Any) -> Answer:
        """What is below `/api/v1/`."""
        return self.ask("GET", f"/api/v1/{path}", who=who, **more)

    def do(self, method: str, path: str, body: Any = None, who: str | None = "admin", **more: Any) -> Answer:
        """Change something below `/api/v1/`."""
        return self.ask(method, f"/api/v1/{path}", body, who=who, **more)

    def page(self, **headers: str | None) -> dict[str, str | None]:
        """The headers of a page of the broker's own."""
        own = {"X-HookMQ": "1", "Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin"}
        return own | {name.replace("_", "-"): value for name, value in headers.items()}

    def is_well(self) -> None:
        """The broker answers, and at once."""
        began = time.monotonic()
        answer = self.ask("GET", "/api/v1/session")
        assert answer.status == 200 and time.monotonic() - began < 3, answer

    # Getting in -----------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Make an account and a token of each role, by the link, and log in as each."""
        login = self.do("POST", "session", {"token": self.start.link}, None, headers=self.page())
        assert login.status == 200, login
        cookie = login.header("set-cookie").partition(";")[0]
        order = ("admin", "operator", "viewer")
        for role in order:
            account = {"name": ACCOUNTS[role], "password": PASSWORD, "role": role}
            made = self.do("POST", "accounts", account, None, headers=self.page(Cookie=cookie))
            assert made.status == 201, made
            if role == "admin":
                cookie = made.header("set-cookie").partition(";")[0]
        for role in order:
            self.cookies[role] = self.login(ACCOUNTS[role])
            body = {"name": f"token of a {role}", "role": role}
            made = self.do("POST", "tokens", body, None, headers=self.page(Cookie=cookie))
            assert made.status == 201, made
            self.tokens[role] = made.json()["token"]

    def login(self, name: str) -> str:
        """Log in, and return the cookie."""
        body = {"name": name, "password": PASSWORD}
        answer = self.do("POST", "session", body, None, headers=self.page(X_Forwarded_For=somewhere()))
        assert answer.status == 200, answer
        return answer.header("set-cookie").partition(";")[0]


# Judging --------------------------------------------------------------------------------------------------


def check_api(answer: Answer) -> None:
    """An answer of the API is JSON that no browser takes for something else, or keeps, or shows to others."""
    if answer.status not in (204, 304):
        wanted = "application/json" if answer.status < 400 else "application/problem+json"
        assert answer.media == wanted, answer
        told = answer.json()
        if answer.status >= 400:
            assert told["status"] == answer.status and told["detail"] and told["code"]
    check_headers(answer)
    assert answer.header("cache-control") == "no-store", answer


def check_headers(answer: Answer) -> None:
    """What every answer of the broker's own has."""
    assert answer.header("x-content-type-options") == "nosniff", answer
    assert answer.header("x-frame-options") == "DENY", answer
    assert answer.header("referrer-policy") == "no-referrer", answer
    for name, value in answer.headers:
        assert not name.startswith("access-control-"), (name, value)
        assert value.isprintable(), (name, value)
    for cookie in answer.all("set-cookie"):
        assert re.match(r"hookmq_session_\d+=", cookie) and "; HttpOnly; SameSite=Strict" in cookie


# WebSockets -----------------------------------------------------------------------------------------------


def frame(
    payload: bytes, opcode: int = 1, *, fin: bool = True, masked: bool = True, size: int | None = None
) -> bytes:
    """A frame as a browser sends it; `size` declares another one."""
    length = len(payload) if size is None else size
    mask = 0x80 * masked
    if length < 126:
        head = bytes([mask | length])
    elif length < 1 << 16:
        head = bytes([mask | 126]) + struct.pack(">H", length)
    else:
        head = bytes([mask | 127]) + struct.pack(">Q", length)
    return bytes([0x80 * fin | opcode]) + head + bytes(4) * masked + payload


class Live:
    """A WebSocket of the live feed."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._data = b""

    def say(self, value: Any) -> None:
        """Send JSON."""
        self.connection.sendall(frame(json.dumps(value).encode()))

    def frames(self, *, patience: float = DEADLINE) -> Iterator[tuple[int, bytes]]:
        """Frames as they come; it ends with the connection."""
        self.connection.settimeout(patience)
        while True:
            while (found := self._take()) is None:
                try:
                    piece = self.connection.recv(1 << 16)
                except ConnectionResetError:
                    return
                if not piece:
                    return
                self._data += piece
            yield found

    def until(self, accept: Any, *, patience: float = DEADLINE) -> Any:
        """The next message for which `accept` is true."""
        for opcode, payload in self.frames(patience=patience):
            if opcode == 1 and accept(value := json.loads(payload)):
                return value
            assert opcode != 8, payload
        raise AssertionError("the connection ended")

    def close_code(self) -> int | None:
        """The code with which the broker closes, None if it just ends."""
        for opcode, payload in self.frames():
            if opcode == 8:
                return int.from_bytes(payload[:2], "big")
        return None

    def _take(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        size, at = data[1] & 127, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            return None
        self._data = data[at + size :]
        return data[0] & 15, data[at : at + size]


@contextlib.contextmanager
def live(
    site: HttpSite,
    path: str = "/api/v1/live",
    *,
    who: str | None = "admin",
    via: str = "cookie",
    **changed: str | None,
) -> Iterator[tuple[int, Live]]:
    """Ask for a WebSocket; gives the status of the answer, and the socket."""
    headers: dict[str, str | None] = {
        "Host": site.host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    if who is not None and via == "cookie":
        headers |= {"Cookie": site.cookies[who], "Origin": f"http://{site.host}"}
    elif who is not None:
        headers["Authorization"] = f"Bearer {site.tokens[who]}"
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    rows = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    with site.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\n{rows}\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(1)
            assert piece, head
            head += piece
        yield int(head.split()[1]), Live(connection)


_addresses = itertools.count(1)


def somewhere() -> str:
    """An address of its own, which a proxy on this machine names: what fails there hinders no other test."""
    number = next(_addresses)
    return f"10.77.{number >> 8}.{number & 255}"


def quoted(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="", errors="surrogatepass")
