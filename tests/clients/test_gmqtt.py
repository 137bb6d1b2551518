"""gmqtt, an asyncio client that speaks MQTT by itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, NamedTuple

import gmqtt
import pytest
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.mqtt.handler import MQTTConnectError

DEADLINE = 20.0  # seconds for a whole conversation


class Received(NamedTuple):
    topic: str
    payload: bytes
    qos: int
    properties: dict[str, Any]


class Client:
    """A gmqtt client whose callbacks become values to wait for; `async with` connects it."""

    def __init__(self, address: tuple[str, int], version: int, name: str, **settings: Any) -> None:
        self.address, self.version = address, version
        login, self.ssl = settings.pop("login", None), settings.pop("ssl", False)
        if settings.pop("keep", False):
            settings |= {"clean_session": False, "session_expiry_interval": 60}
        self.client = gmqtt.Client(name, **settings)
        self.client.set_config({"reconnect_retries": 0})
        if login:
            self.client.set_auth_credentials(*login)
        self.messages: asyncio.Queue[Received] = asyncio.Queue()
        self.granted: asyncio.Queue[tuple[int, ...]] = asyncio.Queue()
        self.removed = asyncio.Event()
        self.session_present = False
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda client, mid, codes, properties: self.granted.put_nowait(codes)
        self.client.on_unsubscribe = lambda *arguments: self.removed.set()

    def _on_connect(self, client: gmqtt.Client, flags: int, code: int, properties: dict[str, Any]) -> None:
        self.session_present = bool(flags & 1)

    def _on_message(self, client: gmqtt.Client, topic: str, payload: bytes, qos: int, properties: Any) -> int:
        self.messages.put_nowait(Received(topic, payload, qos, properties))
        return 0

    async def __aenter__(self) -> Client:
        try:
            await self.client.connect(*self.address, ssl=self.ssl, version=self.version, keepalive=30)
        except MQTTConnectError:
            await self.client.disconnect()  # gmqtt keeps its socket open
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.disconnect()

    async def subscribe(self, topic: str, qos: int = 0, **options: Any) -> None:
        self.client.subscribe(topic, qos=qos, **options)
        assert tuple(await self.granted.get()) == (qos,)

    def publish(self, topic: str, payload: bytes, qos: int = 0, **more: Any) -> None:
        self.client.publish(topic, payload, qos=qos, **more)

    async def receive(self, count: int) -> list[Received]:
        return [await self.messages.get() for _ in range(count)]

    async def acknowledged(self) -> None:
        """Wait for the end of every publish with QoS 1 and 2."""
        await self.client._persistent_storage.wait_empty()

    def drop(self) -> None:
        """End the connection without a DISCONNECT."""
        self.client._connection._transport.abort()


@pytest.fixture(params=[MQTTv311, MQTTv50], ids=["3.1.1", "5.0"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def client(address, root, version):
    """`client("name", keep=True, will_message=...)` gives a client to enter with `async with`."""

    def make(name: str, **settings: Any) -> Client:
        return Client(address, version, root + name, **settings)

    return make


def run(conversation: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(DEADLINE):
            await conversation

    asyncio.run(limited())


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_subscribe(client, root, qos):
    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(f"{root}/+/level", qos)
            await subscriber.subscribe(f"{root}/all/#", qos)
            for topic in ("7/level", "7/8/level", "all", "level", "all/of/it"):
                publisher.publish(f"{root}/{topic}", b"12", 2)
            got = await subscriber.receive(3)
            wanted = [f"{root}/{topic}" for topic in ("7/level", "all", "all/of/it")]
            assert [one.topic for one in got] == wanted
            assert {(one.payload, one.qos, one.properties["retain"]) for one in got} == {(b"12", qos, 0)}

    run(conversation())


def test_unsubscribing(client, root):
    async def conversation() -> None:
        async with client("s") as subscriber:
            await subscriber.subscribe(f"{root}/a", 1)
            await subscriber.subscribe(f"{root}/b", 1)
            subscriber.client.unsubscribe(f"{root}/a")
            await subscriber.removed.wait()
            subscriber.publish(f"{root}/a", b"a", 1)
            subscriber.publish(f"{root}/b", b"b", 1)
            assert (await subscriber.receive(1))[0].payload == b"b"

    run(conversation())


def test_a_retained_message(client, root):
    async def conversation() -> None:
        async with client("p") as publisher, client("s") as subscriber, client("l") as late:
            publisher.publish(f"{root}/state", b"on", 1, retain=True)
            await publisher.acknowledged()
            await subscriber.subscribe(f"{root}/#", 1)
            (message,) = await subscriber.receive(1)
            assert (message.payload, message.properties["retain"]) == (b"on", 1)
            publisher.publish(f"{root}/state", b"", 1, retain=True)
            await publisher.acknowledged()
            await late.subscribe(f"{root}/#", 1)
            publisher.publish(f"{root}/later", b"later", 1)
            assert (await late.receive(1))[0].payload == b"later"

    run(conversation())


def test_a_will(client, root):
    will = gmqtt.Message(f"{root}/will", "gone", qos=1)

    async def conversation() -> None:
        async with client("s") as watcher:
            await watcher.subscribe(f"{root}/will", 1)
            async with client("q", will_message=gmqtt.Message(f"{root}/will", "never said", qos=1)):
                pass
            async with client("w", will_message=will) as doomed:
                doomed.drop()
                assert (await watcher.receive(1))[0].payload == b"gone"

    run(conversation())


def test_a_shared_subscription(client, root):
    async def conversation() -> None:
        async with client("1") as one, client("2") as two, client("p") as publisher:
            for member in (one, two):
                await member.subscribe(f"$share/group/{root}", 1)
            for number in range(20):
                publisher.publish(root, b"%d" % number, 1)
            async with asyncio.TaskGroup() as tasks:
                shares = [tasks.create_task(member.receive(10)) for member in (one, two)]
            got = [int(message.payload) for share in shares for message in share.result()]
            assert sorted(got) == list(range(20))

    run(conversation())


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_large_payload(client, root, qos):
    payload = bytes(range(256)) * 4096  # 1 MiB

    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(root, qos)
            publisher.publish(root, payload, qos)
            assert (await subscriber.receive(1))[0].payload == payload

    run(conversation())


@pytest.mark.parametrize("qos", [1, 2])
def test_five_hundred_messages_in_order(client, root, qos):
    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(root, qos)
            for number in range(500):
                publisher.publish(root, b"%d" % number, qos)
            got = await subscriber.receive(500)
            assert [int(message.payload) for message in got] == list(range(500))
            await publisher.acknowledged()

    run(conversation())


def test_a_session_with_queued_messages(client, root):
    async def conversation() -> None:
        async with client("s", keep=True) as subscriber:
            assert not subscriber.session_present
            await subscriber.subscribe(f"{root}/#", 2)
        async with client("p") as publisher:
            for number in range(20):
                publisher.publish(f"{root}/{number}", b"%d" % number, 2)
            await publisher.acknowledged()
        async with client("s", keep=True) as subscriber:
            assert subscriber.session_present
            assert [int(message.payload) for message in await subscriber.receive(20)] == list(range(20))

    run(conversation())


def test_logging_in(guarded, version, root):
    async def conversation() -> None:
        async with Client(guarded, version, root, login=("tank", "secret")):
            pass
        with pytest.raises(MQTTConnectError) as error:
            async with Client(guarded, version, root, login=("tank", "wrong")):
                pass
        assert error.value._code == (0x86 if version == MQTTv50 else 4)

    run(conversation())


def test_tls(doors, version, root):
    authority = ssl.create_default_context(cafile=str(doors.authority))

    async def conversation() -> None:
        async with Client(("127.0.0.1", doors.mqtts), version, root, ssl=authority) as client:
            await client.subscribe(root, 1)
            for payload in (b"12", bytes(range(256)) * 4096):
                client.publish(root, payload, 1)
                assert (await client.receive(1))[0].payload == payload
                await client.acknowledged()

    run(conversation())


@pytest.mark.parametrize("version", [MQTTv50], indirect=True)
def test_version_5_properties(client, root):
    given = {
        "payload_format_id": 1,
        "content_type": "text/plain",
        "response_topic": f"{root}/answer",
        "correlation_data": b"\0\xff",
        "user_property": [("b", "1"), ("a", "2"), ("b", "3")],
    }

    async def conversation() -> None:
        async with client("s") as subscriber, client("p") as publisher:
            await subscriber.subscribe(root, 1, subscription_identifier=300)
            publisher.publish(root, b"hello", 1, message_expiry_interval=100, **given)
            (message,) = await subscriber.receive(1)
            for name, value in given.items():
                assert message.properties[name] == (value if isinstance(value, list) else [value]), name
            assert message.properties["subscription_identifier"] == [300]
            assert message.properties["message_expiry_interval"][0] in (99, 100)

    run(conversation())


@pytest.mark.parametrize("version", [MQTTv50], indirect=True)
def test_request_and_response(client, root):
    async def conversation() -> None:
        async with client("q") as asks, client("a") as answers:
            await asks.subscribe(f"{root}/answer", 1)
            await answers.subscribe(f"{root}/ask", 1)
            asks.publish(f"{root}/ask", b"1+1", 1, response_topic=f"{root}/answer", correlation_data=b"7")
            (request,) = await answers.receive(1)
            (topic,), (data,) = (request.properties[name] for name in ("response_topic", "correlation_data"))
            answers.publish(topic, b"2", 1, correlation_data=data)
            (answer,) = await asks.receive(1)
            assert (answer.payload, answer.properties["correlation_data"]) == (b"2", [b"7"])

    run(conversation())
