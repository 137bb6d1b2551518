"""The configuration: every layer and origin, every type, and what a mistake looks like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from hookmq.errors import HookMQError
from hookmq.settings import config
from hookmq.settings.config import SETTINGS, Settings, resolve
from hookmq.settings.setting import Setting

KEYS = [setting.key for setting in SETTINGS]


def load(
    directory: Path,
    *,
    toml: str | None = None,
    arguments: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Settings:
    if toml is not None:
        (directory / "hookmq.toml").write_text(toml, encoding="utf-8")
    return resolve(
        arguments=arguments or {},
        flags=flags or {},
        environ=environ or {},
        directory=directory,
        defaults=defaults or {},
    )


def failure(directory: Path, **sources: object) -> str:
    with pytest.raises(HookMQError) as caught:
        load(directory, **sources)  # type: ignore[arg-type]
    assert caught.value.exit_code == 3
    return str(caught.value)


# Layers ---------------------------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    settings = load(tmp_path)
    expected = {
        "host": "127.0.0.1",
        "port": 1883,
        "http_port": 8080,
        "http_ports": (),
        "http_base": "",
        "http_hosts": (),
        "topic_statistics": True,
        "dashboard": True,
        "data_dir": None,
        "allow_anonymous": False,
        "listeners": (),
        "sys_interval": 10,
        "workers": 0,
        "tls.port": None,
        "tls.http": False,
        "tls.cert": None,
        "tls.key": None,
        "tls.client_ca": None,
        "tls.client_cert": "required",
        "tls.crl": None,
        "tls.identity": "username",
        "tls.min_version": "1.2",
        "access.users_file": None,
        "access.acl_file": None,
        "websocket.path": "/mqtt",
        "websocket.origins": (),
        "limits.connect_timeout": 10,
        "limits.max_packet_size": 16 * 1024**2,
        "limits.max_connect_size": 64 * 1024,
        "limits.max_clients": 100_000,
        "limits.max_clients_per_address": 0,
        "limits.max_clients_per_user": 0,
        "limits.max_half_open": 20_000,
        "limits.max_http_connections": 10_000,
        "limits.connect_rate": 0,
        "limits.message_rate": 0,
        "limits.byte_rate": 0,
        "limits.max_reconnects": 100,
        "limits.jail_time": 30,
        "limits.max_sessions": 1_000_000,
        "limits.max_user_property_bytes": 256 * 1024,
        "limits.max_inflight": 1000,
        "limits.receive_maximum": 1000,
        "limits.max_queued_messages": 100_000,
        "limits.max_queued_bytes": 64 * 1024**2,
        "limits.queue_policy": "refuse",
        "limits.hold_timeout": 10,
        "limits.max_outbox_bytes": 1024**2,
        "limits.topic_alias_maximum": 64,
        "limits.max_topic_levels": 201,
        "limits.max_subscriptions": 100_000,
        "limits.max_session_expiry": 4_294_967_295,
        "limits.max_retained_messages": 1_000_000,
        "limits.max_retained_bytes": 1024**3,
        "limits.max_topic_statistics_bytes": 1024**3,
        "limits.default_keep_alive": 0,
        "limits.max_keep_alive": 65_535,
        "hooks.queue_events": 100_000,
        "hooks.queue_bytes": 64 * 1024**2,
        "hooks.decision_timeout": 5,
        "hooks.decision_threads": 4,
        "hooks.page_threads": 4,
        "hooks.page_timeout": 30,
        "hooks.stop_grace": 5,
        "store.sync": "os",
        "store.interval": 1.0,
        "history.enabled": True,
        "history.url": None,
        "history.max_age": 30 * 86_400,
        "history.max_rows": 10_000_000,
        "history.queue_rows": 200_000,
        "history.queue_bytes": 128 * 1024**2,
        "storage.url": None,
        "storage.filter": "#",
        "storage.events": (
            "received",
            "sent",
            "connected",
            "disconnected",
            "subscribed",
            "unsubscribed",
            "error",
        ),
        "storage.ack": "received",
        "storage.prefix": "mqtt_",
        "storage.max_age": None,
        "storage.max_rows": None,
        "storage.spool_bytes": 1024**3,
        "bridges": (),
        "connectors": (),
        "authentication": (),
        "rules": (),
        "rules_folder": None,
        "log.level": "info",
    }
    assert dict(settings) == expected
    assert {settings.origin(key) for key in settings} == {"default"}


def test_each_layer_beats_the_ones_below_it(tmp_path: Path) -> None:
    layers = [
        ("defaults", {"port": 1}, "default"),
        ("toml", "# a comment\nport = 2\n", "hookmq.toml:2"),
        ("arguments", {"port": 3}, "Broker(port=…)"),
        ("environ", {"HOOKMQ_PORT": "4"}, "environment HOOKMQ_PORT"),
        ("flags", {"port": "5"}, "flag --port"),
    ]
    given: dict[str, object] = {}
    for value, (layer, content, origin) in enumerate(layers, start=1):
        given[layer] = content
        settings = load(tmp_path, **given)  # type: ignore[arg-type]
        assert (settings["port"], settings.origin("port")) == (value, origin)


def test_a_layer_leaves_other_keys_alone(tmp_path: Path) -> None:
    settings = load(tmp_path, toml='host = "::1"\n', arguments={"port": 0}, flags={"http_port": "off"})
    assert (settings["host"], settings["port"], settings["http_port"]) == ("::1", 0, None)
    assert settings.origin("http_port") == "flag --http-port"
    assert settings.origin("log.level") == "default"


def test_arguments_that_are_sections(tmp_path: Path) -> None:
    settings = load(tmp_path, arguments={"limits": {"max_clients": 5, "max_inflight": 6}, "port": 0})
    assert (settings["limits.max_clients"], settings["limits.max_inflight"]) == (5, 6)
    assert settings.origin("limits.max_clients") == "Broker(limits.max_clients=…)"
    assert "Broker(...)  unknown key `limits.clients`" in failure(
        tmp_path, arguments={"limits": {"clients": 5}}
    )


def test_a_flag_of_a_key_with_a_section(tmp_path: Path) -> None:
    settings = load(tmp_path, flags={"log.level": "debug"})
    assert (settings["log.level"], settings.origin("log.level")) == ("debug", "flag --log-level")


def test_none_switches_off_what_can_be_off_and_is_not_given_elsewhere(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        arguments={"http_port": None, "data_dir": None, "host": None, "workers": None, "config": None},
        defaults={"data_dir": "hookmq-data"},
    )
    assert (settings["http_port"], settings.origin("http_port")) == (None, "Broker(http_port=…)")
    assert (settings["data_dir"], settings.origin("data_dir")) == (None, "Broker(data_dir=…)")
    assert (settings["host"], settings.origin("host")) == ("127.0.0.1", "default")
    assert settings["workers"] == 0


def test_the_plain_port_can_be_off(tmp_path: Path) -> None:
    assert load(tmp_path, arguments={"port": None}).listeners == ()
    assert load(tmp_path, environ={"HOOKMQ_PORT": "off"})["port"] is None


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    settings = load(tmp_path, environ={"HOOKMQ_PORT": " ", "HOOKMQ__LOG__LEVEL": "", "HOOKMQ_CONFIG": ""})
    assert settings.origin("port") == settings.origin("log.level") == "default"


@pytest.mark.parametrize("setting", SETTINGS, ids=KEYS)
def test_every_key_has_its_variable(setting: Setting, tmp_path: Path) -> None:
    text = {
        "str": setting.choices[-1] if setting.choices else "text",
        "path": "some/where",
        "file": "some/file",
        "texts": "a, b",
        "hosts": "a, b",
        "url-path": "/text",
        "ports": "8081, 8082",
        "tables": '[{"kind": "sql"}]',
        "listeners": "mqtt://127.0.0.1:1884",
        "bool": "yes",
    }.get(setting.type, "100")
    bridge = {"name": "b", "url": "mqtt://b", "topics": [{"filter": "#"}]}
    if setting.key == "bridges":
        text = json.dumps([bridge])
    files = {} if setting.key.startswith("tls.c") else {"tls": {"cert": "c", "key": "k"}}
    settings = load(tmp_path, environ={setting.variable: text}, arguments=files)
    assert settings.origin(setting.key) == f"environment {setting.variable}"
    lists = {
        str((bridge,)),
        "('a', 'b')",
        "(8081, 8082)",
        "({'kind': 'sql'},)",
        "({'url': 'mqtt://127.0.0.1:1884'},)",
    }
    shown = lists | {text, "True", "100.0"}
    assert str(settings[setting.key]) in shown


def test_the_names_of_the_variables() -> None:
    variables = {setting.key: setting.variable for setting in SETTINGS}
    assert [variables[key] for key in ("host", "port", "http_port", "data_dir")] == [
        "HOOKMQ_HOST",
        "HOOKMQ_PORT",
        "HOOKMQ_HTTP_PORT",
        "HOOKMQ_DATA_DIR",
    ]
    assert variables["limits.max_packet_size"] == "HOOKMQ__LIMITS__MAX_PACKET_SIZE"
    assert variables["allow_anonymous"] == "HOOKMQ__ALLOW_ANONYMOUS"
    assert len(set(variables.values())) == len(SETTINGS)


def test_other_variables_are_nobody_s_business(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"HOOKMQ_DATABASE_PASSWORD": "x", "PORT": "1"})["port"] == 1883


# The file -------------------------------------------------------------------------------------------------


def test_a_file_named_by_each_layer(tmp_path: Path) -> None:
    for name, port in (("a.toml", 1), ("b.toml", 2), ("c.toml", 3)):
        (tmp_path / name).write_text(f"port = {port}")
    arguments, environ, flags = {"config": Path("a.toml")}, {"HOOKMQ_CONFIG": "b.toml"}, {"config": "c.toml"}
    toml = "port = 9"  # hookmq.toml is only read when no other file is named
    assert load(tmp_path, toml=toml, arguments=arguments).origin("port") == "a.toml:1"
    assert load(tmp_path, arguments=arguments, environ=environ).origin("port") == "b.toml:1"
    settings = load(tmp_path, arguments=arguments, environ=environ, flags=flags)
    assert (settings["port"], settings.origin("port")) == (3, "c.toml:1")
    assert settings.file == tmp_path / "c.toml"


def test_no_file_is_fine_unless_it_was_named(tmp_path: Path) -> None:
    assert load(tmp_path).file is None
    assert failure(tmp_path, arguments={"config": "no.toml"}) == (
        "error[E304]: no.toml  no such file or directory"
    )


TOML_IN_MANY_WAYS = """\
# The first line is a comment.
host = "::1"

