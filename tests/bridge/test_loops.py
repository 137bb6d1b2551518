"""No message goes round: not between two brokers, by whatever version, and not in a ring of three."""

from __future__ import annotations

import time

import pytest

from ..hardening.server import eventually
from ..protocol.packets import V5, V311, Connect
from ..protocol.wire import Wire
from ..servers.process import free_port
from .gate import BRIDGE_3_1_1
from .links import bridge, linked, take, texts, told

SAME = {"filter": "#", "direction": "both"}


@pytest.mark.parametrize(
    ("protocol", "private"),
    [("5.0", True), ("3.1.1", True), ("3.1.1", False)],
    ids=["5.0", "bridge bit", "plain"],
)
def test_between_two_brokers_a_message_comes_once(broker_factory, mosquitto, client, protocol, private):
    settings = bridge(mosquitto.url, SAME, protocol=protocol, try_private=private)
    broker = broker_factory(bridges=[settings])
    here, there = client(broker.port, "#"), client(mosquitto.port, "#")
    linked(broker)
    for qos in (0, 1, 2):
        client(broker.port).publish("a", b"here %d" % qos, qos)
        client(mosquitto.port).publish("b", b"there %d" % qos, qos)
    for wire in (here, there):
        assert sorted(texts(take(wire, 6))) == [
            *(("a", b"here %d" % qos) for qos in (0, 1, 2)),
            *(("b", b"there %d" % qos) for qos in (0, 1, 2)),
        ]
    here.expect_nothing(0.3)
    there.expect_nothing(0.3)
    assert told(broker).echoes == (0 if private else 3)


def test_what_a_plain_broker_sends_back_is_dropped_once_for_each_message(broker_factory, mosquitto, client):
    broker = broker_factory(bridges=[bridge(mosquitto.url, SAME, protocol="3.1.1", try_private=False)])
    here = client(broker.port, "#")
    linked(broker)
    for _ in range(2):
        client(broker.port).publish("a", b"same", 1)
        take(here, 1)
    eventually(lambda: told(broker).echoes, lambda echoes: echoes == 2)
    client(mosquitto.port).publish("a", b"same", 1)
    assert texts(take(here, 1)) == [("a", b"same")]


def test_a_broker_that_knows_no_5_0_and_no_bridge_bit(broker_factory, mosquitto, client, gate_factory):
    gate = gate_factory(mosquitto.port, unknown=frozenset({5, BRIDGE_3_1_1}))
    broker = broker_factory(bridges=[bridge(gate.url, SAME)])
    assert linked(broker).protocol == "3.1.1"
    assert gate.levels == [5, BRIDGE_3_1_1, 4]
    here, there = client(broker.port, "#"), client(mosquitto.port, "#")
    client(broker.port).publish("a", b"1", 2)
    client(mosquitto.port).publish("b", b"2", 2)
    assert sorted(texts(take(here, 2))) == sorted(texts(take(there, 2))) == [("a", b"1"), ("b", b"2")]
    here.expect_nothing(0.3)
    # The next time it is not asked again what it does not know.
    gate.cut()
    eventually(lambda: told(broker).connects, lambda connects: connects == 2)
    assert gate.levels[3:] == [4]


@pytest.fixture
def ring(broker_factory):
    """`ring(direction)` starts three brokers, each with a bridge to the next."""

    def start(direction):
        ports = [free_port() for _ in range(3)]
        topic = {"filter": "#", "direction": direction}
        brokers = [
            broker_factory(
                port=port,
                bridges=[
                    bridge(f"mqtt://127.0.0.1:{ports[(number + 1) % 3]}", topic, client_id=f"from-{number}")
                ],
            )
            for number, port in enumerate(ports)
        ]
        for broker in brokers:
            linked(broker)
        return brokers

    return start


