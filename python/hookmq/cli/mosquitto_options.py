"""The letters that ``hookmq pub`` and ``hookmq sub`` share with mosquitto_pub and mosquitto_sub.

Scripts hand these commands text they did not choose (``-m "$reading"``), so the words are read as mosquitto
reads them, one after another: the word after ``-m`` is the message even if it starts with a dash. That, and
``-h`` for the host, is why argparse is not used here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .mqtt_properties import COMMANDS, PROPERTIES, GivenProperty, parse_property
from .usage import UsageError

__all__ = [
    "SHARED_OPTIONS",
    "ClientOptions",
    "Option",
    "Take",
    "add_to_list",
    "check_filter",
    "check_topic",
    "help_text",
    "number",
    "parse",
    "set_flag",
    "text",
]

NEVER_EXPIRES = 2**32 - 1
"""The session expiry interval that means: for ever."""

Version = Literal["31", "311", "5"]

_VERSIONS: Mapping[str, Version] = {
    "31": "31",
    "mqttv31": "31",
    "311": "311",
    "mqttv311": "311",
    "5": "5",
    "mqttv5": "5",
}


@dataclass(slots=True, kw_only=True)
class ClientOptions:
    """What both commands can be told about the connection. Times are in seconds."""

    host: str = "localhost"
    port: int | None = None
    bind_address: str = ""
    nodelay: bool = False
    topics: list[str] = field(default_factory=list)
    qos: int = 0
    client_id: str | None = None
    id_prefix: str | None = None
    keepalive: int = 60
    username: str | None = None
    password: str | None = None
    version: Version = "311"
    persistent: bool = False
    session_expiry: int | None = None
    max_inflight: int = 20
    properties: list[GivenProperty] = field(default_factory=list)
    will_topic: str | None = None
    will_payload: str | None = None
    will_qos: int = 0
    will_retain: bool = False
    cafile: str | None = None
    capath: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False
    os_certs: bool = False
    debug: bool = False
    quiet: bool = False
    help: bool = False

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted: any certificate option says so."""
        return bool(self.cafile or self.capath or self.cert or self.os_certs)

    def finish(self, environ: Mapping[str, str]) -> None:
        """Fill in what was not given, and raise ``UsageError`` for what does not fit together."""
        if not self.host:
            raise UsageError("-h needs a host name or an address")
        if self.port is None:
            self.port = 8883 if self.tls else _environment_port(environ)
        if self.client_id is not None and self.id_prefix is not None:
            raise UsageError("-i and -I cannot be used together")
        if self.id_prefix is not None:
            self.client_id = f"{self.id_prefix}{os.getpid()}"
        if self.properties:
            self.version = "5"
        if self.persistent and not self.client_id:
            raise UsageError("-c needs a client identifier: -i ID")
        if self.version == "5" and self.persistent and self.session_expiry is None:
            self.session_expiry = NEVER_EXPIRES
        if self.session_expiry == NEVER_EXPIRES and not self.client_id:
            raise UsageError("a session that never expires needs a client identifier: -i ID")
        if self.password is not None and self.username is None and self.version != "5":
            raise UsageError("-P needs a user name before MQTT 5: -u NAME")
        if (self.cert is None) != (self.key is None):
            raise UsageError("--cert and --key are used together")
        if self.will_topic is None:
            if self.will_payload is not None or self.will_retain:
                raise UsageError("a will needs a topic: --will-topic TOPIC")
        else:
            check_topic(self.will_topic, option="--will-topic")


