"""Jobs and pages as the source of an extension describes them, if it does so in so many words."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from .keys import YES
from .schedules import NEW, OLD

__all__ = ["DescribedJob", "DescribedPages", "described_jobs", "described_pages"]


@dataclass(frozen=True, slots=True)
class DescribedJob:
    """A job: when, as an expression of ``every(…)``, and the function's name."""

    when: str
    function: str


@dataclass(frozen=True, slots=True)
class DescribedPages:
    """Pages: paths and names of functions, where ``/`` leads, and whether a login guards them."""

    pages: tuple[tuple[str, str], ...]
    redirect: str
    guarded: bool


def described_jobs(path: Path) -> list[DescribedJob] | None:
    """Return the jobs of a scheduler; ``None`` if its source does not spell them out."""
    functions = _functions(path)
    if NEW in functions:
        match _returned(functions[NEW]):
            case ast.Tuple(elts=[ast.Constant(value=enabled), ast.List(elts=entries)]):
                if str(enabled).casefold() not in YES:
                    return []
                jobs = [_job(entry) for entry in entries]
                return None if None in jobs else [job for job in jobs if job is not None]
        return None
    match _returned(functions[OLD]) if OLD in functions else None:
        case ast.Dict() as table:
            status, schedules = _item(table, "STATUS"), _item(table, "SCHEDULES")
            if not isinstance(status, ast.Constant) or not isinstance(schedules, ast.List):
                return None
            if str(status.value).casefold() not in YES:
                return []
            jobs = [_old_job(entry) for entry in schedules.elts]
            return None if None in jobs else [job for job in jobs if job is not None]
    return None


def described_pages(path: Path) -> DescribedPages | None:
    """Return the pages of a UI server; ``None`` if its source does not spell them out."""
    function = _functions(path).get("custom_urls")
    match _returned(function) if function is not None else None:
        case ast.Dict() as table:
            urls, redirect, guarded = (
                _item(table, key) for key in ("urls", "URL_REDIRECT", "AUTHENTICATION")
            )
            if not isinstance(urls, ast.List) or not _is_text(redirect) or not _is_text(guarded):
                return None
            pages: list[tuple[str, str]] = []
            for entry in urls.elts:
                if not isinstance(entry, ast.Dict):
                    return None
                for key, value in zip(entry.keys, entry.values, strict=True):
                    if not (isinstance(key, ast.Constant) and isinstance(value, ast.Name)):
                        return None
                    pages.append(("/" + str(key.value).lstrip("/"), value.id))
            return DescribedPages(tuple(pages), _text(redirect) or "/", _text(guarded).casefold() in YES)
    return None


def _functions(path: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(path.read_bytes())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _returned(function: ast.FunctionDef) -> ast.expr | None:
    """Return the expression of the only ``return``, looked up if it is the name of what was assigned last."""
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    value = returns[0].value if len(returns) == 1 else None
    if isinstance(value, ast.Name):
        assigned = [
            node.value
            for node in function.body
            if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [value.id]
        ]
        value = assigned[-1] if assigned else None
    return value


def _job(entry: ast.expr) -> DescribedJob | None:
    when, job = _item(entry, "time"), _item(entry, "job")
    if when is None or not isinstance(job, ast.Name):
        return None
    text = ast.unparse(when)
    if not text.startswith("schedule.every(") or ".do(" in text:
        return None
    return DescribedJob(text.removeprefix("schedule."), job.id)


def _old_job(entry: ast.expr) -> DescribedJob | None:
    minutes, job = _item(entry, "OnceIn"), _item(entry, "methodtocall")
    if not (
        isinstance(minutes, ast.Constant) and isinstance(minutes.value, int) and isinstance(job, ast.Name)
    ):
        return None
    return DescribedJob(f"every({minutes.value}).minutes", job.id)


def _item(table: ast.expr | None, name: str) -> ast.expr | None:
    if not isinstance(table, ast.Dict):
        return None
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == name:
            return value
    return None


def _is_text(node: ast.expr | None) -> bool:
    return node is None or isinstance(node, ast.Constant)


def _text(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""
