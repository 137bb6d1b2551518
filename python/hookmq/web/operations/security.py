"""Who gets in, and who may do what: users, the access list, and which rule says so."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ... import access_files
from ..._hookmq import check_acl, check_filter, check_users, explain_acl, hash_user, remove_user, set_user
from ..problem import Problem
from ..schema import Array, Boolean, Field, Integer, Nullable, Object, Ref, Text
from ..source import Source
from .operation import Answer, Ask, Operation, may
from .paging import PAGE, page, page_of

__all__ = ["operations"]

_HASHES = {"$argon2id$": "argon2id", "$7$": "pbkdf2-sha512", "$6$": "sha-512"}

_PATIENCE = 5.0
"""Seconds that a hook has to say what it would answer."""

_LARGEST = 1 << 20
"""Bytes of an access list."""

_argon2 = threading.Semaphore(2)
"""A hash takes much memory: so many at once."""

_USER = Ref(
    "User",
    Object([Field("name", Text(), required=True), Field("methods", Array(Text()), required=True)]),
)

_PROBLEM = Object(
    [
        Field("level", Text(among=("info", "warning", "error")), required=True),
        Field("code", Text(among=("everybody", "unencrypted", "no_acl")), required=True),
        Field("url", Nullable(Text()), "the listener that it is about", required=True),
        Field("message", Text(), required=True),
        Field("help", Nullable(Text()), required=True),
    ]
)

_LISTENER = Object(
    [
        Field("url", Text(), required=True),
        Field("encrypted", Boolean(), required=True),
        Field("client_certificates", Boolean(), required=True),
        Field("users_file", Nullable(Text()), required=True),
        Field("acl_file", Nullable(Text()), required=True),
        Field("anonymous", Boolean(), "whether clients get in without saying who they are", required=True),
    ]
)

_SECURITY = Ref(
    "Security",
    Object(
        [
            Field("users_file", Nullable(Text()), required=True),
            Field("acl_file", Nullable(Text()), required=True),
            Field("anonymous", Boolean(), required=True),
            Field("authenticators", Array(Text()), required=True),
            Field("authorizers", Array(Text()), required=True),
            Field("listeners", Array(_LISTENER), required=True),
            Field("problems", Array(_PROBLEM), required=True),
        ]
    ),
)

_ACL = Ref(
    "Acl",
    Object([Field("path", Text(), required=True), Field("text", Text(max=_LARGEST), required=True)]),
)

_EXPLAINED = Ref(
    "Explanation",
    Object(
        [
            Field("allowed", Boolean(), required=True),
            Field("line", Nullable(Integer()), "of the access list", required=True),
            Field("rule", Nullable(Text()), required=True),
            Field("reason", Text(), required=True),
            Field(
                "asked",
                Array(Object([Field("by", Text(), required=True), Field("answer", Text(), required=True)])),
                "who was asked, in this order",
                required=True,
            ),
        ]
    ),
)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of users and access rules, and be done with them."""
    api = _Security(source)
    return [
        Operation("GET", "security", api.security, "Say who gets in, and what is open", answer=_SECURITY),
        Operation(
            "POST",
            "security/explain",
            api.explain,
            "Say whether a client may do something, and which rule says so",
            description="Hooks of `authorize` and `on_subscribe` are asked as for a client of this name. "
            "Viewers are told whether it may, and who was asked: the access list is not for them.",
            body=Object(
                [
                    Field("user", Nullable(Text()), "its user name"),
                    Field("client_id", Text(), default=""),
                    Field("address", Nullable(Text()), "the IP address it connects from"),
                    Field("action", Text(among=("publish", "subscribe")), required=True),
                    Field("topic", Text(1), "topic name, or topic filter", required=True),
                ]
            ),
            answer=_EXPLAINED,
            example={"user": "anna", "action": "publish", "topic": "tank/7/level"},
        ),
        Operation(
            "GET",
            "users",
            api.users,
            "List the users of the users file",
            role="admin",
            query=PAGE,
            answer=page(_USER),
            raises=(409,),
        ),
        Operation(
            "PUT",
            "users/{name}",
            api.set_user,
            "Add a user, or give one a new password",
            role="admin",
            body=Object([Field("password", Text(1, 1000), required=True)]),
            answer=_USER,
            raises=(409,),
        ),
        Operation(
            "DELETE",
            "users/{name}",
            api.remove_user,
            "Remove a user",
            role="admin",
            answer=Object([Field("removed", Text(), required=True)]),
            raises=(404, 409),
        ),
        Operation("GET", "acl", api.acl, "Show the access list", role="admin", answer=_ACL, raises=(409,)),
        Operation(
            "PUT",
            "acl",
            api.set_acl,
            "Replace the access list, if every line of it is a rule",
            role="admin",
            body=Object([Field("text", Text(max=_LARGEST), required=True)]),
            answer=_ACL,
            versioned=True,
            raises=(409, 412, 422),
            example={"text": "allow user tank publish tank/%c/#\n"},
        ),
    ]


