"""What tells Python 2 apart, and what to write instead."""

from __future__ import annotations

import re

__all__ = ["METHODS", "MODULES", "NAMES", "PACKAGES", "hint", "module_hint", "quoted"]

_MAY_BE_SECRET = re.compile(r"pass|pwd|secret|token|key|://", re.IGNORECASE)

_FORMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), remedy)
    for pattern, remedy in (
        (r"^\s*print\s+[^(=\s]", "this is Python 2; write print(…) with parentheses"),
        (r"^\s*print\s*>>", "this is Python 2; write print(…, file=…)"),
        (r"^\s*exec\s+[^(=\s]", "this is Python 2; write exec(…) with parentheses"),
        (r"^\s*except\s+[\w.()\s,]+,\s*\w+\s*:", "this is Python 2; write `except Error as name:`"),
        (r"^\s*raise\s+[\w.]+\s*,", "this is Python 2; write raise Error(…)"),
        (r"<>", "this is Python 2; write != for <>"),
        (r"`[^`]*`", "this is Python 2; write repr(…) for backquotes"),
        (r"(?<![\w.])0\d+(?![\w.])", "this is Python 2; write octal numbers as 0o17"),
        (r"(?<![\w.])\d+[lL]\b", "this is Python 2; write numbers without L"),
        (r"(?<!\w)[uU][rR](?=['\"])", "this is Python 2; write r'…' without u"),
    )
)

MODULES = {
    "ConfigParser": "configparser",
    "Queue": "queue",
    "StringIO": "io",
    "cPickle": "pickle",
    "httplib": "http.client",
    "thread": "threading",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
    "HTMLParser": "html.parser",
    "Tkinter": "tkinter",
    "SocketServer": "socketserver",
    "BaseHTTPServer": "http.server",
    "commands": "subprocess",
    "cookielib": "http.cookiejar",
}
"""Modules of Python 2, and where their content is now."""

NAMES = {
    "unicode": "str",
    "basestring": "str",
    "unichr": "chr",
    "xrange": "range",
    "raw_input": "input",
    "long": "int",
    "execfile": "exec(open(…).read())",
    "reload": "importlib.reload",
}
"""Built-in names of Python 2, and what to write instead."""

METHODS = {"has_key": "`key in table`", "iteritems": "items", "iterkeys": "keys", "itervalues": "values"}
"""Methods of dicts of Python 2, and what to write instead."""

PACKAGES = {
    "MySQLdb": "mysqlclient",
    "yaml": "PyYAML",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "paho": "paho-mqtt",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "jwt": "PyJWT",
    "sklearn": "scikit-learn",
    "bs4": "beautifulsoup4",
    "PIL": "pillow",
    "dotenv": "python-dotenv",
    "influxdb_client": "influxdb-client",
    "websocket": "websocket-client",
    "OpenSSL": "pyOpenSSL",
    "rediscluster": "redis",
    "ldap": "python-ldap",
    "google": "google-cloud-core",
}
"""Packages that are installed under another name than they are imported."""


def hint(line: str | None) -> str | None:
    """Return what a line of Python 2 should be, ``None`` if it is not known as such.

    >>> hint('print "x"')
    'this is Python 2; write print(…) with parentheses'
    >>> hint("except IOError, error:")
    'this is Python 2; write `except Error as name:`'
    """
    if not line:
        return None
    return next((remedy for pattern, remedy in _FORMS if pattern.search(line)), None)


def quoted(line: str | None) -> str:
    """Return a line as messages quote it: not at all if there may be a password in it.

    >>> quoted('print "x" '), quoted("passwd = 'x")
    (': print "x"', '')
    """
    text = (line or "").strip()
    return f": {text}" if text and not _MAY_BE_SECRET.search(text) else ""


def module_hint(name: str) -> str:
    """Return how to get a module that is missing.

    >>> module_hint("MySQLdb"), module_hint("ConfigParser")
    ('install it:   pip install mysqlclient', 'this is Python 2; the module is called configparser now')
    """
    top = name.partition(".")[0]
    if top in MODULES:
        return f"this is Python 2; the module is called {MODULES[top]} now"
    return f"install it:   pip install {PACKAGES.get(top, top)}"
