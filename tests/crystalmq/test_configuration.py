"""Configuration files: forgiving, of both generations, every key with its default."""

from __future__ import annotations

import random

import pytest

from hookmq import HookMQError
from hookmq.crystalmq import Configuration
from hookmq.crystalmq.ini import Ini
from hookmq.crystalmq.keys import BROKER, DATASTORE
from hookmq.crystalmq.settings import settings_of


def texts(configuration, severity):
    return [finding.text for finding in configuration.findings if finding.severity == severity]


# Files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"[CONFIG]\nPORT_NO = 1884\n",
        b"[config]\r\nport_no=1884\r\n",
        b"\xef\xbb\xbf[CONFIG]\nPort_No : 1884",
        b"[CONFIG]\n# caf\xe9\nPORT_NO = 1884\n",
        b"[CONFIG]\n  PORT_NO = 1\n;PORT_NO = 2\n# PORT_NO = 3\nPORT_NO = 1884",
        b"Method Prototype: def handle_Received_Payload(data)\n[CONFIG]\njunk\nPORT_NO = 1884\n]]\n[\n",
        b"[CONFIG]\rPORT_NO\t=\t1884\r",
        b"[OTHER]\nPORT_NO = 1\n[CONFIG]\nPORT_NO = 1884\n[OTHER]\n",
    ],
)
def test_what_disturbs_nobody(home, data):
    (home.path / "conf/mqtt.conf").write_bytes(data)
    configuration = Configuration.read(home.path)
    configuration.require()
    assert configuration.port == 1884


def test_any_bytes_can_be_read(seed):
    """Bytes are an INI file whatever they are: none raises."""
    chance = random.Random(seed)
    pieces = [
        b"[",
        b"]",
        b"=",
        b":",
        b"#",
        b"\n",
        b"\r",
        b"\x00",
        b"\xff",
        b"KEY",
        b" ",
        b"\xef\xbb\xbf",
        b"[A]\n",
        b"=1",
    ]
    for _ in range(500):
        data = b"".join(chance.choices(pieces, k=chance.randrange(30)))
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        ini = Ini.parse(text)
        for entry in ini:
            assert ini.find(entry.section, entry.key) == entry, (seed, data)


def test_both_generations_say_the_same(any_home):
    any_home.broker("[CONFIG]\nPORT_NO = 1884\n[UI]\nUI_Http_Port = 8088\n")
    any_home.datastore(
        "[CONFIG]\nDB_SERVER = POSTGRES\n"
        "[POSTGRES]\nPSQL_DB = plant\nPSQL_USER = mqtt\nPSQL_PASSWORD = p@ss:w/d\n"
    )
    configuration = Configuration.read(any_home.path)
    assert (configuration.port, configuration.http_port) == (1884, 8088)
    assert configuration.storage_url == "postgresql://mqtt:p%40ss%3Aw%2Fd@127.0.0.1:5432/plant"
    assert "p@ss" not in repr(configuration) and "p%40ss" not in repr(configuration)


def test_defaults(home):
    (home.path / "conf/mqtt.conf").unlink()
    found = Configuration.read(home.path)
    assert found.findings == () and found.files == ()
    assert (found.port, found.ws_port, found.tls, found.tls_port, found.wss_port) == (
        1883,
        10443,
        False,
        8883,
        11443,
    )
    assert (found.http_port, found.websocket_port, found.sys_interval) == (8080, 8081, 0.0)
    assert (found.log.path, found.log.level) == (home.path / "log/broker.log", "info")
    assert (found.log.max_bytes, found.log.backups) == (3 << 20, 10)
    assert found.login.enabled and found.login.is_default
    assert (found.authentication, found.store, found.elastic.enabled) == ("disabled", False, False)
    assert found.authentication_file == home.path / "extensions/custom_authentication.py"
    assert found.store_file == home.path / "extensions/custom_store.py"
    assert found.storage_url == f"sqlite:///{home.path}/data/hookmq.db"
    assert (found.elastic.url, found.elastic.index, found.elastic.interval) == (
        "http://127.0.0.1:9200",
        "mqtt",
        2.0,
    )


