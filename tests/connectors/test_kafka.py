"""The real client against librdkafka's own cluster of three brokers, which fail; no Apache Kafka was run."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import confluent_kafka
import pytest

from hookmq.connectors import Courier, Kafka
from hookmq.errors import HookMQError

from .kafka_cluster import BROKERS, KafkaCluster
from .records import record, records, until

MakeCourier = Callable[..., Courier]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    made = KafkaCluster()
    yield made
    made.close()


def stored(cluster: KafkaCluster, topic: str) -> list[Any]:
    """All messages of a topic, those of each partition in their order."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": cluster.servers,
            "group.id": "test",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
    found, ends, deadline = [], set(), time.monotonic() + 20
    while len(ends) < len(partitions) and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error() is None:
            found.append(message)
        elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
            ends.add(message.partition())
    consumer.close()
    return found


def numbers(messages: list[Any]) -> list[int]:
    return [int(dict(message.headers())["id"].rpartition(b"-")[2]) for message in messages]


def test_messages(cluster: KafkaCluster, courier: MakeCourier) -> None:
    one = courier(Kafka(cluster.servers))
    one.put([record(1, b"\xff\x00", retain=True, topic="plant/a", properties={"content_type": "x"})])
    one.put([record(2, b"", client_id="", topic="plant/a")])
    assert one.wait(20)
    found = sorted(stored(cluster, "plant.a"), key=lambda message: message.timestamp()[1])
    first, second = found
    assert (first.key(), first.value(), first.timestamp()[1]) == (b"pump", b"\xff\x00", 1_780_000_000_001)
    headers = dict(first.headers())
    assert json.loads(headers.pop("properties")) == {"content_type": "x"}
    assert headers == {
        "id": b"0000000000abcdef-1",
        "kind": b"received",
        "client_id": b"pump",
        "topic": b"plant/a",
        "qos": b"1",
        "retain": b"1",
    }
    assert second.key() is None and not second.value()


@pytest.mark.parametrize(
    ("topic", "name"), [("a/b c/ä", "a.b_c._"), ("/", "."), ("$SYS/x", "_SYS.x"), ("x" * 400, "x" * 249)]
)
def test_any_topic_has_a_name(cluster: KafkaCluster, courier: MakeCourier, topic: str, name: str) -> None:
    one = courier(Kafka(cluster.servers))
    one.put([record(1, topic=topic)])
    assert one.wait(20)
    assert numbers(stored(cluster, "mqtt" if name == "." else name)) == [1]


def test_what_has_one_key_keeps_its_order(cluster: KafkaCluster, courier: MakeCourier) -> None:
    one = courier(Kafka(cluster.servers, topic="ordered", batch_rows=100))
    for number in range(1, 2001):
        one.put([record(number, client_id=f"client-{number % 5}")])
    assert one.wait(20)
    found = stored(cluster, "ordered")
    assert sorted(numbers(found)) == list(range(1, 2001))
    for client in range(5):
        mine = [message for message in found if message.key() == b"client-%d" % client]
        assert numbers(mine) == sorted(numbers(mine)) and len({message.partition() for message in mine}) == 1


def test_brokers_that_go_down(cluster: KafkaCluster, courier: MakeCourier) -> None:
    one = courier(Kafka(cluster.servers, topic="failing", timeout=2.0))
    one.put(records(100))
    assert one.wait(20)
    for broker in range(1, BROKERS + 1):
        cluster.do(f"down {broker}")
    one.put(records(100, start=101), promised=True)
    assert one.info().spooled == 100
    for broker in range(1, BROKERS + 1):
        cluster.do(f"up {broker}")
    assert one.wait(30)
    assert sorted(numbers(stored(cluster, "failing"))) == list(range(1, 201))


def test_brokers_that_hang(cluster: KafkaCluster, courier: MakeCourier) -> None:
    one = courier(Kafka(cluster.servers, topic="hanging", timeout=2.0))
    one.put(records(100))
    assert one.wait(20)
    cluster.freeze()
    try:
        begun = time.monotonic()
        one.put(records(100, start=101), promised=True)
        assert time.monotonic() - begun < 4 and one.info().spooled == 100
        until(lambda: one.info().state == "down")
    finally:
        cluster.thaw()
    assert one.wait(30)
    found = numbers(stored(cluster, "hanging"))
    # What was under way when they froze may come twice, and its name says so; nothing is lost.
    assert sorted(set(found)) == list(range(1, 201)) and len(found) <= 300


def test_a_message_that_is_too_large(cluster: KafkaCluster, courier: MakeCourier) -> None:
    one = courier(Kafka(cluster.servers, topic="large", options={"message.max.bytes": 100_000}))
    one.put([record(1), record(2, b"x" * 200_000), record(3)])
    assert one.wait(20)
    assert sorted(numbers(stored(cluster, "large"))) == [1, 3]
    assert one.info().rejected == 1


def test_a_topic_that_may_not_be_written(cluster: KafkaCluster, courier: MakeCourier) -> None:
    cluster.do(f"topic closed {confluent_kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED}")
    one = courier(Kafka(cluster.servers, topic="{topic[0]}", timeout=5.0))
    one.put([record(1, topic="open/x"), record(2, topic="closed/x"), record(3, topic="open/x")])
    assert one.wait(20)
    assert sorted(numbers(stored(cluster, "open"))) == [1, 3] and one.info().rejected == 1
    # Where the operator has chosen the topic it is the operator who mends it, and nothing is lost.
    two = courier(Kafka(cluster.servers, topic="closed", timeout=5.0, name="constant"))
    two.put(records(3))
    until(lambda: two.info().spooled == 3)
    assert "authorization" in two.info().reason.lower()
    cluster.do("topic closed 0")
    assert two.wait(20)
    assert sorted(numbers(stored(cluster, "closed"))) == [1, 2, 3]


def test_nobody_is_there(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "hookmq"):
        one = courier(Kafka("127.0.0.1:1", username="anna", password="concealed", timeout=1.0))
        one.put(records(3), promised=True)
    until(lambda: one.info().state == "down" and "127.0.0.1:1" in one.info().reason)
    assert one.info().spooled == 3
    assert "concealed" not in caplog.text + str(one.info()) + repr(one.connector)


@pytest.mark.parametrize(
    ("servers", "options"), [("", {}), ("kafka:9092", {"no.such.option": "1"}), ("kafka:9092", {"acks": "x"})]
)
def test_options_that_cannot_be(servers: str, options: dict[str, Any]) -> None:
    with pytest.raises(HookMQError) as caught:
        Kafka(servers, options=options).check()
    assert caught.value.code == "E603"


def test_templates_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="no record has"):
        Kafka("kafka:9092", topic="{payload}")