# How an option takes its value: a function of the options, the option as written, and the word after it.
Take = Callable[[Any, str, str], None]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its names, what follows it (``None``: nothing), what it means, and what it sets."""

    names: tuple[str, ...]
    value: str | None
    help: str
    take: Take


def text(name: str) -> Take:
    """Take the next word as it is."""

    def take(options: Any, option: str, word: str) -> None:
        setattr(options, name, word)

    return take


def add_to_list(name: str) -> Take:
    """Add the next word to a list: the option can be repeated."""

    def take(options: Any, option: str, word: str) -> None:
        getattr(options, name).append(word)

    return take


def set_flag(name: str) -> Take:
    """Note that the option was there; it takes no word."""

    def take(options: Any, option: str, word: str) -> None:
        setattr(options, name, True)

    return take


def number(name: str, low: int, high: int | None = None, *, kind: type[int] | type[float] = int) -> Take:
    """Take the next word as a number from ``low`` to ``high``."""
    bounds = f"at least {low}" if high is None else f"from {low} to {high}"
    noun = "a whole number" if kind is int else "a number"

    def take(options: Any, option: str, word: str) -> None:
        try:
            value = kind(word)
        except ValueError:
            value = low - 1
        # Written so that NaN, which compares with nothing, is out of every range.
        if not (low <= value and (high is None or value <= high)):
            raise UsageError(f"{option} {word}: expected {noun}, {bounds}")
        setattr(options, name, value)

    return take


def _take_version(options: ClientOptions, option: str, word: str) -> None:
    if word not in _VERSIONS:
        raise UsageError(f"{option} {word}: expected mqttv31, mqttv311 or mqttv5")
    options.version = _VERSIONS[word]


def _take_session_expiry(options: ClientOptions, option: str, word: str) -> None:
    if word in ("-1", "∞"):
        options.session_expiry = NEVER_EXPIRES
    else:
        number("session_expiry", 0, NEVER_EXPIRES)(options, option, word)


def _take_url(options: ClientOptions, option: str, word: str) -> None:
    from urllib.parse import unquote, urlsplit

    try:
        url = urlsplit(word, allow_fragments=False)  # a # belongs to the topic
        port = url.port
    except ValueError:
        raise UsageError(f"{option} {word}: this is not a URL") from None
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname or not url.path.strip("/"):
        raise UsageError(f"{option} {word}: expected mqtt(s)://[user[:password]@]host[:port]/topic")
    options.host = url.hostname
    options.os_certs |= url.scheme == "mqtts"
    options.port = port or (8883 if url.scheme == "mqtts" else 1883)
    if url.username is not None:
        options.username = unquote(url.username)
    if url.password is not None:
        options.password = unquote(url.password)
    options.topics.append(url.path[1:] + (f"?{url.query}" if url.query else ""))


SHARED_OPTIONS: tuple[Option, ...] = (
    Option(("-h", "--host"), "HOST", "the broker (HOOKMQ_HOST, or localhost)", text("host")),
    Option(
        ("-p", "--port"),
        "PORT",
        "its port (HOOKMQ_PORT, or 1883; 8883 with TLS)",
        number("port", 1, 65535),
    ),
    Option(("-L", "--url"), "URL", "all at once: mqtt(s)://[user[:password]@]host[:port]/topic", _take_url),
    Option(("-q", "--qos"), "QOS", "quality of service: 0, 1 or 2 (0)", number("qos", 0, 2)),
    Option(("-i", "--id"), "ID", "client identifier (the broker chooses one)", text("client_id")),
    Option(("-I", "--id-prefix"), "PREFIX", "client identifier: this and the process id", text("id_prefix")),
    Option(("-k", "--keepalive"), "SECONDS", "keep alive; 0 is none (60)", number("keepalive", 0, 65535)),
    Option(("-u", "--username"), "NAME", "user name", text("username")),
    Option(("-P", "--pw"), "PASSWORD", "password", text("password")),
    Option(("-V", "--protocol-version"), "VERSION", "mqttv31, mqttv311 or mqttv5 (mqttv311)", _take_version),
    Option(
        ("-c", "--disable-clean-session"),
        None,
        "keep the session when the connection ends (needs -i)",
        set_flag("persistent"),
    ),
    Option(
        ("-x", "--session-expiry-interval"),
        "SECONDS",
        "how long MQTT 5 keeps the session; -1 is for ever",
        _take_session_expiry,
    ),
    Option(("-A",), "ADDRESS", "connect from this address of this machine", text("bind_address")),
    Option(("--nodelay",), None, "send small packets at once (TCP_NODELAY)", set_flag("nodelay")),
    Option(("-d", "--debug"), None, "print every packet", set_flag("debug")),
    Option(("--quiet",), None, "print no errors", set_flag("quiet")),
    Option(("--will-topic",), "TOPIC", "topic of the will", text("will_topic")),
    Option(("--will-payload",), "TEXT", "payload of the will (empty)", text("will_payload")),
    Option(("--will-qos",), "QOS", "quality of service of the will (0)", number("will_qos", 0, 2)),
    Option(("--will-retain",), None, "retain the will", set_flag("will_retain")),
    Option(("--cafile",), "FILE", "certificates to trust; this turns TLS on", text("cafile")),
    Option(("--capath",), "DIRECTORY", "directory of certificates to trust; TLS", text("capath")),
    Option(
        ("--tls-use-os-certs",), None, "trust the certificates of this machine; TLS", set_flag("os_certs")
    ),
    Option(("--cert",), "FILE", "certificate of this client", text("cert")),
    Option(("--key",), "FILE", "key of that certificate", text("key")),
    Option(("--insecure",), None, "do not check the host name of the certificate", set_flag("insecure")),
    Option(("--help",), None, "print this", set_flag("help")),
)

_PROPERTY_NAMES = ("-D", "--property")
_PROPERTY_HELP = "an MQTT 5 property: -D COMMAND NAME VALUE, see below"


def parse(
    options: ClientOptions,
    table: Sequence[Option],
    arguments: Sequence[str],
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Read a command line into ``options``. Raises ``UsageError``."""
    known = {name: option for option in table for name in option.names}
    if environ.get("HOOKMQ_HOST"):
        options.host = _reachable(environ["HOOKMQ_HOST"])
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word in _PROPERTY_NAMES:
            given, taken = parse_property(arguments[position:])
            options.properties.append(given)
            position += taken
            continue
        option = known.get(word)
        if option is None:
            raise UsageError(f"unknown option {word}")
        if option.value is None:
            option.take(options, word, "")
        elif position == len(arguments):
            raise UsageError(f"{word} needs a value: {word} {option.value}")
        else:
            option.take(options, word, arguments[position])
            position += 1
    if not options.help:
        options.finish(environ)


