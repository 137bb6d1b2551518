"""Other brokers that know less, forget, refuse, flood or say nothing: the link comes back, messages pass."""

from __future__ import annotations

import resource
import threading

import pytest

from ..hardening.server import eventually
from .links import bridge, linked, stands, take, texts, told
from .scripted import (
    CONNACK,
    PINGREQ,
    PUBACK,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    Scripted,
    packet,
    published,
)

OUT = {"filter": "a/#", "direction": "out"}
IN = {"filter": "a/#", "direction": "in"}
GRANTED, REFUSED = b"\2", b"\x80"
QUOTA_EXCEEDED = 0x97


@pytest.fixture
def scripted():
    """`scripted(script)` starts a broker that does what the script says."""
    servers = []

    def start(*script, **how):
        servers.append(Scripted(*script, **how))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("most", [0, 1])
def test_what_waits_with_qos_2_goes_to_a_broker_that_takes_less(broker_factory, scripted, most):
    def only_less(visit, kind, flags, body):
        if kind == PUBREL or (kind == PUBLISH and flags >> 1 & 3 > most):
            visit.close()  # QoS not supported
            return True

    other = scripted(only_less, properties=bytes([0x24, most]), keeps=lambda number: False)
    broker = broker_factory(bridges=[bridge(other.url, OUT, enabled=False)])
    for number in range(50):
        broker.publish("a/b", b"%d" % number, qos=1 + number % 2)
    broker.resume("other")
    linked(broker)
    eventually(lambda: told(broker).waiting, lambda waiting: waiting == 0)
    broker.publish("a/b", b"later", qos=2)
    eventually(lambda: len(other.came(PUBLISH)), lambda count: count == 51)
    assert told(broker).connects == 1


def sends(*messages):
    """A script that sends messages as soon as it is subscribed to."""

    def script(visit, kind, flags, body):
        if kind == SUBSCRIBE:
            v5 = visit.level == 5
            visit.send(SUBACK, body[:2] + (b"\0" if v5 else b"") + GRANTED)
            for topic, packet_id, payload, qos in messages:
                visit.publish(topic, packet_id, payload, qos)
            return True

    return script


@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_for_which_there_is_never_room_stops_only_itself(
    broker_factory, scripted, client, caplog, protocol, qos
):
    other = scripted(
        sends(
            *(("a/full", number, b"%d" % number, qos) for number in range(1, 6)), ("a/other", 9, b"x", qos)
        ),
        keeps=lambda number: False,
    )
    settings = bridge(other.url, IN, protocol=protocol, enabled=False)
    broker = broker_factory({"limits.max_queued_messages": 3}, bridges=[settings])
    client(broker.port, "a/full", name="away", clean=False).disconnect()
    here = client(broker.port, "a/other")
    broker.resume("other")
    assert texts(take(here, 1)) == [("a/other", b"x")]
    eventually(lambda: told(broker).refused_here, lambda count: count == 2, seconds=20)
    eventually(lambda: caplog.text, lambda text: 'refused a message on "a/full" 5 times: Quota' in text)
    linked(broker)
    answers = [body for body in other.came(PUBREC if qos == 2 else PUBACK) if body[1] in (4, 5)]
    assert {body[2:3] for body in answers} == {bytes([QUOTA_EXCEEDED]) if protocol == "5.0" else b""}


def test_a_message_at_which_a_hook_fails_stops_only_itself(broker_factory, scripted, client):
    other = scripted(sends(("a/bad", 1, b"bad", 1), ("a/good", 2, b"good", 1)))
    broker = broker_factory(bridges=[bridge(other.url, IN, enabled=False)], start=False)

    @broker.transform("a/bad")
    def fails(msg):
        raise ValueError(msg.payload)

    broker.start()
    here = client(broker.port, "a/#")
    broker.resume("other")
    assert take(here, 1)[0].payload == b"good"
    eventually(lambda: told(broker).refused_here, lambda count: count == 1, seconds=20)
    eventually(lambda: [body[:3] for body in other.came(PUBACK)], lambda came: b"\0\1\x83" in came)
    linked(broker)