port=0
[limits]
# [hooks] is not a section here
"max_inflight" = 7
max_packet_size = '''
1MiB'''

[ history ]
url = \"\"\"
port = 1
sqlite://\"\"\"
max_age = "1d"
[log]
level="debug\""""


def test_line_numbers_in_every_way_to_write_a_key(tmp_path: Path) -> None:
    settings = load(tmp_path, toml=TOML_IN_MANY_WAYS)
    origins = {key: settings.origin(key) for key in settings if settings.origin(key) != "default"}
    assert origins == {
        "host": "hookmq.toml:2",
        "port": "hookmq.toml:4",
        "limits.max_inflight": "hookmq.toml:7",
        "limits.max_packet_size": "hookmq.toml:8",
        "history.url": "hookmq.toml:12",
        "history.max_age": "hookmq.toml:15",
        "log.level": "hookmq.toml:17",
    }
    assert settings["limits.max_packet_size"] == 1024**2


def test_dotted_keys_and_inline_tables(tmp_path: Path) -> None:
    settings = load(tmp_path, toml="port = 1\nlimits.max_clients = 5\nhooks = { page_threads = 2 }\r\n")
    assert settings.origin("limits.max_clients") == "hookmq.toml:2"
    assert (settings["hooks.page_threads"], settings.origin("hooks.page_threads")) == (2, "hookmq.toml:3")


