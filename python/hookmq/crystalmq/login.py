"""The web login: who may see the pages that it guards."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from ..web.request import Request
from ..web.response import Response
from .host import Host

__all__ = ["WebLogin"]

COOKIE = "hookmq_pages"
LASTS = 12 * 3600.0
"""Seconds after which a session ends."""
SESSIONS = 10_000
"""Sessions at the same time; beyond it the oldest end."""

ATTEMPTS, WINDOW = 5, 60.0
"""So many failures from one address within so many seconds, and it has to wait."""
ADDRESSES = 10_000
"""Addresses whose failures are counted; beyond it the oldest are forgotten."""


class WebLogin:
    """A form, sessions in memory, and a bound on how often passwords are tried.

    >>> login = WebLogin("admin", "correct horse")
    >>> login.admits(Request("GET", "/", "", {}, b"", "127.0.0.1"))
    False
    """

    def __init__(self, username: str, password: str) -> None:
        self._username = username.encode()
        self._password = password.encode()
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, float] = OrderedDict()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def register(self, broker: Host) -> None:
        """Serve ``/login`` and ``/logout``."""
        secure = bool(broker.settings["tls.http"])

        @broker.route("/login", methods=("GET",))
        def login_form(request: Request) -> Response:
            return _form(_local(request.query.get("next", "/")))

        @broker.route("/login", methods=("POST",))
        def login(request: Request) -> Response:
            return self._login(request, secure=secure)

        @broker.route("/logout", methods=("GET", "POST"))
        def logout(request: Request) -> Response:
            with self._lock:
                self._sessions.pop(_digest(_token(request)), None)
            return _redirect("/login", cookie=_cookie("", 0, secure))

    def admits(self, request: Request) -> bool:
        """Say whether a request comes from somebody who is logged in."""
        token = _token(request)
        if not token:
            return False
        digest = _digest(token)
        with self._lock:
            ends = self._sessions.get(digest, 0.0)
            if ends <= time.monotonic():
                self._sessions.pop(digest, None)
                return False
        return True

    @staticmethod
    def challenge(request: Request) -> Response:
        """Return the answer to who is not logged in: the form for a browser, 401 for anything else."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            path = request.path + (f"?{request.query_string}" if request.query_string else "")
            return _redirect("/login?next=" + quote(path, safe=""))
        return Response(
            "log in first: /login\n", status=401, headers={"WWW-Authenticate": 'Form realm="HookMQ"'}
        )

    def _login(self, request: Request, *, secure: bool) -> Response:
        target = _local(request.form.get("next", "/"))
        if self._must_wait(request.address):
            wait = {"Retry-After": str(int(WINDOW))}
            return Response("too many attempts, wait a minute\n", status=429, headers=wait)
        # Both are compared, whatever the first comparison says: the time tells nothing.
        name = hmac.compare_digest(request.form.get("username", "").encode(), self._username)
        word = hmac.compare_digest(request.form.get("password", "").encode(), self._password)
        if not (name and word):
            self._count_failure(request.address)
            return _form(target, failed=True)
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_digest(token)] = time.monotonic() + LASTS
            while len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
            self._failures.pop(request.address, None)
        return _redirect(target, cookie=_cookie(token, int(LASTS), secure))

    def _must_wait(self, address: str) -> bool:
        with self._lock:
            since = time.monotonic() - WINDOW
            return sum(moment > since for moment in self._failures.get(address, ())) >= ATTEMPTS

    def _count_failure(self, address: str) -> None:
        with self._lock:
            moments = self._failures.setdefault(address, [])
            moments.append(time.monotonic())
            del moments[:-ATTEMPTS]
            self._failures.move_to_end(address)
            while len(self._failures) > ADDRESSES:
                self._failures.popitem(last=False)


def _token(request: Request) -> str:
    try:
        morsel = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _digest(token: str) -> bytes:
    # What is looked up is no secret, so the time that takes tells nothing about one.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _cookie(token: str, age: int, secure: bool) -> str:
    return f"{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict" + (
        "; Secure" if secure else ""
    )


def _local(target: str) -> str:
    """Return a path of this broker; another place that a link names is not gone to.

    >>> _local("/pumps?n=7"), _local("//evil.example"), _local("https://evil.example")
    ('/pumps?n=7', '/', '/')
    """
    plain = target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"


def _redirect(target: str, *, cookie: str | None = None) -> Response:
    headers = {"Location": quote(target, safe="/?&=%#+:,;@!$'()*~"), "Cache-Control": "no-store"}
    return Response(status=303, headers=headers if cookie is None else headers | {"Set-Cookie": cookie})


def _form(target: str, *, failed: bool = False) -> Response:
    wrong = '<p role="alert">That user name and password do not belong together.</p>' if failed else ""
    page = _PAGE.replace("{wrong}", wrong).replace("{next}", escape(target, quote=True))
    return Response(page, status=401 if failed else 200, headers={"Cache-Control": "no-store"})


_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Log in</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 20rem; padding: 0 1rem }
  label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
  input { margin: .25rem 0 1rem; padding: .5rem }
  button { padding: .5rem }
</style>
<h1>Log in</h1>
{wrong}
<form method="post" action="/login">
  <input type="hidden" name="next" value="{next}">
  <label>User name <input name="username" autocomplete="username" required autofocus></label>
  <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
  <button>Log in</button>
</form>
</html>
"""
