"""The link goes down and comes again: what was to pass waits, and passes once and in order."""

from __future__ import annotations

import time

import pytest

from hookmq import HookMQError

from ..hardening.server import eventually
from ..protocol.packets import Will
from ..servers.process import free_port
from .links import bridge, linked, stands, take, texts, told

OUT = {"filter": "#", "direction": "out", "local_prefix": "here/", "remote_prefix": "there/"}
IN = {"filter": "#", "direction": "in", "local_prefix": "in/", "remote_prefix": "out/"}


@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
def test_while_the_link_is_down_messages_wait_on_both_sides(
    broker_factory, mosquitto, client, gate_factory, protocol
):
    gate = gate_factory(mosquitto.port)
    broker = broker_factory(bridges=[bridge(gate.url, OUT, IN, protocol=protocol)])
    here, there = client(broker.port, "in/#"), client(mosquitto.port, "there/#")
    linked(broker)
    gate.open = False
    gate.cut()
    stands(broker, "waiting")
    publish_here, publish_there = client(broker.port), client(mosquitto.port)
    for number in range(100):
        publish_here.publish("here/a", b"%d" % number, 1 + number % 2)
        publish_there.publish("out/a", b"%d" % number, 1 + number % 2)
    assert told(broker).waiting == 100
    assert told(broker).reason
    gate.open = True
    linked(broker)
    for wire in (there, here):
        got = take(wire, 100)
        for qos in (1, 2):  # of two QoS one may be faster
            assert [int(one.payload) for one in got if one.qos == qos] == list(range(qos - 1, 100, 2))
        wire.expect_nothing(0.2)
    eventually(lambda: told(broker).waiting, lambda waiting: waiting == 0)


def test_messages_wait_from_the_start_on_also_before_the_first_link(
    broker_factory, mosquitto, client, gate_factory
):
    gate = gate_factory(mosquitto.port)
    gate.open = False
    there = client(mosquitto.port, "there/#")
    broker = broker_factory(bridges=[bridge(gate.url, OUT)])
    for number in range(10):
        broker.publish("here/a", b"%d" % number, qos=2)
    assert told(broker).waiting == 10
    gate.open = True
    assert [int(message.payload) for message in take(there, 10)] == list(range(10))


def test_the_link_is_cut_again_and_again(broker_factory, mosquitto, client, gate_factory, tmp_path):
    gate = gate_factory(mosquitto.port)
    broker = broker_factory(
        bridges=[bridge(gate.url, OUT, IN, reconnect_max=0.1)],
        data_dir=tmp_path / "data",
        history={"enabled": False},
    )
    here, there = client(broker.port, "in/#"), client(mosquitto.port, "there/#")
    linked(broker)
    publish_here, publish_there = client(broker.port), client(mosquitto.port)
    for number in range(600):
        publish_here.publish("here/a", b"%d" % number, 2)
        publish_there.publish("out/a", b"%d" % number, 2)
        if number % 20 == 10:
            linked(broker)
            gate.cut()
    for wire in (there, here):
        # QoS 2 all the way: each once, in their order.
        assert [int(message.payload) for message in take(wire, 600, 60)] == list(range(600))
        wire.expect_nothing(0.2)
    assert told(broker).failures >= 30


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_mosquitto_is_started_again(broker_factory, mosquitto, client, how):
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT)])
    linked(broker)
    getattr(mosquitto, how)()
    stands(broker, "waiting")
    here = client(broker.port)
    for number in range(20):
        here.publish("here/a", b"%d" % number, 2)
    mosquitto.start()
    there = client(mosquitto.port, "there/#", name="keeps", clean=False)
    linked(broker)
    # The subscriber may have come later than the link: those messages were there before it.
    here.publish("here/a", b"last", 2)
    got = [message.payload for message in _until(there, b"last")]
    assert got == sorted(got, key=lambda text: 1000 if text == b"last" else int(text))
    assert len(set(got)) == len(got)


def _until(wire, payload):
    found = []
    while not found or found[-1].payload != payload:
        found += take(wire, 1)
    return found


def test_a_session_that_the_other_broker_has_forgotten_costs_no_message(
    broker_factory, mosquitto_factory, client, gate_factory
):
    """The other broker kept nothing and counts its Packet Identifiers from 1 again: they are new messages."""
    mosquitto = mosquitto_factory("persistence false")
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT, IN)])
    here = client(broker.port, "in/#")
    for round in range(5):
        linked(broker)
        there = client(mosquitto.port, "there/#", name=f"there-{round}")
        publish_here, publish_there = client(broker.port), client(mosquitto.port)
        for number in range(10):
            publish_there.publish("out/a", b"%d %d" % (round, number), 2)
            publish_here.publish("here/a", b"%d %d" % (round, number), 2)
        assert [m.payload for m in take(here, 10)] == [b"%d %d" % (round, number) for number in range(10)]
        assert [m.payload for m in take(there, 10)] == [b"%d %d" % (round, number) for number in range(10)]
        mosquitto.kill()
        stands(broker, "waiting")
        mosquitto.start()


def test_a_broker_that_kept_nothing_is_not_taken_for_the_one_before(broker_factory, mosquitto, client):
    """The other way round: this broker is the one that has forgotten what the other one still knows."""
    there = client(mosquitto.port, "there/#")
    for round in range(5):
        broker = broker_factory(bridges=[bridge(mosquitto.url, OUT, client_id="the-same")])
        linked(broker)
        here = client(broker.port)
        for number in range(40):
            here.publish("here/a", b"%d %d" % (round, number), 2)
        expected = [b"%d %d" % (round, number) for number in range(40)]
        assert [message.payload for message in take(there, 40)] == expected
        broker.stop()


