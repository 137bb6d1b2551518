"""The folders in `extensions/`, loaded as a home of CrystalMQ has them."""

from __future__ import annotations

import json
import logging
import runpy
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pyarrow.parquet as parquet
import pytest
import requests
import schedule

from hookmq.connectors.plugin import PluginConf, record_of
from hookmq.errors import HookMQError

from .kafka_cluster import KafkaCluster
from .mongo_server import MongoServer
from .peer import Answer, Peer
from .records import until
from .search_server import SearchServer

EXTENSIONS = Path(__file__).parents[2] / "extensions"

DATA = {
    "sender": "pump",
    "topic": "plant/flow",
    "message": '{"flow": 100.59}',
    "unixtime": 1_780_000_000,
    "datetime": "2026-05-28 20:26:40",
    "timestamp": "2026-05-28 20:26:40",
}

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """`load("redis", conf={"PORT": 1})` copies a folder into a home and runs its file, in HOME/bin."""
    home = tmp_path / "home"
    for name in ("bin", "data", "extensions", "ui"):
        (home / name).mkdir(parents=True)
    monkeypatch.chdir(home / "bin")
    loaded: list[dict[str, Any]] = []

    def run(folder: str, conf: dict[str, object] | None = None, **variables: object) -> dict[str, Any]:
        shutil.copytree(EXTENSIONS / folder, home / "extensions", dirs_exist_ok=True)
        path = home / "extensions/plugin.conf"
        for key, value in (conf or {}).items():
            lines = path.read_text().splitlines()
            path.write_text(
                "\n".join(f"{key} = {value}" if each.partition(" ")[0] == key else each for each in lines)
            )
        (file,) = (home / "extensions").glob("custom_*.py")
        found = runpy.run_path(str(file), {"logger_p": logging.getLogger("extension"), **variables}, "custom")
        loaded.append(found)
        return found

    yield run
    for each in loaded:
        if "plugin" in each:
            each["plugin"].stop(1)


def test_each_folder_has_a_short_readme() -> None:
    folders = [path for path in EXTENSIONS.iterdir() if path.is_dir()]
    assert len(folders) == 11
    for folder in folders:
        assert len((folder / "README.md").read_text().splitlines()) == 5


# Templates


def test_store(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "extension"):
        store = load("store")
        assert store["handle_Received_Payload"] is store["on_message_received_hook"]
        store["on_message_received_hook"](dict(DATA))
        store["on_message_sent_hook"]({**DATA, "sent_packetid": 1, "retain": 0, "qos": 1})
        store["on_message_received_hook"]({"topic": "incomplete"})  # an error is told, and it goes on
        store["on_message_received_hook"](dict(DATA))
        store["waiting"].join()
    lines = [line.getMessage() for line in caplog.records]
    assert lines[0] == 'received plant/flow from pump at 2026-05-28 20:26:40: {"flow": 100.59}'
    assert (
        lines[1].startswith("sent plant/flow")
        and lines[2] == "custom_store.py failed on a message of incomplete"
    )
    assert len(lines) == 4


def test_scheduler(load: Load) -> None:
    scheduler = load("scheduler")
    enabled, jobs = scheduler["custom_schedules"]()
    assert enabled is True and all(
        isinstance(job["time"], schedule.Job) and callable(job["job"]) for job in jobs
    )
    conf = scheduler["schedule_conf"]()
    assert conf["STATUS"] == "ENABLE" and conf["SCHEDULES"][0]["OnceIn"] == 1
    assert not schedule.get_jobs()
    published: list[tuple[Any, ...]] = []
    scheduler["setclientobj"]({"Client_obj": lambda *arguments: published.append(arguments)})
    for job in conf["SCHEDULES"]:
        job["methodtocall"]()
    assert published == [("", "scheduler", "scheduler/heartbeat", "alive", 0)]


