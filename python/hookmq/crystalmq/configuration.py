"""What the configuration files of a home say, of both generations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from ..errors import HookMQError
from .conf_reader import ConfReader
from .finding import Finding
from .ini import Ini
from .keys import BROKER, DATASTORE, FILES, UNSUPPORTED
from .storage_url import storage_url

__all__ = ["Configuration", "Elastic", "LogFile", "Login", "check_home"]

Authentication: TypeAlias = Literal["disabled", "default", "custom"]

_MODES: dict[str, Authentication] = {"disabled": "disabled", "default": "default", "custom": "custom"}
_LEVELS = {1: "debug", 2: "info", 3: "error"}
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class LogFile:
    """Where the log is written, from which level on, and when it is rotated (``max_bytes``)."""

    path: Path
    level: str
    max_bytes: int
    backups: int


@dataclass(frozen=True, slots=True)
class Login:
    """Who may see pages that the web login guards, and where that is written."""

    enabled: bool
    username: str
    password: str = field(repr=False)
    where: str

    @property
    def is_default(self) -> bool:
        """Whether everybody knows it."""
        return not self.password or self.password.casefold() in _KNOWN | {self.username.casefold()}


@dataclass(frozen=True, slots=True)
class Elastic:
    """Where Elasticsearch is, and whether the broker itself writes into it, every ``interval`` seconds."""

    enabled: bool
    url: str
    index: str
    interval: float


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of a home; a port that is ``None`` is off, paths are absolute.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as home:
    ...     made = [Path(home, name).mkdir() for name in ("bin", "conf", "extensions")]
    ...     Configuration.read(home).port
    1883
    """

    home: Path
    files: tuple[str, ...]
    """The files that were read, below the home."""
    port: int | None
    ws_port: int | None
    tls: bool
    tls_port: int | None
    wss_port: int | None
    certificate: Path | None
    key: Path | None
    ca: Path | None
    http_port: int | None
    websocket_port: int | None
    sys_interval: float
    """Seconds between two reports in ``$SYS``; 0 without."""
    log: LogFile
    login: Login
    authentication: Authentication
    authentication_file: Path
    authentication_where: str
    store: bool
    """Whether the store's extension is switched on."""
    store_file: Path
    store_where: str
    keeps_payloads: bool
    storage_url: str | None = field(repr=False)
    """SQLAlchemy URL of the broker's own database, with its password."""
    elastic: Elastic
    findings: tuple[Finding, ...]

    @property
    def bin(self) -> Path:
        """The working directory of extensions; every path in the files begins there."""
        return self.home / "bin"

    @property
    def extensions(self) -> Path:
        """Where extensions are."""
        return self.home / "extensions"

    @property
    def ui(self) -> Path:
        """Where templates are."""
        return self.home / "ui"

    @classmethod
    def read(cls, home: str | Path) -> Configuration:
        """Read the files in ``HOME/conf``. What is wrong in them is in :attr:`findings`.

        Raises:
            HookMQError: E801 if the folder is no home, E802 for a file that cannot be read.
        """
        root = check_home(Path(home))
        findings: list[Finding] = []
        broker = _reader(root, "broker", findings)
        datastore = _reader(root, "datastore", findings)
        _tell_what_has_no_effect(broker, findings)
        authentication, file, where = _authentication(broker, findings)
        store, elastic = _store(datastore)
        return cls(
            home=root,
            files=tuple(ini.name for ini in (*broker.files, *datastore.files)),
            port=broker.port("CONFIG", "PORT_NO"),
            ws_port=broker.port("CONFIG", "WS_PORT_NO"),
            tls=broker.flag("CONFIG", "TLS_ENABLED"),
            tls_port=broker.port("CONFIG", "TLS_PORT_NO"),
            wss_port=broker.port("CONFIG", "WSS_PORT_NO"),
            certificate=broker.certificate("SERVER_CERTIFICATE"),
            key=broker.certificate("SERVER_KEY"),
            ca=broker.certificate("CA_CERTIFICATE"),
            http_port=broker.port("UI", "UI_Http_Port"),
            websocket_port=broker.port("WEBSOCKET", "WEBSOCKET_PORT"),
            sys_interval=_sys_interval(broker),
            log=_log(broker),
            login=Login(
                broker.flag("WEB_LOGIN_PAGE", "WEB_LOGIN"),
                broker.text("WEB_LOGIN_PAGE", "WEB_USERNAME"),
                broker.text("WEB_LOGIN_PAGE", "WEB_PASSWORD"),
                broker.where("WEB_LOGIN_PAGE", "WEB_PASSWORD"),
            ),
            authentication=authentication,
            authentication_file=file,
            authentication_where=where,
            store=store,
            store_file=datastore.path("CUSTOM", "INTERCEPT_FILEPATH"),
            store_where=datastore.where("CUSTOM", "DATA_INTEGRATION"),
            keeps_payloads=datastore.flag("PAYLOAD_TO_DB", "PAYLOAD_TO_DB"),
            storage_url=_storage_url(datastore),
            elastic=elastic,
            findings=tuple(findings),
        )

    def require(self) -> None:
        """Raise E802 for the first finding that is an error."""
        for finding in self.findings:
            if finding.severity == "error":
                raise HookMQError("E802", where=finding.where, reason=finding.text, help=finding.remedy)


