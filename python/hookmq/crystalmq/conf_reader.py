"""Values out of configuration files, with their defaults; what is wrong becomes a finding."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from .finding import Finding
from .ini import Entry, Ini
from .keys import NO, YES

__all__ = ["ConfReader"]


class ConfReader:
    """Reads values out of the files of one kind: of both generations, the newer first.

    A value that cannot be read is an error in ``findings``, and its default is returned so that everything
    else can be checked as well. ``fallback`` is what a file is called that is not there.
    """

    def __init__(
        self,
        home: Path,
        files: Sequence[Ini],
        fallback: str,
        known: Mapping[str, Mapping[str, str]],
        findings: list[Finding],
    ) -> None:
        self.home = home
        self.files = files
        self._fallback = fallback
        self._known = known
        self._findings = findings

    def has_section(self, section: str) -> bool:
        """Say whether one of the files has a section."""
        return any(ini.has_section(section) for ini in self.files)

    def entry(self, section: str, key: str) -> tuple[Ini, Entry] | None:
        """Return the entry of a key and its file, or ``None`` if nobody wrote it."""
        for ini in self.files:
            if (entry := ini.find(section, key)) is not None:
                return ini, entry
        return None

    def where(self, section: str, key: str) -> str:
        """Return the file and line of a key; of one that is not there, where it belongs."""
        if (found := self.entry(section, key)) is None:
            return self.files[0].name if self.files else self._fallback
        return found[0].where(found[1].line)

    def problem(self, section: str, key: str, text: str, remedy: str) -> None:
        """Note that a value cannot be used."""
        self._findings.append(Finding("error", self.where(section, key), text, remedy))

    def tell_unknown(self) -> None:
        """Note keys and sections that there are not, and lines that are neither."""
        known = {name.casefold(): {key.casefold(): key for key in keys} for name, keys in self._known.items()}
        for ini in self.files:
            for entry in ini:
                keys = known.get(entry.section.casefold())
                if entry.section.upper() == "HASERVER" or (keys is not None and entry.key.casefold() in keys):
                    continue
                close = difflib.get_close_matches(entry.key.casefold(), keys or (), n=1)
                remedy = f"did you mean {keys[close[0]]}?" if keys and close else "remove the line"
                text = f"unknown key {entry.key} in [{entry.section}]"
                self._findings.append(Finding("warning", ini.where(entry.line), text, remedy))
            for line, _ in ini.junk:
                text = "the line is neither a section nor a key, and was passed over"
                self._findings.append(Finding("note", ini.where(line), text, "begin it with #"))

    # Values ---------------------------------------------------------------------------------------------

    def text(self, section: str, key: str) -> str:
        """Return a text."""
        found = self.entry(section, key)
        return self._known[section][key] if found is None or not found[1].value else found[1].value

    def flag(self, section: str, key: str) -> bool:
        """Return whether something is on; words of all keys are understood by each."""
        text = self._written(section, key).casefold()
        if text in YES or text in NO:
            return text in YES
        self._misread(section, key, "TRUE or FALSE")
        return self._known[section][key].casefold() in YES

    def choice(self, section: str, key: str, choices: Sequence[str]) -> str:
        """Return one of some words, in lower case."""
        text = self._written(section, key).casefold()
        if text in choices:
            return text
        self._misread(section, key, ", ".join(choices).upper())
        return self._known[section][key].casefold()

    def number(self, section: str, key: str, least: float, most: float) -> float:
        """Return a number between two others."""
        try:
            value = float(self.text(section, key))
            if least <= value <= most:
                return value
        except ValueError:
            pass
        self._misread(section, key, f"a number from {least:g} to {most:g}")
        return float(self._known[section][key])

    def port(self, section: str, key: str) -> int | None:
        """Return a port; one that is left empty, or says OFF, is none."""
        found = self.entry(section, key)
        if found is not None and found[1].value.casefold() in ("", "off", "none"):
            return None
        return int(self.number(section, key, 0, 65_535))

    def path(self, section: str, key: str) -> Path:
        """Return the path that a text stands for, read from ``HOME/bin``."""
        return self._absolute(self.text(section, key))

    def certificate(self, key: str) -> Path | None:
        """Return a file of TLS, which may be named as it is called in ``HOME/Certificate``."""
        text = self.text("CONFIG", key)
        if not text:
            return None
        path = self._absolute(text)
        beside = self.home / "Certificate" / path.name
        return beside if not path.is_file() and beside.is_file() else path

    def _written(self, section: str, key: str) -> str:
        """Return a text; one that was left empty says nothing, and is not its default."""
        found = self.entry(section, key)
        return self._known[section][key] if found is None else found[1].value

    def _absolute(self, text: str) -> Path:
        # Homes were written on Windows as well.
        return Path(os.path.normpath(self.home / "bin" / text.replace("\\", "/")))

    def _misread(self, section: str, key: str, expected: str) -> None:
        # A value that is not understood may be a password that was put on the wrong line.
        secret = "PASSWORD" in key.upper()
        text = self._written(section, key)
        value = "not" if secret else f"`{text}`, not"
        remedy = "a comment is a line of its own" if "#" in text else f"write {key} = …"
        self.problem(section, key, f"{key} is {value} {expected}", remedy)