def test_round_a_ring_of_three_a_message_travels_once(ring, client):
    brokers = ring("out")
    readers = [client(broker.port, "#") for broker in brokers]
    expected = [(f"from/{number}", b"%d" % qos) for number in range(3) for qos in (0, 1, 2)]
    for number, broker in enumerate(brokers):
        for qos in (0, 1, 2):
            client(broker.port).publish(f"from/{number}", b"%d" % qos, qos)
    for reader in readers:
        assert sorted(texts(take(reader, len(expected)))) == expected
        reader.expect_nothing(0.3)
    # Each was stopped where it had begun, by the broker: the last bridge is a client there.
    assert [broker.statistics["bridge_loops"] for broker in brokers] == [3, 3, 3]


def test_in_a_ring_of_three_that_goes_both_ways_nothing_goes_on_for_ever(ring, client):
    brokers = ring("both")
    for number, broker in enumerate(brokers):
        client(broker.port).publish(f"from/{number}", b"x", 1)

    def moved():
        return sum(one.messages_sent + one.messages_received for broker in brokers for one in broker.bridges)

    # It comes to each from both sides, and then to where it began, which drops it.
    def loops():
        return sum(told(broker).loops + broker.statistics["bridge_loops"] for broker in brokers)

    eventually(loops, lambda count: count >= 6)
    time.sleep(0.5)
    before = moved()
    time.sleep(0.5)
    assert moved() == before < 60


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("version", ["mqttv311", "mqttv50"])
def test_mosquitto_bridges_to_hookmq(broker_factory, mosquitto_factory, client, private, version):
    broker = broker_factory()
    mosquitto = mosquitto_factory(
        "connection hub",
        f"address 127.0.0.1:{broker.port}",
        "topic # both 2 there/ here/",
        f"bridge_protocol_version {version}",
        f"try_private {str(private).lower()}",
        "restart_timeout 1",
        "notifications false",
        "cleansession true",
    )
    here, there = client(broker.port, "here/#"), client(mosquitto.port, "there/#")
    eventually(lambda: broker.statistics["subscriptions"], lambda count: count == 2)
    client(broker.port).publish("here/a", b"1", 2)
    client(mosquitto.port).publish("there/b", b"2", 2)
    assert sorted(texts(take(there, 2))) == [("there/a", b"1"), ("there/b", b"2")]
    assert sorted(texts(take(here, 2))) == [("here/a", b"1"), ("here/b", b"2")]
    if private or version == "mqttv50":
        here.expect_nothing(0.3)
        there.expect_nothing(0.3)


@pytest.mark.parametrize(("version", "name"), [(V311, b"MQTT"), (3, b"MQIsdp")])
def test_the_bridge_bit_means_no_local_and_retain_as_published(broker, client, version, name):
    wire = Wire("127.0.0.1", broker.port, version=version)
    wire.connect(Connect("bridge", protocol=(name, 0x80 | version)))
    wire.subscribe("#", qos=1)
    wire.publish("mine", b"1", 1)
    wire.expect_nothing()
    other = client(broker.port)
    other.publish("kept", b"2", 1, retain=True)
    (message,) = take(wire, 1)
    assert (message.topic, message.retain) == ("kept", True)
    wire.close()


def test_5_0_has_no_bridge_bit(broker):
    wire = Wire("127.0.0.1", broker.port, version=V5)
    wire.connect(Connect("bridge", protocol=(b"MQTT", 0x85)), code=0x84)
    wire.close()


def test_client_identifiers_of_bridges_are_theirs(broker_factory, mosquitto, client):
    broker = broker_factory(bridges=[bridge(mosquitto.url)])
    linked(broker)
    for version, code in ((V5, 0x85), (V311, 2)):
        for name in ("$bridge/other", "$bridge/unheard of"):
            wire = Wire("127.0.0.1", broker.port, version=version)
            wire.connect(Connect(name), code=code)
            wire.close()
    assert told(broker).state == "connected" and told(broker).connects == 1
