"""The database of a home as a URL."""

from __future__ import annotations

from .conf_reader import ConfReader

__all__ = ["storage_url"]

_SERVERS = {
    "mysql": ("mysql", "MYSQL", "DBHOST", "DBPORT", "MYSQL_DB", "MYSQL_USER", "MYSQL_PASSWORD"),
    "postgres": ("postgresql", "POSTGRES", "PSQLHOST", "PSQLPORT", "PSQL_DB", "PSQL_USER", "PSQL_PASSWORD"),
    "mssql": ("mssql", "MSSQL", "SERVER_NAME", "DBPORT", "MSSQL_DB", "MSSQL_USER", "MSSQL_PASSWORD"),
}
"""Of each server the scheme, the section, and the keys of its address and login."""


def storage_url(datastore: ConfReader, server: str) -> str:
    """Return the SQLAlchemy URL of a home's database, with its password.

    An SQLite file that is named without a folder is in ``HOME/data``.
    """
    from sqlalchemy import URL

    if server == "sqlite":
        name = datastore.text("SQLITE", "SQLITE_DB")
        is_plain = not set(name) & set("/\\")
        path = datastore.home / "data" / name if is_plain else datastore.path("SQLITE", "SQLITE_DB")
        return str(URL.create("sqlite", database=str(path)))
    scheme, section, host, port, database, user, password = _SERVERS[server]
    if not datastore.text(section, database):
        datastore.problem(section, database, f"[{section}] does not say {database}", f"add {database} = …")
    url = URL.create(
        scheme,
        username=datastore.text(section, user) or None,
        password=datastore.text(section, password) or None,
        host=datastore.text(section, host),
        port=int(datastore.number(section, port, 1, 65_535)),
        database=datastore.text(section, database) or None,
    )
    return url.render_as_string(hide_password=False)
