"""Eclipse Paho for Python, the client that most Python programs use."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv31, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

DEADLINE = 5.0

# Untyped, because the type stubs that may be installed describe paho 1.
create: Any = Client


class Refused(Exception):
    """The broker did not let the client in; its argument is the reason code, as MQTT 5 counts."""


class Paho:
    """A paho client whose callbacks become values to wait for."""

    def __init__(self, address: tuple[str, int], version: int, name: str, **settings: Any) -> None:
        self.version = version
        self.messages: queue.Queue[MQTTMessage] = queue.Queue()
        self.connected: queue.Queue[tuple[bool, Any]] = queue.Queue()
        self.granted: queue.Queue[list[Any]] = queue.Queue()
        self.ended = threading.Event()
        keep = settings.pop("keep", False)
        clean = {} if version == MQTTv5 else {"clean_session": not keep}
        self.client = create(CallbackAPIVersion.VERSION2, client_id=name, protocol=version, **clean)
        login = settings.pop("login", None)
        if login:
            self.client.username_pw_set(*login)
        will = settings.pop("will", None)
        if will:
            self.client.will_set(*will)
        self.client.on_message = lambda client, data, message: self.messages.put(message)
        self.client.on_connect = lambda c, d, flags, code, p: self.connected.put(
            (flags.session_present, code)
        )
        self.client.on_subscribe = lambda c, d, mid, codes, p: self.granted.put(codes)
        self.client.on_disconnect = lambda c, d, flags, code, p: self.ended.set()
        wishes: dict[str, Any] = {"clean_start": not keep} if version == MQTTv5 else {}
        if version == MQTTv5 and keep:
            wishes["properties"] = Properties(PacketTypes.CONNECT)
            wishes["properties"].SessionExpiryInterval = 60
        self.client.connect(*address, keepalive=30, **wishes)
        self.client.loop_start()
        self.session_present, code = self.connected.get(timeout=DEADLINE)
        if code.is_failure:
            self.client.loop_stop()
            raise Refused(code.value)

    def subscribe(self, topic: str, qos: int = 0) -> None:
        self.client.subscribe(topic, qos)
        codes = self.granted.get(timeout=DEADLINE)
        assert [code.value for code in codes] == [qos]

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False, **more: Any) -> None:
        self.client.publish(topic, payload, qos, retain, **more).wait_for_publish(DEADLINE)

    def receive(self) -> MQTTMessage:
        return self.messages.get(timeout=DEADLINE)

    def disconnect(self) -> None:
        self.client.disconnect()
        assert self.ended.wait(DEADLINE)
        self.client.loop_stop()

    def drop(self) -> None:
        """Ends the connection without a DISCONNECT, and does not come back."""
        self.client.loop_stop()
        self.client.socket().close()


@pytest.fixture(params=[MQTTv31, MQTTv311, MQTTv5], ids=["3.1", "3.1.1", "5.0"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def paho(address, root, version) -> Iterator[Callable[..., Paho]]:
    """`paho("name", keep=True, will=(topic, payload, qos, retain))` gives a connected client."""
    clients: list[Paho] = []

    def make(name: str, **settings: Any) -> Paho:
        clients.append(Paho(address, version, root + name, **settings))
        return clients[-1]

    yield make
    for each in clients:
        each.client.disconnect()
        each.client.loop_stop()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_subscribe(paho, root, qos):
    subscriber, publisher = paho("s"), paho("p")
    subscriber.subscribe(f"{root}/+/level", qos)
    publisher.publish(f"{root}/7/level", b"12", qos)
    message = subscriber.receive()
    assert (message.topic, message.payload, message.qos, message.retain) == (
        f"{root}/7/level",
        b"12",
        qos,
        False,
    )


def test_a_retained_message(paho, root):
    paho("p").publish(f"{root}/state", b"on", 1, True)
    subscriber = paho("s")
    subscriber.subscribe(f"{root}/#", 1)
    message = subscriber.receive()
    assert (message.payload, message.retain) == (b"on", True)


def test_a_will(paho, root):
    watcher = paho("s")
    watcher.subscribe(f"{root}/will", 1)
    paho("w", will=(f"{root}/will", b"gone", 1, False)).drop()
    assert watcher.receive().payload == b"gone"


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_large_payload(paho, root, qos):
    subscriber, publisher = paho("s"), paho("p")
    subscriber.subscribe(root, qos)
    payload = bytes(range(256)) * 4096  # 1 MiB
    publisher.publish(root, payload, qos)
    assert subscriber.receive().payload == payload


@pytest.mark.parametrize("qos", [1, 2])
def test_two_thousand_messages_in_order(paho, root, qos):
    subscriber, publisher = paho("s"), paho("p")
    subscriber.subscribe(root, qos)
    waiting = [publisher.client.publish(root, b"%d" % number, qos) for number in range(2000)]
    assert [int(subscriber.receive().payload) for _ in range(2000)] == list(range(2000))
    for each in waiting:
        each.wait_for_publish(DEADLINE)
    assert subscriber.messages.empty()


def test_a_session_with_queued_messages(paho, root, version):
    first = paho("s", keep=True)
    first.subscribe(f"{root}/#", 2)
    first.disconnect()
    publisher = paho("p")
    for number in range(20):
        publisher.publish(f"{root}/{number % 2}", b"%d" % number, 1 + number % 2)
    again = paho("s", keep=True)
    assert bool(again.session_present) is (version != MQTTv31)
    got = [again.receive() for _ in range(20)]
    for qos in (1, 2):
        assert [int(message.payload) for message in got if message.qos == qos] == list(range(qos - 1, 20, 2))


@pytest.mark.parametrize("version", [MQTTv5], indirect=True)
def test_version_5_properties(paho, root):
    subscriber, publisher = paho("s"), paho("p")
    subscriber.subscribe(root, 1)
    given = Properties(PacketTypes.PUBLISH)
    given.PayloadFormatIndicator = 1
    given.ContentType = "text/plain"
    given.ResponseTopic = f"{root}/answer"
    given.CorrelationData = b"\0\xff"
    given.UserProperty = [("b", "1"), ("a", "2"), ("b", "3")]
    given.MessageExpiryInterval = 100
    publisher.publish(root, b"hello", 1, properties=given)
    got = subscriber.receive().properties
    for name in ("PayloadFormatIndicator", "ContentType", "ResponseTopic", "CorrelationData", "UserProperty"):
        assert getattr(got, name) == getattr(given, name)
    assert got.MessageExpiryInterval in (99, 100)


@pytest.mark.parametrize("version", [MQTTv5], indirect=True)
def test_request_and_response(paho, root):
    asks, answers = paho("q"), paho("a")
    asks.subscribe(f"{root}/answer", 1)
    answers.subscribe(f"{root}/ask", 1)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = f"{root}/answer", b"7"
    asks.publish(f"{root}/ask", b"1+1", 1, properties=properties)
    request = answers.receive().properties
    properties = Properties(PacketTypes.PUBLISH)
    properties.CorrelationData = request.CorrelationData
    answers.publish(request.ResponseTopic, b"2", 1, properties=properties)
    answer = asks.receive()
    assert (answer.payload, answer.properties.CorrelationData) == (b"2", b"7")


def test_wildcards(paho, root):
    client = paho("s")
    client.subscribe(f"{root}/+/level", 1)
    client.subscribe(f"{root}/all/#", 1)
    for topic in ("7/level", "7/8/level", "8/level", "all", "all/of/it", "level", "all/end"):
        client.publish(f"{root}/{topic}", b"", 1)
    wanted = ("7/level", "8/level", "all", "all/of/it", "all/end")
    assert [client.receive().topic for _ in wanted] == [f"{root}/{topic}" for topic in wanted]


def test_a_shared_subscription(paho, root):
    members = [paho("1"), paho("2")]
    for member in members:
        member.subscribe(f"$share/group/{root}", 1)
    publisher = paho("p")
    for number in range(20):
        publisher.publish(root, b"%d" % number, 1)
    got = [int(member.receive().payload) for member in members for _ in range(10)]
    assert sorted(got) == list(range(20))


def test_logging_in(guarded, root, version):
    Paho(guarded, version, root, login=("tank", "secret")).disconnect()
    for login in (("tank", "wrong"), ("tank", ""), ("other", "secret"), None):
        with pytest.raises(Refused) as refused:
            Paho(guarded, version, root, login=login)
        assert refused.value.args == (0x86,)


def test_unsubscribing(paho, root):
    subscriber, publisher = paho("s"), paho("p")
    done = threading.Event()
    subscriber.client.on_unsubscribe = lambda *arguments: done.set()
    subscriber.subscribe(f"{root}/a", 1)
    subscriber.subscribe(f"{root}/b", 1)
    subscriber.client.unsubscribe(f"{root}/a")
    assert done.wait(DEADLINE)
    publisher.publish(f"{root}/a", b"a", 1)
    publisher.publish(f"{root}/b", b"b", 1)
    assert subscriber.receive().payload == b"b"


def test_coming_back_by_itself(paho, root, version):
    """The connection is taken away by a client of the same name; paho's loop connects again."""
    first = paho("s", keep=True)
    first.subscribe(root, 1)
    first.client.reconnect_delay_set(min_delay=1, max_delay=1)
    second = paho("s", keep=True)
    assert first.ended.wait(DEADLINE)
    second.disconnect()
    assert not first.connected.get(timeout=DEADLINE)[1].is_failure
    paho("p").publish(root, b"still here", 1)
    assert first.receive().payload == b"still here"
