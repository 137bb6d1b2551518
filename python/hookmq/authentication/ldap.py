"""Users of an LDAP directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from ..decisions import Deny, Identity
from .directory import Directory, Refused, attribute_of, filled
from .service import NOT_AUTHORIZED, Answer, AuthenticationService, ServiceOptions, bad_login, number
from .trouble import Failure

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["LDAP"]


class LDAP(AuthenticationService):
    """Lets in whom a directory knows: by a bind with the client's user name and password.

    Either the user name says which entry it is (``bind_dn``), or the entry is searched for first
    (``search_base``), by an account of yours or anonymously. In both, ``{username}`` stands for what the
    client calls itself, escaped.

    Directories take ``TANK`` for ``tank``; access rules do not. So the client is known by the name as the
    directory writes it. A client without a user name is left to others, an empty password refused.

    Args:
        url: of the server, or of several with the same content: ``ldaps://…``, ``ldap://…``, ``ldapi://…``.
        bind_dn: such as ``"uid={username},ou=people,dc=example"``.
        search_base: such as ``"ou=people,dc=example"``.
        search_filter: what finds the one entry of a user.
        account, password: DN and password of the account that searches; anonymously without it.
        group_filter: if given, an entry below ``group_base`` must match it as well, such as
            ``"(&(cn=mqtt)(member={dn}))"``; ``{dn}`` is the DN of the user's entry.
        group_base: where groups are.
        username_attribute: has the name by which the client is known; by default the one that ``{username}``
            stands for in ``bind_dn`` or ``search_filter``.
        start_tls: whether ``ldap://`` goes on with TLS before anything else is said. By default it does,
            unless the server is on this machine. ``False`` sends passwords as they are.
        ca: path of the certificates that the server's must be signed by; the system's by default.
        timeout: seconds for a connection and for each answer.
        options: those of all services.

    It needs ``hookmq[ldap]``, which is python-ldap: kept well, and with the TLS of the system's libldap.

    ```python
    broker.authenticate_with(LDAP("ldaps://directory.example", bind_dn="uid={username},ou=people,dc=example"))
    ```
    """

    kind = "ldap"

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        bind_dn: str | None = None,
        search_base: str | None = None,
        search_filter: str = "(uid={username})",
        account: str | None = None,
        password: str | None = None,
        group_filter: str | None = None,
        group_base: str | None = None,
        username_attribute: str | None = None,
        start_tls: bool | None = None,
        ca: str | None = None,
        timeout: float = 2.0,
        **options: Unpack[ServiceOptions],
    ) -> None:
        super().__init__(**options)
        if (bind_dn is None) == (search_base is None):
            raise ValueError("give either bind_dn or search_base")
        template = search_filter if bind_dn is None else bind_dn
        if "{username}" not in template:
            raise ValueError(f"{'search_filter' if bind_dn is None else 'bind_dn'} has no {{username}} in it")
        if (group_filter is None) != (group_base is None):
            raise ValueError("group_filter and group_base go together")
        if (account is None) != (password is None) or account == "" or password == "":
            raise ValueError("account and password go together, and neither is empty")
        attribute = username_attribute or attribute_of(template)
        if attribute is None:
            raise ValueError("name the username_attribute: it cannot be seen from the template")
        self._bind_dn, self._search_base, self._search_filter = bind_dn, search_base, search_filter
        self._group_base, self._group_filter = group_base, group_filter
        self._attribute = attribute
        self._directory = Directory(
            [url] if isinstance(url, str) else list(url),
            start_tls=start_tls,
            ca=ca,
            timeout=number("timeout", timeout, least=0.001),
            account=None if account is None or password is None else (account, password),
            most=self.threads,
        )

    def concerns(self, client: Client) -> bool | Deny:
        """Whether it gives a user name; and the password must not be empty."""
        if not client.username:
            return False
        return True if client.password_bytes else bad_login()

    def check(self, client: Client) -> Answer:
        """Find the entry, and bind as its owner."""
        username, password = client.username or "", client.password_bytes or b""
        try:
            dn, name = self._bound(username, password) if self._bind_dn else self._found(username, password)
        except Refused:
            return bad_login()
        if self._group_filter is not None and not self._is_member(username, dn, password):
            return Deny("the user is not in the group that may connect", code=NOT_AUTHORIZED)
        return Identity(name, ttl=self.ttl)

    def _bound(self, username: str, password: bytes) -> tuple[str, str]:
        """Bind as the entry that the user name says, and read its name."""
        directory, attribute = self._directory, self._attribute
        dn = filled(self._bind_dn or "", username=directory.escaped_for_dn(username))

        def ask(connection: Any) -> list[tuple[str, list[str]]]:
            directory.bind(connection, dn, password)
            return directory.search(connection, dn, "(objectClass=*)", attribute, only_base=True)

        entries = directory.use(ask, account=False)
        if not entries:
            raise Failure("users may not read their own entry, which has their name")
        return dn, self._name(username, entries[0][1])

    def _found(self, username: str, password: bytes) -> tuple[str, str]:
        """Search for the entry of a user name, and bind as it."""
        directory = self._directory
        search = filled(self._search_filter, username=directory.escaped_for_filter(username))
        entries = self._searched(self._search_base or "", search, self._attribute)
        if len(entries) > 1:
            raise Failure("more than one entry matches a user name: make search_filter stricter")
        if not entries:
            raise Refused
        dn, names = entries[0]
        directory.use(lambda connection: directory.bind(connection, dn, password), account=False)
        return dn, self._name(username, names)

    def _searched(self, base: str, filter: str, attribute: str) -> list[tuple[str, list[str]]]:
        """Search by the account, or anonymously if there is none."""
        directory = self._directory

        def ask(connection: Any) -> list[tuple[str, list[str]]]:
            if not directory.has_account:
                connection.simple_bind_s("", "")  # it may still be somebody's who was here before
            return directory.search(connection, base, filter, attribute)

        return directory.use(ask, account=directory.has_account)

    def _is_member(self, username: str, dn: str, password: bytes) -> bool:
        """Search for the group: by the account, or else as the user."""
        directory = self._directory
        base = self._group_base or ""
        escaped = directory.escaped_for_filter
        search = filled(self._group_filter or "", username=escaped(username), dn=escaped(dn))
        if directory.has_account or self._bind_dn is None:
            return bool(self._searched(base, search, "1.1"))

        def ask(connection: Any) -> bool:
            directory.bind(connection, dn, password)
            return bool(directory.search(connection, base, search, "1.1"))

        return directory.use(ask, account=False)

    def _name(self, username: str, names: Sequence[str]) -> str:
        """Return the name as the directory writes it; of several the one that was given."""
        alike = [name for name in names if _plain(name) == _plain(username)]
        found = (alike or list(names))[:1]
        if not found or not found[0] or "\0" in found[0]:
            raise Failure(f"an entry does not show a `{self._attribute}`, by which its user would be known")
        return found[0]

    def describe(self) -> str:
        """The servers."""
        return self._directory.describe()

    def closed(self) -> None:
        """Close the connections."""
        self._directory.close()


def _plain(name: str) -> str:
    """Return a name without what directories take for nothing: letter case and further spaces."""
    return " ".join(name.split()).casefold()
