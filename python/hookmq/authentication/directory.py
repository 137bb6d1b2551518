"""Connections to the servers of an LDAP directory."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .library import library
from .trouble import Failure, Outage

__all__ = ["Directory", "Refused", "attribute_of", "filled"]

T = TypeVar("T")

IDLE = 30.0
"""Seconds after which a connection that nobody used is not used any more: servers close them as well."""

UNKNOWN = "(unknown error code)"


class Refused(Exception):
    """The directory says that the credentials are wrong, or the account may not be used."""


class Directory:
    """Asks the servers of a directory, one connection for each question at a time.

    Args:
        urls: ``ldap://``, ``ldaps://`` or ``ldapi://``; the first that answers is asked, and kept as the
            first.
        start_tls: whether ``ldap://`` goes on with TLS; ``None`` means: unless the server is on this machine.
        ca: path of the authorities' certificates, instead of the system's.
        timeout: seconds for a connection and for each answer.
        account: the DN and the password of an account that may search; without it nobody can be searched for.
        most: connections of each kind that are kept.

    Raises:
        ValueError: for an address that is none.
        HookMQError: E304 if python-ldap is not installed.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        start_tls: bool | None,
        ca: str | None,
        timeout: float,
        account: tuple[str, str] | None,
        most: int,
    ) -> None:
        hint = "   (it is compiled: on Debian it needs gcc python3-dev libldap2-dev libsasl2-dev)"
        self._ldap = library("ldap", kind="ldap", extra="ldap", hint=hint)
        for module in ("ldap.dn", "ldap.filter"):
            library(module, kind="ldap", extra="ldap")
        if not urls:
            raise ValueError("url names no server")
        self._servers = [(url, _goes_on_with_tls(url, start_tls)) for url in urls]
        self._ca = ca
        self._timeout = timeout
        self._account = account
        self._most = most
        self._lock = threading.Lock()
        self._idle: dict[bool, list[tuple[float, Any]]] = {True: [], False: []}
        ldap = self._ldap
        self._refusals = (
            ldap.INVALID_CREDENTIALS,
            ldap.NO_SUCH_OBJECT,
            ldap.INVALID_DN_SYNTAX,
            ldap.INAPPROPRIATE_AUTH,
            ldap.CONSTRAINT_VIOLATION,
            ldap.UNWILLING_TO_PERFORM,
            ldap.INSUFFICIENT_ACCESS,
        )
        self._away = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE, ldap.BUSY)
        self._slow = (ldap.TIMEOUT, ldap.TIMELIMIT_EXCEEDED)

    @property
    def has_account(self) -> bool:
        """Whether there is an account that searches."""
        return self._account is not None

    def use(self, function: Callable[[Any], T], *, account: bool) -> T:
        """Call a function with a connection.

        Args:
            function: is given an ``LDAPObject`` that nobody else uses meanwhile. It may be called again, with
                another one, if the connection turns out to be gone.
            account: whether the connection is that of the account; else the function has to bind.

        Raises:
            Outage: if no server answers.
            Failure: for an answer that is about how the directory is set up.
            Refused: what the function raises of it.
        """
        with self._troubles():
            if (kept := self._take(account)) is not None:
                with contextlib.suppress(*self._away):  # it was closed while nobody used it
                    return self._call(function, kept, account)
            return self._call(function, self._connected(account), account)

    def bind(self, connection: Any, dn: str, password: bytes) -> None:
        """Prove that a password is the one of a DN. Raises :class:`Refused` if it is not."""
        if not (dn and password):
            # RFC 4513, 5.1.2: a bind without a password succeeds, and proves nothing.
            raise Refused
        try:
            connection.simple_bind_s(dn, password)
        except self._refusals:
            raise Refused from None

    def search(
        self, connection: Any, base: str, filter: str, attribute: str, *, only_base: bool = False
    ) -> list[tuple[str, list[str]]]:
        """Return the DNs of the entries that match, two at most, and an attribute's values of each."""
        ldap = self._ldap
        scope = ldap.SCOPE_BASE if only_base else ldap.SCOPE_SUBTREE
        try:
            found = connection.search_ext_s(
                base, scope, filter, [attribute], timeout=self._timeout, sizelimit=2
            )
        except ldap.SIZELIMIT_EXCEEDED:
            raise Failure(
                "more than one entry matches a user name: make the search filter stricter"
            ) from None
        except ldap.NO_SUCH_OBJECT:
            if only_base:
                return []
            raise
        return [(dn, _texts(attributes, attribute)) for dn, attributes in found if dn is not None]

    def escaped_for_dn(self, text: str) -> str:
        """Return a text as a value in a DN."""
        return str(self._ldap.dn.escape_dn_chars(text))

    def escaped_for_filter(self, text: str) -> str:
        """Return a text as a value in a filter."""
        return str(self._ldap.filter.escape_filter_chars(text))

    def describe(self) -> str:
        """Return the addresses."""
        return ", ".join(url + (" with StartTLS" if tls else "") for url, tls in self._servers)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for account in (True, False):
            while (connection := self._take(account)) is not None:
                self._drop(connection)

    # Connections ----------------------------------------------------------------------------------------

    def _call(self, function: Callable[[Any], T], connection: Any, account: bool) -> T:
        try:
            result = function(connection)
        except (Refused, Failure):
            self._give_back(connection, account)
            raise
        except BaseException:
            self._drop(connection)
            raise
        self._give_back(connection, account)
        return result

    def _take(self, account: bool) -> Any:
        while True:
            with self._lock:
                if not self._idle[account]:
                    return None
                since, connection = self._idle[account].pop()
            if time.monotonic() - since < IDLE:
                return connection
            self._drop(connection)

    def _give_back(self, connection: Any, account: bool) -> None:
        with self._lock:
            if len(self._idle[account]) < self._most:
                self._idle[account].append((time.monotonic(), connection))
                return
        self._drop(connection)

    def _drop(self, connection: Any) -> None:
        with contextlib.suppress(self._ldap.LDAPError):
            connection.unbind_s()

    def _connected(self, account: bool) -> Any:
        """Connect to the first server that answers. Raises what the last one said if none does."""
        last: Exception | None = None
        for server in list(self._servers):
            try:
                connection = self._opened(*server, account)
            except (*self._away, *self._slow) as error:
                last = error
                continue
            if server != self._servers[0]:
                with self._lock:
                    self._servers.sort(key=lambda one: one != server)
            return connection
        assert last is not None
        raise last

    def _opened(self, url: str, start_tls: bool, account: bool) -> Any:
        ldap = self._ldap
        secure = start_tls or url.casefold().startswith("ldaps:")
        connection = ldap.initialize(url)
        try:
            connection.protocol_version = ldap.VERSION3
            connection.timeout = self._timeout
            connection.set_option(ldap.OPT_NETWORK_TIMEOUT, self._timeout)
            connection.set_option(ldap.OPT_TIMEOUT, self._timeout)  # what StartTLS waits for its answer
            connection.set_option(ldap.OPT_REFERRALS, 0)  # the account's password is for nobody else
            if secure:
                connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
                if self._ca is not None:
                    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, self._ca)
                connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)  # or the options above count for nothing
            if start_tls:
                connection.start_tls_s()
            self._begin(connection, account)
        except self._away as error:
            self._drop(connection)
            if secure and UNKNOWN in _words(error):  # all that GnuTLS tells
                hint = "no TLS; the certificate must be signed by `ca` and name the host"
                raise type(error)({"desc": hint}) from None
            raise
        except BaseException:
            self._drop(connection)
            raise
        return connection

    def _begin(self, connection: Any, account: bool) -> None:
        """Bind as the account, or as nobody: the library connects when it has something to say."""
        if not account or self._account is None:
            with contextlib.suppress(*self._refusals):  # some do not let anybody be nobody, and that is fine
                connection.simple_bind_s("", "")
            return
        try:
            connection.simple_bind_s(*self._account)
        except self._refusals as error:
            raise Failure(f"the account that searches is refused: {_words(error)}") from None

    @contextlib.contextmanager
    def _troubles(self) -> Iterator[None]:
        """Put what the library raises into our words."""
        try:
            yield
        except self._slow:
            raise Outage(f"no answer within {self._timeout:g} s") from None
        except self._away as error:
            raise Outage(f"{self.describe()}: {_words(error)}") from None
        except self._ldap.LDAPError as error:
            raise Failure(f"the directory answered: {_words(error)}") from None


