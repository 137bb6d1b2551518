"""A web server whose answers the test chooses: it stands for the services that are asked over HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]

    @property
    def form(self) -> dict[str, str]:
        """The form of the body."""
        return _first(parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)))


class Reply(NamedTuple):
    """What is answered."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


def as_json(value: Any, status: int = 200) -> Reply:
    """A reply with JSON."""
    return Reply(status, json.dumps(value).encode(), "application/json; charset=utf-8")


class Peer:
    """A server on a free port; `answer` is called with each request, `seen` has them all."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.seen: list[Request] = []
        self.answer: Callable[[Request], Reply] = lambda request: Reply()
        self._context = context
        self._server: ThreadingHTTPServer | None = None
        self._open: set[Any] = set()
        self.connections = 0
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, on the port that it had."""
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                parts = urlsplit(self.path)
                request = Request(
                    self.command,
                    parts.path,
                    _first(parse_qs(parts.query, keep_blank_values=True)),
                    self.rfile.read(length),
                    dict(self.headers),
                )
                peer.seen.append(request)
                reply = peer.answer(request)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = _serve

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def process_request(self, request: Any, client_address: Any) -> None:
                peer.connections += 1
                peer._open.add(request)
                super().process_request(request, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the client went away, as some tests want it

        self._server = Server(("127.0.0.1", self.port), Handler)
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be away, with all connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()


def _first(values: dict[str, list[str]]) -> dict[str, str]:
    return {name: value[0] for name, value in values.items()}
