"""What keeps a home from running, or runs otherwise than its owner thinks; nothing is imported for it."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import HookMQError
from ..settings import config
from .configuration import Configuration
from .finding import SEVERITIES, Finding
from .ini import Ini
from .inspection import FUNCTIONS, constants_that_end_in, inspect_file
from .opening import SCHEDULER, UI_SERVER

__all__ = ["examine"]


def examine(target: Path) -> list[Finding]:
    """Return what was found in a home, or in a file of Python; errors first.

    >>> import tempfile
    >>> app = Path(tempfile.mkdtemp(), "app.py")
    >>> _ = app.write_text('import hookmq_is_great')
    >>> [(one.severity, one.text) for one in examine(app)]
    [('error', 'there is no module `hookmq_is_great`')]
    """
    if target.is_file():
        found = inspect_file(target, str(target), beside=[target.parent])
    else:
        found = list(_home(target))
    # Without what two looks have found both.
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda one: SEVERITIES.index(one.severity))


def _home(target: Path) -> Iterator[Finding]:
    try:
        configuration = Configuration.read(target)
    except HookMQError as error:
        where = str(error.fields.get("where", target))
        yield Finding("error", where, str(error.fields.get("reason", error.message)), error.help or "")
        return
    yield from configuration.findings
    host = str(config.resolve(arguments={})["host"])
    yield from _login(configuration, host)
    yield from _doors(configuration, host)
    yield from _files(configuration)
    yield from _conf_files(configuration.home)
    yield from _extensions(configuration)


def _login(configuration: Configuration, host: str) -> Iterator[Finding]:
    login = configuration.login
    if login.enabled and login.is_default:
        text = "the web login has a password that everybody knows"
        remedy = "set WEB_USERNAME and WEB_PASSWORD in [WEB_LOGIN_PAGE]"
        yield Finding("warning" if config.is_loopback(host) else "error", login.where, text, remedy)


def _doors(configuration: Configuration, host: str) -> Iterator[Finding]:
    where = configuration.files[0] if configuration.files else "conf/mqtt.conf"
    if not config.is_loopback(host):
        if not configuration.tls:
            text = f"{host} is open to other machines, and passwords cross the network in clear text"
            remedy = "set TLS_ENABLED = TRUE, SERVER_CERTIFICATE and SERVER_KEY in [CONFIG]"
            yield Finding("warning", where, text, remedy)
        if configuration.authentication == "disabled":
            text = f"{host} is open to other machines, and nobody has to authenticate"
            remedy = "set AUTHENTICATION = DEFAULT or CUSTOM, or let everyone in:   --allow-anonymous"
            yield Finding("error", configuration.authentication_where, text, remedy)
    ports = {
        "PORT_NO": configuration.port,
        "WS_PORT_NO": configuration.ws_port,
        "UI_Http_Port": configuration.http_port,
        "WEBSOCKET_PORT": configuration.websocket_port,
    }
    if configuration.tls:
        ports |= {"TLS_PORT_NO": configuration.tls_port, "WSS_PORT_NO": configuration.wss_port}
    taken: dict[int, str] = {}
    for key, port in ports.items():
        if not port:
            continue
        if port in taken and {key, taken[port]} != {"UI_Http_Port", "WEBSOCKET_PORT"}:
            text = f"{key} and {taken[port]} are both {port}"
            yield Finding("error", where, text, "give each a port of its own")
        elif port not in taken and not _is_free(host, port):
            text = f"port {port} of {key} is in use"
            yield Finding("warning", where, text, "end the other program, perhaps the original broker, first")
        taken.setdefault(port, key)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError:
            return False
    return True


def _files(configuration: Configuration) -> Iterator[Finding]:
    remedy = "correct the path, which begins at HOME/bin, or switch it off"
    if configuration.store and not configuration.store_file.is_file():
        text = f"there is no file {configuration.store_file}"
        yield Finding("error", configuration.store_where, text, remedy)
    if configuration.authentication == "custom" and not configuration.authentication_file.is_file():
        text = f"there is no file {configuration.authentication_file}"
        yield Finding("error", configuration.authentication_where, text, remedy)
    if not configuration.store and configuration.store_file.is_file():
        text = f"{configuration.store_file.name} is there, and switched off"
        switch = "to switch it on, set DATA_INTEGRATION = TRUE in [CUSTOM]"
        yield Finding("note", configuration.store_where, text, switch)
    if configuration.tls:
        for key, path in (
            ("SERVER_CERTIFICATE", configuration.certificate),
            ("SERVER_KEY", configuration.key),
        ):
            if path is None or not path.is_file():
                text = f"TLS is switched on without {key}" if path is None else f"there is no file {path}"
                where = configuration.files[0] if configuration.files else "conf/mqtt.conf"
                yield Finding("error", where, text, f"set {key}, or TLS_ENABLED = FALSE")


def _conf_files(home: Path) -> Iterator[Finding]:
    for path in sorted([*(home / "conf").glob("*"), *(home / "extensions").rglob("*")]):
        if path.suffix not in (".conf", ".ini", ".cfg") or not path.is_file():
            continue
        shown = path.relative_to(home).as_posix()
        try:
            ini = Ini.read(path, shown)
        except HookMQError as error:
            yield Finding("error", shown, str(error.fields["reason"]), error.help or "")
            continue
        secrets = [entry for entry in ini if "PASSWORD" in entry.key.upper() and entry.value]
        # What names a variable of the environment is no password.
        secrets = [entry for entry in secrets if not entry.key.upper().endswith("_ENV")]
        for entry in secrets:
            text = f"{entry.key} of [{entry.section}] is written in clear text"
            remedy = "`hookmq migrate crystalmq` makes an app that reads it from the environment"
            yield Finding("warning", ini.where(entry.line), text, remedy)
        if secrets and os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
            yield Finding("warning", shown, "everybody can read the passwords in it", f"chmod 600 {path}")


def _extensions(configuration: Configuration) -> Iterator[Finding]:
    home, folder = configuration.home, configuration.extensions
    called = {
        folder / SCHEDULER,
        folder / UI_SERVER,
        configuration.store_file,
        configuration.authentication_file,
    }
    beside = [folder, home / "lib", *(path for path in folder.rglob("*") if path.is_dir())]
    files = {path for path in folder.rglob("*.py") if "__pycache__" not in path.parts}
    for path in sorted(files | {one for one in called if one.is_file()}):
        shown = path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
        yield from inspect_file(path, shown, beside=beside)
        if path in called and not any(name in path.read_text(errors="replace") for name in FUNCTIONS):
            text = "it defines no function that the broker looks for"
            yield Finding("warning", shown, text, f"these are {', '.join(FUNCTIONS)}")
    for line, name in constants_that_end_in(folder / UI_SERVER, ".html"):
        if name.strip("/") and not (configuration.ui / name.lstrip("/")).is_file() and "<" not in name:
            where = f"extensions/{UI_SERVER}:{line}"
            yield Finding("warning", where, f"there is no template {name} in ui", "put it there")
