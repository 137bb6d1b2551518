"""What a Python file tells that is neither imported nor run."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import re
import sys
import tokenize
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path

from . import python2
from .authentication import NAMES as AUTHENTICATION
from .finding import Finding
from .schedules import NEW, OLD
from .store import RECEIVED, SENT

__all__ = ["FUNCTIONS", "constants_that_end_in", "inspect_file"]

FUNCTIONS = (*RECEIVED, *SENT, *AUTHENTICATION, NEW, OLD, "custom_urls")
"""The functions that the broker looks for."""
_SETTERS = ("setwebsocketport", "setsqlconnector", "setelasticconnector", "setclientobj")

_SECRET = re.compile(r"pass(word|wd|phrase)?$|pwd$|secret|token$|api_?key", re.IGNORECASE)
_LOGIN_IN_URL = re.compile(r"\w+://[^/\s:@]+:[^/\s:@{}%*]+@")
_WAITS = re.compile(
    r"^(time\.sleep|requests\.\w+|urllib\.request\.urlopen|urlopen|socket\.create_connection|"
    r"pymongo\.MongoClient|MongoClient|redis\.\w*Redis|smtplib\.\w+|subprocess\.\w+|os\.system|"
    r"(pymysql|MySQLdb|psycopg2?)\.connect)$"
)


def inspect_file(path: Path, shown: str, *, beside: Collection[Path] = ()) -> list[Finding]:
    """Return what is wrong with a file, or might be.

    Args:
        path: the file.
        shown: what it is called in findings.
        beside: folders in which modules are found besides those that are installed.
    """
    try:
        with tokenize.open(path) as stream:
            text = stream.read()
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        return [Finding("error", shown, f"cannot be read: {error}", "save it as UTF-8")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as escapes that are none: they are not what is asked here
            tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        return list(_old_syntax(text, shown, error))
    return [
        *_imports(tree, shown, beside),
        *_old_names(tree, shown),
        *_names(tree, shown),
        *_secrets(tree, shown),
        *_waiting(tree, shown),
    ]


def constants_that_end_in(path: Path, ending: str) -> list[tuple[int, str]]:
    """Return the texts of a file that end so, with their lines; nothing of a file that is no Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(ending)
    ]


def _old_syntax(text: str, shown: str, error: Exception) -> Iterator[Finding]:
    line = getattr(error, "lineno", None) or 1
    words = getattr(error, "msg", str(error))
    lines = text.split("\n")
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    remedy = python2.hint(source) or f"look closer:   python -m py_compile {shown}"
    yield Finding("error", f"{shown}:{line}", f"syntax error: {words}{python2.quoted(source)}", remedy)
    if python2.hint(source) is None:
        return
    for number, other in enumerate(lines, start=1):
        known = None if other.lstrip().startswith("#") else python2.hint(other)
        if number != line and known:
            yield Finding("error", f"{shown}:{number}", f"old syntax{python2.quoted(other)}", known)


def _imports(tree: ast.AST, shown: str, beside: Collection[Path]) -> Iterator[Finding]:
    optional = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and any(_catches_imports(handler) for handler in node.handlers)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        else:
            continue
        for name in dict.fromkeys(name.partition(".")[0] for name in names):
            if _is_there(name, beside):
                continue
            text, remedy = f"there is no module `{name}`", python2.module_hint(name)
            yield Finding("note" if id(node) in optional else "error", f"{shown}:{node.lineno}", text, remedy)


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type) if handler.type is not None else "Exception"
    return any(word in caught for word in ("ImportError", "ModuleNotFoundError", "Exception"))


def _is_there(name: str, beside: Collection[Path]) -> bool:
    if name in sys.stdlib_module_names:
        return True
    for folder in beside:
        if (folder / f"{name}.py").is_file() or (folder / name).is_dir():
            return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _old_names(tree: ast.Module, shown: str) -> Iterator[Finding]:
    """Find what Python 2 had built in, and the file does not define."""
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    defined = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
    for name in names:
        if name.id in python2.NAMES and name.id not in defined:
            remedy = f"this is Python 2; write {python2.NAMES[name.id]}"
            yield Finding("error", f"{shown}:{name.lineno}", f"there is no `{name.id}`", remedy)
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in python2.METHODS:
            remedy = f"this is Python 2; write {python2.METHODS[node.attr]}"
            yield Finding("warning", f"{shown}:{node.lineno}", f"dicts have no `{node.attr}`", remedy)


def _names(tree: ast.Module, shown: str) -> Iterator[Finding]:
    defined = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    known = (*FUNCTIONS, *_SETTERS)
    for name, node in defined.items():
        where = f"{shown}:{node.lineno}"
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if close and close[0] not in defined:
                text = f"{name} is never called: the broker looks for {close[0]}"
                yield Finding("error", where, text, f"call it {close[0]}")
        elif isinstance(node, ast.AsyncFunctionDef):
            yield Finding("error", where, f"{name} is a coroutine", "write `def` for `async def`")
    for new, old in (RECEIVED, SENT, AUTHENTICATION, (NEW, OLD)):
        if new in defined and old in defined:
            text = f"{old} is not called, because there is {new}"
            yield Finding("note", f"{shown}:{defined[old].lineno}", text, "remove one of them")


def _secrets(tree: ast.AST, shown: str) -> Iterator[Finding]:
    """Find secrets in clear text; what is found names the place, and never the secret."""
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(_last_name(target), node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(_last_name(node.target), node.value)]
        elif isinstance(node, ast.keyword):
            pairs = [(node.arg or "", node.value)]
        elif isinstance(node, ast.Dict):
            pairs = [(_last_name(key), value) for key, value in zip(node.keys, node.values, strict=True)]
        for name, value in pairs:
            text = value.value if isinstance(value, ast.Constant) else None
            if _SECRET.search(name) and isinstance(text, str) and text.strip() and value is not None:
                found.setdefault(value.lineno, f"`{name}` is written in clear text")
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _LOGIN_IN_URL.search(node.value)
        ):
            found.setdefault(node.lineno, "a URL has its password in clear text")
    for line, text in sorted(found.items()):
        remedy = 'read it from the environment: os.environ["…"], and let nobody else read the file'
        yield Finding("warning", f"{shown}:{line}", text, remedy)


def _waiting(tree: ast.Module, shown: str) -> Iterator[Finding]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name not in (*RECEIVED, *SENT):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and _WAITS.match(called := ast.unparse(inner.func)):
                text = f"{node.name} waits in {called}: messages queue up for it, and the oldest are lost"
                remedy = "store and return, and work in another thread: see extensions/store of HookMQ"
                yield Finding("note", f"{shown}:{inner.lineno}", text, remedy)


def _last_name(node: ast.expr | None) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Constant(value=str(text)):
            return text
        case ast.Subscript(slice=part):
            return _last_name(part)
    return ""
