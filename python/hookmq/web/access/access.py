"""Who a request comes from, and what is kept to know it: accounts, sessions and API tokens."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import HookMQError
from ...log import logger
from ..problem import Problem
from ..request import Request
from . import device, secret
from .account import Account, composed, name_problem
from .cookie import Cookie
from .hosts import Hosts, is_of_this_machine, is_sent_by_a_page, split
from .identity import NOBODY, Identity
from .passwords import Passwords
from .refusal import Refusal
from .session import LIFE, Session
from .token import ApiToken
from .tries import Taken, Tries
from .vault import Contents, Vault

__all__ = ["PERMIT", "Access", "Login"]

PERMIT = "x-hookmq"
"""The header without which a cookie changes nothing: a page of somebody else's cannot send it unasked."""

MOST = 1000
"""Accounts, and API tokens, that there are at most."""

MOST_SESSIONS = 50
"""Sessions of one account; the one that was not used for longest ends when another begins."""

SAVING = 600.0
"""Seconds after which it is written down when sessions and tokens were used."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LINK = "setup"
_LOCAL = "local"
_OPEN = "open"

_OTHER_TOKEN = "`hookmq tokens add NAME` makes another one"
_LOG_IN = "log in again"


@dataclass(frozen=True, slots=True)
class Login:
    """A session that has begun: of whom, and the Set-Cookie header that tells the browser.

    ``token`` is what programs of the old product are given instead.
    """

    identity: Identity
    cookie: str
    token: str = field(repr=False)


class Access:
    """Says who a request comes from, and keeps accounts, sessions and API tokens.

    Args:
        directory: where ``accounts.json`` is kept; without one it is all in memory.
        hosts: names by which browsers may call the broker, beside its own and addresses.
        port: where HTTP is served: cookies are named after it.
        base: what a reverse proxy has in front of the paths.
        secure: whether it is served by TLS, so that cookies are not sent without.
        local_token: the token that commands of this machine read from the data directory.
        clock: tells seconds since the epoch.

    What cannot be read denies: a damaged ``accounts.json`` lets nobody in but by the local token.

    >>> access = Access()
    >>> here = Request("GET", "/api/v1/hooks", "", {"host": "localhost:8080"}, b"", "127.0.0.1")
    >>> access.identify(here).via, access.setup
    ('local', True)
    >>> access.add_account("anna", "correct horse", "admin")
    >>> access.identify(here).via, access.setup
    ('nobody', False)
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        hosts: Iterable[str] = (),
        port: int | None = None,
        base: str = "",
        secure: bool = False,
        local_token: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._passwords = Passwords()
        # Whoever lets passwords be checked all the time keeps nobody out who has logged in before.
        self._reserved = Passwords(at_once=1)
        self._tries = Tries()
        self.changes = 0
        """Grows whenever somebody may have become somebody else, or nobody."""
        self.open(directory, hosts=hosts, port=port, base=base, secure=secure, local_token=local_token)

    def open(
        self,
        directory: Path | None,
        *,
        hosts: Iterable[str] = (),
        port: int | None = None,
        base: str = "",
        secure: bool = False,
        local_token: str | None = None,
    ) -> None:
        """Begin anew with what is kept in a directory, as another start does."""
        with self._lock:
            hosts = tuple(hosts)
            self.hosts = Hosts(hosts, secure=secure)
            # Either says that a proxy is in front, and to the broker that is a program of this machine.
            self._proxied = bool(hosts or base)
            self.cookie = Cookie.of(port, base)
            self._secure = secure
            self._local_token = local_token
            self._link = secret.make()
            self._vault = Vault(directory)
            # Until it is read nobody is let in.
            self._trouble: HookMQError | None = HookMQError("E503")
            self._contents = Contents()
            self._saved, self._unsaved = self._clock(), False
            try:
                self._contents = self._vault.read()
                self._trouble = None
            except HookMQError as error:
                self._trouble = error
                logger().error("%s", error)

    # Who asks -------------------------------------------------------------------------------------------

    @property
    def setup(self) -> bool:
        """Whether there is no account yet."""
        return self._trouble is None and not self._contents.accounts

    @property
    def link_token(self) -> str | None:
        """What the link of the first start has after ``?token=``; ``None`` once there is an account."""
        return self._link if self.setup else None

    def identify(self, request: Request) -> Identity:
        """Return who a request comes from, which may be nobody.

        Raises:
            Refusal: 403 ``forbidden`` if the broker is called by a name that is none of its own; 403 ``csrf``
                for a change that a page of somebody else's may have sent.
        """
        if (bearer := _bearer(request)) is not None:
            return self._by_token(bearer)
        self.check_host(request)
        identity = self._by_cookie(request)
        if identity.is_nobody and self.setup:
            identity = self._before_there_are_accounts(request)
        if not identity.is_nobody and request.method not in _SAFE:
            self.check_change(request)
        return identity

    def check_socket(self, request: Request) -> Identity:
        """Return who opens a WebSocket, which may be nobody.

        Raises:
            Refusal: 403 if a page of somebody else's opens it, or the broker is called by a foreign name.
        """
        if (bearer := _bearer(request)) is not None:
            return self._by_token(bearer)
        self.check_host(request)
        self._check_origin(request)
        identity = self._by_cookie(request)
        if identity.is_nobody and self.setup:
            identity = self._before_there_are_accounts(request)
        return identity

    def holds(self, identity: Identity) -> bool:
        """Say whether somebody is still who he was: his session, or his token, has not ended."""
        now, contents = self._clock(), self._contents
        match identity.via:
            case "session" | "link":
                session = contents.sessions.get(identity.key)
                return session is not None and self._of_session(identity.key, session).role == identity.role
            case "token":
                token = contents.tokens.get(identity.key)
                return self._trouble is None and token is not None and not token.is_over(now)
            case "local":
                return identity.key != _OPEN or self.setup
        return False

    def check_host(self, request: Request) -> None:
        """Raise a refusal (403) if the broker is called by a name that is none of its own."""
        host = request.headers.get("host", "")
        if not self.hosts.knows(host):
            parts = split(host)
            named = "without a name" if parts is None else f"`{parts[0]}`"
            help = "add the name to http_hosts in the configuration" if parts is not None else None
            raise Refusal(403, f"the broker is not called {named}", help=help)

    def check_change(self, request: Request) -> None:
        """Raise a refusal (403 ``csrf``) for a change that a page of somebody else's may have sent."""
        self.check_host(request)
        self._check_origin(request)
        if request.headers.get(PERMIT) != "1":
            raise Refusal.csrf("the header X-HookMQ: 1 is missing")

    def _check_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is not None and not self.hosts.is_own(origin, request.headers.get("host", "")):
            raise Refusal.csrf(f"pages of {origin[:200]!r} may not ask")
        if _crosses(request):
            raise Refusal.csrf("pages of other sites may not ask")

    def _by_token(self, bearer: str) -> Identity:
        if secret.same(bearer, self._local_token):
            return Identity(_LOCAL, "admin", "local", key="token")
        if self._trouble is not None:
            return self._nobody(self._trouble.message, self._trouble.help)
        key = secret.digest(bearer)
        token, now = self._contents.tokens.get(key), self._clock()
        if token is None:
            return self._nobody(
                "the API token is not known", f"is it this broker's, and whole? {_OTHER_TOKEN}"
            )
        if token.is_over(now):
            return self._nobody("the API token has expired", _OTHER_TOKEN)
        token.last_used_at = now
        self._note_use(now)
        return Identity(token.name, token.role, "token", key=key)

    def _by_cookie(self, request: Request) -> Identity:
        key = self._key_of(request)
        if key is None or _crosses(request):
            return NOBODY
        session = self._contents.sessions.get(key)
        if session is None:
            return self._nobody("the session has ended", _LOG_IN)
        identity = self._of_session(key, session)
        if not identity.is_nobody:
            session.seen_at = self._clock()
            self._note_use(session.seen_at)
        return identity

    def _of_session(self, key: str, session: Session) -> Identity:
        if self._trouble is not None:
            return self._nobody(self._trouble.message, self._trouble.help)
        if session.is_over(self._clock()):
            return self._nobody("the session has ended", _LOG_IN)
        if session.via == "link":
            # It is worth nothing any more once somebody has an account.
            return (
                Identity(_LINK, "admin", "link", key=key)
                if self.setup
                else self._nobody("the link has expired", "log in with an account")
            )
        account = self._contents.accounts.get(session.name)
        if account is None:
            return self._nobody("the account was removed", "log in with another one")
        return Identity(account.name, account.role, "session", key=key)

    def _before_there_are_accounts(self, request: Request) -> Identity:
        if not self._proxied and not is_sent_by_a_page(request) and is_of_this_machine(request):
            return Identity(_LOCAL, "admin", "local", key=_OPEN)
        help = "open the link that the broker printed at its start, or send an API token"
        return self._nobody("there is no account yet", help)

    def _nobody(self, reason: str, help: str | None) -> Identity:
        return replace(NOBODY, reason=reason, help=help)

    # Sessions -------------------------------------------------------------------------------------------

    def check_login(self, request: Request) -> None:
        """Raise what :meth:`login` and :meth:`enter` refuse whatever is sent: then it need not be read."""
        self.check_change(request)
        if self._key_of(request) is None:  # who shows a cookie may be known, and is counted by itself
            self._tries.check(request)

    def login(self, request: Request, name: str, password: str) -> Login:
        """Begin a session with a name and a password; the one that the browser had ends.

        Raises:
            Refusal: 401 if they do not belong together, 429 if that was tried too often, 403 for a page of
                somebody else's.
        """
        self.check_change(request)
        name = composed(name)
        account = self._there().accounts.get(name)
        passwords, taken = self._attempt(request, name, account)
        if not passwords.fits(password, None if account is None else account.password):
            raise Refusal.unauthorized("the name and the password do not belong together")
        with self._lock:
            contents = self._there()
            # It may have been removed, or been given another password, meanwhile.
            if account is None or contents.accounts.get(name) is None:
                raise Refusal.unauthorized("the name and the password do not belong together")
            if contents.accounts[name].password != account.password:
                raise Refusal.unauthorized("the name and the password do not belong together")
            self._tries.succeeded(taken)
            now = self._clock()
            seen = replace(contents.accounts[name], last_login_at=now)
            contents = contents.but(accounts={**contents.accounts, name: seen})
            return self._begin(request, contents, name, "session")

    def enter(self, request: Request, token: str) -> Login:
        """Begin a session with the token of the link that is printed while there is no account.

        Raises:
            Refusal: 401 if it is another one, 429 if that was tried too often, 403 for a foreign page.
        """
        self.check_change(request)
        taken = self._tries.begin(request, "")
        with self._lock:
            contents = self._there()
            if not secret.same(token, self.link_token):
                help = "open the link that the broker printed at its start; with an account, log in"
                raise Refusal.unauthorized("the link is not valid any more", help)
            self._tries.succeeded(taken)
            return self._begin(request, contents, _LINK, "link")

    def logout(self, request: Request) -> str:
        """End the session of a request, if it has one; return the Set-Cookie header that says so.

        What the browser keeps then is worth nothing but that it is known here: see :mod:`.device`.
        """
        key, secure = self._key_of(request), self._is_secure(request)
        with self._lock:
            session = None if key is None else self._contents.sessions.get(key)
            if session is None:
                return self.cookie.expired(secure=secure)
            left = {one: other for one, other in self._contents.sessions.items() if one != key}
            self._keep(self._contents.but(sessions=left))
            account = self._contents.accounts.get(session.name)
        if account is None or session.via != "session":
            return self.cookie.expired(secure=secure)
        known = device.signed(secret.make(), account.name, account.password)
        return self.cookie.make(known, age=LIFE, secure=secure)

    def _key_of(self, request: Request) -> str | None:
        """Return the name of a request's session among those that are kept, if it can have one."""
        value = self.cookie.read(request.headers.get("cookie"))
        return None if value is None else secret.digest(value.partition(".")[0])

    def _attempt(self, request: Request, name: str, account: Account | None) -> tuple[Passwords, Taken]:
        """Count a try, or raise a refusal (429); return who checks the password, and where the try counts."""
        shown = self.cookie.read(request.headers.get("cookie"))
        known = device.is_of(shown, name, None if account is None else account.password)
        taken = self._tries.begin(request, name, device=shown if known else None)
        return self._reserved if known else self._passwords, taken

    def _begin(self, request: Request, contents: Contents, name: str, via: str) -> Login:
        """Keep a new session; a browser that had one gets another, so nobody can choose its number for it."""
        now, value = self._clock(), secret.make()
        ends = self._key_of(request)
        sessions = {
            key: one for key, one in contents.sessions.items() if key != ends and not one.is_over(now)
        }
        own = sorted(
            (key for key, one in sessions.items() if one.name == name), key=lambda key: sessions[key].seen_at
        )
        for key in own[: max(0, len(own) - MOST_SESSIONS + 1)]:
            del sessions[key]
        key = secret.digest(value)
        sessions[key] = Session(name, via, created_at=now, seen_at=now)
        self._keep(contents.but(sessions=sessions))
        identity = self._of_session(key, sessions[key])
        shown = value
        if via == "session":
            shown = device.signed(value, name, contents.accounts[name].password)
        made = self.cookie.make(shown, age=LIFE, secure=self._is_secure(request))
        return Login(identity, made, value)

    def _is_secure(self, request: Request) -> bool:
        # A proxy's word is enough here: it can only make the cookie stricter.
        return self._secure or request.headers.get("x-forwarded-proto", "").lower() == "https"

    # Accounts -------------------------------------------------------------------------------------------

    def accounts(self) -> list[Account]:
        """Return every account, by name. Raises E724 if they cannot be read."""
        return sorted(self._there().accounts.values(), key=lambda one: one.name)

    def add_account(self, name: str, password: str, role: str) -> None:
        """Add an account. With the first one, everything ends that holds as long as there is none.

        Raises:
            HookMQError: E705 or E706 for a password or a name that cannot be, E722 for a name that is there
                already and for a first account that is no admin's, E703 if it cannot be written.
        """
        name = composed(name)
        if (problem := name_problem(name)) is not None:
            raise HookMQError("E706", name=name, reason=problem)
        self._check_new(name, role)
        hashed = self._passwords.hash(password)
        with self._lock:
            self._check_new(name, role)
            contents = self._contents
            sessions = {key: one for key, one in contents.sessions.items() if one.via != "link"}
            account = Account(name, role, hashed, created_at=self._clock())
            self._write(contents.but(accounts={**contents.accounts, name: account}, sessions=sessions))

    def begin(self, request: Request, name: str) -> Login:
        """Begin a session of an account, for the browser that has just made it, or changed its password."""
        with self._lock:
            return self._begin(request, self._there(), composed(name), "session")

    def change_account(self, name: str, *, role: str | None = None, password: str | None = None) -> None:
        """Give an account another role or password; its sessions end.

        Raises:
            HookMQError: E721 if there is none, E722 for the last admin's role, E705, E703.
        """
        name = self._account(name).name
        hashed = None if password is None else self._passwords.hash(password)
        with self._lock:
            account = self._account(name)
            if role is not None and role != "admin":
                self._check_not_last(account, "it is the last admin's, whose role stays")
            changed = replace(account, role=role or account.role, password=hashed or account.password)
            if changed == account:
                return
            contents = self._contents
            accounts = {**contents.accounts, name: changed}
            self._write(contents.but(accounts=accounts, sessions=_without(contents.sessions, name)))

    def change_password(self, request: Request, identity: Identity, old: str, new: str) -> Login:
        """Give who is logged in another password; his other sessions end, and this one gets a new number.

        Raises:
            Refusal: 401 if the old one is wrong, 429 if that was tried too often.
            HookMQError: E722 for who is not logged in with a password, E705, E703.
        """
        if identity.via != "session":
            raise HookMQError(
                "E722", name=identity.name, reason="only who logged in with a password changes it"
            )
        account = self._account(identity.name)
        passwords, taken = self._attempt(request, identity.name, account)
        if not passwords.fits(old, account.password):
            raise Problem(403, "the old password is wrong", code="forbidden")
        self._tries.succeeded(taken)
        self.change_account(account.name, password=new)
        return self.begin(request, account.name)

    def remove_account(self, name: str) -> None:
        """Remove an account; its sessions end.

        Raises:
            HookMQError: E721 if there is none, E722 for the last admin's, E703.
        """
        with self._lock:
            account = self._account(name)
            name = account.name
            self._check_not_last(account, "it is the last admin's")
            contents = self._contents
            accounts = {key: one for key, one in contents.accounts.items() if key != name}
            self._write(contents.but(accounts=accounts, sessions=_without(contents.sessions, name)))

    def _account(self, name: str) -> Account:
        accounts, name = self._there().accounts, composed(name)
        if name not in accounts:
            raise HookMQError("E721", name=name, known=", ".join(sorted(accounts)[:20]) or None)
        return accounts[name]

    def _check_new(self, name: str, role: str) -> None:
        accounts = self._there().accounts
        if name in accounts:
            raise HookMQError("E722", name=name, reason="there is one of this name already")
        if not accounts and role != "admin":
            raise HookMQError("E722", name=name, reason="the first account must be an admin's")
        if len(accounts) >= MOST:
            raise HookMQError("E722", name=name, reason=f"there are {MOST} accounts already")

    def _check_not_last(self, account: Account, reason: str) -> None:
        admins = [one for one in self._contents.accounts.values() if one.role == "admin"]
        if admins == [account]:
            raise HookMQError("E722", name=account.name, reason=reason)

    # API tokens -----------------------------------------------------------------------------------------

    def tokens(self) -> list[ApiToken]:
        """Return every API token, by name. Raises E724 if they cannot be read."""
        return sorted(self._there().tokens.values(), key=lambda one: (one.name, one.id))

    def add_token(self, name: str, role: str, expires_in: float | None = None) -> tuple[ApiToken, str]:
        """Make an API token that holds so many seconds, or until it is removed; return it with its secret.

        Raises:
            HookMQError: E706 for a name that cannot be, E722 for one that is there already, E703.
        """
        name = composed(name)
        if (problem := name_problem(name)) is not None:
            raise HookMQError("E706", name=name, reason=problem)
        with self._lock:
            contents, now = self._there(), self._clock()
            there = {
                key: one for key, one in contents.tokens.items() if not one.is_over(now) or one.name != name
            }
            if any(one.name == name for one in there.values()):
                raise HookMQError("E722", f"there is an API token `{name}` already", name=name)
            if len(there) >= MOST:
                raise HookMQError("E722", f"there are {MOST} API tokens already", name=name)
            value = secret.make_token()
            expires_at = None if expires_in is None else now + expires_in
            key = secret.digest(value)
            token = ApiToken(secrets.token_hex(4), name, role, key, created_at=now, expires_at=expires_at)
            self._write(contents.but(tokens={**there, key: token}))
            return token, value

    def remove_token(self, id: str) -> None:
        """Remove an API token: who shows it is nobody from now on. Raises E723 if there is none, E703."""
        with self._lock:
            contents = self._there()
            left = {key: one for key, one in contents.tokens.items() if one.id != id}
            if len(left) == len(contents.tokens):
                raise HookMQError("E723", id=id)
            self._write(contents.but(tokens=left))

    # What is kept ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write down when sessions and tokens were used last."""
        with self._lock:
            if self._unsaved:
                self._keep(self._contents)

    def _there(self) -> Contents:
        if self._trouble is not None:
            raise self._trouble
        return self._contents

    def _write(self, contents: Contents) -> None:
        """Keep a change, or raise E703 and change nothing."""
        self._vault.write(contents)
        self._contents = contents
        self.changes += 1
        self._saved, self._unsaved = self._clock(), False

    def _keep(self, contents: Contents) -> None:
        """Keep what need not outlive the process: a full disk must not lock anybody out."""
        self._contents = contents
        self.changes += 1
        self._saved, self._unsaved = self._clock(), False
        if self._trouble is not None:
            return
        try:
            self._vault.write(contents)
        except HookMQError as error:
            logger().warning("sessions are not written down: %s", error.message)

    def _note_use(self, now: float) -> None:
        self._unsaved = True
        if abs(now - self._saved) > SAVING:
            self.close()


def _bearer(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _crosses(request: Request) -> bool:
    """Say whether a browser tells that another site's page, or another port's, has made the request."""
    return request.headers.get("sec-fetch-site", "").lower() in ("cross-site", "same-site")


def _without(sessions: Mapping[str, Session], name: str) -> dict[str, Session]:
    return {key: one for key, one in sessions.items() if one.via == "link" or one.name != name}