def test_ui_server(load: Load) -> None:
    ui = load("ui_server")
    urls = ui["custom_urls"]()
    pages = {path: page for entry in urls["urls"] for path, page in entry.items()}
    assert urls["URL_REDIRECT"] in pages
    template = pages["/overview"]()
    assert "<!doctype html>" in (EXTENSIONS / "ui_server/ui" / template).read_text()
    notes = pages["/api/notes"]
    assert notes({"name": "a", "text": "1"}) == {"notes": {"a": "1"}}
    assert notes({}) == {"notes": {"a": "1"}} and notes({"name": "a"}) == {"notes": {}}
    assert time.strptime(pages["/api/time"](), "%H:%M:%S")


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_authentication(load: Load, peer: Peer, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests.adapters, "DEFAULT_RETRIES", 0)
    extension = load("authentication")
    decide = extension["custom_authenticate"]
    assert (requests.adapters.DEFAULT_RETRIES, extension["request_timeout"]) == (3, 0.1)
    decide.__globals__.update(url=f"{peer.url}/auth", request_auth_method=method, request_timeout=5)
    who = {"username": "anna", "password": "se&cret", "clientid": "pump", "ipaddress": "127.0.0.1"}
    assert decide(*who.values()) is True
    (request,) = peer.requests
    sent = request.query if method == "GET" else {k: v[0] for k, v in parse_qs(request.body.decode()).items()}
    assert (request.method, request.path, sent) == (method, "/auth", who)
    for status in (201, 302, 401, 500):
        peer.answer = lambda request, status=status: Answer(status, headers={"Location": "/yes"})
        assert decide(*who.values()) is False


def test_authentication_that_is_not_answered_refuses(
    load: Load, peer: Peer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests.adapters, "DEFAULT_RETRIES", 0)
    decide = load("authentication")["handle_Device_Auth"]
    for method in ("POST", "GET"):
        decide.__globals__.update(url="http://127.0.0.1:1/auth", request_auth_method=method)
        assert decide("anna", "concealed", "pump", "127.0.0.1") is False
    decide.__globals__.update(url=peer.url, request_auth_method="POST")
    peer.answer = lambda request: time.sleep(0.5) or Answer(200)
    assert decide("anna", "concealed", "pump", "127.0.0.1") is False
    assert "concealed" not in caplog.text and len(caplog.records) == 3


# Connectors


def test_mongodb(load: Load) -> None:
    with MongoServer() as server:
        extension = load("mongodb", {"PORT": server.port})
        begun = time.monotonic()
        for _ in range(100):
            extension["on_message_received_hook"](dict(DATA))
        assert time.monotonic() - begun < 0.5
        assert extension["plugin"].courier.wait(10)
        documents = server.documents("mqttroute")
        assert len(documents) == 100
        assert {
            key: value for key, value in documents[0].items() if key not in ("_id", "datetime", "timestamp")
        } == {key: DATA[key] for key in ("sender", "topic", "message", "unixtime")}


def test_mongodb_that_is_away_is_told_and_loses_nothing(load: Load, tmp_path: Path) -> None:
    with MongoServer() as server:
        pass
    extension = load("mongodb", {"PORT": server.port})
    begun = time.monotonic()
    for _ in range(408):  # so many the original lost, without a word
        extension["handle_Received_Payload"](dict(DATA))
    assert time.monotonic() - begun < 1.0
    until(lambda: extension["plugin"].info().spooled == 408)
    log = tmp_path / "home/extensions/mongo.log"
    assert "it is away" in log.read_text() and "efused" in log.read_text()
    server.start()
    assert extension["plugin"].courier.wait(20)
    assert len(server.documents("mqttroute")) == 408
    server.stop()


def test_elasticsearch(load: Load) -> None:
    with SearchServer(9) as server:
        extension = load("elasticsearch", {"PORT": server.port, "BULK_INSERT_TIMING": 0.05})
        extension["on_message_received_hook"](dict(DATA))
        extension["on_message_sent_hook"]({**DATA, "sent_packetid": 1, "retain": 0, "qos": 1})
        assert extension["plugin"].courier.wait(10)
        assert [document["message"] for document in server.indices["mqtt"].values()] == [DATA["message"]] * 2