def test_a_broker_that_reads_nothing_fills_no_memory(broker_factory, scripted):
    """It publishes what goes nowhere, and does not read the acknowledgements."""
    sent = []

    def flood(visit, kind, flags, body):
        if kind == SUBSCRIBE:
            visit.send(SUBACK, body[:2] + b"\0" + GRANTED)
            many = b"".join(packet(PUBLISH, published("x", 1 + n % 60_000, b""), 2) for n in range(20_000))
            visit.sock.settimeout(3)
            try:
                while sum(sent) < 400 << 20:
                    visit.sock.sendall(many)
                    sent.append(len(many))
            except OSError:
                visit.close()
            return True

    other = scripted(flood)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    broker = broker_factory(bridges=[bridge(other.url, IN, keep_alive=2)])
    reason = eventually(lambda: told(broker).reason, bool, seconds=20)
    assert "read nothing" in reason or "closed" in reason or "lost" in reason
    assert sum(sent) < 100 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


def test_identifiers_of_one_address_are_not_taken_for_those_of_another(broker_factory, scripted, client):
    """A message that the first broker never released has the identifier of a new one at the second."""

    def first(visit, kind, flags, body):
        if kind == PUBREC:
            one.leave()
            return True
        return begin(visit, kind, flags, body)

    begin = sends(("a/1", 5, b"of the first", 2))
    one = scripted(first, keeps=lambda number: True)
    two = scripted(sends(("a/1", 5, b"of the second", 2)), keeps=lambda number: True)
    broker = broker_factory(bridges=[bridge([one.url, two.url], IN, enabled=False)])
    here = client(broker.port, "a/#")
    broker.resume("other")
    assert [message.payload for message in take(here, 2)] == [b"of the first", b"of the second"]


def test_the_session_of_a_bridge_outlives_those_of_clients(broker_factory, scripted):
    """What waits in it is there, and its identifiers do not begin anew while the other broker knows some."""
    taken = []

    def loses_pubrec(visit, kind, flags, body):
        if kind == PUBLISH and not taken:
            taken.append(body)
            visit.close()
            return True

    other = scripted(loses_pubrec)
    broker = broker_factory({"limits.max_session_expiry": 1}, bridges=[bridge(other.url, OUT)])
    linked(broker)
    broker.publish("a/1", b"old", qos=2)
    eventually(lambda: len(taken), lambda count: count == 1)
    broker.pause("other")
    stands(broker, "paused")
    threading.Event().wait(2.5)  # longer than any client's session
    broker.publish("a/2", b"while it is down", qos=2)
    broker.resume("other")
    eventually(lambda: b"".join(other.came(PUBLISH)), lambda came: b"while it is down" in came)


def test_names_that_a_broker_has_to_itself_do_not_come_of_a_prefix(broker_factory, scripted, client):
    other = scripted()
    topic = {"filter": "#", "local_prefix": "tank/"}
    broker = broker_factory(bridges=[bridge(other.url, topic)])
    linked(broker)
    for name in ("$CONTROL/dynamic-security/v1", "$SYS/x", "$share/g/x", "plain"):
        broker.publish(f"tank/{name}", b"x", qos=1)
    eventually(lambda: told(broker).waiting, lambda waiting: waiting == 0)
    (only,) = other.came(PUBLISH)
    assert only[:7] == b"\0\5plain" and told(broker).dropped_unmapped == 3


def test_a_subscription_that_3_1_1_refuses_is_tried_again(broker_factory, scripted):
    def refuses_once(visit, kind, flags, body):
        if kind == SUBSCRIBE:
            visit.send(SUBACK, body[:2] + (REFUSED if visit.number == 1 else GRANTED))
            if visit.number == 1:
                threading.Timer(0.2, visit.close).start()
            return True

    other = scripted(refuses_once)
    broker = broker_factory(bridges=[bridge(other.url, IN, protocol="3.1.1")])
    assert "refused a subscription" in eventually(lambda: told(broker).reason, bool)
    eventually(lambda: len(other.came(SUBSCRIBE)), lambda count: count == 2)


