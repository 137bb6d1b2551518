"""aiomqtt, the client of asyncio programs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from aiomqtt import Client, Message, MqttCodeError, ProtocolVersion, Will
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

DEADLINE = 20.0  # seconds for a whole conversation
V311, V5 = ProtocolVersion.V311, ProtocolVersion.V5


@pytest.fixture(params=[V311, V5], ids=["3.1.1", "5.0"])
def version(request: pytest.FixtureRequest) -> ProtocolVersion:
    return request.param


@pytest.fixture
def client(address, root, version):
    """`client("name", keep=True, will=...)` gives a client to enter with `async with`."""

    def make(name: str, *, keep: bool = False, **settings: Any) -> Client:
        if version == V5:
            settings["clean_start"] = not keep
            if keep:
                settings["properties"] = Properties(PacketTypes.CONNECT)
                settings["properties"].SessionExpiryInterval = 60
        else:
            settings["clean_session"] = not keep
        return Client(*address, identifier=root + name, protocol=version, **settings)

    return make


def run(conversation: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(DEADLINE):
            await conversation

    asyncio.run(limited())


async def receive(client: Client, count: int) -> list[Message]:
    found: list[Message] = []
    async for message in client.messages:
        found.append(message)
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_subscribe(client, root, qos):
    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(f"{root}/+/level", qos=qos)
            await publisher.publish(f"{root}/7/level", b"12", qos=qos)
            (message,) = await receive(subscriber, 1)
            assert (str(message.topic), message.payload, message.qos) == (f"{root}/7/level", b"12", qos)
            assert not message.retain

    run(conversation())


def test_a_retained_message(client, root):
    async def conversation() -> None:
        async with client("p") as publisher, client("s") as subscriber:
            await publisher.publish(f"{root}/state", b"on", qos=1, retain=True)
            await subscriber.subscribe(f"{root}/#", qos=1)
            (message,) = await receive(subscriber, 1)
            assert (message.payload, message.retain) == (b"on", True)

    run(conversation())


def test_a_will(client, root):
    async def conversation() -> None:
        async with client("s") as watcher:
            await watcher.subscribe(f"{root}/will", qos=1)
            async with client("w", will=Will(f"{root}/will", b"gone", 1)), client("w"):
                (message,) = await receive(watcher, 1)  # said when the second one took the first one's place
                assert message.payload == b"gone"

    run(conversation())


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_large_payload(client, root, qos):
    payload = bytes(range(256)) * 4096  # 1 MiB

    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(root, qos=qos)
            await publisher.publish(root, payload, qos=qos)
            (message,) = await receive(subscriber, 1)
            assert message.payload == payload

    run(conversation())


@pytest.mark.parametrize("qos", [1, 2])
def test_two_thousand_messages_in_order(client, root, qos):
    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(root, qos=qos)

            async def publish() -> None:
                for number in range(2000):
                    await publisher.publish(root, b"%d" % number, qos=qos)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(publish())
                got = await receive(subscriber, 2000)
            assert [int(message.payload) for message in got] == list(range(2000))

    run(conversation())


def test_a_session_with_queued_messages(client, root):
    async def conversation() -> None:
        async with client("s", keep=True) as subscriber:
            await subscriber.subscribe(f"{root}/#", qos=2)
        async with client("p") as publisher:
            for number in range(20):
                await publisher.publish(f"{root}/{number % 2}", b"%d" % number, qos=1 + number % 2)
        async with client("s", keep=True) as subscriber:
            got = await receive(subscriber, 20)
        for qos in (1, 2):
            assert [int(m.payload) for m in got if m.qos == qos] == list(range(qos - 1, 20, 2))

    run(conversation())


@pytest.mark.parametrize("version", [V5], indirect=True)
def test_version_5_properties(client, root):
    given = Properties(PacketTypes.PUBLISH)
    given.ContentType = "text/plain"
    given.ResponseTopic = f"{root}/answer"
    given.CorrelationData = b"\0\xff"
    given.UserProperty = [("b", "1"), ("a", "2"), ("b", "3")]

    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(root, qos=1)
            await publisher.publish(root, b"hello", qos=1, properties=given)
            (message,) = await receive(subscriber, 1)
            for name in ("ContentType", "ResponseTopic", "CorrelationData", "UserProperty"):
                assert getattr(message.properties, name) == getattr(given, name)

    run(conversation())


@pytest.mark.parametrize("version", [V5], indirect=True)
def test_request_and_response(client, root):
    request = Properties(PacketTypes.PUBLISH)
    request.ResponseTopic, request.CorrelationData = f"{root}/answer", b"7"

    async def conversation() -> None:
        async with client("q") as asks, client("a") as answers:
            await asks.subscribe(f"{root}/answer", qos=1)
            await answers.subscribe(f"{root}/ask", qos=1)
            await asks.publish(f"{root}/ask", b"1+1", qos=1, properties=request)
            (asked,) = await receive(answers, 1)
            response = Properties(PacketTypes.PUBLISH)
            response.CorrelationData = asked.properties.CorrelationData
            await answers.publish(asked.properties.ResponseTopic, b"2", qos=1, properties=response)
            (answer,) = await receive(asks, 1)
            assert (answer.payload, answer.properties.CorrelationData) == (b"2", b"7")

    run(conversation())


def test_wildcards(client, root):
    async def conversation() -> None:
        async with client("s") as one:
            await one.subscribe([(f"{root}/+/level", 1), (f"{root}/all/#", 1)])
            for topic in ("7/level", "7/8/level", "8/level", "all", "all/of/it", "level", "all/end"):
                await one.publish(f"{root}/{topic}", qos=1)
            got = [message.topic.value for message in await receive(one, 5)]
            wanted = ("7/level", "8/level", "all", "all/of/it", "all/end")
            assert got == [f"{root}/{topic}" for topic in wanted]

    run(conversation())


def test_unsubscribing(client, root):
    async def conversation() -> None:
        async with client("s") as one:
            await one.subscribe([(f"{root}/a", 1), (f"{root}/b", 1)])
            await one.unsubscribe(f"{root}/a")
            await one.publish(f"{root}/a", b"a", qos=1)
            await one.publish(f"{root}/b", b"b", qos=1)
            assert [message.payload for message in await receive(one, 1)] == [b"b"]

    run(conversation())


def test_a_shared_subscription(client, root):
    async def conversation() -> None:
        async with client("1") as one, client("2") as two, client("p") as publisher:
            for member in (one, two):
                await member.subscribe(f"$share/group/{root}", qos=1)
            for number in range(20):
                await publisher.publish(root, b"%d" % number, qos=1)
            got = await receive(one, 10) + await receive(two, 10)
            assert sorted(int(message.payload) for message in got) == list(range(20))

    run(conversation())


def test_logging_in(guarded, version, root):
    async def conversation() -> None:
        host, port = guarded
        async with Client(host, port, protocol=version, username="tank", password="secret"):
            pass
        with pytest.raises(MqttCodeError) as refused:
            async with Client(host, port, protocol=version, username="tank", password="wrong"):
                pass
        assert refused.value.rc == 0x86  # paho translates the return codes of 3.1.1

    run(conversation())
