"""What the other broker asks for is kept: credentials, TLS, and its bounds on packets."""

from __future__ import annotations

import subprocess

import pytest

from ..hardening.server import eventually
from ..protocol.packets import V5
from ..transports.certificates import Authority
from .links import bridge, linked, stands, take, texts, told

OUT = {"filter": "#", "direction": "out", "local_prefix": "here/", "remote_prefix": "there/"}


@pytest.fixture
def guarded(mosquitto_factory, tmp_path):
    """A Mosquitto that knows one user: me, with the password right."""
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", passwords, "me", "right"], check=True, capture_output=True
    )
    return mosquitto_factory(f"password_file {passwords}", anonymous=False)


@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
def test_user_name_and_password(broker_factory, guarded, client, protocol, tmp_path):
    settings = bridge(guarded.url, OUT, protocol=protocol, username="me", password="right")
    broker = broker_factory(bridges=[settings])
    linked(broker)
    there = client(guarded.port, "there/#", username="me", password=b"right")
    broker.publish("here/a", b"1", qos=1)
    assert texts(take(there, 1)) == [("there/a", b"1")]


@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
def test_a_wrong_password_is_told_and_tried_again(broker_factory, guarded, protocol, tmp_path, caplog):
    secret = tmp_path / "secret"
    secret.write_text("wrong and telling\n")
    settings = bridge(guarded.url, OUT, protocol=protocol, username="me", password_file=str(secret))
    broker = broker_factory(bridges=[settings])
    reason = stands(broker, "waiting").reason
    assert "refused the connection" in reason
    assert "Not authorized" in reason or "Bad User Name or Password" in reason
    secret.write_text("right\n")  # it is read for each connection
    linked(broker)
    assert "wrong and telling" not in caplog.text and "right" not in repr(broker.settings)


def test_a_password_file_that_is_not_there(broker_factory, guarded, tmp_path):
    missing = str(tmp_path / "missing")
    broker = broker_factory(bridges=[bridge(guarded.url, OUT, username="me", password_file=missing)])
    assert missing in stands(broker, "waiting").reason


class Tls:
    """A Mosquitto with a certificate of an authority, and what clients of it need."""

    def __init__(self, mosquitto_factory, folder, *listener):
        self.authority = Authority(folder / "ca")
        pair = self.authority.server()
        lines = (f"cafile {self.authority.cert}", f"certfile {pair.cert}", f"keyfile {pair.key}")
        self.mosquitto = mosquitto_factory(listener=(*lines, *listener))
        self.url = f"mqtts://localhost:{self.mosquitto.port}"


@pytest.fixture
def tls(mosquitto_factory, tmp_path):
    return Tls(mosquitto_factory, tmp_path)


@pytest.fixture
def mutual(mosquitto_factory, tmp_path):
    return Tls(mosquitto_factory, tmp_path, "require_certificate true")


@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
def test_tls(broker_factory, tls, protocol, caplog):
    broker = broker_factory(
        bridges=[bridge(tls.url, OUT, protocol=protocol, ca_file=str(tls.authority.cert))]
    )
    linked(broker)
    for _ in range(100):
        broker.publish("here/a", bytes(10_000), qos=1)
    eventually(lambda: told(broker).waiting, lambda waiting: waiting == 0)
    assert told(broker).messages_sent == 100 and "any certificate" not in caplog.text


def test_a_certificate_of_somebody_else_is_not_taken(broker_factory, tls, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    broker = broker_factory(bridges=[bridge(tls.url, OUT, ca_file=str(stranger.cert))])
    assert "certificate" in stands(broker, "waiting").reason
    assert told(broker).connects == 0


def test_without_a_file_the_certificates_of_the_system_count(broker_factory, tls, monkeypatch, tmp_path):
    broker = broker_factory(bridges=[bridge(tls.url, OUT)])
    assert "certificate" in stands(broker, "waiting").reason
    broker.stop()
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authority.cert))  # where the system has them
    linked(broker_factory(bridges=[bridge(tls.url, OUT)]))


def test_the_name_in_the_certificate_counts(broker_factory, tls):
    settings = bridge(tls.url, OUT, ca_file=str(tls.authority.cert), server_name="elsewhere.example")
    broker = broker_factory(bridges=[settings])
    assert "elsewhere.example" in stands(broker, "waiting").reason
    broker.stop()
    settings["url"], settings["server_name"] = tls.url.replace("localhost", "127.0.0.1"), "localhost"
    linked(broker_factory(bridges=[settings]))


def test_insecure_takes_any_certificate_and_says_so(broker_factory, tls, caplog):
    broker = broker_factory(bridges=[bridge(tls.url, OUT, insecure=True)])
    linked(broker)
    eventually(lambda: caplog.text, lambda text: "takes any certificate" in text)


def test_a_certificate_of_its_own(broker_factory, mutual, tmp_path):
    ca = str(mutual.authority.cert)
    broker = broker_factory(bridges=[bridge(mutual.url, OUT, ca_file=ca)])
    assert stands(broker, "waiting").reason
    broker.stop()
    pair = mutual.authority.client()
    settings = bridge(mutual.url, OUT, ca_file=ca, cert_file=str(pair.cert), key_file=str(pair.key))
    broker = broker_factory(bridges=[settings])
    linked(broker)
    # A renewed certificate is taken for the next connection; one that cannot be read is told.
    pair.cert.write_text("nothing")
    broker.pause("other")
    stands(broker, "paused")
    broker.resume("other")
    assert "no certificate in PEM" in stands(broker, "waiting").reason
    pair.replace(mutual.authority.client("renewed"))
    linked(broker)