def test_an_empty_section_is_fine(tmp_path: Path) -> None:
    assert load(tmp_path, toml="[limits]\n[hooks]\n")["port"] == 1883


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    text = failure(tmp_path, toml="port = 1\nhost = \n")
    assert text.startswith("error[E304]: hookmq.toml:2  not TOML: invalid value")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "hookmq.toml").write_bytes(b'host = "\xff"')
    assert failure(tmp_path) == "error[E304]: hookmq.toml  not UTF-8 at byte 8"


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert failure(tmp_path, flags={"config": "d"}) == "error[E304]: d  is a directory"


# Unknown keys ---------------------------------------------------------------------------------------------


def test_an_unknown_key_in_the_file(tmp_path: Path) -> None:
    toml = "\n" * 10 + "[limits]\nmax_pakcet_size = 5\n"
    assert failure(tmp_path, toml=toml) == (
        "error[E301]: hookmq.toml:12  unknown key `limits.max_pakcet_size`\n"
        "  help: did you mean `limits.max_packet_size`?"
    )


@pytest.mark.parametrize(
    ("toml", "key", "suggestion"),
    [
        ("prot = 1", "prot", "port"),
        ("max_clients = 1", "max_clients", "limits.max_clients"),
        ("[limit]\nmax_clients = 1", "limit.max_clients", "limits.max_clients"),
        ("[hisotry]", "hisotry", "history.url"),
        ("[port]\nmqtt = 1", "port.mqtt", "port"),
        ("http-port = 1", "http-port", "http_port"),
    ],
)
def test_did_you_mean(tmp_path: Path, toml: str, key: str, suggestion: str) -> None:
    text = failure(tmp_path, toml=toml)
    assert f"unknown key `{key}`\n" in text
    assert text.endswith(f"did you mean `{suggestion}`?")