def help_text(usage: str, about: str, table: Sequence[Option], *, epilogue: str = "") -> str:
    """Lay out the help of a command."""
    rows = [
        (", ".join(option.names) + (f" {option.value}" if option.value else ""), option.help)
        for option in table
    ]
    rows.insert(-1, (", ".join(_PROPERTY_NAMES), _PROPERTY_HELP))
    lines = [f"usage: {usage}", "", about, "", "options:"]
    for names, meaning in rows:
        lines += [f"  {names:<38} {meaning}"] if len(names) <= 38 else [f"  {names}", f"  {'':<38} {meaning}"]
    lines += ["", "MQTT 5 properties (any of them makes the client speak MQTT 5):"]
    for command in COMMANDS:
        lines += _wrapped(
            f"  -D {command:<12}", [prop.name for prop in PROPERTIES if command in prop.commands]
        )
    lines += ["  user-property takes two values: -D publish user-property NAME VALUE"]
    if epilogue:
        lines += ["", epilogue]
    return "\n".join(lines)


def check_topic(topic: str, *, option: str = "-t") -> None:
    """Raise ``UsageError`` if the text is not the name of a topic."""
    problem = _topic_problem(topic)
    if problem is None and ("+" in topic or "#" in topic):
        problem = "a message is published to one topic, without + and #"
    if problem:
        raise UsageError(f"{option} {topic!r}: {problem}")


def check_filter(topic_filter: str, *, option: str = "-t") -> None:
    """Raise ``UsageError`` if the text is not a topic filter."""
    problem = _topic_problem(topic_filter)
    levels = topic_filter.split("/")
    if problem is None and any("+" in level and level != "+" for level in levels):
        problem = "+ stands for a whole level"
    if problem is None and any("#" in level and level != "#" for level in levels):
        problem = "# stands for a whole level"
    if problem is None and "#" in levels[:-1]:
        problem = "# is the last level"
    if problem:
        raise UsageError(f"{option} {topic_filter!r}: {problem}")


def _topic_problem(topic: str) -> str | None:
    if not topic:
        return "a topic has at least one character"
    if "\0" in topic:
        return "a topic has no null character"
    try:
        encoded = topic.encode("utf-8")
    except UnicodeEncodeError:  # bytes of the command line that are not UTF-8
        return "a topic is UTF-8"
    return "a topic has at most 65535 bytes" if len(encoded) > 65535 else None


def _reachable(host: str) -> str:
    """Turn an address to listen on, which HOOKMQ_HOST may be, into one to connect to."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host)


def _environment_port(environ: Mapping[str, str]) -> int:
    written = environ.get("HOOKMQ_PORT")
    if not written:
        return 1883
    if not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise UsageError(f"HOOKMQ_PORT={written}: expected a port number from 1 to 65535")
    return int(written)


def _wrapped(head: str, names: Sequence[str]) -> list[str]:
    import textwrap

    return textwrap.wrap(
        ", ".join(names),
        100,
        initial_indent=head + " ",
        subsequent_indent=" " * (len(head) + 1),
        break_on_hyphens=False,
    )
