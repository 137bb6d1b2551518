"""What passes between HookMQ and Mosquitto, each way, by 5.0 and 3.1.1."""

from __future__ import annotations

import pytest

from hookmq import Deny

from ..hardening.server import eventually
from ..protocol.packets import Publish
from .links import bridge, linked, take, texts, told

OUT = {"filter": "#", "direction": "out", "local_prefix": "here/", "remote_prefix": "there/"}
IN = {**OUT, "direction": "in"}


@pytest.fixture(params=["5.0", "3.1.1"])
def protocol(request):
    return request.param


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_go_out(broker_factory, mosquitto, client, protocol, qos):
    there = client(mosquitto.port, "#")
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT, protocol=protocol)])
    assert linked(broker).protocol == protocol
    here = client(broker.port)
    for number in range(50):
        here.publish(f"here/{number}", b"%d" % number, qos)
    here.publish("elsewhere", b"not for there", qos)
    got = take(there, 50)
    assert texts(got) == [(f"there/{number}", b"%d" % number) for number in range(50)]
    assert {message.qos for message in got} == {qos}
    there.expect_nothing(0.2)
    told_now = told(broker)
    assert (told_now.messages_sent, told_now.messages_received, told_now.waiting) == (50, 0, 0)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_come_in(broker_factory, mosquitto, client, protocol, qos):
    broker = broker_factory(bridges=[bridge(mosquitto.url, IN, protocol=protocol)])
    here, there = client(broker.port, "#"), client(mosquitto.port)
    linked(broker)
    for number in range(50):
        there.publish(f"there/{number}", b"%d" % number, qos)
    there.publish("elsewhere", b"not for here", qos)
    got = take(here, 50)
    assert texts(got) == [(f"here/{number}", b"%d" % number) for number in range(50)]
    assert {message.qos for message in got} == {qos}
    here.expect_nothing(0.2)
    assert (told(broker).messages_received, told(broker).messages_sent) == (50, 0)


@pytest.mark.parametrize("qos", [0, 1])
def test_the_qos_of_a_topic_is_the_highest(broker_factory, mosquitto, client, protocol, qos):
    topics = [{**OUT, "qos": qos}, {**IN, "qos": qos, "local_prefix": "in/", "remote_prefix": "out/"}]
    broker = broker_factory(bridges=[bridge(mosquitto.url, *topics, protocol=protocol)])
    here, there = client(broker.port, "in/#"), client(mosquitto.port, "there/#")
    linked(broker)
    client(broker.port).publish("here/a", b"1", 2)
    client(mosquitto.port).publish("out/a", b"2", 2)
    assert [message.qos for message in take(there, 1) + take(here, 1)] == [qos, qos]


@pytest.fixture
def retained(client):
    """`retained(port, "a/#", {"a/b": b"1"})` waits until this is what is retained there."""

    def look(port, filter):
        wire = client(port, filter)
        try:
            return dict(texts(wire.drain()))
        finally:
            wire.close()

    def wait(port, filter, expected):
        eventually(lambda: look(port, filter), lambda found: found == expected)

    return wait


def test_retained_messages_go_out(broker_factory, mosquitto, client, protocol, retained):
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT, protocol=protocol, enabled=False)])
    broker.publish("here/before", b"1", retain=True)
    broker.resume("other")
    linked(broker)
    broker.publish("here/live", b"2", qos=1, retain=True)
    broker.publish("here/plain", b"3", qos=1)
    retained(mosquitto.port, "there/#", {"there/before": b"1", "there/live": b"2"})
    broker.publish("here/live", b"", qos=1, retain=True)
    retained(mosquitto.port, "there/#", {"there/before": b"1"})


def test_retained_messages_come_in(broker_factory, mosquitto, client, protocol, retained):
    there = client(mosquitto.port)
    there.publish("there/before", b"1", 1, retain=True)
    broker = broker_factory(bridges=[bridge(mosquitto.url, IN, protocol=protocol)])
    linked(broker)
    there.publish("there/live", b"2", 1, retain=True)
    there.publish("there/plain", b"3", 1)
    retained(broker.port, "here/#", {"here/before": b"1", "here/live": b"2"})
    there.publish("there/live", b"", 1, retain=True)
    retained(broker.port, "here/#", {"here/before": b"1"})


PREFIXES = [
    # filter, local prefix, remote prefix, a topic here and what it is called there
    ("#", "", "", "a/b", "a/b"),
    ("#", "", "site/7/", "a/b", "site/7/a/b"),
    ("#", "tank/", "", "tank/1", "1"),
    ("+/level", "tank/", "plant/", "tank/1/level", "plant/1/level"),
    ("", "one/topic", "another", "one/topic", "another"),
]


