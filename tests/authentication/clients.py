"""Clients that knock at a broker's door, and what they know that nobody may find in the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

from ..protocol.packets import V5, Connack, Connect
from ..protocol.wire import Wire

BAD_LOGIN, NOT_AUTHORIZED, UNAVAILABLE, BUSY = 0x86, 0x87, 0x88, 0x89

shown: set[str] = set()
"""Every password and token of the test."""


class Answer(NamedTuple):
    """What a CONNACK says."""

    code: int
    reason: str = ""


def secret(text: str) -> str:
    """A text that must not be in the log."""
    shown.add(text)
    return text


def login(
    username: str | None, password: str | bytes | None, client_id: str = "c1", **fields: Any
) -> Connect:
    """A CONNECT with these credentials."""
    if isinstance(password, str):
        password = secret(password).encode()
    return Connect(client_id, username=username, password=password, **fields)


def knock(
    broker: Any,
    username: str | None = None,
    password: str | bytes | None = None,
    *,
    client_id: str = "c1",
    version: int = V5,
    deadline: float = 8.0,
) -> Answer:
    """Connect, and leave again: the code of the CONNACK and its reason."""
    wire = Wire("127.0.0.1", broker.port, version=version, deadline=deadline)
    try:
        wire.send(login(username, password, client_id))
        answer = wire.read()
        assert isinstance(answer, Connack)
        if answer.code:
            wire.expect_closed()
        else:
            wire.disconnect()
        return Answer(answer.code, dict(answer.properties).get("reason_string", ""))
    finally:
        wire.close()


@contextmanager
def connected(
    broker: Any, username: str | None, password: str | bytes | None, client_id: str = "c1", **fields: Any
) -> Iterator[Wire]:
    """A client that has connected."""
    wire = Wire("127.0.0.1", broker.port)
    try:
        wire.connect(login(username, password, client_id, **fields))
        yield wire
    finally:
        wire.close()


def client(username: str | None = None, password: str | bytes | None = None, **more: Any) -> Any:
    """What a service sees of a client, for questions about a service alone."""
    data = secret(password).encode() if isinstance(password, str) else password
    text = data.decode("utf-8", "ignore") if data is not None else None
    made = {
        "client_id": "c1",
        "username": username,
        "password": text,
        "password_bytes": data,
        "address": "127.0.0.1",
        "port": 1,
        "certificate": None,
        "connected_at": 0.0,
    }
    return SimpleNamespace(**made | more)
