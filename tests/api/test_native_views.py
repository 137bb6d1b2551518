"""What the native side tells of clients, subscriptions, retained messages, topics, and numbers over time."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from typing import Any

import pytest
from paho.mqtt.client import MQTTv311
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ..protocol.packets import Will
from .asgi_apps import browser
from .helpers import Device, eventually


@pytest.fixture
def native(broker):
    """The native side of a broker that runs."""
    return broker._active().native


def pages(page, limit: int = 2, **wanted: Any):
    """All items of all pages, and the total that the first says."""
    items, after, first = [], None, None
    while True:
        some, after, total = page(limit, after, **wanted)
        first = total if first is None else first
        assert len(some) <= limit
        items += some
        if after is None:
            return items, first
        assert len(some) == limit


# Clients ------------------------------------------------------------------------------------------------


def test_clients_come_page_by_page_in_the_order_of_their_identifiers(broker, native, join):
    names = ["b", "a", "d/1", "c", "Ä", "e"]
    for name in names:
        join(broker, name)
    items, total = pages(native.clients)
    assert [item["client_id"] for item in items] == sorted(names)
    assert total == len(names)
    assert [item["client_id"] for item in pages(native.clients, sort="-client_id")[0]] == sorted(names)[::-1]


def test_an_item_says_how_the_client_is_connected(broker, native, join):
    before = time.time()
    kept = {"session_expiry_interval": 100}
    client = join(broker, "alice", username="al", keep_alive=33, clean=False, properties=kept)
    (item,) = native.clients()[0]
    assert {name: item[name] for name in ("client_id", "username", "address", "version", "connected")} == {
        "client_id": "alice",
        "username": "al",
        "address": "127.0.0.1",
        "version": "5.0",
        "connected": True,
    }
    assert item["port"] > 0 and item["keep_alive"] == 33 and item["clean_start"] is False
    assert item["listener"] == native.listeners[0][0]
    assert before - 1 <= item["connected_at"] <= time.time() + 1
    assert item["disconnected_at"] is item["expires_at"] is None
    client.close()
    (item,) = eventually(lambda: native.clients(connected=False)[0])
    assert before - 1 <= item["disconnected_at"] <= time.time() + 1
    assert 90 < item["expires_at"] - time.time() <= 101


def test_messages_are_counted_by_client(broker, native):
    with Device(broker, "sender") as sender, Device(broker, "receiver") as receiver:
        receiver.subscribe("t/#", 1)
        for qos in (0, 1, 2):
            sender.publish("t/1", b"x", qos)
            receiver.receive()
        found = {item["client_id"]: (item["received"], item["sent"]) for item in native.clients()[0]}
        assert found == {"sender": (3, 0), "receiver": (0, 3)}
        for order, first in (("received", "receiver"), ("-received", "sender"), ("sent", "sender")):
            assert native.clients(1, sort=order)[0][0]["client_id"] == first
        order = [item["client_id"] for item in pages(native.clients, 1, sort="-sent")[0]]
        assert order == ["receiver", "sender"]


def test_what_waits_is_told_and_sorted_by(broker, native, join):
    for name, count in (("few", 1), ("many", 3), ("none", 0)):
        device = Device(broker, name, version=MQTTv311, clean=False)
        device.subscribe(f"for/{name}", 1)
        device.close()
        for _ in range(count):
            broker.publish(f"for/{name}", b"12345", qos=1)
    items = native.clients(sort="-queued")[0]
    assert [(item["client_id"], item["queued"]) for item in items] == [("many", 3), ("few", 1), ("none", 0)]
    assert items[0]["queued_bytes"] > items[1]["queued_bytes"] > items[2]["queued_bytes"] == 0


ORDERS = ["client_id", "connected_at", "received", "sent", "queued"]


@pytest.mark.parametrize("back", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("order", ORDERS)
def test_pages_of_any_order_are_the_whole_in_that_order(broker, native, order, back):
    with ExitStack() as stack:
        devices = [stack.enter_context(Device(broker, f"d{number * 7 % 13:02}")) for number in range(13)]
        for number, device in enumerate(devices):
            device.subscribe(f"to/{number % 4}", 1)
            for _ in range(number % 3):
                device.publish(f"to/{number % 4}", b"x", 1)
        published = sum(number % 3 for number in range(13))
        eventually(lambda: broker.statistics["messages_received"] >= published)
        eventually(lambda: broker.statistics["inflight_messages"] == 0)
        everything = native.clients(100)[0]
        wanted = sorted(everything, key=lambda item: (item[order], item["client_id"]), reverse=back)
        sort = f"-{order}" if back else order
        for more in ({}, {"search": "d"}, {"ids": [item["client_id"] for item in everything]}):
            for limit in (1, 3, 5, 13):
                items, total = pages(native.clients, limit, sort=sort, **more)
                assert [item["client_id"] for item in items] == [item["client_id"] for item in wanted]
                assert total == 13
        cursor = native.clients(2, sort=sort)[1]
        for other in ORDERS:
            for sign in ("", "-"):
                if f"{sign}{other}" != sort:
                    with pytest.raises(ValueError, match="after"):
                        native.clients(2, cursor, sort=f"{sign}{other}")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"search": "LIC"}, ["alice"]),
        ({"search": "bobby"}, ["other"]),
        ({"search": "127.0"}, ["alice", "other", "third"]),
        ({"search": "nobody"}, []),
        ({"search": ""}, ["alice", "other", "third"]),
        ({"username": "bobby"}, ["other"]),
        ({"username": "bob"}, []),
        ({"address": "127."}, ["alice", "other", "third"]),
        ({"address": "10."}, []),
        ({"version": "3.1.1"}, ["third"]),
        ({"connected": True}, ["alice", "other", "third"]),
        ({"connected": False}, []),
        ({"listener": "mqtt://nowhere"}, []),
        ({"ids": ["third", "alice", "gone", "alice"]}, ["alice", "third"]),
        ({"ids": []}, []),
        ({"ids": ["alice", "third"], "version": "5.0"}, ["alice"]),
    ],
)
def test_clients_are_found(broker, native, join, wanted, found):
    join(broker, "alice")
    join(broker, "other", username="bobby")
    join(broker, "third", version=4)
    items, total = pages(native.clients, **wanted)
    assert [item["client_id"] for item in items] == found
    assert total == len(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": 10_001},
        {"after": "nonsense"},
        {"after": "x/y"},
        {"sort": "name"},
        {"version": "6"},
    ],
)
def test_what_cannot_be_asked_is_said(native, wrong):
    with pytest.raises(ValueError, match=re.escape(next(iter(wrong)))):
        native.clients(**wrong)


def test_a_client_closely(broker, native, join):
    assert native.client("alice") is None
    join(broker, "alice", will=Will("gone", b"x", 1, True, properties={"will_delay_interval": 7}))
    with Device(broker, "bob") as bob:
        options = SubscribeOptions(qos=2, noLocal=True, retainAsPublished=True, retainHandling=2)
        more = Properties(PacketTypes.SUBSCRIBE)
        more.SubscriptionIdentifier = 9
        bob.client.subscribe("b/+", options=options, properties=more)
        bob.granted.get(timeout=5)
        bob.subscribe("$share/pool/a/#", 1)
        detail = native.client("bob")
    assert detail["filters"] == [
        {
            "filter": "$share/pool/a/#",
            "qos": 1,
            "no_local": False,
            "retain_as_published": False,
            "retain_handling": 0,
            "identifier": None,
            "shared": "pool",
        },
        {
            "filter": "b/+",
            "qos": 2,
            "no_local": True,
            "retain_as_published": True,
            "retain_handling": 2,
            "identifier": 9,
            "shared": None,
        },
    ]
    assert detail["will"] is None and detail["subscriptions"] == 2
    assert native.client("alice")["will"] == {"topic": "gone", "qos": 1, "retain": True, "delay": 7}


def test_a_session_is_ended_with_its_connection_and_its_will_is_published(broker, native):
    assert native.end_session("alice") is False
    messages = broker.subscribe("gone")
    alice = Device(broker, "alice", version=MQTTv311, clean=False, will=("gone", b"alice", 1))
    alice.subscribe("a/#", 1)
    assert native.end_session("alice") is True
    assert next(iter(messages)).payload == b"alice"
    alice.ended.get(timeout=5)
    assert native.client("alice") is None
    assert native.subscriptions() == ([], None, 0)
    assert native.statistics()["clients_connected"] == 0
    alice.close()
    kept = Device(broker, "kept", version=MQTTv311, clean=False)
    kept.close()
    eventually(lambda: native.clients(connected=False)[0])
    assert native.end_session("kept") is True
    assert native.clients() == ([], None, 0)


# Subscriptions ------------------------------------------------------------------------------------------


def test_subscriptions_come_page_by_page(broker, native):
    with ExitStack() as devices:
        for name in ("b", "a"):
            device = devices.enter_context(Device(broker, name))
            for filter in ("y/#", "x/+", f"own/{name}", "$share/s/z"):
                device.subscribe(filter, 1)
        expected = [
            (name, filter) for name in "ab" for filter in sorted(["y/#", "x/+", f"own/{name}", "$share/s/z"])
        ]
        for limit in (1, 3, 4, 8, 100):
            items, total = pages(native.subscriptions, limit)
            assert [(item["client_id"], item["filter"]) for item in items] == expected
            assert total == 8
        assert items[0] == {
            "client_id": "a",
            "filter": "$share/s/z",
            "qos": 1,
            "shared": "s",
            "no_local": False,
            "connected": True,
            "identifier": None,
        }
        of_b, total = pages(native.subscriptions, 3, client="b")
        assert ([item["client_id"] for item in of_b], total) == (["b"] * 4, 4)
        found = pages(native.subscriptions, 1, search="OWN/")[0]
        assert [item["filter"] for item in found] == ["own/a", "own/b"]
        assert native.subscriptions(client="nobody") == ([], None, 0)
        with pytest.raises(ValueError, match="after="):
            native.subscriptions(after="nonsense")


def test_who_gets_a_message_of_a_topic(broker, native):
    @broker.on_message_received("plant/#")
    def seen(message):
        pass

    @broker.on_message_received("other/#")
    def unseen(message):
        pass

    broker.rule('SELECT * FROM "plant/+/level"', name="levels")(lambda row: None)
    with ExitStack() as devices:
        for name, filters in {
            "a": ["plant/1/level", "plant/+/level"],
            "b": ["#"],
            "c": ["$share/pool/plant/#"],
            "d": ["plant/2/level", "plant/1", "+/1"],
        }.items():
            device = devices.enter_context(Device(broker, name))
            for filter in filters:
                device.subscribe(filter, 1)
        found = native.receivers("plant/1/level")
        rows = [(item["client_id"], item["filter"], item["shared"]) for item in found["items"]]
        assert rows == [
            ("a", "plant/+/level", None),
            ("a", "plant/1/level", None),
            ("b", "#", None),
            ("c", "$share/pool/plant/#", "pool"),
        ]
        assert found["total"] == 4 and found["next"] is None
        assert found["items"][0] == {
            "client_id": "a",
            "filter": "plant/+/level",
            "qos": 1,
            "shared": None,
            "connected": True,
        }
        assert (found["hooks"], found["rules"], found["bridges"]) == (["seen"], ["levels"], [])
        first = native.receivers("plant/1/level", 3)
        assert [item["client_id"] for item in first["items"]] == ["a", "a", "b"]
        rest = native.receivers("plant/1/level", 3, first["next"])
        assert [item["client_id"] for item in rest["items"]] == ["c"]
        assert native.receivers("$SYS/broker")["items"] == []
        for wrong in ("a/#", "", "a\0"):
            with pytest.raises(ValueError, match="topic"):
                native.receivers(wrong)


# Retained messages --------------------------------------------------------------------------------------


def test_retained_messages_are_found_and_cleared(broker, native):
    topics = ["a", "a/b", "a/b/c", "a-b", "b/x", "/", "c"]
    for topic in topics:
        broker.publish(topic, f"at {topic}", retain=True)
    expected = sorted(topics, key=lambda topic: topic.split("/"))
    for limit in (1, 2, 7, 50):
        items, total = pages(native.retained, limit)
        assert [item["topic"] for item in items] == expected and total == len(topics)
    found, _ = pages(native.retained, 1, filter="a/#")
    assert [item["topic"] for item in found] == ["a", "a/b", "a/b/c"]
    assert [item["topic"] for item in native.retained(filter="+/b")[0]] == ["a/b"]
    found, _ = pages(native.retained, 1, search="B")
    assert [item["topic"] for item in found] == ["a/b", "a/b/c", "a-b", "b/x"]
    assert native.retained_value("a/b").text == "at a/b"
    assert native.retained_value("a/x") is None
    assert native.clear_retained("a/#") == 3
    assert [item["topic"] for item in native.retained()[0]] == ["/", "a-b", "b/x", "c"]
    assert native.clear_retained("#") == 4 and native.clear_retained("#") == 0
    for wrong in ("a/#/b", "", "$share/g/a"):
        with pytest.raises(ValueError, match="filter"):
            native.retained(filter=wrong)
        with pytest.raises(ValueError, match="filter"):
            native.clear_retained(wrong)


def test_a_retained_message_is_shown_by_its_beginning(broker, native):
    with Device(broker, "sensor") as sensor:
        sensor.publish("text", "ü" * 5000, 1, retain=True)
        sensor.publish("bytes", b"\xff\0", 1, retain=True)
        sensor.publish("short", "{}", 1, retain=True)
    found = {item["topic"]: item for item in native.retained()[0]}
    assert found["text"]["preview"] == "ü" * 120 + "…" and found["text"]["bytes"] == 10_000
    assert found["bytes"]["preview"] is None and found["short"]["preview"] == "{}"
    assert (found["short"]["client_id"], found["short"]["qos"]) == ("sensor", 1)
    assert abs(found["short"]["at"] - time.time()) < 5


# Topics -------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(native):
    """The native side of a broker that counts topics."""
    native.count_topics(True)
    return native


@pytest.fixture
def broker(broker_factory):
    """A broker that tells nothing of itself, so that its topics are those of the test."""
    return broker_factory(sys_interval=0)


def test_topics_are_counted_only_while_somebody_wants_it(broker, native):
    broker.publish("before", b"x")
    assert native.topics() == ([], None, 0)
    assert native.topic_value("before") is None
    native.count_topics(True)
    broker.publish("after", b"x")
    assert [item["topic"] for item in native.topics()[0]] == ["after"]
    assert native.statistics()["topics"] == 1
    native.count_topics(False)
    native.count_topics(True)
    assert native.topics() == ([], None, 0)


def test_the_tree_of_topics(broker, counted):
    with Device(broker, "sensor") as sensor:
        for topic, payload in [("a/b/c", b"1")] * 3 + [("a/b", b"22")] * 2 + [("a/d", b"\xff"), ("/e", b"")]:
            sensor.publish(topic, payload, 1)
    broker.publish("a/d", "kept", retain=True)
    top = eventually(lambda: counted.topics()[0] if counted.topic("a/d")["messages"] == 2 else None)
    assert [(item["topic"], item["children"]) for item in top] == [("", 1), ("a", 2)]
    assert [(item["below_topics"], item["below_messages"]) for item in top] == [(1, 1), (3, 7)]
    assert top[1]["messages"] == 0 and top[1]["at"] is None and top[1]["preview"] is None
    below = {item["name"]: item for item in counted.topics(parent="a")[0]}
    counts = {name: (item["messages"], item["bytes"]) for name, item in below.items()}
    assert counts == {"b": (2, 4), "d": (2, 5)} and list(counts) == ["b", "d"]
    assert (below["b"]["retained"], below["d"]["retained"]) == (False, True)
    assert (below["b"]["preview"], below["d"]["preview"]) == ("22", "kept")
    assert below["b"]["rate"] > 0 and abs(below["b"]["at"] - time.time()) < 5
    assert [item["topic"] for item in counted.topics(parent="")[0]] == ["/e"]
    assert counted.topics(parent="nothing") == ([], None, 0)
    message, size = counted.topic_value("a/b/c")
    assert (message.topic, message.payload, message.client_id) == ("a/b/c", b"1", "sensor")
    assert (message.qos, size) == (1, 1)


def test_topics_come_page_by_page_and_are_found(broker, counted):
    for number in range(30):
        broker.publish(f"plant/{number:02}/Level", b"")
    items, total = pages(counted.topics, 7, parent="plant")
    assert [item["name"] for item in items] == [f"{number:02}" for number in range(30)] and total == 30
    found, total = pages(counted.topics, 3, search="1/level")
    assert [item["topic"] for item in found] == [f"plant/{number}/Level" for number in ("01", "11", "21")]
    assert (total, found[0]["name"]) == (3, "plant/01/Level")
    assert counted.topics(search="level", parent="other") == ([], None, 0)


def test_the_last_message_is_kept_with_its_properties_and_cut_if_it_is_large(broker, counted):
    broker.publish("large", b"x" * 10_000, properties={"content_type": "text/plain"})
    message, size = counted.topic_value("large")
    assert (len(message.payload), size) == (4096, 10_000)
    assert message.properties == {"content_type": "text/plain"}
    assert counted.topics()[0][0]["preview"] == "x" * 120 + "…"


def test_a_watch_tells_what_changed_of_what_is_to_be_seen(broker, counted):
    for number in range(8):
        broker.publish(f"a/{number}/x", b"1")
    broker.publish("b/0", b"1")
    counted.topics()
    watch = counted.watch_topics([None, "a"], limit=5)
    seen, gone = watch.changes()
    assert sorted(seen) == ["a", "a/0", "a/1", "a/2", "a/3", "a/4", "b"] and gone == []
    broker.publish("a/3/y", b"1")
    broker.publish("a/7/x", b"1")  # below the fold
    counted.topics()
    changed, gone = watch.changes()
    assert sorted(changed) == ["a", "a/3"] and gone == []
    assert changed["a/3"]["children"] == 2
    broker.publish("a/00", b"1")
    counted.topics()
    changed, gone = watch.changes()
    assert sorted(changed) == ["a", "a/00"] and gone == ["a/4"]
    watch.show(["b"])
    changed, gone = watch.changes()
    assert sorted(changed) == ["b/0"]
    assert sorted(gone) == ["a", "a/0", "a/00", "a/1", "a/2", "a/3", "b"]
    with pytest.raises(ValueError, match="1000 places"):
        watch.show([str(number) for number in range(1001)])
    assert watch.changes() == ({}, [])


def test_topics_are_gathered_by_themselves(broker, counted):
    watch = counted.watch_topics([None])
    with Device(broker) as device:
        device.publish("quiet", b"1", 0)
        assert eventually(lambda: watch.changes()[0])["quiet"]["messages"] == 1


# Numbers ------------------------------------------------------------------------------------------------


def test_rates_and_series_follow_what_happens(broker, native):
    with Device(broker) as device:
        end = time.monotonic() + 8
        while native.rates()["received"] == 0 or not any(native.series(["sent"])["series"]["sent"][-3:]):
            assert time.monotonic() < end
            device.subscribe("t", 0)
            for _ in range(20):
                device.publish("t", b"x" * 100, 0)
            time.sleep(0.05)
        rates = native.rates()
        series = native.series()
        p50, p99 = native.latency()
    assert set(rates) == {"received", "sent", "bytes_received", "bytes_sent", "dropped", "connects"}
    assert rates["bytes_received"] > 100 * rates["received"]
    assert series["step"] == 1.0 and abs(series["end"] - time.time()) < 3
    assert list(series["series"]) == [*rates, "clients", "queued", "memory", "cpu"]
    assert {len(values) for values in series["series"].values()} == {300}
    last = {name: values[-1] for name, values in series["series"].items()}
    assert last["clients"] == 1 and last["memory"] > 1e6 and 0 <= last["cpu"] < 64
    assert series["series"]["clients"][0] is None, "the broker has not run for five minutes"
    assert 0 < p50 <= p99 < 1


@pytest.mark.parametrize(("span", "step", "length"), [(300, 1, 300), (3600, 10, 360), (86400, 240, 360)])
def test_series_have_spans(native, span, step, length):
    found = native.series(["cpu", "received"], span)
    assert found["step"] == step
    lengths = {name: len(values) for name, values in found["series"].items()}
    assert lengths == {"cpu": length, "received": length}


def test_series_that_are_not_there(native):
    with pytest.raises(ValueError, match='no series "speed"'):
        native.series(["speed"])
    with pytest.raises(ValueError, match="span must be"):
        native.series(span=60)


def test_metrics_are_prometheus_text(broker, native):
    native.count_topics(True)
    with Device(broker) as device:
        device.publish("t", b"12345", 1)
        text = native.metrics()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["hookmq_messages_received_total"] == "1"
    assert values["hookmq_payload_bytes_received_total"] == "5"
    assert values["hookmq_clients_connected"] == "1"
    assert values['hookmq_limit_hits_total{limit="max_clients"}'] == "0"
    assert float(values["hookmq_process_resident_memory_bytes"]) > 1e6
    assert "hookmq_publish_latency_seconds_count" in values
    names = {re.split(r"[{ ]", line)[0] for line in values}
    described = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    assert {re.sub(r"(?<=seconds)_(sum|count)$", "", name) for name in names} == described
    assert described == set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))


# WebSockets ---------------------------------------------------------------------------------------------


@pytest.fixture
def hub(broker_factory):
    """A site with a hub, and what its observer was told."""
    site = broker_factory(http_port=0)
    told: list[tuple[str, int]] = []
    made = site._active().hub("/hub", lambda kind, number, data, request: told.append((kind, number)))
    return site, made, told


def opened(told, count):
    return eventually(lambda: [number for kind, number in list(told) if kind == "open"][count - 1 :])[0]


def test_one_frame_goes_to_some_of_the_browsers(hub):
    site, made, told = hub
    with ExitStack() as stack:
        browsers, numbers = [], []
        for count in (1, 2, 3):
            browsers.append(stack.enter_context(browser(site, "/hub")))
            numbers.append(opened(told, count))
        assert made.send("both", [numbers[0], numbers[2], 999]) == 2
        assert made.send("all") == 3
        assert made.send("one", numbers[1]) == 1
        assert made.send("none", []) == 0
        assert [browsers[0].read(), browsers[0].read()] == ["both", "all"]
        assert [browsers[1].read(), browsers[1].read()] == ["all", "one"]
        assert [browsers[2].read(), browsers[2].read()] == ["both", "all"]
        assert made.send_latest(b"bytes", numbers[:2], "k") == 2
        assert browsers[0].read() == browsers[1].read() == b"bytes"
        eventually(lambda: not any(made.is_waiting(number) for number in numbers))
        assert made.is_waiting(999) is False


def test_who_reads_slowly_gets_the_newest_of_each_key(hub):
    site, made, told = hub
    with browser(site, "/hub") as page:
        number = opened(told, 1)
        made.send("x" * (32 << 20), number)  # more than the system takes
        time.sleep(0.2)
        assert made.is_waiting(number) is True
        for count in range(20_000):
            assert made.send_latest(json.dumps([count, "y" * 1000]), number, "a") == 1
            if count == 10_000:
                assert made.send_latest("first", number, "b") == 1
        made.send_latest("second", number, "b")
        made.send("plain", number)
        assert page.read() == "x" * (32 << 20)
        got: list[Any] = [page.read()]
        while got[-1] != "plain":
            got.append(page.read())
        assert json.loads(got[-3])[0] == 19_999
        assert got[-2] == "second"
        assert len(got) <= 4, "what was overtaken never left"
        eventually(lambda: not made.is_waiting(number))
    assert made.dropped == 0


def test_versions_are_told_apart(broker, native, join):
    for number, (version, name) in enumerate([(3, "3.1"), (4, "3.1.1"), (5, "5.0")]):
        join(broker, f"c{number}", version=version)
        assert native.client(f"c{number}")["version"] == name
