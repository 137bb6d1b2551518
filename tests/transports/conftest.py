"""Fixtures of the tests of transports: certificates, and lines of every kind that are closed at the end."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

from ..limits.conftest import dial
from ..protocol.conftest import connect, root, version
from ..protocol.packets import V5
from .certificates import Authority, Pair
from .doors import door
from .line import Line, open_socket
from .websocket import WebSocket, upgrade

__all__ = ["connect", "dial", "root", "version"]


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def authority(_made: Authority, tmp_path: Path) -> Authority:
    """The authority that signed everybody's certificates; its further files are the test's own."""
    _made.folder = tmp_path
    return _made


@pytest.fixture
def server(authority: Authority) -> Pair:
    """A certificate for this machine."""
    return authority.server()


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    """A client that trusts the authority."""
    return authority.trusting()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """Whatever has a `close()`; it is called at the end of the test."""
    kept: list[Any] = []
    yield kept
    for each in kept:
        each.close()


@pytest.fixture
def secure(lines: list[Any]) -> Callable[..., Line]:
    """`secure(broker, context, kind="mqtts", name="localhost")` gives a line after the TLS handshake."""

    def secure(
        broker: Broker,
        context: ssl.SSLContext,
        *,
        kind: str = "mqtts",
        name: str = "localhost",
        version: int = V5,
        before: bytes = b"",
        **options: Any,
    ) -> Line:
        host, port = door(broker, kind)
        plain = open_socket(port, host=host, **options)
        lines.append(plain)
        if before:
            plain.sendall(before)
        line = Line(context.wrap_socket(plain, server_hostname=name), version=version)
        lines.append(line)
        return line

    return secure


@pytest.fixture
def web(lines: list[Any]) -> Callable[..., Line]:
    """`web(broker, kind="http", path="/mqtt")` gives a line over a WebSocket."""

    def web(
        broker: Broker,
        *,
        kind: str = "http",
        context: ssl.SSLContext | None = None,
        version: int = V5,
        **options: Any,
    ) -> Line:
        host, port = door(broker, kind)
        under: Any = open_socket(port, host=host)
        lines.append(under)
        if context is not None:
            under = context.wrap_socket(under, server_hostname="localhost")
            lines.append(under)
        line = Line(WebSocket(under, upgrade(under, **options)), version=version)
        lines.append(line)
        return line

    return web


@pytest.fixture
def local(lines: list[Any]) -> Callable[..., Line]:
    """`local(path)` gives a line over a Unix socket."""

    def local(path: Path, version: int = V5) -> Line:
        made = socket.socket(socket.AF_UNIX)
        lines.append(made)
        made.settimeout(3)
        made.connect(str(path))
        return Line(made, version=version)

    return local


@pytest.fixture
def access_rules(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """`access_rules("allow …")` gives the setting of a file with these rules."""

    def access_rules(text: str) -> dict[str, str]:
        path = tmp_path / "acl"
        path.write_text(text + "\n")
        return {"access.acl_file": str(path)}

    return access_rules
