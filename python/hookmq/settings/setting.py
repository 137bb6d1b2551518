"""One key of the configuration: its type, its bounds, and how what was written becomes a value.

Text is read the same way wherever it was written, so ``HOOKMQ_PORT=1884`` and ``--port 1884`` agree, and a
refusal says what would have been accepted.

>>> limit = Setting("limits.max_clients", "int", 100_000, "Connections.", minimum=1)
>>> limit.read("500", where="environment HOOKMQ__LIMITS__MAX_CLIENTS")
500
>>> limit.read("many", where="hookmq.toml:3")
Traceback (most recent call last):
    ...
hookmq.errors.HookMQError: error[E303]: hookmq.toml:3  `limits.max_clients` is 'many'; expected a whole \
number of at least 1
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..errors import HookMQError
from ..records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, TypeAlias

__all__ = ["Kind", "Setting", "Value"]

Value: TypeAlias = "int | float | bool | str | tuple[Any, ...] | None"
"""What a key can hold once it has been read."""

Kind: TypeAlias = (
    "Literal['str', 'int', 'float', 'bool', 'port', 'port-or-off', 'path', 'file', 'size', 'duration', "
    "'texts', 'ports', 'table', 'tables', 'listeners', 'url-path', 'hosts']"
)
"""The types a key can have."""

_SHORT_VARIABLES = frozenset({"host", "port", "http_port", "data_dir", "rules_folder"})
_MAX_PORT = 65_535
_UNBOUNDED = 2**63 - 1  # what the native module can hold

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
_PLAIN = {"": 1}
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
}
_TIME_UNITS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}


class Setting(Record):
    """One key of the configuration.

    ``minimum`` (0 if not given) and ``maximum`` are inclusive and in the unit of the value: bytes for a
    ``size``, seconds for a ``duration``. ``choices``, when given, are the only texts allowed. ``flag`` says
    whether ``hookmq run`` has a flag for it.

    >>> Setting("http_port", "port-or-off", 8080, "HTTP port.").variable
    'HOOKMQ_HTTP_PORT'
    >>> Setting("limits.max_clients", "int", 100_000, "Connections.").variable
    'HOOKMQ__LIMITS__MAX_CLIENTS'
    """

    key: str
    type: Kind
    default: Value
    help: str
    flag: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable of this key."""
        if self.key in _SHORT_VARIABLES:
            return f"HOOKMQ_{self.key.upper()}"
        return "HOOKMQ__" + self.key.upper().replace(".", "__")

    @property
    def flag_name(self) -> str:
        """The command-line flag of this key, whether or not ``hookmq run`` has it."""
        return "--" + self.key.replace(".", "-").replace("_", "-")

    @property
    def nullable(self) -> bool:
        """Whether ``None`` is a value of this key: a port that is off, a directory that is not used."""
        return self.type == "port-or-off" or self.default is None

    @property
    def expected(self) -> str:
        """What the key accepts, in words."""
        low, high = self._range
        bounds = (
            f"from {_number(low)} to {_number(high)}" if high < _UNBOUNDED else f"of at least {_number(low)}"
        )
        match self.type:
            case "bool":
                return "true or false"
            case "port":
                return f"a port number from 0 to {_MAX_PORT} (0 picks a free one)"
            case "port-or-off":
                return f'a port number from 0 to {_MAX_PORT} (0 picks a free one), or "off"'
            case "path":
                return "the path of a directory"
            case "file":
                return "the path of a file"
            case "texts":
                return 'a list of texts, such as ["a", "b"] or "a, b"'
            case "ports":
                return f"a list of port numbers from 0 to {_MAX_PORT}, such as [8081, 8082]"
            case "hosts":
                return 'a list of names, such as ["broker.example", "broker.example:8443"], or "*"'
            case "url-path":
                return 'a path such as "/mqtt-broker", or "" for none'
            case "table":
                return "a table of tables, such as { name = { … } }"
            case "tables":
                return 'a list of tables, such as [{ kind = "…" }]'
            case "listeners":
                return "a list of URLs or of tables with a `url`"
            case "str":
                return "one of " + ", ".join(self.choices) if self.choices else "a text"
            case "size":
                return f'a number of bytes {bounds}, such as 1048576 or "1MiB"'
            case "duration":
                return f'a number of seconds {bounds}, such as 10, or a time such as "10s", "5m", "2h", "30d"'
            case "int":
                return f"a whole number {bounds}"
            case "float":
                return f"a number {bounds}"

    @property
    def default_text(self) -> str:
        """The default the way it would be written in hookmq.toml; ``none`` if there is none.

        >>> Setting("hooks.queue_bytes", "size", 64 * 1024**2, "Bytes waiting.").default_text
        '"64MiB"'
        """
        match self.default:
            case None:
                return "none"
            case tuple() as several:
                return "[" + ", ".join(f'"{one}"' for one in several) + "]"
            case bool():
                return str(self.default).lower()
            case str():
                return f'"{self.default}"'
            case number:
                units: Mapping[str, float] = _PLAIN
                if self.type == "size":
                    units = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
                elif self.type == "duration":
                    units = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
                for unit, factor in units.items():
                    if unit and number and number % factor == 0:
                        return f'"{_number(number / factor)}{unit}"'
                return _number(number)

    def read(self, given: object, *, where: str) -> Value:
        """Return the value of what was written; ``where`` is named if it does not fit (E303)."""
        try:
            value = self._parse(given)
            if isinstance(value, int | float) and not isinstance(value, bool):
                low, high = self._range
                # Written so that NaN, which compares with nothing, is out of every range.
                if not low <= value <= high:
                    raise ValueError
            elif self.choices and value not in self.choices:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise HookMQError(
                "E303", where=where, key=self.key, value=repr(given), expected=self.expected
            ) from None
        return value

    @property
    def _range(self) -> tuple[float, float]:
        if self.type in ("port", "port-or-off"):
            return 0, _MAX_PORT
        return self.minimum or 0, _UNBOUNDED if self.maximum is None else self.maximum

    def _parse(self, given: object) -> Value:
        if given is None:
            if self.nullable:
                return None
            raise ValueError
        match self.type:
            case "bool":
                return _parse_bool(given)
            case "int" | "port":
                return _parse_int(given)
            case "port-or-off":
                return None if _is_off(given) else _parse_int(given)
            case "size":
                return _parse_size(given)
            case "float":
                return _parse_float(given, _PLAIN)
            case "duration":
                return _parse_float(given, _TIME_UNITS)
            case "path" | "file" | "str":
                return _parse_text(given)
            case "texts":
                return _parse_texts(given)
            case "ports":
                return _parse_ports(given)
            case "hosts":
                return _parse_hosts(given)
            case "url-path":
                return _parse_url_path(given)
            case "table":
                return _parse_table(given)
            case "tables":
                return _parse_tables(given)
            case "listeners":
                return _parse_listeners(given)