def test_nothing_is_suggested_for_what_is_like_nothing(tmp_path: Path) -> None:
    assert failure(tmp_path, toml="zzzz = 1") == "error[E301]: hookmq.toml:1  unknown key `zzzz`"


def test_an_unknown_variable_is_named(tmp_path: Path) -> None:
    assert failure(tmp_path, environ={"HOOKMQ__LIMTS__MAX_CLIENTS": "5"}) == (
        "error[E301]: HOOKMQ__LIMTS__MAX_CLIENTS  unknown key `limts.max_clients`\n"
        "  help: did you mean `HOOKMQ__LIMITS__MAX_CLIENTS`?"
    )
    assert failure(tmp_path, environ={"HOOKMQ__PORT": "5"}).endswith("did you mean `HOOKMQ_PORT`?")


def test_an_unknown_argument_and_an_unknown_flag(tmp_path: Path) -> None:
    assert "Broker(...)  unknown key `hots`" in failure(tmp_path, arguments={"hots": "x"})
    assert "the command line  unknown key `hots`" in failure(tmp_path, flags={"hots": "x"})


# Types ----------------------------------------------------------------------------------------------------

MIB, DAY = 1024**2, 86_400

GOOD = [
    ("port", 0, 0),
    ("port", 65535, 65535),
    ("port", " 1884 ", 1884),
    ("http_port", "off", None),
    ("http_port", "OFF", None),
    ("http_port", False, None),
    ("http_port", "false", None),
    ("http_port", "0", 0),
    ("http_port", 8081, 8081),
    ("host", "broker.example", "broker.example"),
    ("http_base", "", ""),
    ("http_base", "/", ""),
    ("http_base", "/mqtt-broker/", "/mqtt-broker"),
    ("http_base", "/a/b.c", "/a/b.c"),
    ("http_hosts", "broker.example, [::1]:8080", ("broker.example", "[::1]:8080")),
    ("http_hosts", ["*"], ("*",)),
    ("dashboard", "off", False),
    ("data_dir", Path("data"), "data"),
    ("data_dir", "data", "data"),
    ("allow_anonymous", True, True),
    ("allow_anonymous", "Yes", True),
    ("allow_anonymous", "off", False),
    ("allow_anonymous", "0", False),
    ("workers", "2", 2),
    ("limits.max_clients", 5, 5),
    ("limits.max_packet_size", 1048576, MIB),
    ("limits.max_packet_size", "1048576", MIB),
    ("limits.max_packet_size", "1MiB", MIB),
    ("limits.max_packet_size", "64 KiB", 64 * 1024),
    ("limits.max_packet_size", "1.5mib", MIB + MIB // 2),
    ("limits.max_packet_size", "2MB", 2_000_000),
    ("limits.max_packet_size", "100 B", 100),
    ("limits.max_retained_bytes", "9007199254740993", 9_007_199_254_740_993),
    ("limits.max_retained_bytes", "1GiB", 1024 * MIB),
    ("limits.connect_timeout", 10, 10.0),
    ("limits.connect_timeout", 0.5, 0.5),
    ("limits.connect_timeout", "10s", 10.0),
    ("limits.connect_timeout", "250ms", 0.25),
    ("limits.connect_timeout", "5m", 300.0),
    ("limits.connect_timeout", "2 h", 7200.0),
    ("limits.connect_timeout", "1.5d", 1.5 * DAY),
    ("limits.max_session_expiry", 4_294_967_295, 4_294_967_295.0),
    ("history.max_age", "30d", 30.0 * DAY),
    ("history.url", "postgresql://u:p@db/x", "postgresql://u:p@db/x"),
    ("log.level", "warning", "warning"),
]


@pytest.mark.parametrize(("key", "given", "value"), GOOD)
def test_values_that_fit(tmp_path: Path, key: str, given: object, value: object) -> None:
    read = load(tmp_path, arguments={key: given})[key]
    assert read == value
    assert type(read) is type(value)


PORT = "a port number from 0 to 65535 (0 picks a free one)"
SIZE = 'a number of bytes from 64 to 268435460, such as 1048576 or "1MiB"'
TIME = 'such as 10, or a time such as "10s", "5m", "2h", "30d"'

BAD = [
    ("port", 65536, PORT + ', or "off"'),
    ("port", -1, PORT + ', or "off"'),
    ("port", "abc", PORT + ', or "off"'),
    ("port", True, PORT + ', or "off"'),
    ("port", 1883.0, PORT + ', or "off"'),
    ("port", [1883], PORT + ', or "off"'),
    ("websocket.origins", 5, 'a list of texts, such as ["a", "b"] or "a, b"'),
    ("websocket.origins", [5], 'a list of texts, such as ["a", "b"] or "a, b"'),
    ("http_ports", [70_000], "a list of port numbers from 0 to 65535, such as [8081, 8082]"),
    ("http_ports", "8081, x", "a list of port numbers from 0 to 65535, such as [8081, 8082]"),
    *[
        ("http_base", path, 'a path such as "/mqtt-broker", or "" for none')
        for path in ("mqtt", "/a/../b", "/a//b", '/"><script>', "/a b", "/a%2F", "/a\n", "http://x", 5)
    ],
    *[
        ("http_hosts", hosts, 'a list of names, such as ["broker.example", "broker.example:8443"], or "*"')
        for hosts in ("https://broker.example", ["a/b"], ["a b"], ["a\r\nb"], ["*.example"], 5)
    ],
    ("connectors", "redis", 'a list of tables, such as [{ kind = "…" }]'),
    ("connectors", [5], 'a list of tables, such as [{ kind = "…" }]'),
    ("authentication", '{"kind": "jwt"}', 'a list of tables, such as [{ kind = "…" }]'),
    ("storage.ack", "later", "one of received, stored"),
    ("listeners", 5, "a list of URLs or of tables with a `url`"),
    ("listeners", [5], "a list of URLs or of tables with a `url`"),
    ("http_port", "on", PORT + ', or "off"'),
    ("http_port", True, PORT + ', or "off"'),
    ("host", "", "a text"),
    ("host", 5, "a text"),
    ("data_dir", 5, "the path of a directory"),
    ("data_dir", b"data", "the path of a directory"),
    ("allow_anonymous", "maybe", "true or false"),
    ("allow_anonymous", 1, "true or false"),
    ("workers", -1, "a whole number from 0 to 1024"),
    ("workers", "two", "a whole number from 0 to 1024"),
    ("limits.max_clients", 0, "a whole number of at least 1"),
    ("limits.max_clients", 2**63, "a whole number of at least 1"),
    ("limits.max_packet_size", "1 Mibble", SIZE),
    ("limits.max_packet_size", "10s", SIZE),
    ("limits.max_packet_size", 63, SIZE),
    ("limits.max_packet_size", "1GiB", SIZE),
    ("limits.max_packet_size", 1.5, SIZE),
    ("limits.max_packet_size", "-1", SIZE),
    ("limits.connect_timeout", "10 KiB", TIME),
    ("limits.connect_timeout", 0, TIME),
    ("limits.connect_timeout", "soon", TIME),
    ("limits.connect_timeout", True, TIME),
    ("limits.connect_timeout", float("nan"), TIME),
    ("limits.max_session_expiry", 2**32, "a number of seconds from 0 to 4294967295, " + TIME),
    ("log.level", "loud", "one of debug, info, warning, error"),
    ("log.level", 5, "one of debug, info, warning, error"),
]


@pytest.mark.parametrize(("key", "given", "expected"), BAD)
def test_values_that_do_not_fit(tmp_path: Path, key: str, given: object, expected: str) -> None:
    text = failure(tmp_path, arguments={key: given})
    assert text.startswith(f"error[E303]: Broker({key}=…)  `{key}` is {given!r}; expected ")
    assert text.endswith(expected)


def test_a_value_that_does_not_fit_is_found_where_it_was_written(tmp_path: Path) -> None:
    assert failure(tmp_path, environ={"HOOKMQ_PORT": "abc"}) == (
        f"error[E303]: environment HOOKMQ_PORT  `port` is 'abc'; expected {PORT}, or \"off\""
    )
    assert failure(tmp_path, flags={"port": "abc"}).startswith("error[E303]: flag --port  `port` is 'abc'")
    toml = "[limits]\n\nmax_clients = '5x'\n"
    assert failure(tmp_path, toml=toml).startswith(
        "error[E303]: hookmq.toml:3  `limits.max_clients` is '5x'; expected"
    )


def test_a_section_that_is_a_value(tmp_path: Path) -> None:
    assert "hookmq.toml:1  unknown key `limits`" in failure(tmp_path, toml="limits = 3")


def test_a_mistake_in_a_layer_that_loses_is_still_a_mistake(tmp_path: Path) -> None:
    assert "hookmq.toml:1" in failure(tmp_path, toml="port = -1", flags={"port": 1884})


def test_a_float_key() -> None:
    setting = Setting("x", "float", 1.0, "A number.", minimum=0.5, maximum=2)
    assert setting.read("1.25", where="here") == 1.25
    with pytest.raises(HookMQError, match=r"expected a number from 0\.5 to 2"):
        setting.read("2.5", where="here")


# The rest -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS, ids=KEYS)
def test_every_default_is_a_value_of_its_key(setting: Setting) -> None:
    assert setting.read(setting.default, where="here") == setting.default
    assert setting.help.endswith(".")


@pytest.mark.parametrize("setting", SETTINGS, ids=KEYS)
def test_the_default_that_is_shown_means_the_default(setting: Setting) -> None:
    shown = setting.default_text
    if shown == "none":
        assert setting.default is None
    elif shown == "[]":
        assert setting.default == ()
    else:
        written = json.loads(shown) if shown.startswith("[") else shown.strip('"')
        assert setting.read(written, where="here") == setting.default


def test_describe_has_a_row_for_every_key() -> None:
    rows = config.describe().splitlines()
    assert rows[:2] == ["| Key | Default | Variable | Meaning |", "|---|---|---|---|"]
    assert [row.split("`")[1] for row in rows[2:]] == KEYS
    assert '| `limits.max_packet_size` | `"16MiB"` | `HOOKMQ__LIMITS__MAX_PACKET_SIZE` |' in "\n".join(rows)
    assert '| `history.max_age` | `"30d"` |' in "\n".join(rows)


def test_settings_are_a_mapping(tmp_path: Path) -> None:
    settings = load(tmp_path, arguments={"port": 5})
    assert list(settings) == KEYS
    assert len(settings) == len(KEYS)
    assert repr(settings) == "Settings({'port': 5})"
    with pytest.raises(KeyError):
        settings.origin("nothing")
    settings.native()["port"] = 6
    assert settings["port"] == 5


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert config.is_loopback(host) is loopback


def test_open_without_authentication_is_refused(tmp_path: Path) -> None:
    config.require_authentication(load(tmp_path), authenticated=False)
    open_settings = load(tmp_path, arguments={"host": "0.0.0.0"})
    config.require_authentication(open_settings, authenticated=True)
    with pytest.raises(HookMQError) as caught:
        config.require_authentication(open_settings, authenticated=False)
    assert (caught.value.code, caught.value.exit_code) == ("E302", 3)
    config.require_authentication(
        load(tmp_path, arguments={"host": "0.0.0.0", "allow_anonymous": True}), authenticated=False
    )
