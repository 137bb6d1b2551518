"""Services from tables, as ``[[authentication]]`` in ``hookmq.toml`` has them."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import HookMQError
from .service import AuthenticationService, ServiceOptions

__all__ = ["KINDS_OF_SERVICES", "services_from"]

KINDS_OF_SERVICES: Mapping[str, tuple[str, str]] = {
    "http": ("http_service", "HTTPService"),
    "ldap": ("ldap", "LDAP"),
    "jwt": ("jwt", "JWT"),
    "oauth2": ("oauth2", "OAuth2"),
    "sql": ("sql", "SQLTable"),
    "certificate": ("certificate", "ClientCertificate"),
}
"""From the ``kind`` of a table to the module and the class."""

_SOURCES = ("_file", "_env")


def services_from(tables: Sequence[Mapping[str, Any]], *, where: str) -> list[AuthenticationService]:
    """Return a service for each table: its ``kind``, and the options of its class.

    An option that ends in ``_file`` or ``_env`` names a file or an environment variable with the value, so
    that secrets need not stand in the configuration: ``client_secret_env = "MQTT_SECRET"``. Two services of
    one name are called ``ldap`` and ``ldap-2``.

    Args:
        tables: as they were read.
        where: the file, for errors.

    Raises:
        HookMQError: E301 for an option that there is not, E303 for a kind that there is not, E304 for a value
            that cannot be, E306 for what is missing.

    >>> services_from([{"kind": "certificate", "allow": {"OU": "Pumps"}}], where="hookmq.toml")
    [<ClientCertificate certificate: cn of subjects with OU=Pumps>]
    >>> services_from([{"kind": "jtw"}], where="hookmq.toml")
    Traceback (most recent call last):
        ...
    hookmq.errors.HookMQError: error[E303]: hookmq.toml, authentication 1  `kind` is 'jtw'; expected one of \
http, ldap, jwt, oauth2, sql, certificate
      help: did you mean `jwt`?
    """
    names: set[str] = set()
    found = []
    for number, table in enumerate(tables, start=1):
        service = _service(dict(table), f"{where}, authentication {number}", names)
        names.add(service.name)
        found.append(service)
    return found


def _service(table: dict[str, Any], where: str, names: set[str]) -> AuthenticationService:
    kind = table.pop("kind", None)
    if kind is None:
        raise HookMQError("E306", where=where, what="an authentication", key="kind")
    if not isinstance(kind, str) or kind not in KINDS_OF_SERVICES:
        close = difflib.get_close_matches(str(kind), KINDS_OF_SERVICES, n=1)
        expected = "one of " + ", ".join(KINDS_OF_SERVICES)
        help = f"did you mean `{close[0]}`?" if close else None
        raise HookMQError("E303", where=where, key="kind", value=repr(kind), expected=expected, help=help)
    made = _class(kind)
    parameters = _parameters(made)
    options = _resolved(table, parameters, where)
    for name, needed in parameters.items():
        if needed and name not in options:
            raise HookMQError("E306", where=where, what=f"an authentication of kind {kind}", key=name)
    options.setdefault("name", _free(kind, names))
    try:
        return made(**options)
    except HookMQError as error:
        raise HookMQError(
            error.code, f"{where}  {error.fields.get('reason')}", help=error.help or ""
        ) from None
    except (TypeError, ValueError) as error:
        raise HookMQError("E304", where=where, reason=f"an authentication of kind {kind}: {error}") from None


def _class(kind: str) -> type[AuthenticationService]:
    module, name = KINDS_OF_SERVICES[kind]
    found: type[AuthenticationService] = getattr(importlib.import_module(f".{module}", __package__), name)
    return found


def _parameters(made: type[AuthenticationService]) -> dict[str, bool]:
    """Return the options of a class, and whether it cannot do without."""
    own = inspect.signature(made).parameters.values()
    found = {one.name: one.default is one.empty for one in own if one.kind is not one.VAR_KEYWORD}
    return found | dict.fromkeys(ServiceOptions.__annotations__, False)


def _free(kind: str, names: set[str]) -> str:
    number = 1
    while (name := kind if number == 1 else f"{kind}-{number}") in names:
        number += 1
    return name


def _resolved(table: Mapping[str, Any], known: Mapping[str, bool], where: str) -> dict[str, Any]:
    """Return options with what files and variables hold. Raises E301 for one that there is not."""
    options: dict[str, Any] = {}
    for name, value in table.items():
        plain, source = name, ""
        for suffix in _SOURCES:
            if name not in known and name.endswith(suffix):
                plain, source = name.removesuffix(suffix), suffix
        if plain not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise HookMQError("E301", where=where, key=name, suggestion=close[0] if close else None)
        if plain in options:
            raise HookMQError("E304", where=where, reason=f"`{plain}` is given twice")
        options[plain] = _held(name, value, source, where) if source else value
    return options


def _held(name: str, place: object, source: str, where: str) -> str:
    """Return what a file or a variable holds."""
    if not isinstance(place, str):
        expected = "the path of a file" if source == "_file" else "the name of a variable"
        raise HookMQError("E303", where=where, key=name, value=repr(place), expected=expected)
    if source == "_env":
        text = os.environ.get(place)
        if not text:
            raise HookMQError(
                "E304", where=where, reason=f"`{name}`: the environment variable {place} is not set"
            )
        return text
    try:
        return Path(place).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not UTF-8").lower()
        raise HookMQError("E304", where=where, reason=f"`{name}`: {place}: {reason}") from None