def test_the_second_address_is_taken_when_the_first_does_not_answer(
    broker_factory, mosquitto_factory, client
):
    first, second = mosquitto_factory(), mosquitto_factory()
    broker = broker_factory(bridges=[bridge([first.url, second.url], OUT)])
    assert linked(broker).address == f"127.0.0.1:{first.port}"
    first.kill()
    address = f"127.0.0.1:{second.port}"
    eventually(lambda: (told(broker).state, told(broker).address), lambda now: now == ("connected", address))
    there = client(second.port, "there/#")
    broker.publish("here/a", b"1", qos=1)
    assert texts(take(there, 1)) == [("there/a", b"1")]


def test_nobody_is_there(broker_factory, mosquitto, client):
    broker = broker_factory(bridges=[bridge(f"mqtt://127.0.0.1:{free_port()}", OUT)])
    reason = stands(broker, "waiting").reason
    assert "refused" in reason and "127.0.0.1" in reason
    failures = told(broker).failures
    eventually(lambda: told(broker).failures, lambda now: now > failures)
    began = time.monotonic()
    broker.stop()
    assert time.monotonic() - began < 3


def test_pause_and_resume(broker_factory, mosquitto, client):
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT)])
    there = client(mosquitto.port, "there/#")
    linked(broker)
    broker.pause("other")
    stands(broker, "paused")
    broker.publish("here/a", b"1", qos=1)
    there.expect_nothing(0.3)
    assert told(broker).waiting == 1
    broker.resume("other")
    linked(broker)
    assert texts(take(there, 1)) == [("there/a", b"1")]
    assert told(broker).failures == 0
    with pytest.raises(HookMQError, match="there is no hook, job or bridge `another`"):
        broker.pause("another")


def test_a_bridge_that_is_not_enabled_waits_for_resume(broker_factory, mosquitto):
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT, enabled=False)])
    time.sleep(0.2)
    assert told(broker).state == "paused" and told(broker).connects == 0
    broker.resume("other")
    linked(broker)


def test_sys_topics_and_the_notify_topic_tell_of_the_link(broker_factory, mosquitto, client, gate_factory):
    gate = gate_factory(mosquitto.port)
    topic = "$SYS/broker/connection/other/state"
    broker = broker_factory(bridges=[bridge(gate.url, OUT, notify_topic="links/plant")])
    linked(broker)
    here, there = client(broker.port, topic), client(mosquitto.port, "links/plant")
    assert [message.payload for message in take(here, 1)] == [b"1"]
    assert [message.payload for message in take(there, 1)] == [b"1"]
    gate.open = False
    gate.cut()
    assert [message.payload for message in take(here, 1)] == [b"0"]
    assert [message.payload for message in take(there, 1)] == [b"0"]
    gate.open = True
    linked(broker)
    assert [message.payload for message in take(there, 1)] == [b"1"]
    broker.stop()
    assert [message.payload for message in take(there, 1)] == [b"0"]


def test_a_link_on_which_nothing_comes_is_given_up(broker_factory, mosquitto):
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT, keep_alive=1, connect_timeout=1)])
    linked(broker)
    time.sleep(2.5)  # PINGREQ keeps it up
    assert told(broker).connects == 1 and told(broker).state == "connected"
    mosquitto.process.freeze()
    try:
        eventually(lambda: told(broker).failures, lambda failures: failures > 0, seconds=10)
        assert told(broker).reason
    finally:
        mosquitto.process.thaw()
    linked(broker)


def test_other_settings_give_up_what_was_subscribed(broker_factory, mosquitto, client, tmp_path):
    other = {**OUT, "local_prefix": "new/"}
    for topic in (OUT, other):
        broker = broker_factory(
            bridges=[bridge(mosquitto.url, topic)], data_dir=tmp_path / "data", history={"enabled": False}
        )
        there = client(mosquitto.port, "there/#")
        linked(broker)
        broker.publish("here/a", b"old", qos=1)
        broker.publish("new/a", b"new", qos=1)
        assert [message.payload for message in take(there, 1)] == [b"old" if topic is OUT else b"new"]
        there.expect_nothing(0.2)
        broker.stop()
        there.close()


def test_a_bridge_that_is_gone_from_the_settings_queues_nothing(broker_factory, mosquitto, tmp_path, caplog):
    data = {"data_dir": tmp_path / "data", "history": {"enabled": False}}
    broker = broker_factory(bridges=[bridge(f"mqtt://127.0.0.1:{free_port()}", OUT)], **data)
    stands(broker, "waiting")
    broker.publish("here/a", b"1", qos=1)
    assert told(broker).waiting == 1
    broker.stop()
    broker = broker_factory(**data)
    assert broker.statistics["sessions"] == 0 and broker.statistics["queued_messages"] == 0
    eventually(
        lambda: caplog.text, lambda text: "$bridge/other is in the settings no more: 1 messages" in text
    )


def test_a_will_goes_out(broker_factory, mosquitto, client):
    broker = broker_factory(bridges=[bridge(mosquitto.url, OUT)])
    there = client(mosquitto.port, "there/#")
    linked(broker)
    client(broker.port, will=Will("here/gone", b"bye", 1)).close()
    assert texts(take(there, 1)) == [("there/gone", b"bye")]
