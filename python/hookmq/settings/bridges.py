"""Bridges: which other brokers, which topics, and how to get there.

>>> from hookmq.settings.config import resolve
>>> bridge = {"name": "plant", "url": "mqtts://broker.example", "topics": [{"filter": "tank/#"}]}
>>> resolve(arguments={"bridges": [bridge]}, environ={}).bridges[0].addresses
(('broker.example', 8883),)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..errors import HookMQError
from ..records import Record
from .keys import BRIDGE, BRIDGE_TOPIC
from .setting import Setting, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["BridgeSettings", "bridge_settings", "missing_files"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
"""What a URL may begin with, and the port where it names none."""

_PROTOCOLS = {"5": "5.0", "mqttv50": "5.0", "4": "3.1.1", "mqttv311": "3.1.1"}
"""Other words for the protocol version: the level on the wire, and Mosquitto's."""

_HIDDEN = frozenset({"password", "url"})
"""Keys whose values may have a password in them, whatever was written."""

_FILES = ("password_file", "ca_file", "cert_file", "key_file")

Topic = tuple[str, str, int, str, str]
"""One entry of a bridge's topics: filter, direction, QoS, local prefix, remote prefix."""


class BridgeSettings(Record):
    """One bridge. ``addresses`` are hosts and ports in the order in which they are tried."""

    name: str
    addresses: tuple[tuple[str, int], ...]
    tls: bool
    topics: tuple[Topic, ...]
    client_id: str
    username: str | None
    password: str | None
    password_file: str | None
    protocol: str
    try_private: bool
    keep_alive: float
    max_inflight: int
    session_expiry: float | None
    connect_timeout: float
    reconnect_min: float
    reconnect_max: float
    notify_topic: str | None
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    server_name: str | None
    insecure: bool
    enabled: bool

    @property
    def url(self) -> str:
        """Where the other broker is first looked for."""
        host, port = self.addresses[0]
        return f"{'mqtts' if self.tls else 'mqtt'}://{f'[{host}]' if ':' in host else host}:{port}"

    def native(self) -> dict[str, Any]:
        """Return it as the native module reads it."""
        values = {name: getattr(self, name) for name in self.FIELDS}
        values["addresses"] = list(self.addresses)
        values["topics"] = list(self.topics)
        return values

    def __repr__(self) -> str:
        return f"BridgeSettings({self.name!r}, …)"  # it may know a password


def bridge_settings(
    settings: Mapping[str, Value], origin: Callable[[str], str]
) -> tuple[BridgeSettings, ...]:
    """Return every bridge.

    Raises:
        HookMQError: E301 for an unknown key, E303 for a value that does not fit, E306 for something that is
            missing, E901 for topics that cannot be carried, or a name that is there twice.
    """
    entries = settings["bridges"]
    found: list[BridgeSettings] = []
    for number, entry in enumerate(entries if isinstance(entries, tuple) else (), start=1):
        where = f"{origin('bridges')}, bridge {number}"
        bridge = _bridge(entry, where)
        if any(bridge.name == other.name for other in found):
            raise HookMQError("E901", where=where, name=bridge.name, reason="another bridge has this name")
        found.append(bridge)
    return tuple(found)


def missing_files(bridges: Iterable[BridgeSettings]) -> list[HookMQError]:
    """Return an error for each file that bridges need and cannot read: it is read for each connection."""
    errors = []
    for bridge in bridges:
        for key in _FILES:
            path = getattr(bridge, key)
            if path is None:
                continue
            try:
                with open(path, "rb"):
                    pass
            except OSError as error:
                reason = f"`{key}` cannot be read: {(error.strerror or str(error)).lower()}"
                errors.append(HookMQError("E901", where=path, name=bridge.name, reason=reason))
    return errors


def _bridge(entry: Mapping[str, object], where: str) -> BridgeSettings:
    if (protocol := entry.get("protocol")) is not None:
        entry = {**entry, "protocol": _PROTOCOLS.get(str(protocol), protocol)}
    given = _read(entry, _KEYS, where)
    for key, what in (("name", "a bridge"), ("url", "a bridge"), ("topics", "a bridge")):
        if not given[key]:
            raise HookMQError("E306", where=where, what=what, key=key)
    name: str = given["name"]
    if any(sign in name for sign in "/+#") or not name.isprintable() or name != name.strip():
        expected = "a name without /, + and #"
        raise HookMQError("E303", where=where, key="name", value=repr(name), expected=expected)
    schemes, addresses = zip(*(_split(url, where) for url in given.pop("url")), strict=True)
    if len(set(schemes)) > 1:
        expected = "URLs that are all mqtt:// or all mqtts://"
        raise HookMQError("E303", where=where, key="url", value=repr(entry["url"]), expected=expected)
    tls = schemes[0] == "mqtts"
    _check_pairs(given, tls, where)
    _check_texts(given, where)
    topics = tuple(_topic(topic, where) for topic in given.pop("topics"))
    _check_topics(name, topics, where)
    if given["client_id"] is None:
        import socket  # only needed where there is a bridge

        given["client_id"] = f"{socket.gethostname()}.{name}"
    return BridgeSettings(addresses=addresses, tls=tls, topics=topics, **given)


