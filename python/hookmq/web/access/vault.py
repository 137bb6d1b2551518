"""What is kept of accounts, tokens and sessions: in a file that only its owner reads, or in memory."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import HookMQError
from .account import Account, composed, name_problem
from .identity import ROLES
from .session import Session
from .token import ApiToken

__all__ = ["FILE", "Contents", "Vault"]

FILE = "accounts.json"
"""The file in the data directory."""

FORMAT = 1

LARGEST = 32 << 20
"""Bytes of a file that are read at most: some 100,000 sessions."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that is kept; a change is another object, so that it is there as a whole or not at all."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    """By name."""
    tokens: Mapping[str, ApiToken] = field(default_factory=dict)
    """By the hash of the token."""
    sessions: Mapping[str, Session] = field(default_factory=dict)
    """By the hash of the cookie."""

    def but(self, **changed: Mapping[str, Any]) -> Contents:
        """Return what differs in some of it."""
        return replace(self, **changed)


class Vault:
    """Keeps :class:`Contents` in ``DATA_DIR/accounts.json``, or in memory without a directory.

    >>> vault = Vault(None)
    >>> vault.write(vault.read())
    """

    def __init__(self, directory: Path | None) -> None:
        self.path = None if directory is None else directory / FILE
        self._memory = Contents()

    def read(self) -> Contents:
        """Return what is kept; nothing if there is no file yet.

        Raises E724 for a file that cannot be read, or says what cannot be: a part of it lets nobody in.
        """
        if self.path is None:
            return self._memory
        try:
            with open(self.path, "rb") as stream:
                data = stream.read(LARGEST + 1)
        except FileNotFoundError:
            return Contents()
        except OSError as error:
            raise self._unusable((error.strerror or str(error)).lower()) from None
        if len(data) > LARGEST:
            raise self._unusable("it is larger than 32 MiB")
        try:
            return _contents(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise self._unusable(str(error)) from None

    def write(self, contents: Contents) -> None:
        """Keep something else from now on; the file is exchanged as a whole. Raises E703 if it cannot be."""
        if self.path is None:
            self._memory = contents
            return
        data = json.dumps(_plain(contents), ensure_ascii=False, indent=1).encode()
        temporary: str | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(
                prefix=f".{FILE}.", dir=self.path.parent
            )  # its owner's alone
            with open(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self.path)
            temporary = None
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise HookMQError("E703", path=self.path, reason=(error.strerror or str(error)).lower()) from None
        finally:
            if temporary is not None:
                os.unlink(temporary)

    def _unusable(self, reason: str) -> HookMQError:
        assert self.path is not None
        return HookMQError("E724", path=self.path, reason=reason, directory=self.path.parent)


# The file -------------------------------------------------------------------------------------------------


def _plain(contents: Contents) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "accounts": [asdict(one) for one in contents.accounts.values()],
        "tokens": [asdict(one) for one in contents.tokens.values()],
        "sessions": [{"digest": key, **asdict(one)} for key, one in contents.sessions.items()],
    }


def _contents(value: Any) -> Contents:
    """Return what a file says. Raises ``ValueError`` for anything that was not written here."""
    whole = _members(value, "the file", {"format": int, "accounts": list, "tokens": list, "sessions": list})
    if whole["format"] != FORMAT:
        raise ValueError(f"its format is {whole['format']}; this version reads {FORMAT}")
    accounts = _by_key("account", whole["accounts"], _ACCOUNT, lambda one: (one["name"], Account(**one)))
    tokens = _by_key("token", whole["tokens"], _TOKEN, lambda one: (one["digest"], ApiToken(**one)))
    sessions = _by_key(
        "session", whole["sessions"], _SESSION, lambda one: (one.pop("digest"), Session(**one))
    )
    if accounts and not any(one.role == "admin" for one in accounts.values()):
        raise ValueError("no account is an admin's")
    return Contents(accounts, tokens, sessions)


def _by_key(
    what: str,
    values: list[Any],
    kinds: Mapping[str, type | tuple[type, ...]],
    make: Callable[[dict[str, Any]], tuple[str, Any]],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in enumerate(values, start=1):
        where = f"{what} {number}"
        one = _members(value, where, kinds)
        if "role" in one and one["role"] not in ROLES:
            raise ValueError(f"{where} has no role that there is")
        if what == "session" and one["via"] not in ("session", "link"):
            raise ValueError(f"{where} began in no way that there is")
        if what != "session" and (problem := name_problem(one["name"])) is not None:
            raise ValueError(f"the name of {where} cannot be: {problem}")
        one["name"] = composed(one["name"])
        key, made = make(one)
        if key in found:
            raise ValueError(f"{where} is there twice")
        found[key] = made
    return found


_NUMBER, _PERHAPS = (int, float), (int, float, type(None))

_ACCOUNT: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "role": str,
    "password": str,
    "created_at": _NUMBER,
    "last_login_at": _PERHAPS,
}
_TOKEN: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "name": str,
    "role": str,
    "digest": str,
    "created_at": _NUMBER,
    "expires_at": _PERHAPS,
    "last_used_at": _PERHAPS,
}
_SESSION: Mapping[str, type | tuple[type, ...]] = {
    "digest": str,
    "name": str,
    "via": str,
    "created_at": _NUMBER,
    "seen_at": _NUMBER,
}


def _members(value: Any, where: str, kinds: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")
    if value.keys() != kinds.keys():
        raise ValueError(f"{where} does not have exactly the members {', '.join(kinds)}")
    for name, kind in kinds.items():
        one = value[name]
        # JSON of Python's has numbers that are none, and compare with nothing.
        if (
            not isinstance(one, kind)
            or isinstance(one, bool)
            or (isinstance(one, float) and not math.isfinite(one))
        ):
            raise ValueError(f"`{name}` of {where} cannot be that")
    return dict(value)
