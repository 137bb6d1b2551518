"""Configuration: which keys exist, where a value may come from, and which source wins.

A value comes from the first of these that has it::

    a command-line flag  >  the environment  >  Broker(...)  >  hookmq.toml  >  the default

``SETTINGS`` is the one list of keys; the flags, the variables, the file and the table in the documentation
are derived from it. Reading a configuration never touches the network and imports nothing heavy.

>>> settings = resolve(arguments={"port": 1884}, environ={"HOOKMQ_HTTP_PORT": "off"})
>>> settings["port"], settings.origin("port")
(1884, 'Broker(port=…)')
>>> settings["http_port"], settings.origin("http_port")
(None, 'environment HOOKMQ_HTTP_PORT')
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ..errors import HookMQError
from .bridges import BridgeSettings, bridge_settings
from .keys import SETTINGS
from .listeners import ListenerSettings, http_settings, listener_settings
from .setting import Setting, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CONFIG_FILE",
    "SETTINGS",
    "Setting",
    "Settings",
    "describe",
    "is_loopback",
    "machine_names",
    "require_authentication",
    "resolve",
]

CONFIG_FILE = "hookmq.toml"
"""The file that is read from the working directory when no other is named."""

process_flags: dict[str, object] = {}
"""Flags of this process, key → value: set by the command line before it imports the user's app."""

process_defaults: dict[str, object] = {}
"""Defaults of this process, weaker than every other source: ``hookmq run`` puts ``data_dir`` here."""

importing_app: bool = False
"""True while the command line imports the user's app: ``Broker.run()`` and ``.start()`` then return at
once, so a script whose last line is ``broker.run()`` can be run either way."""