def check_home(home: Path) -> Path:
    """Return the folder with its whole path. Raises E801 if it is no home."""
    root = home.expanduser().absolute()
    if not root.is_dir():
        reason = "it is not a folder" if root.exists() else "there is no such folder"
        raise HookMQError("E801", path=home, reason=reason)
    if missing := [name for name in ("conf", "extensions") if not (root / name).is_dir()]:
        raise HookMQError("E801", path=home, reason=f"it has no folder {' and no '.join(missing)}")
    if not (root / "bin").is_dir():
        raise HookMQError("E801", path=home, reason="it has no folder bin, in which extensions work")
    return root.resolve()


# Passwords that are the first to be tried, besides one that is the user name.
_KNOWN = frozenset({"admin", "password", "changeme", "12345", "123456", "root", "guest", "public", "hookmq"})


def _reader(home: Path, kind: str, findings: list[Finding]) -> ConfReader:
    new, old = FILES[kind]
    files = [
        Ini.read(home / "conf" / name, f"conf/{name}")
        for name in (new, old)
        if (home / "conf" / name).is_file()
    ]
    if len(files) == 2:
        text = f"there is conf/{old} as well: what both say is taken from here"
        findings.append(Finding("warning", f"conf/{new}", text, f"keep one of them:   rm conf/{old}"))
    known = BROKER if kind == "broker" else DATASTORE
    reader = ConfReader(home, files, f"conf/{new}", known, findings)
    reader.tell_unknown()
    return reader


def _tell_what_has_no_effect(broker: ConfReader, findings: list[Finding]) -> None:
    for (section, key), (instead, asks) in UNSUPPORTED.items():
        entry = broker.entry(section, key)
        if entry is not None and entry[1].value and asks in ("", entry[1].value.upper()):
            text = f"{key} has no effect: {instead}"
            findings.append(Finding("note", broker.where(section, key), text, "remove the line"))
    for ini in broker.files:
        for name, line in ini.sections.items():
            if name.upper() == "HASERVER":
                text = "[HASERVER] has no effect: HookMQ has no HA server in front of brokers"
                remedy = "run one broker, and remove the section"
                findings.append(Finding("warning", ini.where(line), text, remedy))


def _authentication(broker: ConfReader, findings: list[Finding]) -> tuple[Authentication, Path, str]:
    """Return the mode, the extension's file, and where that is said; of both generations, the newer wins."""
    new = "DEVICE_AUTHENTICATION", "AUTHENTICATION"
    asks, remote = ("AUTHENTICATION", "AUTHENTICATION_ENABLED"), ("REMOTEAUTH", "REMOTEAUTH_ENABLED")
    for section, key in (new, asks, remote):
        # Who began to say something about it did not mean that nobody is asked.
        if broker.has_section(section) and broker.entry(section, key) is None:
            broker.problem(section, key, f"[{section}] does not say {key}", f"add {key} = …")
    old = remote if broker.flag(*remote) else asks if broker.flag(*asks) else None
    file = broker.path("DEVICE_AUTHENTICATION", "CUSTOM_AUTHENTICATION_FILEPATH")
    if broker.has_section(new[0]):
        said = broker.choice(*new, tuple(_MODES))
        if said == "disabled" and old is not None:
            text = f"[{old[0]}] asks for authentication, [DEVICE_AUTHENTICATION] switches it off"
            findings.append(
                Finding("error", broker.where(*new), text, f"keep one of them: remove [{old[0]}]")
            )
        return _MODES[said], file, broker.where(*new)
    if old == remote:
        return "custom", broker.path("REMOTEAUTH", "INTERCEPT_FILEPATH"), broker.where(*remote)
    return "disabled" if old is None else "default", file, broker.where(*asks)


def _store(datastore: ConfReader) -> tuple[bool, Elastic]:
    custom = datastore.flag("CUSTOM", "DATA_INTEGRATION")
    extra = datastore.flag("DATASTORE", "CUSTOMSTORAGE")
    kind = datastore.choice("DATASTORE", "DATASTORE", ("custom", "elastic"))
    host, port = datastore.text("ELASTIC", "HOSTNAME"), datastore.number("ELASTIC", "PORT", 1, 65_535)
    base = host if "://" in host else f"http://{host}"
    elastic = Elastic(
        extra and kind == "elastic",
        base if urlsplit(base).port is not None else f"{base}:{int(port)}",
        datastore.text("ELASTIC", "INDEX_NAME"),
        datastore.number("ELASTIC", "BULK_INSERT_TIMING", 0.0, 3600.0),
    )
    return custom or (extra and kind == "custom"), elastic


def _sys_interval(broker: ConfReader) -> float:
    interval = broker.number("SYS_TOPIC", "SYSTOPIC_INTERVAL", 0.0, 86_400.0)
    return interval if broker.flag("SYS_TOPIC", "SYSTOPIC") else 0.0


def _log(broker: ConfReader) -> LogFile:
    section = "LOG_HANDLER"
    return LogFile(
        broker.path(section, "LOG_FILE_PATH"),
        _LEVELS[int(broker.number(section, "LOG_LEVEL", 1, 3))],
        int(broker.number(section, "MAX_FILE_SIZE", 0.001, 100_000) * _MIB),
        int(broker.number(section, "BACKUP_FILE_COUNT", 0, 10_000)),
    )


def _storage_url(datastore: ConfReader) -> str | None:
    if not datastore.flag("RELATIONAL_PERSISTENCE", "RELATIONAL_PERSISTENCE_ENABLED"):
        return None
    server = datastore.choice("CONFIG", "DB_SERVER", ("sqlite", "mysql", "postgres", "mssql"))
    return storage_url(datastore, server)