def test_every_key_is_known(any_home):
    """A file with all keys and their defaults has nothing to find fault with."""

    def text(keys, without=()):
        sections = ((name, values) for name, values in keys.items() if name not in without)
        return "".join(
            f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()) for name, values in sections
        )

    any_home.broker(text(BROKER))
    any_home.datastore(text(DATASTORE))
    assert Configuration.read(any_home.path).findings == ()


# What is found ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("[CONFIG]\nPORT_NO = many\n", "conf/mqtt.conf:2", "PORT_NO is `many`, not a number from 0 to 65535"),
        ("[CONFIG]\nPORT_NO = 70000\n", "conf/mqtt.conf:2", "from 0 to 65535"),
        ("[CONFIG]\nPORT_NO = 1883 # the port\n", "conf/mqtt.conf:2", "PORT_NO is `1883 # the port`"),
        ("[CONFIG]\nTLS_ENABLED = maybe\n", "conf/mqtt.conf:2", "not TRUE or FALSE"),
        ("[LOG_HANDLER]\n\nLOG_LEVEL = 4\n", "conf/mqtt.conf:3", "a number from 1 to 3"),
        ("[SYS_TOPIC]\nSYSTOPIC_INTERVAL = nan\n", "conf/mqtt.conf:2", "SYSTOPIC_INTERVAL"),
    ],
)
def test_values_that_cannot_be(home, run_home, text, where, reason):
    home.broker(text)
    with pytest.raises(HookMQError) as failure:
        run_home(home)
    assert failure.value.code == "E802" and failure.value.exit_code == 3
    assert failure.value.message.startswith(where) and reason in failure.value.message
    assert failure.value.help


def test_unknown_keys_and_what_has_no_effect(home):
    home.broker(
        "[CONFIG]\nPORT_NUMBER = 1\nPORT_N0 = 1\n[MQTT]\nCLIENTID_PREFIX = dev\n[HASERVER]\nHA_IP = 1\n"
        "[SOMETHING]\nKEY = 1\nMethod Prototype: x\n"
    )
    found = Configuration.read(home.path)
    found.require()
    warnings = texts(found, "warning")
    assert "unknown key PORT_N0 in [CONFIG]" in warnings and "unknown key KEY in [SOMETHING]" in warnings
    assert any(text.startswith("[HASERVER] has no effect") for text in warnings)
    notes = texts(found, "note")
    assert any(text.startswith("CLIENTID_PREFIX has no effect") for text in notes)
    assert any(text.startswith("the line is neither a section nor a key") for text in notes)
    (remedy,) = [finding.remedy for finding in found.findings if "PORT_N0" in finding.text]
    assert remedy == "did you mean PORT_NO?"


def test_files_of_both_generations(home):
    home.write("conf/broker.conf", "[CONFIG]\nPORT_NO = 1885\nWS_PORT_NO = 10444\n")
    home.broker("[CONFIG]\nPORT_NO = 1884\n")
    found = Configuration.read(home.path)
    assert (found.port, found.ws_port) == (1884, 10444)
    assert "there is conf/broker.conf as well: what both say is taken from here" in texts(found, "warning")


@pytest.mark.parametrize(
    ("remove", "reason"),
    [
        ("", "no such folder"),
        ("conf", "no folder conf"),
        ("extensions", "no folder extensions"),
        ("bin", "no folder bin"),
    ],
)
def test_what_is_no_home(home, run_home, remove, reason):
    import shutil

    shutil.rmtree(home.path / remove)
    with pytest.raises(HookMQError, match=reason) as failure:
        run_home(home)
    assert failure.value.code == "E801" and failure.value.exit_code == 3