class Settings(Mapping[str, Value]):
    """The values that won, by dotted key, and where each came from.

    A duration is a ``float`` of seconds, a size an ``int`` of bytes, a port that is off ``None``.

    >>> settings = resolve(arguments={}, environ={})
    >>> settings["limits.max_packet_size"], settings.origin("limits.max_packet_size")
    (16777216, 'default')
    """

    def __init__(self, values: Mapping[str, tuple[Value, str]], *, file: Path | None = None) -> None:
        self._values = dict(values)
        self.file = file
        """The configuration file that was read, or ``None``."""
        self.listeners: tuple[ListenerSettings, ...] = listener_settings(self, self.origin)
        """Where MQTT is served: the plain port, the TLS port, and further listeners, in this order."""
        self.http: ListenerSettings | None = http_settings(self, self.origin)
        """Where pages are served, and how their WebSocket clients come in; ``None`` serves no HTTP."""
        self.bridges: tuple[BridgeSettings, ...] = bridge_settings(self, self.origin)
        """Links to other brokers."""

    def __getitem__(self, key: str) -> Value:
        return self._values[key][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        changed = {
            key: "…" if key in _SECRET else value
            for key, (value, origin) in self._values.items()
            if origin != "default"
        }
        return f"Settings({changed!r})"

    def origin(self, key: str) -> str:
        """Say where the value of ``key`` came from.

        One of ``"flag --port"``, ``"environment HOOKMQ_PORT"``, ``"Broker(port=…)"``, ``"hookmq.toml:3"`` and
        ``"default"``. Raises ``KeyError`` for a key that does not exist.
        """
        return self._values[key][1]

    def native(self) -> dict[str, object]:
        """Return every key and value as plain Python values, for the native module."""
        values: dict[str, object] = {key: value for key, (value, _) in self._values.items()}
        values["listeners"] = [listener.native() for listener in self.listeners]
        values["http"] = None if self.http is None else self.http.native()
        values["bridges"] = [bridge.native() for bridge in self.bridges]
        values["websocket.origins"] = list(self.texts("websocket.origins"))
        hosts = {host.lower().rstrip(".") for host in self.texts("http_hosts")}
        values["http_hosts"] = sorted(hosts | machine_names())
        return values

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the value of a key that holds several texts."""
        value = self[key]
        return value if isinstance(value, tuple) else ()


def resolve(
    *,
    arguments: Mapping[str, object],
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Settings:
    """Find the value of every key.

    ``arguments`` are those given to ``Broker(...)``, ``flags`` those of the command line, ``defaults`` what
    stands in for a built-in default; all are dotted keys, plus ``config``: the name of the configuration
    file. Arguments may also be sections, as in ``limits={"max_clients": 5}``. ``environ`` is the environment
    (``os.environ``), ``directory`` where ``hookmq.toml`` is looked for (the working directory). An empty
    variable counts as not set; ``None`` for a key that has no off or empty state (``host``, ``port``,
    ``config``, …) counts as not given.

    Raises E301 for an unknown key or variable, E303 for a value that does not fit, E304 for a file that is
    missing or is not TOML.

    >>> resolve(arguments={}, environ={"HOOKMQ__LIMITS__MAX_PACKET_SIZE": "64 KiB"})["limits.max_packet_size"]
    65536
    >>> resolve(arguments={"prot": 1884}, environ={})
    Traceback (most recent call last):
        ...
    hookmq.errors.HookMQError: error[E301]: Broker(...)  unknown key `prot`
      help: did you mean `port`?
    """
    flags = flags or {}
    environ = os.environ if environ is None else environ
    values: dict[str, tuple[Value, str]] = {s.key: (s.default, "default") for s in SETTINGS}
    for key, given in (defaults or {}).items():
        setting = _setting(key, where="the defaults")
        values[key] = (setting.read(given, where="the defaults"), "default")

    file = _config_file(flags, environ, arguments, directory or os.getcwd())
    layers = [] if file is None else [_from_file(*file)]
    layers += [_from_arguments(arguments), _from_environment(environ), _from_flags(flags)]
    for layer in layers:  # the strongest last
        for setting, given, origin in layer:
            values[setting.key] = (setting.read(given, where=origin), origin)
    return Settings(values, file=file[0] if file else None)


def describe() -> str:
    """Return the table of all keys as Markdown, for the documentation.

    >>> print(describe().splitlines()[2])
    | `host` | `"127.0.0.1"` | `HOOKMQ_HOST` | Address to listen on; `0.0.0.0` or `::` for every interface. |
    """
    rows = ["| Key | Default | Variable | Meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        rows.append(f"| `{setting.key}` | `{setting.default_text}` | `{setting.variable}` | {setting.help} |")
    return "\n".join(rows)


def machine_names(name: str | None = None) -> set[str]:
    """Return the names by which others of the network may call this machine, in lower case.

    >>> sorted(machine_names("Pump7.plant.example"))
    ['pump7', 'pump7.local', 'pump7.plant.example']
    """
    import socket

    own = (socket.gethostname() if name is None else name).lower().rstrip(".")
    short = own.partition(".")[0]
    return {own, short, f"{short}.local"} if short else set()


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach ``host``. A name other than ``localhost`` counts as open.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "broker.example")]
    [True, True, True, False, False]
    """
    if host == "127.0.0.1":
        return True  # the default need not import anything
    import ipaddress

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def require_authentication(settings: Settings, *, authenticated: bool) -> None:
    """Raise E302 if other machines could connect without anyone asking who they are.

    ``authenticated`` says whether the broker asks: whether an ``authenticate`` hook is registered.

    >>> require_authentication(resolve(arguments={}, environ={}), authenticated=False)
    """
    doors = settings.listeners if settings.http is None else (*settings.listeners, settings.http)
    for listener in doors:
        asks = authenticated or listener.authenticates or listener.allow_anonymous
        if not asks and listener.host is not None and not is_loopback(listener.host):
            raise HookMQError("E302", host=listener.host)


# Where values come from ------------------------------------------------------------------------------------

_SECRET = frozenset({"authentication", "bridges", "connectors", "history.url", "rules", "storage.url"})
"""Keys whose values may have passwords in them."""

_Given = tuple[Setting, object, str]  # a key, what was written for it, and where


def _from_flags(flags: Mapping[str, object]) -> list[_Given]:
    found: list[_Given] = []
    for key, given in flags.items():
        if key != "config":
            setting = _setting(key, where="the command line")
            found.append((setting, given, f"flag {setting.flag_name}"))
    return found


def _from_arguments(arguments: Mapping[str, object]) -> list[_Given]:
    found: list[_Given] = []
    for key, given in _flatten(arguments):
        if key != "config":
            setting = _setting(key, where="Broker(...)")
            if given is not None or setting.nullable:
                found.append((setting, given, f"Broker({key}=…)"))
    return found


def _from_environment(environ: Mapping[str, str]) -> list[_Given]:
    found: list[_Given] = []
    for name, text in environ.items():
        setting = _BY_VARIABLE.get(name)
        if setting is not None:
            if text.strip():
                found.append((setting, text.strip(), f"environment {name}"))
        elif name.startswith("HOOKMQ__"):
            key = name.removeprefix("HOOKMQ__").lower().replace("__", ".")
            raise _unknown_key(key, where=name, as_variable=True)
    return found


def _from_file(path: Path, shown: str) -> list[_Given]:
    import tomllib

    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise HookMQError("E304", where=shown, reason=_reason(error)) from None
    except UnicodeDecodeError as error:
        raise HookMQError("E304", where=shown, reason=f"not UTF-8 at byte {error.start}") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where, reason = _toml_position(shown, str(error))
        raise HookMQError("E304", where=where, reason=f"not TOML: {reason}") from None
    found: list[_Given] = []
    lines: dict[str, int] | None = None
    for key, given in _flatten(table):
        if lines is None:
            lines = _key_lines(text)
        where = f"{shown}:{lines[key]}"
        found.append((_setting(key, where=where), given, where))
    return found


def _config_file(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    arguments: Mapping[str, object],
    directory: str | Path,
) -> tuple[Path, str] | None:
    """Return the file to read and how to call it, or ``None`` if none was named and none is there."""
    named = flags.get("config") or environ.get("HOOKMQ_CONFIG") or arguments.get("config")
    if not named:
        path = os.path.join(directory, CONFIG_FILE)
        return (_path(path), CONFIG_FILE) if os.path.isfile(path) else None
    if not isinstance(named, str | os.PathLike):
        raise HookMQError(
            "E303", where="Broker(config=…)", key="config", value=repr(named), expected="a path"
        )
    shown = os.fspath(named)
    return _path(os.path.join(directory, shown)), shown


def _path(name: str) -> Path:
    from pathlib import Path  # only needed where there is a file

    return Path(name)


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        key = prefix + name
        if not isinstance(value, dict):
            yield key, value
        elif value or key not in _SECTIONS:  # an empty section is fine, an unknown empty one is a typo
            yield from _flatten(value, key + ".") if value else iter([(key, value)])


def _key_lines(text: str) -> dict[str, int]:
    """Say on which line each key of a valid TOML text is written.

    tomllib does not tell, and a second parser could disagree with it. So the text is read again, a line
    more each time: a key belongs to the statement that first makes it appear.
    """
    import tomllib

    lines: dict[str, int] = {}
    rows = text.split("\n")
    start = 1
    for end in range(1, len(rows) + 1):
        try:
            table = tomllib.loads("\n".join(rows[:end]) + "\n")
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value of several lines
        for key, _ in _flatten(table):
            lines.setdefault(key, start)
        start = end + 1
    return lines


def _toml_position(shown: str, message: str) -> tuple[str, str]:
    """Turn tomllib's ``Expected … (at line 3, column 5)`` into ``hookmq.toml:3`` and the reason."""
    reason, _, position = message.partition(" (at line ")
    line = position.partition(",")[0]
    return (f"{shown}:{line}" if line.isdigit() else shown), reason[:1].lower() + reason[1:]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _setting(key: str, *, where: str) -> Setting:
    setting = _BY_KEY.get(key)
    if setting is None:
        raise _unknown_key(key, where=where)
    return setting


def _unknown_key(key: str, *, where: str, as_variable: bool = False) -> HookMQError:
    import difflib

    close = difflib.get_close_matches(key, _BY_KEY, n=1, cutoff=0.6)
    if not close:
        # `maxpacketsize` is nearer to the last part of a key than to the whole of it.
        tails = {known.rpartition(".")[2]: known for known in _BY_KEY}
        close = [tails[tail] for tail in difflib.get_close_matches(key.rpartition(".")[2], tails, n=1)]
    suggestion = None
    if close:
        suggestion = _BY_KEY[close[0]].variable if as_variable else close[0]
    return HookMQError("E301", where=where, key=key, suggestion=suggestion)


_BY_KEY = {setting.key: setting for setting in SETTINGS}
_BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}
_SECTIONS = frozenset(setting.key.rpartition(".")[0] for setting in SETTINGS) - {""}