def test_the_receive_maximum_of_the_other_broker_is_kept(broker_factory, client):
    """A HookMQ that takes two at a time, and whose hook keeps them for a while."""
    import threading

    release = threading.Event()
    other = broker_factory({"limits.receive_maximum": 2}, start=False)
    waiting = []

    @other.on_message_received("#", ack="after_hook")
    def keep(msg):
        waiting.append(int(msg.payload))
        release.wait(10)

    other.start()
    broker = broker_factory(bridges=[bridge(f"mqtt://127.0.0.1:{other.port}", OUT)])
    linked(broker)
    for number in range(20):
        broker.publish("here/a", b"%d" % number, qos=1)
    eventually(lambda: other.statistics["messages_received"], lambda count: count == 2)
    assert told(broker).messages_sent == 2 and told(broker).waiting == 20
    release.set()
    eventually(lambda: waiting, lambda got: got == list(range(20)))
    assert other.statistics["limit_receive_maximum"] == 0 and told(broker).connects == 1


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_too_large_for_the_other_broker_is_left_out(broker_factory, client, qos):
    other = broker_factory({"limits.max_packet_size": 1000})
    broker = broker_factory(bridges=[bridge(f"mqtt://127.0.0.1:{other.port}", OUT)])
    there = client(other.port, "there/#")
    linked(broker)
    for payload in (b"first", bytes(2000), b"last"):
        broker.publish("here/a", payload, qos=qos)
    assert [message.payload for message in take(there, 2)] == [b"first", b"last"]
    eventually(lambda: told(broker).waiting, lambda waiting: waiting == 0)
    assert told(broker).connects == 1 and other.statistics["limit_max_packet_size"] == 0


@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
def test_what_is_too_large_here_is_left_out(broker_factory, mosquitto, client, protocol):
    topic = {**OUT, "direction": "in", "local_prefix": "a/long/prefix/here/"}
    broker = broker_factory(
        {"limits.max_packet_size": 1000}, bridges=[bridge(mosquitto.url, topic, protocol=protocol)]
    )
    here, there = client(broker.port, "a/#"), client(mosquitto.port)
    linked(broker)
    for size in (10, 980, 2000, 20):
        there.publish("there/a", bytes(size), 1)
    assert [len(message.payload) for message in take(here, 2)] == [10, 20]
    assert told(broker).connects == 1
    # By 5.0 the other broker was told not to send it.
    assert told(broker).dropped_too_large == (0 if protocol == "5.0" else 2)


def test_what_there_is_no_room_for_comes_again(broker_factory, mosquitto, client):
    """A subscriber that is away has a full queue: nothing is acknowledged, and nothing lost."""
    topic = {**OUT, "direction": "in"}
    settings = bridge(mosquitto.url, topic, reconnect_min=2, reconnect_max=2)  # it has five tries
    broker = broker_factory({"limits.max_queued_messages": 5}, bridges=[settings])
    away = client(broker.port, "here/#", name="away", clean=False)
    away.disconnect()
    linked(broker)
    there = client(mosquitto.port)
    for number in range(10):
        there.publish("there/a", b"%d" % number, 1)
    eventually(lambda: told(broker).not_taken, lambda count: count > 0)
    assert "could not take a message: Quota exceeded" in eventually(lambda: told(broker).reason, bool)
    back = client(broker.port, name="away", clean=False)
    got: list[int] = []
    while set(got) != set(range(10)):
        got += [int(message.payload) for message in take(back, 1)]
    assert list(dict.fromkeys(got)) == list(range(10))


def test_a_subscription_that_is_refused_is_told(broker_factory, caplog):
    other = broker_factory(start=False)

    @other.on_subscribe
    def never(client, filter):
        return False

    other.start()
    topic = {**OUT, "direction": "in"}
    broker = broker_factory(bridges=[bridge(f"mqtt://127.0.0.1:{other.port}", topic)])
    assert "refused a subscription: Not authorized" in linked(broker).reason


def test_a_message_that_the_other_broker_refuses_is_over_and_told(broker_factory, caplog, client):
    other = broker_factory(start=False)

    @other.authorize
    def only(client, action, topic):
        return topic != "there/forbidden"

    other.start()
    broker = broker_factory(bridges=[bridge(f"mqtt://127.0.0.1:{other.port}", OUT)])
    there = client(other.port, "there/#", version=V5)
    linked(broker)
    for qos in (1, 2):
        broker.publish("here/forbidden", b"x", qos=qos)
    broker.publish("here/allowed", b"y", qos=2)
    assert texts(take(there, 1)) == [("there/allowed", b"y")]
    eventually(lambda: told(broker).refused_there, lambda count: count == 2)
    eventually(lambda: told(broker).waiting, lambda waiting: waiting == 0)
    eventually(lambda: caplog.text, lambda text: 'refused a message on "here/forbidden"' in text)