def test_a_broker_that_is_held_back_is_not_taken_for_dead(broker_factory, scripted, client):
    def flood(visit, kind, flags, body):
        if kind == SUBSCRIBE:
            visit.send(SUBACK, body[:2] + b"\0" + GRANTED)

            def send():
                for number in range(1, 4000):
                    try:
                        visit.publish("a/full", number, bytes(4000))
                    except OSError:
                        return

            threading.Thread(target=send, name="scripted").start()
            return True

    other = scripted(flood)
    limits = {"limits.max_queued_messages": 3, "limits.queue_policy": "hold", "limits.hold_timeout": 30}
    broker = broker_factory(limits, bridges=[bridge(other.url, IN, keep_alive=1, enabled=False)])
    client(broker.port, "a/full", name="away", clean=False).disconnect()
    broker.resume("other")
    linked(broker)
    threading.Event().wait(4)
    assert told(broker).connects == 1 and told(broker).failures == 0
    assert other.came(PINGREQ)


def test_bounds_on_clients_leave_bridges_alone(broker_factory, mosquitto, client, gate_factory):
    gate = gate_factory(mosquitto.port)
    limits = {"limits.max_clients": 1, "limits.max_reconnects": 2}
    broker = broker_factory(limits, bridges=[bridge(gate.url, OUT, enabled=False)])
    client(broker.port)
    broker.resume("other")
    for number in range(1, 6):  # more often than a client may
        eventually(lambda: told(broker).connects, lambda connects, number=number: connects == number)
        gate.cut()
    linked(broker)
    with pytest.raises(AssertionError, match="too many clients are connected"):
        client(broker.port)


def test_a_subscribe_that_is_not_answered_ends_the_link(broker_factory, scripted):
    other = scripted(lambda visit, kind, flags, body: kind == SUBSCRIBE)
    broker = broker_factory(bridges=[bridge(other.url, IN, connect_timeout=0.5)])
    assert "SUBSCRIBE was not answered in 0.5 seconds" in eventually(lambda: told(broker).reason, bool)


def test_a_broker_that_answers_5_0_in_the_words_of_3_1_1(broker_factory, scripted):
    def greets(visit):
        if visit.level == 5:
            visit.sock.sendall(packet(CONNACK, b"\0\0"))
            return True

    broker = broker_factory(bridges=[bridge(scripted(greets=greets).url, IN)])
    assert linked(broker).protocol == "3.1.1"


def test_a_broker_that_closes_the_connection_of_who_speaks_5_0(broker_factory, scripted):
    other = scripted(greets=lambda visit: visit.level == 5, keeps=lambda number: False)
    broker = broker_factory(bridges=[bridge(other.url, IN)])
    assert linked(broker).protocol == "3.1.1"
    assert [visit.level for visit in other.visits] == [5, 5, 5, 0x84]


def test_a_link_that_breaks_again_and_again_is_told_once(broker_factory, scripted, caplog):
    other = scripted(lambda visit, kind, flags, body: visit.close() if kind == PUBLISH else None)
    broker = broker_factory(bridges=[bridge(other.url, OUT)])
    broker.publish("a/b", b"x", qos=1)
    eventually(lambda: told(broker).failures, lambda failures: failures >= 3)
    assert caplog.text.count("the other broker closed the connection") == 1


def test_a_copied_user_property_costs_nobody_a_message(broker_factory, mosquitto, client):
    """Who answers a request often copies its User Properties, and with them how the request came."""
    topics = ({"filter": "ask/#", "direction": "out"}, {"filter": "answer/#", "direction": "in"})
    broker = broker_factory(bridges=[bridge(mosquitto.url, *topics)])
    here, there = client(broker.port, "answer/#"), client(mosquitto.port, "ask/#")
    linked(broker)
    asks = client(broker.port)
    asks.publish("ask/1", b"question", 1)
    (question,) = take(there, 1)
    copied = {"user_property": question.properties["user_property"]}
    assert copied["user_property"]
    answers = client(mosquitto.port)
    answers.publish("answer/1", b"answer", 1, properties=copied)
    assert texts(take(here, 1)) == [("answer/1", b"answer")]
    # Also with the same payload: this broker's own clients are no bridges.
    local = client(broker.port, "local/#")
    asks.publish("local/1", b"question", 1, properties=copied)
    assert texts(take(local, 1)) == [("local/1", b"question")]