# Databases -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("[CONFIG]\nDB_SERVER = SQLITE\n[SQLITE]\nSQLITE_DB = mqtt.db\n", "sqlite:///{home}/data/mqtt.db"),
        ("[SQLITE]\nSQLITE_DB = ..\\data\\old.db\n", "sqlite:///{home}/data/old.db"),
        ("[SQLITE]\nSQLITE_DB = /var/lib/x.db\n", "sqlite:////var/lib/x.db"),
        (
            "[CONFIG]\nDB_SERVER = MYSQL\n"
            "[MYSQL]\nDBHOST = db\nMYSQL_DB = mqtt\nMYSQL_USER = u\nMYSQL_PASSWORD = p\n",
            "mysql://u:p@db:3306/mqtt",
        ),
        (
            "[CONFIG]\nDB_SERVER = MSSQL\n"
            "[MSSQL]\nSERVER_NAME = db\nMSSQL_DB = mqtt\nMSSQL_USER = u\nMSSQL_PASSWORD = p\n",
            "mssql://u:p@db:1434/mqtt",
        ),
        ("[RELATIONAL_PERSISTENCE]\nRELATIONAL_PERSISTENCE_ENABLED = FALSE\n", None),
    ],
)
def test_the_database(home, text, url):
    home.datastore(text)
    found = Configuration.read(home.path)
    found.require()
    assert found.storage_url == (url and url.format(home=home.path))


def test_a_database_without_a_name(home):
    home.datastore("[CONFIG]\nDB_SERVER = MYSQL\n")
    with pytest.raises(HookMQError, match=r"\[MYSQL\] does not say MYSQL_DB"):
        Configuration.read(home.path).require()


# Settings --------------------------------------------------------------------------------------------------


def test_settings_of_a_whole_home(home, run_home):
    home.write("Certificate/server.crt", "")
    home.broker(
        "[CONFIG]\nPORT_NO = 1884\nWS_PORT_NO = 10444\n"
        "TLS_ENABLED = TRUE\nTLS_PORT_NO = 8884\nWSS_PORT_NO = 11444\n"
        "SERVER_CERTIFICATE = server.crt\nSERVER_KEY = ../Certificate/server.key\n"
        "CA_CERTIFICATE = ../Certificate/root.crt\n"
        "[UI]\nUI_Http_Port = 8088\n[WEBSOCKET]\nWEBSOCKET_PORT = 8089\n[SYS_TOPIC]\nSYSTOPIC = ENABLED\n"
        "[LOG_HANDLER]\nLOG_LEVEL = 1\n[DEVICE_AUTHENTICATION]\nAUTHENTICATION = DEFAULT\n"
    )
    home.datastore(
        "[PAYLOAD_TO_DB]\nPAYLOAD_TO_DB = DISABLED\n"
        "[DATASTORE]\nCUSTOMSTORAGE = ENABLED\nDATASTORE = ELASTIC\n"
    )
    settings = settings_of(Configuration.read(home.path), "127.0.0.1")
    assert (settings["port"], settings["http_port"], settings["http_ports"]) == (1884, 8088, [8089])
    assert settings["listeners"] == [{"url": "ws://127.0.0.1:10444"}, {"url": "wss://127.0.0.1:11444"}]
    certificates = home.path / "Certificate"
    assert settings["tls"] == {
        "port": 8884,
        "cert": str(certificates / "server.crt"),
        "key": str(certificates / "server.key"),
        "client_ca": str(certificates / "root.crt"),
        "client_cert": "optional",
    }
    assert (settings["sys_interval"], settings["log"]) == (3.0, {"level": "debug"})
    assert settings["access"] == {"users_file": str(home.path / "data/users")}
    assert settings["history"] == {"enabled": False}
    assert "received" not in settings["storage"]["events"] and "connected" in settings["storage"]["events"]
    (connector,) = settings["connectors"]
    assert (connector["index"], connector["batch_delay"], connector["events"]) == (
        "mqtt",
        2.0,
        ["received", "sent"],
    )
    # Arguments win over the home's files, section by section.
    broker = run_home(home, start=False, port=0, log={"level": "error"}, tls={"port": None}, connectors=[])
    assert (broker.settings["port"], broker.settings["log.level"]) == (0, "error")


def test_websocket_clients_and_sys_topics(home, run_home):
    from ..api.helpers import Device

    home.add_to_broker("[SYS_TOPIC]\nSYSTOPIC = ENABLED\nSYSTOPIC_INTERVAL = 1\n")
    broker = run_home(home)
    assert [listener.url.partition(":")[0] for listener in broker.listeners] == ["mqtt", "ws"]
    with Device(broker, "reader") as reader:
        reader.subscribe("$SYS/#", 0)
        assert reader.receive().topic.startswith("$SYS/")