class _Security:
    def __init__(self, source: Source) -> None:
        self._source = source

    # What there is --------------------------------------------------------------------------------------

    def security(self, ask: Ask) -> Any:
        run = self._source.run()
        settings = run.settings
        asked = list(self._source.authenticators())
        listeners = [_listener(one, info.url, bool(asked)) for one, info in self._doors()]
        return {
            "users_file": settings["access.users_file"],
            "acl_file": settings["access.acl_file"],
            "anonymous": any(one["anonymous"] for one in listeners),
            "authenticators": asked,
            "authorizers": [hook.name for hook in self._authorizers("subscribe")],
            "listeners": listeners,
            "problems": self._problems(listeners),
        }

    def _doors(self) -> list[tuple[Any, Any]]:
        run = self._source.run()
        return list(zip(run.settings.listeners, run.listeners, strict=False))

    def _problems(self, listeners: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from ...settings.config import is_loopback

        found: list[dict[str, Any]] = []
        for one, (door, _) in zip(listeners, self._doors(), strict=True):
            is_open = door.host is not None and not is_loopback(door.host)
            if one["anonymous"] and is_open:
                text = f"{one['url']} lets everybody in from other machines, without asking who they are"
                help = "write a users file (hookmq users add NAME), or register @broker.authenticate"
                found.append(_problem("error", "everybody", text, help, one["url"]))
            if is_open and not one["encrypted"] and not one["anonymous"]:
                text = f"{one['url']} is not encrypted: passwords can be read on their way"
                found.append(_problem("warning", "unencrypted", text, "serve TLS: see tls.port", one["url"]))
        settings = self._source.run().settings
        if settings["access.acl_file"] is None and not self._authorizers("publish"):
            text = "there is no access list: whoever gets in may publish and subscribe to everything"
            found.append(_problem("info", "no_acl", text, "name one with access.acl_file"))
        return found

    # Users ----------------------------------------------------------------------------------------------

    def _users_file(self) -> Path:
        return self._file("access.users_file", "users file", "hookmq users add NAME --file users")

    def _file(self, key: str, what: str, command: str) -> Path:
        path = self._source.run().settings[key]
        if path is None:
            help = f"name one with {key} in hookmq.toml, and start the broker again;   {command}"
            raise Problem(409, f"this broker has no {what}", help=help)
        return Path(str(path))

    def users(self, ask: Ask) -> Any:
        path = self._users_file()
        text = access_files.read(path)
        names = set(_checked_users(path, text))
        users = [user for user in map(_described, text.split("\n")) if user["name"] in names]
        return page_of(ask, sorted(users, key=lambda user: str(user["name"])))

    def set_user(self, ask: Ask) -> Any:
        name, path = ask.path["name"], self._users_file()
        with _argon2:
            try:
                line = hash_user(name, ask.body["password"].encode(), True)
            except ValueError as error:
                raise Problem(400, f"a user cannot be called {name[:60]!r}: {error}") from None
        with access_files.locked(path):
            text = access_files.read(path) if path.exists() else ""
            _checked_users(path, text)
            access_files.replace(path, set_user(text, name, line))
        self._source.reload_files()
        return _described(line)

    def remove_user(self, ask: Ask) -> Any:
        name, path = ask.path["name"], self._users_file()
        with access_files.locked(path):
            text = access_files.read(path)
            _checked_users(path, text)
            rest = remove_user(text, name)
            if rest is None:
                raise Problem(404, f"there is no user {name[:100]!r} in {path}")
            access_files.replace(path, rest)
        self._source.reload_files()
        return {"removed": name}

    # The access list ------------------------------------------------------------------------------------

    def _acl_file(self) -> Path:
        return self._file("access.acl_file", "access list", "hookmq acl check FILE")

    def acl(self, ask: Ask) -> Any:
        path = self._acl_file()
        return _acl(path, access_files.read(path))

    def set_acl(self, ask: Ask) -> Any:
        path, text = self._acl_file(), ask.body["text"]
        try:
            check_acl(text)
        except ValueError as error:
            line = access_files.in_text(error)[0]
            where = {} if line is None else {"line": line}
            raise Problem(422, f"it is no access list: {error}", code="E305", more=where) from error
        with access_files.locked(path):
            ask.check_version(_tag(access_files.read(path)))
            access_files.replace(path, text)
        self._source.reload_files()
        return _acl(path, text)

    # Who may --------------------------------------------------------------------------------------------

    def _authorizers(self, action: str) -> list[Any]:
        kinds = ("authorize", "on_subscribe") if action == "subscribe" else ("authorize",)
        return [hook for kind in kinds for hook in self._source.deciders(kind)]

    def explain(self, ask: Ask) -> Any:
        found = self._explained(ask)
        if not may(ask.identity.role, "operator"):
            reason = "it is allowed" if found["allowed"] else "it is denied"
            found |= {"line": None, "rule": None, "reason": f"{reason}; why is told to operators and admins"}
        return found

    def _explained(self, ask: Ask) -> dict[str, Any]:
        body = ask.body
        action, topic = body["action"], _topic(body["action"], body["topic"])
        asked: list[dict[str, str]] = []
        allowed, line, rule, reason = True, None, None, "nobody says anything about it: it is allowed"
        path = self._source.run().settings["access.acl_file"]
        if path is not None:
            text = access_files.read(Path(str(path)))
            try:
                allowed, line = explain_acl(
                    text, body["user"], body["client_id"], body["address"], action, topic
                )
            except ValueError as error:
                raise Problem(400, str(error)) from None
            rule = None if line is None else text.split("\n")[line - 1].strip()
            reason = f"{path}:{line}  {rule}" if rule else f"{path}  no rule matches"
            asked.append({"by": str(path), "answer": "allow" if allowed else "deny"})
        if not allowed:
            return _explained(False, line, rule, reason, asked)
        for hook in self._authorizers(action):
            answer, why = self._answer(hook, body, action, topic)
            asked.append({"by": hook.name, "answer": answer})
            if answer in ("deny", "error"):
                return _explained(False, None, None, f"{hook.name} ({hook.where}) {why}", asked)
            if answer == "allow" and line is None:
                reason = f"{hook.name} ({hook.where}) allows it"
        return _explained(True, line, rule, reason, asked)

    def _answer(self, hook: Any, body: dict[str, Any], action: str, topic: str) -> tuple[str, str]:
        """Ask a hook, and return its answer in a word and in words."""
        from ...decisions import Deny
        from ...hooks.trial import Stranger

        if hook.paused:
            return "deny", "is paused, and denies"
        client = Stranger(body["client_id"], username=body["user"], address=body["address"])
        given = (client, topic, 0) if hook.spec.name == "on_subscribe" else (client, action, topic, 0, False)
        future: Future[Any] = Future()
        if hook.is_async:
            future = self._source.loop().ask(
                lambda: _awaited(hook, given[: hook.positional]), timeout=_PATIENCE
            )
        else:

            def call() -> None:
                try:
                    future.set_result(hook.user_call(*given[: hook.positional]))
                except BaseException as error:  # SystemExit as well
                    future.set_exception(error)

            threading.Thread(target=call, name="hookmq-explain", daemon=True).start()
        try:
            said = future.result(_PATIENCE + 0.5)
        except Deny as denied:
            return "deny", f"denies it: {denied}"
        except TimeoutError:
            return "error", "does not answer, which denies"
        except Exception as error:
            return "error", f"fails with {type(error).__name__}, which denies"
        if said is False or isinstance(said, Deny):
            return "deny", "denies it"
        return ("no opinion", "has no opinion") if said is None else ("allow", "allows it")


async def _awaited(hook: Any, given: tuple[Any, ...]) -> Any:
    result = hook.user_call(*given)
    return await result if isinstance(result, Coroutine) else result


def _explained(
    allowed: bool, line: int | None, rule: str | None, reason: str, asked: list[dict[str, str]]
) -> dict[str, Any]:
    return {"allowed": allowed, "line": line, "rule": rule, "reason": reason, "asked": asked}


def _listener(one: Any, url: str, asked: bool) -> dict[str, Any]:
    return {
        "url": url,
        "encrypted": bool(one.encrypted),
        "client_certificates": one.client_ca is not None and one.client_cert == "required",
        "users_file": one.users_file,
        "acl_file": one.acl_file,
        "anonymous": not (asked or one.authenticates),
    }


def _topic(action: str, given: str) -> str:
    try:
        check_filter(given)
    except ValueError as error:
        raise Problem(400, f"`topic` is {given[:60]!r}, which {error}", more={"member": "topic"}) from None
    if action == "publish" and any(character in given for character in "+#"):
        detail = f"`topic` is {given[:60]!r}, which has a wildcard: only a subscription may have one"
        raise Problem(400, detail, more={"member": "topic"})
    # Rules name the filter, not the group that shares it.
    return given.split("/", 2)[2] if action == "subscribe" and given.startswith("$share/") else given


def _checked_users(path: Path, text: str) -> list[str]:
    try:
        return check_users(text)
    except ValueError as error:
        raise access_files.unusable(path, [access_files.in_text(error)]) from None


def _described(line: str) -> dict[str, Any]:
    name, _, rest = line.removeprefix("\ufeff").partition(":")
    password, _, scram = rest.strip().partition(":")
    methods = [kind for prefix, kind in _HASHES.items() if password.startswith(prefix)]
    return {"name": name.strip(), "methods": [*methods, *(["scram-sha-256"] if scram else [])]}


def _acl(path: Path, text: str) -> Answer:
    return Answer({"path": str(path), "text": text}, version=_tag(text))


def _tag(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _problem(level: str, code: str, message: str, help: str, url: str | None = None) -> dict[str, Any]:
    return {"level": level, "code": code, "url": url, "message": message, "help": help}
