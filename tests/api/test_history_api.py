"""The history as a program asks for it."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time

import pytest

from hookmq import HookMQError

from .helpers import Device, Seen, eventually, properties


def test_what_is_published_is_found_at_once(broker):
    with Device(broker, "pump") as device:
        for number in range(20):
            device.publish("a/client", str(number))
            broker.publish("a/broker", {"number": number}, qos=1)
            assert broker.history("a/client", newest=True, limit=1)[0].text == str(number)
            assert broker.history("a/broker", newest=True)[0].json() == {"number": number}
    assert broker.history("a/#").count() == 40
    assert broker.history().count() == 40
    assert broker.history("b").rows == []
    assert not broker.history("a")


def test_rows_say_what_messages_say(broker):
    seen = Seen()
    broker.on_message_received(seen.append)
    more = properties(UserProperty=[("a", "1")], CorrelationData=b"\0\xff", ContentType="x")
    with Device(broker, "pump") as device:
        device.publish("a/b", b"\xff", 2, True, properties=more)
    (msg,) = seen.until(1)
    (row,) = broker.history("a/+")
    for name in ("topic", "payload", "text", "qos", "retain", "client_id", "properties"):
        assert getattr(row, name) == getattr(msg, name)
    assert row.timestamp == pytest.approx(msg.timestamp, abs=1e-3)
    assert dict(row) == dict(msg)


def test_filters(broker):
    started = time.time()
    with Device(broker, "pump") as pump, Device(broker, "tank") as tank:
        pump.publish("plant/pump/flow", "1")
        tank.publish("plant/tank/flow", "2")
        broker.publish("plant/own", "3")
    texts = lambda **wanted: [row.text for row in broker.history(**wanted)]  # noqa: E731
    assert texts() == ["1", "2", "3"]
    assert texts(client="pump") == ["1"]
    assert texts(client="") == ["3"]
    assert texts(filter="plant/+/flow", newest=True) == ["2", "1"]
    assert texts(limit=1) == ["1"]
    assert texts(limit=0) == []
    assert texts(since="10m") == texts(since=started - 1) == ["1", "2", "3"]
    assert texts(until=started - 1) == texts(since=time.time() + 5) == []
    assert [row.topic for row in broker.history("plant/+/flow").last(by="topic")] == [
        "plant/pump/flow",
        "plant/tank/flow",
    ]
    with pytest.raises(HookMQError, match="E502"):
        broker.history("a/#/b")
    with pytest.raises(ValueError):
        broker.history(since="yesterday or so")
    with pytest.raises(ValueError):
        broker.history(limit=-1)


def test_what_is_denied_is_not_stored(broker):
    broker.authorize(lambda client, action, topic: topic != "secret")
    with Device(broker) as device:
        device.publish("secret", "1")
        device.publish("open", "2")
    assert [row.topic for row in broker.history()] == ["open"]


def test_a_will_is_stored(broker):
    Device(broker, "w", will=("gone", b"bye", 1, False)).drop()
    eventually(lambda: broker.history("gone").count() == 1)
    assert broker.history("gone")[0].client_id == "w"


def test_a_data_directory_outlives_the_broker(broker_factory, tmp_path):
    folder = tmp_path / "new" / "data"
    first = broker_factory(data_dir=folder)
    with Device(first, "pump") as device:
        for number in range(500):
            device.client.publish("a", str(number))
        device.publish("a", "500")
    first.publish("a", "last")
    rows = first.history("a")
    first.stop()
    with pytest.raises(HookMQError, match="E601"):
        len(rows)
    second = broker_factory(data_dir=folder)
    assert [row.text for row in second.history("a")] == [*map(str, range(501)), "last"]
    assert (folder / "history.db").exists()
    second.stop()
    second.start()
    assert second.history("a").count() == 502


def test_a_history_in_memory_ends_with_the_broker(broker):
    broker.publish("a", "1")
    assert broker.history().count() == 1
    broker.stop()
    broker.start()
    assert broker.history().count() == 0


def test_the_limit_of_the_history(broker_factory):
    """In memory, where nothing is written before somebody asks."""
    broker = broker_factory({"history.max_rows": 50})
    for number in range(120):
        broker.publish("a", str(number))
    assert [row.text for row in broker.history()] == [str(number) for number in range(70, 120)]
    for number in range(120, 150):
        broker.publish("a", str(number))
    assert [row.text for row in broker.history()] == [str(number) for number in range(100, 150)]
    assert broker.statistics["history_dropped"] == 0  # old is not lost


def test_the_limit_of_the_history_on_disk(broker_factory, tmp_path):
    broker = broker_factory({"history.max_rows": 50}, data_dir=tmp_path)
    for number in range(120):
        broker.publish("a", str(number))
    assert broker.history().count() == 120
    store = broker._run.recorder.store
    # What the background does once a minute, and just now perhaps.
    threads = [threading.Thread(target=store.prune) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.text for row in broker.history()] == [str(number) for number in range(70, 120)]


def test_a_history_that_is_switched_off(broker_factory, tmp_path):
    broker = broker_factory({"history.enabled": False}, data_dir=tmp_path)
    broker.publish("a", "1")
    with pytest.raises(HookMQError) as caught:
        broker.history()
    assert str(caught.value).splitlines()[0] == "error[E507]: the history is switched off"
    assert not [name for name in broker.statistics if name.startswith("history")]
    assert not (tmp_path / "history.db").exists()


def test_a_database_that_is_locked(broker_factory, tmp_path, caplog):
    broker = broker_factory(data_dir=tmp_path)
    broker.publish("a", "before")
    assert broker.history().count() == 1
    lock = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.WARNING), Device(broker) as device, broker.subscribe("a") as messages:
        started = time.monotonic()
        for number in range(20):
            device.publish("a", str(number))
            broker.publish("a", str(number))
        assert len([messages.get(timeout=1) for _ in range(40)]) == 40
        assert time.monotonic() - started < 1.5
        eventually(lambda: broker.statistics["history_failed"] > 0)
        failed = broker.statistics["history_failed"] + broker.statistics["history_queued"]
        assert failed <= 40
        lock.execute("ROLLBACK")
        lock.close()
        broker.publish("a", "after")
        assert broker.history(newest=True)[0].text == "after"
    counters = broker.statistics
    assert counters["history_written"] + counters["history_failed"] == 42
    assert broker.history().count() == counters["history_written"]
    logged = [record.getMessage() for record in caplog.records if record.name == "hookmq.storage"]
    assert "database is locked" in logged[0]
    assert "being written again" in logged[-1]


def test_a_database_that_is_none(broker_factory, tmp_path):
    (tmp_path / "history.db").write_bytes(b"this is not a database, but long enough to be looked at " * 20)
    broker = broker_factory(start=False, data_dir=tmp_path)
    with pytest.raises(HookMQError) as caught:
        broker.start()
    assert caught.value.code == "E601"
    assert not broker.running
    (tmp_path / "history.db").unlink()
    broker.start()
    assert broker.history().count() == 0


def test_too_much_for_the_history_is_counted(broker_factory, tmp_path):
    broker = broker_factory({"history.queue_rows": 10}, data_dir=tmp_path)
    lock = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    broker.publish("a", "0")
    eventually(lambda: broker.statistics["history_queued"] == 0)
    for number in range(1, 31):
        broker.publish("a", str(number))
    assert (broker.statistics["history_queued"], broker.statistics["history_dropped"]) == (10, 20)
    lock.execute("ROLLBACK")
    lock.close()
    assert [row.text for row in broker.history()] == [str(number) for number in range(11)]


def test_who_asks_after_the_end_opens_no_history(broker_factory):
    broker = broker_factory(http_port=None)
    recorder = broker._run.recorder
    broker.stop()
    with pytest.raises(HookMQError, match="E503"):
        recorder.store.count()