def test_a_password_is_not_in_the_file(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_PASSWORD", "concealed")
    extension = load("mongodb", {"PORT": 1, "AUTHENTICATION_ENABLED": "TRUE", "USERNAME": "anna"})
    assert extension["conf"].login() == ("anna", "concealed")
    assert "concealed" not in repr(extension["plugin"].courier.connector)


# What they stand on


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        ("warm", b"warm"),
        (repr(b"\xff\x00"), b"\xff\x00"),
        ("b'text'", b"b'text'"),  # was sent like that: as bytes it would be text
        ("b'broken", b"b'broken"),
        ("", b""),
    ],
)
def test_the_payload_of_a_dict(message: str, payload: bytes) -> None:
    assert record_of("received", {**DATA, "message": message}).payload == payload


def test_a_dict_of_what_was_sent() -> None:
    record = record_of("sent", {**DATA, "sent_packetid": 7, "retain": 1, "qos": 2})
    assert (record.kind, record.qos, record.retain, record.detail) == ("sent", 2, True, {"packet_id": 7})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("HOSTNAME = x", "no section headers"),
        ("[MONGO]\nPORT = many", "PORT is a number"),
        ("[AUTHENTICATION]\nAUTHENTICATION_ENABLED = TRUE\nUSERNAME = a", "no password"),
    ],
)
def test_a_conf_that_cannot_be(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "plugin.conf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(HookMQError) as caught:
        conf = PluginConf(path)
        conf.address("MONGO", 27017)
        conf.login()
    assert (
        caught.value.code == "E603" and says in caught.value.message and str(path) in str(caught.value.help)
    )


def test_a_conf_of_the_original(tmp_path: Path) -> None:
    path = tmp_path / "plugin.conf"
    path.write_text("\ufeff# a comment\r\n[MONGO]\r\nhostname = db\r\nDB_NAME=a%b\r\nDB_NAME=c\r\n")
    conf = PluginConf(path)
    assert conf.address("MONGO", 27017) == ("db", 27017) and conf.text("MONGO", "DB_NAME") == "c"
    assert conf.login() == (None, None) and conf.log() is None
    assert json.dumps(conf.text("ELASTIC", "INDEX_NAME", "mqtt")) == '"mqtt"'


def test_webhook(load: Load, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_SECRET", "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    extension = load("webhook", {"URL": f"{peer.url}/messages", "SECRET_ENV": "PLANT_SECRET"})
    extension["on_message_received_hook"](dict(DATA))
    assert extension["plugin"].courier.wait(10)
    (request,) = peer.requests
    assert (request.method, request.path) == ("POST", "/messages")
    (message,) = request.json()
    assert (message["sender"], message["message"]) == ("pump", DATA["message"])
    assert "webhook-signature" in request.headers


def test_influxdb(load: Load, peer: Peer) -> None:
    peer.answer = lambda request: Answer(204)
    extension = load("influxdb", {"HOSTNAME": "127.0.0.1", "PORT": peer.port})
    extension["on_message_received_hook"](dict(DATA))
    assert extension["plugin"].courier.wait(10)
    written = [request for request in peer.requests if request.path.startswith("/write")]
    assert len(written) == 1 and written[0].query["db"] == "mqtt"
    assert b"flow=100.59" in written[0].body


def test_kafka(load: Load) -> None:
    cluster = KafkaCluster()
    try:
        extension = load("kafka", {"SERVERS": cluster.servers})
        extension["on_message_received_hook"](dict(DATA))
        assert extension["plugin"].courier.wait(20)
        assert extension["plugin"].info().written == 1
    finally:
        cluster.close()


def test_parquet(load: Load, tmp_path: Path) -> None:
    extension = load("parquet", {"SECONDS": 0})
    extension["on_message_received_hook"](dict(DATA))
    assert extension["plugin"].courier.wait(10)
    extension["plugin"].stop(5)
    (file,) = (tmp_path / "home/data/parquet").rglob("*.parquet")
    (row,) = parquet.read_table(file).to_pylist()
    assert (row["topic"], row["payload"]) == ("plant/flow", DATA["message"].encode())
