"""Connectors of a broker: registering, reloading, the settings, what is told of them."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from hookmq import Broker
from hookmq.connectors import SQL
from hookmq.connectors.feed import Feed
from hookmq.errors import HookMQError
from hookmq.hooks.remembered import Remembered

from .helpers import eventually


def payloads(place: Path) -> list[bytes]:
    with closing(sqlite3.connect(place)) as connection:
        return [row[0] for row in connection.execute("SELECT payload FROM mqtt_received ORDER BY number")]


def test_connectors_come_while_the_broker_runs_and_each_has_its_messages(broker_factory, join, tmp_path):
    broker = broker_factory()
    broker.send_to(SQL(f"sqlite:///{tmp_path}/a.db", name="a"), "a/#", ack="stored")
    broker.send_to(SQL(f"sqlite:///{tmp_path}/b.db", name="b"), "b/#", ack="stored")
    client = join(broker)
    for topic in "a/1", "b/1", "c/1", "a/2":
        client.publish(topic, topic.encode(), 1)
    broker.stop()
    assert payloads(tmp_path / "a.db") == [b"a/1", b"a/2"]
    assert payloads(tmp_path / "b.db") == [b"b/1"]


def test_two_of_a_name_are_refused(broker_factory, tmp_path):
    broker = broker_factory()
    broker.send_to(SQL(f"sqlite:///{tmp_path}/a.db"))
    with pytest.raises(ValueError, match="`sql` already"):
        broker.send_to(SQL(f"sqlite:///{tmp_path}/b.db"))
    assert [hook.name for hook in broker.hooks] == ["sql"]


@pytest.mark.parametrize(
    "options", [{"events": ("recieved",)}, {"ack": "later"}, {"filter": "a/#/b"}], ids=str
)
def test_what_cannot_be_is_refused_and_leaves_nothing(options, broker_factory, tmp_path):
    broker = broker_factory()
    filter = options.pop("filter", "#")
    with pytest.raises((ValueError, HookMQError)):
        broker.send_to(SQL(f"sqlite:///{tmp_path}/a.db"), filter, **options)
    assert broker.connectors == [] and broker.hooks == []


def test_a_start_that_fails_stops_connectors_again(broker_factory, tmp_path):
    taken = broker_factory()
    broker = broker_factory(port=taken.port, start=False, storage={"url": f"sqlite:///{tmp_path}/a.db"})
    with pytest.raises(HookMQError, match="E101"):
        broker.start()
    assert broker.connectors == [] and broker.hooks == []
    assert not [thread for thread in threading.enumerate() if "connector" in thread.name]


APP = """
from hookmq.connectors import SQL