def filled(template: str, **values: str) -> str:
    """Return a template with values, which are escaped already, in the place of their names.

    >>> filled("(&(uid={username})(member={dn}))", username="{dn}", dn="cn=x")
    '(&(uid={dn})(member=cn=x))'
    """
    # In one go: a value that looks like a place is none.
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)


def attribute_of(template: str) -> str | None:
    """Return the attribute whose value is ``{username}`` in a template of a DN or a filter.

    >>> attribute_of("uid={username},ou=people,dc=example"), attribute_of("(mail={username}@example.org)")
    ('uid', None)
    """
    found = re.search(r"([A-Za-z][A-Za-z0-9-]*)=\{username\}(?=[,)+]|$)", template)
    return found[1] if found else None


def _texts(attributes: dict[str, list[bytes]], wanted: str) -> list[str]:
    for name, values in attributes.items():
        if name.lower() == wanted.lower():
            return [value.decode("utf-8", "replace") for value in values]
    return []


def _words(error: Exception) -> str:
    """Return what the library says of an error, in one line."""
    told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    words = [str(told[key]) for key in ("desc", "info") if told.get(key)]
    return " ".join(": ".join(words).split()) or type(error).__name__


def _goes_on_with_tls(url: str, start_tls: bool | None) -> bool:
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except (ValueError, AttributeError):
        scheme, host = "", None
    if scheme == "ldapi" or (scheme == "ldaps" and host):
        return False
    if scheme != "ldap" or not host:
        raise ValueError("url is an address such as ldaps://directory.example, or a list of them")
    return not _is_here(host) if start_tls is None else start_tls


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
