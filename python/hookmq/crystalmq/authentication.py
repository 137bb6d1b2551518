"""``custom_authentication.py`` and ``custom_auth.py``: files that decide who may connect."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..authentication.workers import Workers
from ..hooks.functions import function_name, where_defined
from ..log import logger
from ..message import Client
from .extensions import function_of, refusal
from .host import Host
from .log_file import EXTENSIONS
from .working_directory import Inside, StandIn, WorkingDirectory

if TYPE_CHECKING:
    from ..authentication import AuthenticationService

__all__ = ["Asker", "Question", "admits", "bound", "register_authentication", "service_of"]

NAMES = ("custom_authenticate", "handle_Device_Auth")

_ARGUMENTS = ("username", "password", "clientid", "ipaddress")
_KNOWN = {
    "username": "username",
    "user": "username",
    "uname": "username",
    "password": "password",
    "passwd": "password",
    "pwd": "password",
    "clientid": "clientid",
    "client": "clientid",
    "ipaddress": "ipaddress",
    "ipaddr": "ipaddress",
    "ip": "ipaddress",
    "address": "ipaddress",
}
"""Names of arguments, without underscores, and what each is given."""

Question = Callable[[dict[str, str]], Any]
"""Asks an extension's function, with the arguments by their names."""


class Asker:
    """Asks an extension's function about a client, on a thread in the working directory, and waits for it.

    What is true admits; an error, ``None``, a text, anything that is false and an answer that does not come
    within ``patience`` seconds refuse.

    Raises:
        HookMQError: E803 for a function whose arguments cannot be guessed.
    """

    def __init__(
        self, function: Callable[..., Any], directory: WorkingDirectory, workers: Workers, patience: float
    ) -> None:
        self._name = function_name(function)
        self._ask = Inside(bound(function), directory, of=function)
        self._workers = workers
        self._patience = patience

    def __call__(self, client: Client) -> bool:
        """Return whether the client may connect."""
        if client.password_bytes is not None and client.password is None:
            return False  # a password that is no text is none that the function could know
        given = {
            # Not None: `known.get(user) == password` would admit whoever gives neither.
            "username": client.username or "",
            "password": client.password or "",
            "clientid": client.client_id,
            "ipaddress": client.address or "",
        }
        asking = None
        try:
            asking = self._workers.submit(lambda: self._ask(given))
            answer = asking.result(self._patience)
        except Exception as error:
            if asking is not None:
                asking.cancel()  # nobody waits for it any more
            # Not the error's text, nor its trace: either may have the password in it.
            what = f"{self._name} raised {type(error).__name__}{_last_frame(error)}"
            logger(EXTENSIONS).error("%s: %r is refused", what, client.client_id)
            return False
        return admits(self._name, answer)


def register_authentication(
    broker: Host, module: ModuleType, ask: Callable[[Callable[..., Any]], Asker]
) -> None:
    """Ask a file's function about each client; ``ask`` says how a function is asked.

    A file that has the settings of an HTTP service, and no function, is asked by the broker itself.

    Raises:
        HookMQError: E803 for a file that decides nothing.
    """
    function = function_of(module, *NAMES)
    if function is not None:
        broker.authenticate(name=function_name(function))(StandIn(ask(function), function))
    elif isinstance(getattr(module, "url", None), str):
        broker.authenticate_with(service_of(module))
    else:
        help = (
            f"write   def {NAMES[0]}(username, password, clientid, ipaddress):   which returns True or False"
        )
        raise refusal(module.__file__, f"it defines neither {NAMES[0]} nor {NAMES[1]}", help)


def bound(function: Callable[..., Any]) -> Question:
    """Return how a function is asked: by the names of its arguments, by their places, or with one dict.

    >>> ask = bound(lambda pwd, user_name: (user_name, pwd))
    >>> ask({"username": "tank", "password": "secret", "clientid": "7", "ipaddress": ""})
    ('tank', 'secret')

    Raises:
        HookMQError: E803 for a function that cannot be asked so.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-ins tell nothing
        return lambda given: function(*(given[name] for name in _ARGUMENTS))
    named = {one.name: _meaning(one.name) for one in parameters if _is_plain(one)}
    required = [one for one in parameters if one.default is one.empty and _is_plain(one)]
    unknown = [one for one in required if named[one.name] is None]
    if not unknown and named:
        wanted = [(one, named[one.name]) for one in parameters if _is_plain(one) and named[one.name]]
        by_place = [meaning for one, meaning in wanted if one.kind is one.POSITIONAL_ONLY]
        by_name = [(one.name, meaning) for one, meaning in wanted if one.kind is not one.POSITIONAL_ONLY]
        return lambda given: function(
            *(given[str(one)] for one in by_place), **{name: given[str(meaning)] for name, meaning in by_name}
        )
    if not required:  # *args and **kwargs
        if any(one.kind is one.VAR_POSITIONAL for one in parameters):
            return lambda given: function(*(given[name] for name in _ARGUMENTS))
        if any(one.kind is one.VAR_KEYWORD for one in parameters):
            return lambda given: function(**given)
    if len(required) == 1:
        return lambda given: function(
            {**given, "user_name": given["username"], "client_id": given["clientid"]}
        )
    places = required[: len(_ARGUMENTS)]
    moved = [
        one for one, name in zip(places, _ARGUMENTS, strict=False) if named[one.name] not in (None, name)
    ]
    keyword = any(one.kind is one.KEYWORD_ONLY for one in required)
    if not required or len(required) > len(_ARGUMENTS) or moved or keyword:
        text = f"{function_name(function)} takes {', '.join(one.name for one in parameters) or 'nothing'}"
        help = f"write   def {NAMES[0]}({', '.join(_ARGUMENTS)}):"
        raise refusal(where_defined(function), f"{text}, but is given {', '.join(_ARGUMENTS)}", help)
    count = len(required)
    return lambda given: function(*(given[name] for name in _ARGUMENTS[:count]))


def admits(name: str, answer: Any) -> bool:
    """Say whether an answer admits: what is true does, but for texts and what has to be awaited.

    >>> admits("f", True), admits("f", 1), admits("f", None), admits("f", "False")
    (True, True, False, False)
    """
    if isinstance(answer, str | bytes | bytearray) or inspect.isawaitable(answer):
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        kind = type(answer).__name__
        logger(EXTENSIONS).error("%s returned %s, which is neither True nor False: refused", name, kind)
        return False
    try:
        return bool(answer)
    except Exception as error:
        logger(EXTENSIONS).error(
            "%s returned %s that is neither: %s", name, type(answer).__name__, type(error).__name__
        )
        return False


def service_of(module: ModuleType) -> AuthenticationService:
    """Return the HTTP service that a file without a function names by its four settings."""
    from ..authentication.http_service import HTTPService

    adapters = getattr(getattr(module, "requests", None), "adapters", None)
    try:
        return HTTPService(
            module.url,
            method=str(getattr(module, "request_auth_method", "POST")).upper(),
            timeout=float(getattr(module, "request_timeout", 1.0)),
            retries=int(getattr(adapters, "DEFAULT_RETRIES", 0) or 0),
            name="custom_authentication",
            reads_answer=False,  # 200 admits, whatever is in the answer
            negative_ttl=0,
        )
    except (TypeError, ValueError) as error:
        raise refusal(module.__file__, str(error), "correct the four settings of the file") from None


def _meaning(name: str) -> str | None:
    return _KNOWN.get(name.replace("_", "").casefold())


def _is_plain(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _last_frame(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