@pytest.mark.parametrize(("filter", "local", "remote", "here", "there"), PREFIXES)
def test_prefixes(broker_factory, mosquitto, client, filter, local, remote, here, there):
    topic = {"filter": filter, "direction": "both", "local_prefix": local, "remote_prefix": remote}
    broker = broker_factory(bridges=[bridge(mosquitto.url, topic)])
    wire_here, wire_there = client(broker.port, "#"), client(mosquitto.port, "#")
    linked(broker)
    client(broker.port).publish(here, b"out", 1)
    assert texts(take(wire_there, 1)) == [(there, b"out")]
    assert texts(take(wire_here, 1)) == [(here, b"out")]
    client(mosquitto.port).publish(there, b"in", 1)
    assert texts(take(wire_here, 1)) == [(here, b"in")]


def test_properties_pass(broker_factory, mosquitto, client):
    topics = [OUT, {"filter": "answers/#", "direction": "in", "remote_prefix": "far/"}]
    broker = broker_factory(bridges=[bridge(mosquitto.url, *topics)])
    here, there = client(broker.port), client(mosquitto.port, "there/#")
    linked(broker)
    here.publish(
        "here/question",
        b"?",
        1,
        properties={
            "content_type": "text/plain",
            "correlation_data": b"7",
            "response_topic": "answers/7",
            "message_expiry_interval": 600,
            "user_property": [("a", "b")],
        },
    )
    (message,) = take(there, 1)
    properties = dict(message.properties)
    assert properties.pop("message_expiry_interval") in range(590, 601)
    (own, trail) = properties.pop("user_property")
    assert own == ("a", "b") and trail[0] == "hookmq-bridge" and len(trail[1]) == 25
    # Who answers there publishes where the answer finds its way back.
    assert properties == {
        "content_type": "text/plain",
        "correlation_data": b"7",
        "response_topic": "far/answers/7",
    }


def test_hooks_see_what_comes_by_a_bridge(broker_factory, mosquitto, client):
    broker = broker_factory(bridges=[bridge(mosquitto.url)], start=False)
    seen = []

    @broker.on_message_received("#")
    def observe(msg):
        seen.append((msg.client_id, msg.topic, msg.payload))

    @broker.transform("here/shout")
    def shout(msg):
        return msg.payload.upper()

    @broker.authenticate
    def nobody(client):
        return client.username == "me"

    @broker.authorize
    def nothing(client, action, topic):
        return client.username == "me"

    broker.start()
    here, there = client(broker.port, "here/#", username="me"), client(mosquitto.port, "there/back")
    linked(broker)  # nobody is asked about the bridge itself
    there.publish("there/shout", b"hello", 1)
    assert texts(take(here, 1)) == [("here/shout", b"HELLO")]
    assert broker.wait_for_hooks()
    assert seen[-1] == ("$bridge/other", "here/shout", b"HELLO")
    broker.publish("here/back", b"1", qos=1)
    assert texts(take(there, 1)) == [("there/back", b"1")]


def test_a_message_that_a_hook_refuses_is_over(broker_factory, mosquitto, client):
    broker = broker_factory(bridges=[bridge(mosquitto.url)], start=False)

    @broker.transform("here/bad")
    def refuse(msg):
        raise Deny("not this one")

    broker.start()
    here, there = client(broker.port, "here/#"), client(mosquitto.port)
    linked(broker)
    for qos in (1, 2):
        there.publish("there/bad", b"x", qos)
    there.publish("there/good", b"y", 2)
    assert texts(take(here, 1)) == [("here/good", b"y")]
    eventually(lambda: told(broker).refused_here, lambda count: count == 2)
    assert told(broker).connects == 1


def test_many_messages_at_once_both_ways(broker_factory, mosquitto, client):
    broker = broker_factory(
        bridges=[bridge(mosquitto.url, OUT, {**IN, "local_prefix": "in/", "remote_prefix": "out/"})]
    )
    here, there = client(broker.port, "in/#"), client(mosquitto.port, "there/#")
    linked(broker)
    for start in range(0, 2000, 20):
        numbers = range(start, start + 20)
        here.send(*(Publish("here/a", b"%d" % number, 0) for number in numbers))
        there.send(*(Publish("out/a", b"%d" % number, 0) for number in numbers))
    assert [int(message.payload) for message in take(there, 2000)] == list(range(2000))
    assert [int(message.payload) for message in take(here, 2000)] == list(range(2000))