broker.send_to(SQL("sqlite:///{place}/plant.db", batch_rows={rows}), "plant/#", ack="stored")
"""


def test_a_reload_keeps_a_connector_that_is_the_same(app, join, tmp_path):
    broker = app.load(APP.format(place=tmp_path, rows=10))
    client = join(broker)
    client.publish("plant/flow", b"1", 1)
    courier = next(iter(broker._parts)).courier
    app.write(APP.format(place=tmp_path, rows=10))
    broker.reload()
    assert next(iter(broker._parts)).courier is courier
    client.publish("plant/flow", b"2", 1)
    app.write(APP.format(place=tmp_path, rows=20))
    broker.reload()
    assert next(iter(broker._parts)).courier is not courier
    client.publish("plant/flow", b"3", 1)
    app.write("")
    broker.reload()
    assert broker.connectors == []
    client.publish("plant/flow", b"4", 1)
    broker.stop()
    assert payloads(tmp_path / "plant.db") == [b"1", b"2", b"3"]


def test_nothing_that_was_acknowledged_is_lost_by_reloads(app, join, tmp_path):
    broker = app.load(APP.format(place=tmp_path, rows=10))
    client = join(broker)
    over = threading.Event()

    def reload() -> None:
        for number in range(6):
            app.write(APP.format(place=tmp_path, rows=10 + number))
            broker.reload()
        over.set()

    reloading = threading.Thread(target=reload)
    reloading.start()
    sent = []
    while not over.is_set():
        sent.append(b"%d" % len(sent))
        client.publish("plant/flow", sent[-1], 1)
    reloading.join()
    broker.stop()
    stored = payloads(tmp_path / "plant.db")
    assert set(sent) <= set(stored)
    assert len(sent) > 20


def test_connectors_of_the_settings_stay_when_the_code_is_loaded_anew(app, join, tmp_path, monkeypatch):
    monkeypatch.setenv("HOOKMQ__STORAGE__URL", f"sqlite:///{tmp_path}/plant.db")
    monkeypatch.setenv("HOOKMQ__STORAGE__ACK", "stored")
    broker = app.load("")
    client = join(broker)
    client.publish("a", b"1", 1)
    broker.reload()
    client.publish("a", b"2", 1)
    assert [one.name for one in broker.connectors] == ["storage"]
    broker.stop()
    assert payloads(tmp_path / "plant.db") == [b"1", b"2"]
    assert broker.hooks == []


def test_connectors_of_the_configuration_file(tmp_path, monkeypatch, join):
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path}/a.db\n")
    monkeypatch.setenv("PLANT_DATABASE", f"sqlite:///{tmp_path}/b.db")
    (tmp_path / "hookmq.toml").write_text(
        f"""
        port = 0
        http_port = "off"

        [[connectors]]
        kind = "sql"
        name = "a"
        url_file = "{tmp_path}/url"
        filter = "a/#"
        ack = "stored"

        [[connectors]]
        kind = "sql"
        name = "b"
        url_env = "PLANT_DATABASE"
        filter = "b/#"
        ack = "stored"
        """
    )
    with Broker(config=tmp_path / "hookmq.toml") as broker:
        client = join(broker)
        client.publish("a/1", b"1", 1)
        client.publish("b/1", b"2", 1)
        assert [one.name for one in broker.connectors] == ["a", "b"]
    assert (payloads(tmp_path / "a.db"), payloads(tmp_path / "b.db")) == ([b"1"], [b"2"])


@pytest.mark.parametrize(
    ("table", "code", "text"),
    [
        ({}, "E306", "kind"),
        ({"kind": "reddis"}, "E303", "redis"),
        ({"kind": "sql", "url": "sqlite://", "prefixx": "a"}, "E301", "prefixx"),
        ({"kind": "sql"}, "E304", "url"),
        ({"kind": "sql", "url": "sqlite://", "events": ["all"]}, "E304", "all"),
        ({"kind": "sql", "url_env": "NOWHERE"}, "E304", "NOWHERE"),
        ({"kind": "sql", "url_file": "/nowhere"}, "E304", "/nowhere"),
        ({"kind": "sql", "url": "nonsense"}, "E603", "not a database URL"),
    ],
    ids=str,
)
def test_tables_that_cannot_be(table, code, text, broker_factory):
    broker = broker_factory(connectors=[table], start=False)
    with pytest.raises(HookMQError, match=text) as raised:
        broker.start()
    assert raised.value.code == code
    assert broker.connectors == [] and broker.hooks == []


def test_the_api_tells_of_connectors(broker_factory, tmp_path):
    broker = broker_factory(http_port=0, storage={"url": f"sqlite:///{tmp_path}/plant.db"})
    eventually(lambda: broker.connectors[0].state == "up")
    with closing(http.client.HTTPConnection("127.0.0.1", broker.http_port, timeout=5)) as connection:
        connection.request("GET", "/api/v1/connectors", headers={"Host": "localhost"})
        (told,) = json.loads(connection.getresponse().read())["items"]
    assert (told["name"], told["kind"], told["state"]) == ("storage", "sql", "up")
    assert told["target"] == f"{tmp_path}/plant.db"


def test_further_http_ports_serve_the_same(broker_factory):
    broker = broker_factory(http_port=0, http_ports=[0, 0])
    broker.route("/hello")(lambda: "hello")
    assert len(set(broker.http_ports)) == 3 and broker.http_ports[0] == broker.http_port
    for port in broker.http_ports:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/hello")
            assert connection.getresponse().read() == b"hello"


def test_a_further_http_port_that_is_taken(broker_factory):
    taken = broker_factory()
    broker = broker_factory(http_port=0, http_ports=[taken.port], start=False)
    with pytest.raises(HookMQError, match=f"port {taken.port} is already in use"):
        broker.start()


def test_a_reload_that_takes_a_name_of_the_settings_is_refused(app, tmp_path, monkeypatch):
    monkeypatch.setenv("HOOKMQ__STORAGE__URL", f"sqlite:///{tmp_path}/plant.db")
    broker = app.load("")
    app.write(
        f"""
        from hookmq.connectors import SQL

        broker.send_to(SQL("sqlite:///{tmp_path}/other.db", name="storage"))
        """
    )
    with pytest.raises(HookMQError, match="the settings name a `storage` already"):
        broker.reload()
    assert [one.name for one in broker.connectors] == ["storage"]


def test_new_code_has_the_courier_of_the_old_before_its_hooks_are_called(tmp_path):
    old, new, other = (Feed(SQL(f"sqlite:///{tmp_path}/{name}.db"), ack="stored") for name in ("a", "a", "b"))
    new.pair(old)
    other.pair(old)
    assert new.courier is old.courier and other.courier is not old.courier


def test_an_answer_is_remembered_for_an_address():
    remembered = Remembered()
    one = SimpleNamespace(client_id="a", username="b", password_bytes=b"c", certificate=None, listener="mqtt")
    keys = [
        remembered.key(SimpleNamespace(**vars(one), address=address)) for address in ("::1", "::1", "::2")
    ]
    assert keys[0] == keys[1] != keys[2]
