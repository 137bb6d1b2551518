"""Publishing from this process, and reading messages in it."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
import weakref

import pytest

from hookmq import HookMQError

from .helpers import DEADLINE, Device, Gate, MQTTv311, Seen, eventually, properties


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        (b"\xff\0", b"\xff\0"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[1:3], b"bc"),
        ("grün", "grün".encode()),
        ("", b""),
        (None, b""),
        (42, b"42"),
        (1.5, b"1.5"),
        (True, b"true"),
        ({"level": 42, "name": "ü"}, '{"level":42,"name":"ü"}'.encode()),
        ([1, "a", None], b'[1,"a",null]'),
        ((1, 2), b"[1,2]"),
    ],
)
def test_payloads(broker, payload, data):
    with Device(broker) as device, broker.subscribe("a") as messages:
        device.subscribe("a")
        assert broker.publish("a", payload) is None
        assert device.receive().payload == data
        assert messages.get(timeout=DEADLINE).payload == data


@pytest.mark.parametrize("payload", [object(), {1, 2}, {"a": b"x"}, 1j, {("a",): 1}])
def test_a_payload_without_a_form(broker, payload):
    with pytest.raises(TypeError):
        broker.publish("a", payload)


@pytest.mark.parametrize("payload", [float("nan"), {"level": float("inf")}, "\ud800"])
def test_a_payload_that_is_not_json_or_text(broker, payload):
    with pytest.raises(ValueError):
        broker.publish("a", payload)


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "#", "a\0b", "x" * 65536, "\ud800", "/" * 500])
def test_a_topic_that_cannot_be(broker, topic):
    with pytest.raises(ValueError):
        broker.publish(topic, "x")


@pytest.mark.parametrize("qos", [3, 255, -1, 256, 1 << 40])
def test_a_qos_that_cannot_be(broker, qos):
    with pytest.raises(ValueError):
        broker.publish("a", "x", qos=qos)


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "red"},
        {"topic_alias": 1},
        {"subscription_identifier": 1},
        {"message_expiry_interval": -1},
        {"message_expiry_interval": 1 << 32},
        {"content_type": "x" * 65536},
        {"content_type": "a\0b"},
        {"response_topic": "a/#"},
        {"response_topic": ""},
        {"correlation_data": bytes(65536)},
        {"user_properties": [("a", "x" * 65536)]},
        {"user_properties": {"a\0": "b"}},
    ],
    ids=str,
)
def test_a_property_that_cannot_be(broker, wrong):
    with pytest.raises(ValueError):
        broker.publish("a", "x", properties=wrong)


@pytest.mark.parametrize(
    "use",
    [
        lambda broker: broker.publish(None, "x"),
        lambda broker: broker.publish(b"a", "x"),
        lambda broker: broker.publish("a", "x", qos="1"),
        lambda broker: broker.publish("a", "x", properties={"content_type": 5}),
        lambda broker: broker.publish("a", "x", properties={"correlation_data": "text"}),
        lambda broker: broker.publish("a", "x", properties={"user_properties": ["a"]}),
        lambda broker: broker.publish("a", "x", properties={5: "text"}),
        lambda broker: broker.publish("a", "x", 1),
    ],
)
def test_an_argument_of_the_wrong_type(broker, use):
    with pytest.raises((TypeError, ValueError)):
        use(broker)


def test_a_message_that_is_too_large(broker_factory):
    broker = broker_factory({"limits.max_packet_size": "1KiB"})
    broker.publish("a", bytes(900))
    with pytest.raises(ValueError, match="max_packet_size"):
        broker.publish("a", bytes(1024))


def test_properties_reach_a_client_and_come_back(broker):
    given = {
        "payload_format_indicator": 1,
        "message_expiry_interval": 100,
        "content_type": "application/json",
        "response_topic": "answers/1",
        "correlation_data": b"\0\xff",
        "user_properties": [("b", "2"), ("a", "1"), ("b", "3")],
    }
    seen = Seen()
    broker.on_message_received("back")(seen.append)
    with Device(broker) as device, broker.subscribe("a") as messages:
        device.subscribe("a")
        broker.publish("a", {}, qos=1, properties=given)
        got = device.receive().properties
        assert got.UserProperty == given["user_properties"]
        assert (got.PayloadFormatIndicator, got.MessageExpiryInterval) == (1, 100)
        assert (got.ContentType, got.ResponseTopic) == ("application/json", "answers/1")
        assert got.CorrelationData == b"\0\xff"
        assert messages.get(timeout=DEADLINE).properties == given
        device.publish(
            "back",
            "{}",
            properties=properties(
                PayloadFormatIndicator=1,
                MessageExpiryInterval=100,
                ContentType="application/json",
                ResponseTopic="answers/1",
                CorrelationData=b"\0\xff",
                UserProperty=given["user_properties"],
            ),
        )
        assert seen.until(1)[0].properties == given
        broker.publish("a", "x", properties={"user_properties": {"one": "1"}})
        assert device.receive().properties.UserProperty == [("one", "1")]
    with Device(broker, version=MQTTv311) as old:
        old.subscribe("a")
        broker.publish("a", "x", properties=given)
        assert old.receive().payload == b"x"


def test_retained(broker):
    broker.publish("a/1", "one", retain=True)
    broker.publish("a/1", "two", qos=1, retain=True)
    broker.publish("a/2", "gone", retain=True)
    broker.publish("a/2", None, retain=True)
    with Device(broker) as device:
        device.subscribe("a/#")
        message = device.receive()
        assert (message.topic, message.payload, message.retain) == ("a/1", b"two", True)
        broker.publish("end", "", qos=1)
        device.subscribe("end")
        broker.publish("end", "", qos=1)
        assert device.receive().topic == "end"
    assert broker.statistics["retained_messages"] == 1


def test_a_queue_that_is_full_refuses(broker_factory):
    broker = broker_factory({"limits.max_queued_messages": 3})
    device = Device(broker, "away", version=MQTTv311, clean=False)
    assert device.subscribe("a") == [1]
    device.close()
    eventually(lambda: broker.statistics["clients_connected"] == 0)
    for number in range(3):
        broker.publish("a", str(number), qos=1)
    with pytest.raises(HookMQError) as caught:
        broker.publish("a", "3", qos=1)
    assert caught.value.code == "E506"
    assert str(caught.value).startswith("error[E506]: the message to `a` was refused: ")
    broker.publish("b", "fits", qos=1)
    with Device(broker, "away", version=MQTTv311, clean=False) as again:
        assert [again.receive().payload for _ in range(3)] == [b"0", b"1", b"2"]
        eventually(lambda: not again.messages.qsize())
        broker.publish("a", "4", qos=1)
        assert again.receive().payload == b"4"


def test_many_threads_publish(broker):
    def publish(number: int) -> None:
        for count in range(500):
            broker.publish(f"t/{number}", str(count), qos=count % 3)

    with broker.subscribe("t/#") as messages:
        threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        got = [messages.get(timeout=DEADLINE) for _ in range(2000)]
        for thread in threads:
            thread.join()
    for number in range(4):
        mine = [int(msg.payload) for msg in got if msg.topic == f"t/{number}"]
        assert mine == list(range(500))


# Subscriptions ------------------------------------------------------------------------------------------


def test_an_iterator(broker):
    broker.publish("a/1", "first", retain=True)
    broker.publish("a/2", "second", retain=True)
    messages = broker.subscribe("a/#")
    broker.publish("a/3", "third")
    broker.publish("b", "other")
    threading.Timer(0.05, messages.close).start()
    got = [(msg.text, msg.retain, msg.client_id) for msg in messages]
    assert sorted(got[:2]) == [("first", True, ""), ("second", True, "")]
    assert got[2:] == [("third", False, "")]
    broker.publish("a/4", "late")
    assert (list(messages), messages.get(timeout=0), len(messages)) == ([], None, 0)
    with broker.subscribe("a/#", retained=False) as messages:
        assert messages.get(timeout=0.02) is None


def test_an_async_iterator(broker):
    async def main() -> list[str]:
        got: list[str] = []
        with broker.subscribe("a/#") as messages:
            threading.Timer(0.05, broker.publish, ("a/2", "two")).start()
            broker.publish("a/1", "one")
            async for msg in messages:
                got.append(msg.text)
                if len(got) == 2:
                    threading.Timer(0.05, messages.close).start()
        return got

    started = time.monotonic()
    assert asyncio.run(main()) == ["one", "two"]
    assert time.monotonic() - started < 1


def test_several_async_iterators_share_a_loop(broker):
    async def read(number: int) -> int:
        count = 0
        with broker.subscribe(f"a/{number}") as messages:
            async for msg in messages:
                count += 1
                if msg.text == "end":
                    return count
        return 0

    async def main() -> list[int]:
        tasks = [asyncio.create_task(read(number)) for number in range(20)]
        await asyncio.sleep(0.05)
        for number in range(20):
            for _ in range(50):
                broker.publish(f"a/{number}", "x")
            await asyncio.to_thread(broker.publish, f"a/{number}", "end")
        return await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE)

    assert asyncio.run(main()) == [51] * 20


@pytest.mark.parametrize("how", ["close", "stop"])
@pytest.mark.parametrize("reader", ["iterator", "async iterator", "get"])
def test_what_ends_a_reader(broker, how, reader):
    messages = broker.subscribe("a")
    broker.publish("a", "1")
    seen = Seen()

    async def read() -> None:
        async for msg in messages:
            seen.append(msg.text)

    def work() -> None:
        if reader == "iterator":
            for msg in messages:
                seen.append(msg.text)
        elif reader == "get":
            while (msg := messages.get()) is not None:
                seen.append(msg.text)
        else:
            asyncio.run(read())

    thread = threading.Thread(target=work)
    thread.start()
    seen.until(1)
    (messages.close if how == "close" else broker.stop)()
    thread.join(2)
    assert not thread.is_alive()
    assert seen == ["1"]


@pytest.mark.parametrize("timeout", [0, -1, 0.0, float("nan")])
def test_a_wait_that_is_none(broker, timeout):
    with broker.subscribe("a") as messages:
        started = time.monotonic()
        assert messages.get(timeout=timeout) is None
        assert time.monotonic() - started < 0.3


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e18, 1e300, 100])
def test_a_wait_that_is_long(broker, timeout):
    with broker.subscribe("a") as messages:
        threading.Timer(0.05, broker.publish, ("a", "here")).start()
        assert messages.get(timeout=timeout).text == "here"


def test_waiting_for_hooks(broker):
    gate = Gate()
    broker.on_message_received(lambda msg: gate.wait())
    with Device(broker) as device:
        device.publish("a")
        assert not broker.wait_for_hooks(0.05)
        threading.Timer(0.1, gate.opened.set).start()
        assert broker.wait_for_hooks(float("inf"))


def test_what_a_slow_reader_loses_is_counted(broker):
    with broker.subscribe("a", maxsize=10) as messages:
        for number in range(35):
            broker.publish("a", str(number))
        assert (len(messages), messages.dropped) == (10, 25)
        assert [messages.get(timeout=0).text for _ in range(10)] == [str(n) for n in range(25, 35)]
    for number in range(20):
        broker.publish(f"kept/{number}", "x", retain=True)
    with broker.subscribe("kept/#", maxsize=5) as messages:
        broker.publish("kept/live", "last")
        assert (len(messages), messages.dropped) == (5, 16)
        assert [messages.get(timeout=0).text for _ in range(5)] == ["x"] * 4 + ["last"]


@pytest.mark.parametrize("filter", ["", "a/#/b", "a+", "a\0", "x" * 65536])
def test_a_filter_that_is_none(broker, filter):
    with pytest.raises(HookMQError) as caught:
        broker.subscribe(filter)
    assert caught.value.code == "E502"


def test_the_retained_message_comes_first_and_once(broker):
    """Also while the topic is being published to."""
    ended = threading.Event()

    def publish() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            broker.publish("a", str(number), retain=True)

    broker.publish("a", "0", retain=True)
    thread = threading.Thread(target=publish)
    thread.start()
    wrong = []
    for _ in range(200):
        with broker.subscribe("a") as messages:
            got = [int(messages.get(timeout=DEADLINE).text) for _ in range(4)]
            if got != sorted(set(got)):
                wrong.append(got)
    ended.set()
    thread.join()
    assert wrong == []


def test_a_subscription_that_is_forgotten_ends(broker):
    broker.publish("a", "x", retain=True)
    message = next(iter(broker.subscribe("a")))
    assert message.text == "x"
    messages = broker.subscribe("a")
    reference, inbox = weakref.ref(messages), messages._inbox
    del messages
    gc.collect()
    assert reference() is None
    assert inbox.closed


def test_what_a_client_sends_is_json(broker):
    with Device(broker) as device, broker.subscribe("a") as messages:
        device.publish("a", json.dumps({"level": 1}))
        msg = messages.get(timeout=DEADLINE)
        assert msg.json() == {"level": 1}
