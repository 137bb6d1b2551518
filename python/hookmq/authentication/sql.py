"""Users in a table of a database."""

from __future__ import annotations

import hmac
import math
import os
from typing import TYPE_CHECKING, Any, Unpack

from ..decisions import Deny, Identity
from ..errors import HookMQError
from .library import library
from .password_hashes import SCHEMES, decoy, scheme_of, verify
from .service import Answer, AuthenticationService, ServiceOptions, bad_login, number
from .trouble import Failure, Outage

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["SQLTable"]

QUERY = "SELECT password_hash FROM users WHERE username = :username"
PLACES = ("username", "client_id", "address")


class SQLTable(AuthenticationService):
    """Lets in whose password fits the hash in a table.

    The query returns one row at most, with the hash in its first column. If it has a column ``username`` as
    well, the client is known by that: some databases take ``TANK`` for ``tank``, access rules do not. What
    the client says is only ever bound to ``:username``, ``:client_id`` and ``:address``, never part of the
    statement; the password never reaches the database. A client without a user name is left to others.

    Args:
        url: ``sqlite:///…``, ``postgresql://…``, ``mysql://…``, ``mssql://…``, as that of the history.
        query: which must ask for ``:username``.
        hash: what made the hashes: ``"argon2id"``, ``"bcrypt"``, ``"scrypt"``, ``"pbkdf2"`` (of these also as
            Django writes them) or ``"mosquitto"``; ``"auto"`` sees it from each. ``"plain"`` is for tables
            that have the passwords themselves: whoever reads such a table can log in as everyone.
        timeout: seconds for a connection, and for the answer.
        options: those of all services.

    bcrypt needs ``hookmq[sql-users]``; databases other than SQLite need their driver, such as
    ``hookmq[postgres]``.

    ```python
    query = "SELECT hash, username FROM devices WHERE username = :username"
    broker.authenticate_with(SQLTable("postgresql://mqtt:secret@db/plant", query))
    ```
    """

    kind = "sql"
    # Hashing takes a processor core for each thread, and clients that are connected need some as well.
    defaults = {"threads": max(2, (os.cpu_count() or 2) // 2)}  # noqa: RUF012 - not changed by anybody

    def __init__(
        self,
        url: str,
        query: str = QUERY,
        *,
        hash: str = "auto",
        timeout: float = 2.0,
        **options: Unpack[ServiceOptions],
    ) -> None:
        super().__init__(**options)
        if hash not in ("auto", "plain", *SCHEMES):
            raise ValueError(f"hash is one of auto, plain, {', '.join(SCHEMES)}, not {hash!r}")
        from sqlalchemy import text

        self._query = text(query)
        places = self._query.compile().params
        if "username" not in places:
            raise ValueError("query does not ask for :username")
        if unknown := [name for name in places if name not in PLACES]:
            raise ValueError(
                f"query asks for :{unknown[0]}; there are {', '.join(f':{name}' for name in PLACES)}"
            )
        self._places = frozenset(places)
        if hash == "bcrypt":
            library("bcrypt", kind=self.kind, extra="sql-users")
        self._hash = hash
        self._database = _opened(url, number("timeout", timeout, least=0.001))
        # What passwords of unknown users are compared with: as much work as for those who are known.
        self._decoy = decoy()

    def concerns(self, client: Client) -> bool | Deny:
        """Whether it gives a user name; without a password it is refused."""
        if not client.username:
            return False
        return True if client.password_bytes else bad_login()

    def check(self, client: Client) -> Answer:
        """Ask the table, and compare."""
        password, row = client.password_bytes or b"", self._row(client)
        stored, name = row or (None, None)
        if stored is None:
            self._fits(password, self._decoy)
            return bad_login()
        if not self._fits(password, stored):
            return bad_login()
        return Identity(client.username or "" if name is None else name, ttl=self.ttl)

    def _row(self, client: Client) -> tuple[str | None, str | None] | None:
        """Return the hash of a user and its name, if the row has one; ``None`` without a row."""
        from sqlalchemy.exc import DataError, InterfaceError, OperationalError, SQLAlchemyError
        from sqlalchemy.exc import TimeoutError as PoolTimeout

        given = {"username": client.username, "client_id": client.client_id, "address": client.address}
        try:
            with self._database.reading() as connection:
                rows = connection.execute(
                    self._query, {name: value for name, value in given.items() if name in self._places}
                ).fetchmany(2)
        except DataError:
            return None  # no user can have such a name
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Outage(self._database.reason(error)) from None
        except SQLAlchemyError as error:
            raise Failure(self._database.reason(error)) from None
        if len(rows) > 1:
            raise Failure("more than one row matches a user name: make the query stricter")
        return None if not rows else (_text(rows[0][0]), _text(rows[0]._mapping.get("username")))

    def _fits(self, password: bytes, stored: str) -> bool:
        if self._hash == "plain":
            return hmac.compare_digest(password, stored.encode())
        if self._hash != "auto" and stored is not self._decoy and scheme_of(stored) != self._hash:
            raise Failure(f"a stored hash is not of the kind {self._hash}")
        fits = verify(password, stored)
        self._decoy = stored
        return fits

    def shown(self, client: Client) -> tuple[object, ...]:
        """Return what is asked for, and the password."""
        return client.username, client.password_bytes, client.client_id, client.address

    def describe(self) -> str:
        """The database, without secrets."""
        return str(self._database.location)

    def closed(self) -> None:
        """Close the connections."""
        self._database.close()


def _text(value: Any) -> str | None:
    """Return what a column holds; some databases have text as bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if value is None or isinstance(value, str):
        return value
    raise Failure(f"a column holds {type(value).__name__}, not text")


def _opened(url: str, timeout: float) -> Any:
    from ..storage.database import open_database

    try:
        return open_database(_with_timeouts(url, timeout))
    except HookMQError as error:
        # E601, whose remedies are about the history.
        reason = str(error.fields.get("reason"))
        help = error.help if error.help and "history" not in error.help else ""
        raise HookMQError("E304", where="authentication by sql", reason=f"url: {reason}", help=help) from None


def _with_timeouts(url: str, timeout: float) -> str:
    """Return a URL that tells the driver how long to wait, unless it does already."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url  # whoever opens it says what is wrong
    seconds = str(max(1, math.ceil(timeout)))
    wanted: dict[str, str] = {}
    if parsed.drivername.startswith("postgres"):
        wanted = {"connect_timeout": seconds, "options": f"-c statement_timeout={int(timeout * 1000)}"}
    elif parsed.drivername.startswith(("mysql", "mariadb")):
        wanted = {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    missing = {name: value for name, value in wanted.items() if name not in parsed.query}
    return parsed.update_query_dict(missing).render_as_string(hide_password=False)