# How each type is read: the value, or TypeError or ValueError.


def _parse_bool(given: object) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str):
        word = given.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise ValueError


def _parse_int(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise TypeError
    return int(given)


def _is_off(given: object) -> bool:
    return given is False or (isinstance(given, str) and given.strip().lower() in ("off", "false"))


def _parse_size(given: object) -> int:
    if not isinstance(given, str):
        return _parse_int(given)
    number, factor = _split_unit(given, _SIZE_UNITS)
    # Only a fraction goes through float, which cannot hold every large whole number.
    return int(float(number) * factor) if "." in number else int(number) * int(factor)


def _parse_float(given: object, units: Mapping[str, float]) -> float:
    if isinstance(given, str):
        number, factor = _split_unit(given, units)
        return float(number) * factor
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError
    return float(given)


def _split_unit(text: str, units: Mapping[str, float]) -> tuple[str, float]:
    """Split ``"64 KiB"`` into ``"64"`` and 1024."""
    import re  # argparse has it already; `import hookmq` alone need not

    match = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in units:
        raise ValueError
    return match[1], units[match[2]]


def _parse_text(given: object) -> str:
    if not isinstance(given, str | os.PathLike):
        raise TypeError
    text = os.fspath(given)
    if not isinstance(text, str) or not text:
        raise ValueError
    return text


def _parse_texts(given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) and one for one in given):
        raise TypeError
    return tuple(given)


def _parse_ports(given: object) -> tuple[int, ...]:
    if isinstance(given, str):
        given = [part for part in given.split(",") if part.strip()]
    if not isinstance(given, list | tuple):
        raise TypeError
    ports = tuple(_parse_int(one) for one in given)
    if not all(0 <= port <= _MAX_PORT for port in ports):
        raise ValueError
    return ports


def _parse_hosts(given: object) -> tuple[str, ...]:
    import re

    hosts = _parse_texts(given)
    if not all(
        re.fullmatch(r"\*|(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", host) for host in hosts
    ):
        raise ValueError
    return hosts


def _parse_url_path(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError
    import re

    path = given.rstrip("/")
    # Letters that mean the same in a header, a page and a URL, and no way up.
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path) or any(
        part in (".", "..") for part in path.split("/")
    ):
        raise ValueError
    return path


def _parse_tables(given: object) -> tuple[dict[str, object], ...]:
    if isinstance(given, str):
        import json

        given = json.loads(given)
    if not isinstance(given, list | tuple) or not all(isinstance(entry, Mapping) for entry in given):
        raise TypeError
    return tuple(dict(entry) for entry in given)


def _parse_table(given: object) -> tuple[tuple[str, dict[str, object]], ...]:
    if not isinstance(given, Mapping):
        raise TypeError
    if not all(isinstance(name, str) and isinstance(entry, Mapping) for name, entry in given.items()):
        raise TypeError
    return tuple((name, dict(entry)) for name, entry in given.items())


def _parse_listeners(given: object) -> tuple[dict[str, object], ...]:
    if isinstance(given, str):
        given = [part.strip() for part in given.split(",") if part.strip()]
    if not isinstance(given, list | tuple):
        raise TypeError
    entries: list[dict[str, object]] = []
    for entry in given:
        if isinstance(entry, str):
            entries.append({"url": entry})
        elif isinstance(entry, Mapping):
            entries.append(dict(entry))
        else:
            raise TypeError
    return tuple(entries)


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:g}"
