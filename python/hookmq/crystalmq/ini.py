"""Configuration files as CrystalMQ reads them: forgiving, and with the line of each value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import HookMQError

__all__ = ["Entry", "Ini"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: its section, its key as it is written, and its line, counted from 1."""

    section: str
    key: str
    value: str
    line: int


class Ini:
    """One file. Case does not matter in sections and keys; of a key that is there twice, the last counts.

    Comments are whole lines that begin with ``#`` or ``;``. What is neither a section nor a key is kept in
    :attr:`junk` and disturbs nobody: a file that was shipped has the stray line
    ``Method Prototype: def handle_Received_Payload(data)``.

    >>> ini = Ini.parse("[CONFIG]\\n# the port\\nPORT_NO = 1883\\nMethod Prototype: def f(data)\\n")
    >>> ini.find("config", "port_no")
    Entry(section='CONFIG', key='PORT_NO', value='1883', line=3)
    >>> ini.junk
    [(4, 'Method Prototype: def f(data)')]
    """

    def __init__(self, name: str) -> None:
        self.name = name
        """What the file is called in messages."""
        self.junk: list[tuple[int, str]] = []
        self.sections: dict[str, int] = {}
        """The names of the sections as they are written, and the line of each."""
        self._entries: dict[tuple[str, str], Entry] = {}

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Ini:
        """Read a file, which is UTF-8, with or without a mark at its begin, or else Latin-1.

        Raises:
            HookMQError: E802 if it cannot be read.
        """
        shown = name or str(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = f"it cannot be read: {(error.strerror or str(error)).lower()}"
            help = "let the user who runs the broker read it"
            raise HookMQError("E802", where=shown, reason=reason, help=help) from None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        return cls.parse(text, shown)

    @classmethod
    def parse(cls, text: str, name: str = "<text>") -> Ini:
        """Read a text."""
        ini = cls(name)
        section = ""
        # Not splitlines(), which also ends lines at characters that may stand in a password.
        for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1].strip()
                ini.sections.setdefault(section, number)
                continue
            key, value = _split(line)
            if key is None or not section:
                ini.junk.append((number, line))
                continue
            ini._entries[section.casefold(), key.casefold()] = Entry(section, key, value, number)
        return ini

    def find(self, section: str, key: str) -> Entry | None:
        """Return the entry of a key, or ``None``."""
        return self._entries.get((section.casefold(), key.casefold()))

    def has_section(self, section: str) -> bool:
        """Say whether there is such a section."""
        return section.casefold() in {name.casefold() for name in self.sections}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def where(self, line: int) -> str:
        """Return what a line is called in messages: ``conf/mqtt.conf:7``."""
        return f"{self.name}:{line}"


def _split(line: str) -> tuple[str | None, str]:
    """Return the key and the value; no key is of several words."""
    places = [place for place in (line.find("="), line.find(":")) if place > 0]
    if not places:
        return None, ""
    key, value = line[: min(places)].strip(), line[min(places) + 1 :].strip()
    return (None, "") if not key or len(key.split()) > 1 else (key, value)
