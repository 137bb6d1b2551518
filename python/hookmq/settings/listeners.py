"""Where a broker listens: the plain port, the TLS port, further listeners, and the HTTP port.

A listener inherits what it does not say: its certificate from ``[tls]``, its users and rules from
``[access]``, its limits from ``[limits]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import HookMQError
from ..records import Record, changed
from .keys import LISTENER
from .setting import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ListenerInfo", "ListenerSettings", "http_settings", "listener_settings"]

_SCHEMES = {"mqtt": 1883, "mqtts": 8883, "ws": 8083, "wss": 8084, "unix": 0}
"""What a URL may begin with, and the port where it names none."""

_BY_NAME = {setting.key: setting for setting in LISTENER}


class ListenerSettings(Record):
    """One listener. ``path`` is that of a Unix socket, ``host`` and ``port`` are for everything else."""

    scheme: str
    host: str | None
    port: int
    path: str | None
    cert: str | None
    key: str | None
    client_ca: str | None
    client_cert: str
    crl: str | None
    identity: str
    min_version: str
    sni: tuple[tuple[str, str, str], ...]
    users_file: str | None
    acl_file: str | None
    allow_anonymous: bool
    proxies: tuple[str, ...] | None
    max_clients: int
    max_packet_size: int
    connect_timeout: float
    connect_rate: float
    message_rate: float
    byte_rate: float
    mode: int

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self.scheme in ("mqtts", "wss", "https")

    @property
    def authenticates(self) -> bool:
        """Whether it asks by itself who a client is: by a users file or a certificate that must be shown."""
        shown = self.encrypted and self.client_ca is not None and self.client_cert == "required"
        return self.users_file is not None or shown

    def native(self) -> dict[str, Any]:
        """Return it as the native module reads it."""
        values = {name: getattr(self, name) for name in self.FIELDS}
        values["sni"] = list(self.sni)
        values["proxies"] = None if self.proxies is None else list(self.proxies)
        values["tls"] = self.encrypted
        values["websocket"] = self.scheme in ("ws", "wss", "http", "https")
        values["byte_rate"] = float(self.byte_rate)
        return values


class ListenerInfo(Record):
    """Where a running broker serves MQTT: ``url`` with its real port, ``kind`` as the scheme, ``port``.

    ``port`` is 0 for a Unix socket.
    """

    url: str
    kind: str
    port: int


Origin = Callable[[str], str]


def listener_settings(settings: Mapping[str, Value], origin: Origin) -> tuple[ListenerSettings, ...]:
    """Return every listener but the HTTP port.

    Raises:
        HookMQError: E301 for an unknown key, E303 for a value that does not fit, E306 for something that is
            missing.
    """
    found = []
    host = str(settings["host"])
    if settings["port"] is not None:
        found.append(_listener("mqtt", host, settings["port"], {}, settings, origin("port")))
    if settings["tls.port"] is not None:
        found.append(_listener("mqtts", host, settings["tls.port"], {}, settings, origin("tls.port")))
    entries = settings["listeners"]
    for number, entry in enumerate(entries if isinstance(entries, tuple) else (), start=1):
        where = f"{origin('listeners')}, listener {number}"
        found.append(_further(entry, settings, where))
    return tuple(found)


def http_settings(settings: Mapping[str, Value], origin: Origin) -> ListenerSettings | None:
    """Return the HTTP port; ``None`` serves no HTTP."""
    if settings["http_port"] is None:
        return None
    encrypted = bool(settings["tls.http"])
    where = origin("tls.http") if encrypted else origin("http_port")
    scheme = "https" if encrypted else "http"
    listener = _listener(scheme, str(settings["host"]), settings["http_port"], {}, settings, where)
    # Browsers look at pages without a certificate; who connects by WebSocket is asked for more than that.
    return changed(listener, client_cert="optional")


def _further(entry: Mapping[str, object], settings: Mapping[str, Value], where: str) -> ListenerSettings:
    given: dict[str, Value] = {}
    for name, value in entry.items():
        setting = _BY_NAME.get(name)
        if setting is None:
            import difflib

            close = difflib.get_close_matches(name, _BY_NAME, n=1)
            raise HookMQError("E301", where=where, key=name, suggestion=close[0] if close else None)
        given[name] = setting.read(value, where=where)
    url = given.get("url")
    if not isinstance(url, str):
        raise HookMQError("E306", where=where, what="a listener", key="url")
    scheme, host, port, path = _split(url, where)
    if scheme == "unix":
        return changed(_listener(scheme, "", 0, given, settings, where), host=None, path=path, port=0)
    return _listener(scheme, host, port, given, settings, where)


def _split(url: str, where: str) -> tuple[str, str, int, str]:
    from urllib.parse import urlsplit  # only needed here, and not free at start-up

    try:
        parts = urlsplit(url)
        port = parts.port
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme, host, port = "", "", None
    is_unix = scheme == "unix" and parts.path.startswith("/") and not host
    is_tcp = scheme != "unix" and host and parts.path in ("", "/")
    if scheme not in _SCHEMES or not (is_unix or is_tcp):
        expected = "a URL such as mqtt://127.0.0.1:1884, mqtts://…, ws://…, wss://… or unix:///path"
        raise HookMQError("E303", where=where, key="url", value=repr(url), expected=expected)
    return scheme, host, _SCHEMES[scheme] if port is None else port, parts.path


def _listener(
    scheme: str,
    host: str,
    port: Value,
    given: Mapping[str, Value],
    settings: Mapping[str, Value],
    where: str,
) -> ListenerSettings:
    def own(name: str, inherited: str) -> Any:
        return given[name] if name in given else settings[inherited]

    def limit(name: str) -> Any:
        return given.get(name) or settings[f"limits.{name}"]

    listener = ListenerSettings(
        scheme=scheme,
        host=host.strip("[]"),
        port=int(str(port)),
        path=None,
        cert=own("cert", "tls.cert"),
        key=own("key", "tls.key"),
        client_ca=own("client_ca", "tls.client_ca"),
        client_cert=own("client_cert", "tls.client_cert"),
        crl=own("crl", "tls.crl"),
        identity=own("identity", "tls.identity"),
        min_version=own("min_version", "tls.min_version"),
        sni=_server_names(given.get("sni"), where),
        users_file=own("users_file", "access.users_file"),
        acl_file=own("acl_file", "access.acl_file"),
        allow_anonymous=own("allow_anonymous", "allow_anonymous"),
        proxies=_proxies(given, where),
        max_clients=int(str(given.get("max_clients") or 0)),
        max_packet_size=limit("max_packet_size"),
        connect_timeout=limit("connect_timeout"),
        connect_rate=limit("connect_rate"),
        message_rate=limit("message_rate"),
        byte_rate=limit("byte_rate"),
        mode=_mode(given.get("mode"), where),
    )
    if not listener.encrypted:
        return changed(listener, identity="username")
    for name in ("cert", "key"):
        if getattr(listener, name) is None:
            key = name if given else f"tls.{name}"
            raise HookMQError("E306", where=where, what=f"{scheme}://", key=key)
    if listener.client_ca is None and (listener.identity != "username" or listener.crl is not None):
        what = "`crl`" if listener.identity == "username" else f'identity = "{listener.identity}"'
        raise HookMQError("E306", where=where, what=what, key="client_ca" if given else "tls.client_ca")
    return listener


def _server_names(given: Value, where: str) -> tuple[tuple[str, str, str], ...]:
    names = []
    for name, entry in given if isinstance(given, tuple) else ():
        for key in ("cert", "key"):
            if not isinstance(entry.get(key), str):
                raise HookMQError("E306", where=where, what=f"sni.{name}", key=key)
        names.append((name, entry["cert"], entry["key"]))
    return tuple(names)


def _proxies(given: Mapping[str, Value], where: str) -> tuple[str, ...] | None:
    if not given.get("proxy_protocol"):
        return None
    trusted = given.get("trusted")
    if not isinstance(trusted, tuple) or not trusted:
        raise HookMQError("E306", where=where, what="`proxy_protocol`", key="trusted")
    import ipaddress

    for text in trusted:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            expected = "IP addresses and networks, such as 10.0.0.0/8"
            raise HookMQError(
                "E303", where=where, key="trusted", value=repr(text), expected=expected
            ) from None
    return trusted


def _mode(given: Value, where: str) -> int:
    text = "0660" if given is None else str(given)
    try:
        mode = int(text, 8)
        if not 0 <= mode <= 0o777:
            raise ValueError
    except ValueError:
        expected = "permissions in octal, such as 0660"
        raise HookMQError("E303", where=where, key="mode", value=repr(text), expected=expected) from None
    return mode
