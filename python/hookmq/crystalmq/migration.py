"""From a home to an app: ``hookmq.toml`` and ``app.py``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import HookMQError
from .configuration import Configuration
from .finding import SEVERITIES, Finding
from .migrated_app import MigratedApp
from .opening import make_users_file
from .settings import settings_of
from .toml_text import toml_of

__all__ = ["Migration", "migrate"]

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Migration:
    """What was written, and what could not be translated."""

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]


def migrate(home: Path, out: Path, *, replace: bool = False) -> Migration:
    """Write the configuration and the code of an app that does what a home does.

    The extensions stay where they are, and are imported from there. Passwords are not copied: what needs one
    reads it from the environment, and the findings say from where.

    Args:
        home: the folder.
        out: the folder to write into, which is made.
        replace: whether files that are there are written anew.

    Raises:
        HookMQError: E801 if it is no home, E802 for a configuration that cannot be used, E803 for an
            extension that is no Python 3, E708 if there are files already, E703 if they cannot be written.
    """
    configuration = Configuration.read(home)
    configuration.require()
    settings, findings = _without_secrets(configuration, settings_of(configuration, _HOST))
    try:
        app = MigratedApp(configuration)
    except SyntaxError as error:
        where = f"{error.filename}:{error.lineno}"
        help = f"see what is wrong with it:   hookmq doctor {home}"
        raise HookMQError("E803", where=where, exception=f"syntax error: {error.msg}", help=help) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise HookMQError(
            "E803", where=str(error.filename), exception=reason, help="correct the path"
        ) from None
    texts = {"hookmq.toml": _head(configuration) + toml_of(settings), "app.py": app.text}
    paths = [out / name for name in texts]
    if not replace and (there := [path for path in paths if path.exists()]):
        help = "name another folder with --out, or replace it with --replace"
        raise HookMQError("E708", path=there[0], help=help)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HookMQError("E703", path=error.filename, reason=error.strerror) from None
    if configuration.authentication == "default":
        make_users_file(configuration)
        text = "the users of the original are in its own database, and could not be taken over"
        remedy = f"add them:   hookmq users add NAME --file {settings['access']['users_file']}"
        findings.append(Finding("warning", configuration.authentication_where, text, remedy))
    found = [*configuration.findings, *findings, *app.findings]
    return Migration(tuple(paths), tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity))))


def _head(configuration: Configuration) -> str:
    files = " and ".join(configuration.files) or "the defaults"
    return f"# From {files} of {configuration.home}, by `hookmq migrate crystalmq`.\n\n"


def _without_secrets(
    configuration: Configuration, settings: dict[str, Any]
) -> tuple[dict[str, Any], list[Finding]]:
    """Take what has a password out of the settings, and say where it goes."""
    url = configuration.storage_url
    if url is None or url.startswith("sqlite"):
        return settings, []
    from sqlalchemy import make_url

    parsed = make_url(url)
    if not parsed.password:
        return settings, []
    storage = {key: value for key, value in settings["storage"].items() if key != "url"}
    shown = parsed.render_as_string(hide_password=True).replace("***", "PASSWORD")
    text = "the password of the database is not copied: without it nothing is stored"
    remedy = f"export HOOKMQ__STORAGE__URL={shown}   before   hookmq run app.py"
    where = next((name for name in configuration.files if "data" in name), "conf/datastore.conf")
    return {**settings, "storage": storage}, [Finding("warning", where, text, remedy)]
