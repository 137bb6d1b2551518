"""What ``plugin.conf`` says, beside an extension that is a connector."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from ..errors import HookMQError

__all__ = ["PluginConf"]

_YES = ("true", "yes", "enabled", "1")


class PluginConf:
    """The sections of CrystalMQ's connectors: ``[MONGO]``, ``[REDIS]``, ``[ELASTIC]``, ``[AUTHENTICATION]``,
    ``[LOG]``.

    Raises:
        HookMQError: E603 if the file cannot be read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "plugin.conf")
    >>> _ = path.write_text("[MONGO]\\nHOSTNAME = db\\n")
    >>> PluginConf(path).address("MONGO", 27017)
    ('db', 27017)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            self._parser.read_string(self.path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise self._unusable(str(error.strerror)) from None
        except configparser.Error as error:
            raise self._unusable(" ".join(error.message.split())) from None

    def text(self, section: str, key: str, default: str = "") -> str:
        """Return what stands under a key; the default if nothing does."""
        return self._parser.get(section, key, fallback="").strip() or default

    def flag(self, section: str, key: str) -> bool:
        """Return whether a key says TRUE, YES or ENABLED."""
        return self.text(section, key).lower() in _YES

    def address(self, section: str, port: int) -> tuple[str, int]:
        """Return HOSTNAME and PORT."""
        given = self.text(section, "PORT", str(port))
        if not given.isdigit() or not 0 < int(given) < 65536:
            raise self._unusable(f"[{section}] PORT is a number from 1 to 65535, not {given!r}")
        return self.text(section, "HOSTNAME", "127.0.0.1"), int(given)

    def login(self) -> tuple[str | None, str | None]:
        """Return user and password of ``[AUTHENTICATION]``, if it is enabled.

        The password is in the environment variable that ``PASSWORD_ENV`` names, or stands under ``PASSWORD``.
        """
        section = "AUTHENTICATION"
        if not self.flag(section, "AUTHENTICATION_ENABLED"):
            return None, None
        password = self.text(section, "PASSWORD") or os.environ.get(self.text(section, "PASSWORD_ENV", "-"))
        if not password:
            raise self._unusable("[AUTHENTICATION] is enabled, and there is no password")
        return self.text(section, "USERNAME") or None, password

    def log(self) -> Path | None:
        """Return the path of ``[LOG] LOG_FILE_PATH``, if there is one."""
        path = self.text("LOG", "LOG_FILE_PATH")
        return Path(path).absolute() if path else None

    def _unusable(self, reason: str) -> HookMQError:
        return HookMQError("E603", name="plugin.conf", reason=reason, help=f"correct {self.path}")
