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
from pathlib import Path

from .errors import HookMQError
from .setting import Setting, Value

__all__ = [
    "CONFIG_FILE",
    "SETTINGS",
    "Setting",
    "Settings",
    "describe",
    "is_loopback",
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

KIB, MIB, GIB = 1024, 1024**2, 1024**3
MINUTE, HOUR, DAY = 60, 3600, 86_400
_MAX_U32 = 2**32 - 1


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

    def __getitem__(self, key: str) -> Value:
        return self._values[key][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        changed = {key: value for key, (value, origin) in self._values.items() if origin != "default"}
        return f"Settings({changed!r})"

    def origin(self, key: str) -> str:
        """Say where the value of ``key`` came from.

        One of ``"flag --port"``, ``"environment HOOKMQ_PORT"``, ``"Broker(port=…)"``, ``"hookmq.toml:3"`` and
        ``"default"``. Raises ``KeyError`` for a key that does not exist.
        """
        return self._values[key][1]

    def native(self) -> dict[str, Value]:
        """Return every key and value as plain Python values, for the native module."""
        return {key: value for key, (value, _) in self._values.items()}


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

    file = _config_file(flags, environ, arguments, directory or Path.cwd())
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


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach ``host``. A name other than ``localhost`` counts as open.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "broker.example")]
    [True, True, True, False, False]
    """
    import ipaddress  # only needed here, and not free at start-up

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def require_authentication(settings: Settings, *, authenticated: bool) -> None:
    """Raise E302 if other machines could connect without anyone asking who they are.

    ``authenticated`` says whether the broker asks: whether an ``authenticate`` hook is registered.

    >>> require_authentication(resolve(arguments={}, environ={}), authenticated=False)
    """
    host = str(settings["host"])
    if not authenticated and not settings["allow_anonymous"] and not is_loopback(host):
        raise HookMQError("E302", host=host)


# Where values come from ------------------------------------------------------------------------------------

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
    directory: Path,
) -> tuple[Path, str] | None:
    """Return the file to read and how to call it, or ``None`` if none was named and none is there."""
    named = flags.get("config") or environ.get("HOOKMQ_CONFIG") or arguments.get("config")
    if not named:
        path = directory / CONFIG_FILE
        return (path, CONFIG_FILE) if path.is_file() else None
    if not isinstance(named, str | os.PathLike):
        raise HookMQError(
            "E303", where="Broker(config=…)", key="config", value=repr(named), expected="a path"
        )
    shown = os.fspath(named)
    return directory / shown, shown


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


# The keys --------------------------------------------------------------------------------------------------

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "host", "str", "127.0.0.1", "Address to listen on; `0.0.0.0` or `::` for every interface.", flag=True
    ),
    Setting("port", "port", 1883, "MQTT port; 0 picks a free one.", flag=True),
    Setting(
        "http_port", "port-or-off", 8080, 'HTTP port; 0 picks a free one, `"off"` serves no HTTP.', flag=True
    ),
    Setting(
        "data_dir", "path", None, "Directory of everything that is kept; none keeps it in memory.", flag=True
    ),
    Setting("allow_anonymous", "bool", False, "Listen on an open address without authentication.", flag=True),
    Setting("workers", "int", 0, "Network threads; 0 is one per processor core.", maximum=1024),
    # limits
    Setting(
        "limits.connect_timeout",
        "duration",
        10.0,
        "Time a new connection has to send CONNECT.",
        minimum=0.001,
    ),
    Setting(
        "limits.max_packet_size",
        "size",
        16 * MIB,
        "Largest packet accepted from a client.",
        minimum=64,
        maximum=268_435_460,  # MQTT 5.0, 2.1.4: remaining length of 268,435,455, and a header of 5 bytes
    ),
    Setting(
        "limits.max_connect_size",
        "size",
        64 * KIB,
        "Largest packet accepted before the client is admitted.",
        minimum=64,
        maximum=268_435_460,
    ),
    Setting("limits.max_clients", "int", 100_000, "Connections open at the same time.", minimum=1),
    Setting(
        "limits.max_inflight",
        "int",
        1000,
        "Messages sent to one client and not yet acknowledged.",
        minimum=1,
        maximum=65_535,
    ),
    Setting(
        "limits.receive_maximum",
        "int",
        1000,
        "Messages one client may send before they are acknowledged.",
        minimum=1,
        maximum=65_535,
    ),
    Setting("limits.max_queued_messages", "int", 100_000, "Messages waiting for one client.", minimum=1),
    Setting("limits.max_queued_bytes", "size", 64 * MIB, "Bytes waiting for one client.", minimum=1),
    Setting(
        "limits.max_outbox_bytes", "size", 16 * MIB, "Bytes on their way to one connected client.", minimum=1
    ),
    Setting(
        "limits.topic_alias_maximum",
        "int",
        64,
        "Topic aliases one MQTT 5.0 connection may use.",
        maximum=65_535,
    ),
    Setting(
        "limits.max_topic_levels",
        "int",
        128,
        "Levels of a topic or a topic filter.",
        minimum=1,
        maximum=1_000,  # the trie is walked by recursion, as deep as a topic has levels
    ),
    Setting("limits.max_subscriptions", "int", 100_000, "Subscriptions of one session.", minimum=1),
    Setting(
        "limits.max_session_expiry",
        "duration",
        float(_MAX_U32),
        "Longest time a session outlives its connection; 4294967295 is for ever.",
        maximum=_MAX_U32,
    ),
    Setting("limits.max_retained_messages", "int", 1_000_000, "Retained messages in all."),
    Setting("limits.max_retained_bytes", "size", GIB, "Bytes of retained messages in all."),
    Setting(
        "limits.default_keep_alive",
        "duration",
        0.0,
        "Keep alive of a client that asks for none; 0 leaves it without.",
        maximum=65_535,
    ),
    # hooks
    Setting("hooks.queue_events", "int", 100_000, "Events waiting for one hook.", minimum=1),
    Setting("hooks.queue_bytes", "size", 64 * MIB, "Bytes waiting for one hook.", minimum=1),
    Setting(
        "hooks.decision_timeout",
        "duration",
        5.0,
        "Time a hook has to decide; later than that is a refusal.",
        minimum=0.001,
    ),
    Setting("hooks.decision_threads", "int", 4, "Threads for hooks that decide.", minimum=1, maximum=1024),
    Setting("hooks.page_threads", "int", 4, "Threads for pages (`@broker.route`).", minimum=1, maximum=1024),
    Setting("hooks.page_timeout", "duration", 30.0, "Time a page has to answer.", minimum=0.001),
    Setting("hooks.stop_grace", "duration", 5.0, "Time hooks have to finish when the broker stops."),
    # history
    Setting("history.enabled", "bool", True, "Keep a history of messages."),
    Setting(
        "history.url",
        "str",
        None,
        "SQLAlchemy URL of the history; none is SQLite in `data_dir`, or in memory.",
    ),
    Setting("history.max_age", "duration", 30.0 * DAY, "Age at which a message is forgotten.", minimum=1),
    Setting("history.max_rows", "int", 10_000_000, "Messages kept; the oldest go first.", minimum=1),
    Setting("history.queue_rows", "int", 200_000, "Messages waiting to be written.", minimum=1),
    Setting("history.queue_bytes", "size", 128 * MIB, "Bytes waiting to be written.", minimum=1),
    # log
    Setting(
        "log.level",
        "str",
        "info",
        "Least severe message that is logged: debug, info, warning or error.",
        flag=True,
        choices=("debug", "info", "warning", "error"),
    ),
)
"""Every key there is, in the order of the documentation."""

_BY_KEY = {setting.key: setting for setting in SETTINGS}
_BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}
_SECTIONS = frozenset(setting.key.rpartition(".")[0] for setting in SETTINGS) - {""}