def _check_pairs(given: Mapping[str, Any], tls: bool, where: str) -> None:
    """Refuse what is of no use without something else, or beside it."""
    needs = [("cert_file", "key_file"), ("key_file", "cert_file")]
    # MQTT 3.1.1, which any broker may want, has no password without a user name.
    needs += [("password", "username"), ("password_file", "username")]
    for key, needed in needs:
        if given[key] is not None and given[needed] is None:
            raise HookMQError("E306", where=where, what=f"`{key}`", key=needed)
    if given["password"] is not None and given["password_file"] is not None:
        reason = "`password` and `password_file` are both given"
        raise HookMQError("E901", where=where, name=given["name"], reason=reason)
    of_tls = [key for key in ("ca_file", "cert_file", "server_name", "insecure") if given[key]]
    if of_tls and not tls:
        reason = f"`{of_tls[0]}` is for TLS, and `url` is not mqtts://"
        raise HookMQError("E901", where=where, name=given["name"], reason=reason)


def _check_texts(given: Mapping[str, Any], where: str) -> None:
    """Refuse texts that MQTT does not have where they are to be."""
    from .._hookmq import check_filter

    for key in ("client_id", "username"):
        if "\0" in (given[key] or ""):
            expected = "a text without the character U+0000"
            raise HookMQError("E303", where=where, key=key, value=repr(given[key]), expected=expected)
    if (topic := given["notify_topic"]) is None:
        return
    try:
        check_filter(topic)
        is_name = not any(sign in topic for sign in "+#") and not topic.startswith("$share/")
    except ValueError:
        is_name = False
    if not is_name:
        expected = "a topic name, without + and #"
        raise HookMQError("E303", where=where, key="notify_topic", value=repr(topic), expected=expected)


def _check_topics(name: str, topics: tuple[Topic, ...], where: str) -> None:
    from .._hookmq import check_bridge_topics

    try:
        check_bridge_topics(list(topics))
    except ValueError as error:
        raise HookMQError("E901", where=where, name=name, reason=str(error)) from None


def _topic(entry: object, where: str) -> Topic:
    if not isinstance(entry, Mapping):
        expected = 'a table, such as { filter = "tank/#", direction = "out" }'
        raise HookMQError("E303", where=where, key="topics", value=repr(entry), expected=expected)
    # An empty prefix is as good as none.
    entry = {key: value for key, value in entry.items() if value != ""}
    given = _read(entry, _TOPIC_KEYS, where)
    return (
        given["filter"] or "",
        given["direction"],
        given["qos"],
        given["local_prefix"] or "",
        given["remote_prefix"] or "",
    )


def _read(entry: Mapping[str, object], keys: Mapping[str, Setting], where: str) -> dict[str, Any]:
    values: dict[str, Any] = {name: setting.default for name, setting in keys.items()}
    for name, value in entry.items():
        setting = keys.get(name)
        if setting is None:
            import difflib

            close = difflib.get_close_matches(name, keys, n=1)
            raise HookMQError("E301", where=where, key=name, suggestion=close[0] if close else None)
        try:
            values[name] = setting.read(value, where=where)
        except HookMQError:
            if name not in _HIDDEN:
                raise
            hidden = "something that is not shown"
            raise HookMQError(
                "E303", where=where, key=name, value=hidden, expected=setting.expected
            ) from None
    return values


def _split(url: str, where: str) -> tuple[str, tuple[str, int]]:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        bare = parts.path in ("", "/") and parts.username is None
    except ValueError:
        scheme, host, port, bare = "", "", None, False
    if scheme not in _PORTS or not host or not bare or port == 0:
        # It may have a password in it, so it is not shown then.
        shown = repr(url) if "@" not in url else "a URL with a user"
        expected = (
            "URLs such as mqtt://broker.example or mqtts://192.0.2.7:8883; `username` and `password` have "
            "their own keys"
        )
        raise HookMQError("E303", where=where, key="url", value=shown, expected=expected)
    return scheme, (host, _PORTS[scheme] if port is None else port)


_KEYS = {setting.key: setting for setting in BRIDGE}
_TOPIC_KEYS = {setting.key: setting for setting in BRIDGE_TOPIC}
