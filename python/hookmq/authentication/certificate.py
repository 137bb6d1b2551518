"""Clients that are known by their TLS certificate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from ..decisions import Deny, Identity
from .service import NOT_AUTHORIZED, Answer, AuthenticationService, ServiceOptions

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["ClientCertificate", "parts_of"]


class ClientCertificate(AuthenticationService):
    """Lets clients in by the subject of their certificate, which the listener has checked (``client_ca``).

    ``tls.identity`` does the simple cases without it; this one reads user names out of subjects, and lets in
    only some of those that the authority has signed. A client without a certificate is left to others.

    Args:
        username: ``"cn"`` takes the Common Name, ``"dn"`` the whole subject, such as ``"CN=tank,O=Water"``.
            What has parentheses is a regular expression for the whole subject, and its group ``username``, or
            the first, is the user name.
        allow: parts that the subject must have, with the values that are let in:
            ``{"O": "Water", "OU": ["Pumps", "Valves"]}``. Without it everyone with a certificate is.
        options: those of all services.

    ```python
    broker.authenticate_with(ClientCertificate(username="cn", allow={"OU": "Pumps"}))
    ```

    >>> ClientCertificate(allow={"OU": "Pumps"}).describe()
    'cn of subjects with OU=Pumps'
    """

    kind = "certificate"
    waits = False
    defaults = {"negative_ttl": 0.0, "failures": 0}  # noqa: RUF012 - not changed by anybody

    def __init__(
        self,
        *,
        username: str = "cn",
        allow: Mapping[str, str | Sequence[str]] | None = None,
        **options: Unpack[ServiceOptions],
    ) -> None:
        super().__init__(**options)
        self._username = username
        self._pattern: re.Pattern[str] | None = None
        if username not in ("cn", "dn"):
            self._pattern = _pattern(username)
        self._wanted = {
            kind.upper(): frozenset([values] if isinstance(values, str) else values)
            for kind, values in (allow or {}).items()
        }

    def concerns(self, client: Client) -> bool | Deny:
        """Whether it has shown a certificate."""
        return client.certificate is not None

    def check(self, client: Client) -> Answer:
        """Read the subject."""
        subject = client.certificate or ""
        parts = parts_of(subject)
        for kind, values in self._wanted.items():
            if not values & set(parts.get(kind, ())):
                return Deny("certificates of this kind may not connect", code=NOT_AUTHORIZED)
        name = self._name(subject, parts)
        if not name or "\0" in name:
            return Deny("the certificate has no user name", code=NOT_AUTHORIZED)
        return Identity(name, ttl=self.ttl)

    def _name(self, subject: str, parts: Mapping[str, Sequence[str]]) -> str | None:
        if self._username == "dn":
            return subject
        if self._pattern is None:
            names = parts.get("CN", ())
            return names[0] if len(names) == 1 else None  # of two names nobody knows which one counts
        found = self._pattern.fullmatch(subject)
        if found is None:
            return None
        group: str | None = found["username"] if "username" in self._pattern.groupindex else found[1]
        return group

    def shown(self, client: Client) -> tuple[object, ...]:
        """Return the subject."""
        return (client.certificate,)

    def describe(self) -> str:
        """What it reads, and of whom."""
        of = ", ".join(f"{kind}={'|'.join(sorted(values))}" for kind, values in self._wanted.items())
        return f"{self._username} of subjects" + (f" with {of}" if of else "")


def _pattern(text: str) -> re.Pattern[str]:
    try:
        found = re.compile(text)
    except re.error as error:
        raise ValueError(f"username is no regular expression: {error}") from None
    if not found.groups:
        raise ValueError(f"username is 'cn', 'dn' or a regular expression with a group, not {text!r}")
    return found


def parts_of(subject: str) -> dict[str, list[str]]:
    """Return the parts of a subject (RFC 4514), each with its values, the most particular first.

    >>> parts_of("CN=a\\\\,O\\\\=b,OU=Pumps+OU=Valves,O=Water")
    {'CN': ['a,O=b'], 'OU': ['Pumps', 'Valves'], 'O': ['Water']}
    """
    found: dict[str, list[str]] = {}
    for part in re.findall(r"(?:[^,+\\]|\\.)+", subject, re.DOTALL):
        kind, _, value = part.partition("=")
        plain = re.sub(
            r"\\(00|.)", lambda match: "\0" if match[1] == "00" else match[1], value, flags=re.DOTALL
        )
        found.setdefault(kind.upper(), []).append(plain)
    return found
