"""One thing that the API can be asked for, or does: the table from which it is checked and described.

A subject has a module with a function that returns its operations; :class:`hookmq.web.api.Api` finds the one
that is asked for, says who asks and whether they may, and reads parameters and body by the table:

>>> from hookmq.web.schema import Field, Integer, Object, Text
>>> def greet(ask):
...     return {"greeting": f"hello {ask.path['name']}" * ask.query["times"]}
>>> operation = Operation(
...     "GET",
...     "greetings/{name}",
...     greet,
...     "Greet somebody",
...     role="viewer",
...     query=(Field("times", Integer(1, 3), "how often", default=1),),
...     answer=Object([Field("greeting", Text(), required=True)]),
... )
>>> operation.id
'get_greetings_name'

An operation raises :class:`hookmq.web.problem.Problem` or ``HookMQError``. It returns what JSON knows, an
:class:`Answer` (a status, a version, headers), or a :class:`~hookmq.web.response.Response`, sent as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import unquote

from ..problem import Problem
from ..schema import Field, Object, Schema

if TYPE_CHECKING:
    from ..request import Request

__all__ = ["ROLES", "Answer", "Ask", "Operation", "Role", "Who", "may"]

Role = Literal["anyone", "viewer", "operator", "admin"]

ROLES: tuple[Role, ...] = ("anyone", "viewer", "operator", "admin")
"""From the least to the most."""


class Who(Protocol):
    """Who asks, as ``Access.identify`` says it."""

    @property
    def name(self) -> str:
        """The account's or the token's name, or "" """

    @property
    def role(self) -> str | None:
        """viewer, operator or admin; anything else is nobody."""

    @property
    def via(self) -> str:
        """session, token, local, link or nobody."""

    @property
    def reason(self) -> str:
        """Why it is nobody."""

    @property
    def help(self) -> str | None:
        """What to do then."""


def may(role: str | None, needed: Role) -> bool:
    """Say whether somebody of a role may do what needs another.

    >>> may("operator", "viewer"), may("viewer", "admin"), may(None, "viewer"), may(None, "anyone")
    (True, False, False, True)
    """
    rank = ROLES.index(role) if role in ROLES else 0
    return rank >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers, where JSON alone does not say it."""

    body: Any = None
    """What JSON knows; None: nothing, with status 204."""
    status: int = 200
    version: int | str | None = None
    """Of what is shown, where it has versions: ``If-Match`` takes it. Letters and digits."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, read by the table of the operation."""

    request: Request
    identity: Who
    path: Mapping[str, str]
    """The names in the path, percent-decoded."""
    query: Mapping[str, Any]
    """Every parameter of the table, with its default if it is not there."""
    body: Any = None
    """The body as the table says: with an object, every member, with its default if it is not there."""

    @property
    def who(self) -> str:
        """Who asks and from where, for those who look later who has changed something."""
        said = self.request.headers.get("x-hookmq-user", "").strip()[:100]
        name = self.identity.name if self.identity.via in ("session", "token") else said
        address = self.request.address
        return f"{name} at {address}" if name and name.isprintable() else address

    def expected(self) -> str | None:
        """Return the version that ``If-Match`` names; None if any is meant.

        Compare it with ``str(version)``, and raise :func:`changed` if it is another one.
        """
        given = self.request.headers.get("if-match")
        if given is None or given.strip() == "*":
            return None
        match = re.fullmatch(r'(?:W/)?"([0-9A-Za-z]{1,64})(?:\.[0-9a-f]*)?"', given.strip())
        if match is None:
            raise Problem(400, f"If-Match is {given[:60]!r}, which is no ETag that was answered")
        return match[1]

    def check_version(self, version: int | str) -> None:
        """Raise a problem (412) if ``If-Match`` names another version than this one."""
        expected = self.expected()
        if expected is not None and expected != str(version):
            detail = f"it was changed meanwhile: it has version {version}, and If-Match says {expected}"
            raise Problem(412, detail, help="read it again, and change what is there now")


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be asked, or be done."""

    method: str
    template: str
    """Of its path below ``/api/v1/``, with ``{name}`` for a part that is a name, also one with slashes."""
    act: Callable[[Ask], Any]
    summary: str
    """A sentence without a full stop."""
    role: Role = "viewer"
    query: Sequence[Field] = ()
    body: Schema | None = None
    """None: there is none."""
    answer: Schema | None = None
    """None: anything."""
    status: int = 200
    """What it answers when all is well."""
    description: str = ""
    media: str = "application/json"
    """The type of the answer."""
    versioned: bool = False
    """It takes ``If-Match``."""
    streams: bool = False
    """Its answer is sent piece by piece, and has no ETag."""
    raises: Sequence[int] = ()
    """Further statuses of problems: 404, 409, …; 400, 401, 403 go without saying."""
    example: Any = None
    """Of the body."""
    before: Callable[[Request], None] | None = None
    """Is asked before the body is read, and raises what needs no body to be refused."""

    @property
    def id(self) -> str:
        """Its name in the OpenAPI document."""
        words = re.sub(r"[^a-z0-9]+", "_", self.template.lower()).strip("_")
        return f"{self.method.lower()}_{words}"

    @property
    def tag(self) -> str:
        """The subject it belongs to."""
        return self.template.partition("/")[0]

    @property
    def names(self) -> list[str]:
        """The names in its path."""
        return re.findall(r"\{([a-z_]+)\}", self.template)

    def match(self, raw: Sequence[str]) -> dict[str, str] | None:
        """Return the names in a path, which is given in parts as they were sent; None if it is another's.

        >>> operation = Operation("POST", "hooks/{name}/pause", print, "Pause")
        >>> operation.match(["hooks", "a%2Fb", "pause"]), operation.match(["hooks", "a"])
        ({'name': 'a/b'}, None)
        """
        wanted = self.template.split("/")
        if len(wanted) != len(raw):
            return None
        found: dict[str, str] = {}
        for part, is_there in zip(wanted, raw, strict=True):
            if part.startswith("{"):
                if not is_there:
                    return None
                found[part[1:-1]] = unquote(is_there, errors="replace")
            elif part != unquote(is_there, errors="replace"):
                return None
        return found

    def members(self) -> Sequence[Field]:
        """Return the members of its body, if that is an object."""
        return self.body.fields if isinstance(self.body, Object) else ()
