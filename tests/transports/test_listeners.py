"""Several listeners at once: what each is called, whom it lets in, what it allows, and which may be open."""

from __future__ import annotations

import pytest

from hookmq.errors import HookMQError

from ..access.deciding import enter, may_publish
from ..access.hashes import mosquitto_6
from ..api.helpers import eventually, free_port, taken_port
from ..cli.conftest import spawn
from ..protocol.packets import V5, Connack, Connect
from .doors import door, urls
from .line import Line, open_socket

__all__ = ["spawn"]


@pytest.fixture
def through(lines):
    """`through(broker, number)` opens a connection to the MQTT listener of that number."""

    def through(broker, number=0, version=V5):
        host, port = door(broker, "mqtt", number)
        line = Line(open_socket(port, host=host), version=version)
        lines.append(line)
        return line

    return through


def knock(line, client: str = "c1", **fields) -> int:
    """The code of the CONNACK."""
    line.send(Connect(client, **fields))
    answer = line.read()
    assert isinstance(answer, Connack)
    return answer.code


# Addresses -------------------------------------------------------------------------------------------------


def test_all_at_once(broker_factory, server, trusting, secure, web, local, connect, through, tmp_path):
    files = {"tls.cert": str(server.cert), "tls.key": str(server.key), "tls.port": 0}
    path = tmp_path / "socket"
    broker = broker_factory(
        files,
        http_port=0,
        listeners=["mqtt://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0", f"unix://{path}"],
    )
    mqtt = {listener.kind for listener in broker.listeners} - {"http", "https"}
    assert mqtt == {"mqtt", "mqtts", "ws", "wss", "unix"}
    assert urls(broker, "mqtt")[0] == f"mqtt://127.0.0.1:{broker.port}"
    assert len({url for url in urls(broker)}) == len(broker.listeners)
    everyone = [
        connect("plain", to=broker),
        through(broker, 1),
        secure(broker, trusting),
        web(broker),
        web(broker, kind="ws"),
        web(broker, kind="wss", context=trusting),
        local(path),
    ]
    for number, line in enumerate(everyone):
        if number:
            line.connect(Connect(f"c{number}"))
        line.subscribe("a")
    for line in everyone:
        line.publish("a", b"hello")
    for line in everyone:
        for _ in everyone:
            line.expect_message("a", b"hello")
    assert broker.statistics["connects"] == len(everyone)


def test_the_order_is_that_of_the_settings(broker_factory):
    broker = broker_factory(listeners=["mqtt://127.0.0.1:0", "mqtt://127.0.0.2:0"])
    assert [url.rpartition(":")[0] for url in urls(broker, "mqtt")] == [
        "mqtt://127.0.0.1",
        "mqtt://127.0.0.1",
        "mqtt://127.0.0.2",
    ]


def test_without_the_plain_port(broker_factory, through):
    broker = broker_factory(port="off", listeners=["mqtt://127.0.0.2:0"])
    (url,) = urls(broker, "mqtt")
    assert url.startswith("mqtt://127.0.0.2:")
    assert knock(through(broker)) == 0


def test_without_the_plain_port_there_is_no_port(broker_factory, tmp_path):
    broker = broker_factory(port="off", listeners=[f"unix://{tmp_path}/socket"])
    assert broker.port == 0
    assert urls(broker, "mqtt") == []


def test_ipv6(broker_factory, through, connect, version):
    seen = []
    broker = broker_factory(listeners=["mqtt://[::1]:0"])
    broker.on_client_connected(lambda client: seen.append(client.address))
    assert urls(broker, "mqtt")[1].startswith("mqtt://[::1]:")
    line = through(broker, 1, version)
    line.connect(Connect("c1"))
    line.subscribe("a")
    connect("four", to=broker).publish("a", b"x")
    line.expect_message("a", b"x")
    eventually(lambda: seen == ["::1", "127.0.0.1"])


def test_ipv6_as_the_host(broker_factory, lines):
    broker = broker_factory(host="::1", http_port=0)
    line = Line(open_socket(broker.port, host="::1"))
    lines.append(line)
    line.connect(Connect("c1"))
    assert urls(broker, "mqtt") == [f"mqtt://[::1]:{broker.port}"]


def test_the_same_port_on_two_addresses(broker_factory, through):
    port = free_port()
    broker = broker_factory(port=port, listeners=[f"mqtt://127.0.0.2:{port}"])
    assert [door(broker, "mqtt", number) for number in (0, 1)] == [("127.0.0.1", port), ("127.0.0.2", port)]
    assert knock(through(broker, 1)) == 0


def test_a_port_that_is_taken(broker_factory):
    with taken_port() as port:
        broker = broker_factory(listeners=["mqtt://127.0.0.1:0", f"ws://127.0.0.1:{port}"], start=False)
        with pytest.raises(HookMQError) as caught:
            broker.start()
        assert caught.value.code == "E101"
        assert str(port) in caught.value.message
        assert not broker.running
    # Nothing was left behind, so that it can be tried again.
    broker.start()
    assert door(broker, "ws") == ("127.0.0.1", port)


@pytest.mark.parametrize(
    "listener",
    [
        "tcp://127.0.0.1:0",
        "127.0.0.1:1883",
        "mqtt://127.0.0.1:99999",
        "mqtt://:0",
        "unix://",
        "unix://relative",
        "",
        7,
        {"mode": "0660"},
        {"url": "mqtt://127.0.0.1:0", "colour": "blue"},
        {"url": "mqtt://127.0.0.1:0", "max_clients": -1},
        {"url": "mqtt://127.0.0.1:0", "trusted": ["10.0.0.0/33"], "proxy_protocol": True},
        {"url": "mqtt://127.0.0.1:0", "proxy_protocol": True},  # trusting nobody
        {"url": "mqtt://127.0.0.1:0", "proxy_protocol": True, "trusted": []},
        {"url": "unix:///tmp/x", "mode": "0999"},
        {"url": "mqtts://127.0.0.1:0"},  # without a certificate
    ],
    ids=str,
)
def test_a_listener_that_cannot_be(broker_factory, listener):
    with pytest.raises(HookMQError) as caught:
        broker_factory(listeners=[listener])
    assert caught.value.code in ("E301", "E303", "E306")
    assert caught.value.exit_code == 3


def test_listeners_of_the_file(broker_factory, through, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hookmq.toml").write_text(
        '[[listeners]]\nurl = "mqtt://127.0.0.2:0"\nmax_clients = 1\n\n[[listeners]]\nurl = "ws://127.0.0.1:0"\n'
    )
    broker = broker_factory()
    assert [url.rpartition(":")[0] for url in urls(broker)] == [
        "mqtt://127.0.0.1",
        "mqtt://127.0.0.2",
        "ws://127.0.0.1",
    ]
    assert knock(through(broker, 1)) == 0
    assert knock(through(broker, 1), "c2") == 0x89


def test_a_mistake_in_the_file_is_found_by_its_line(broker_factory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hookmq.toml").write_text(
        'port = 0\n\n[[listeners]]\nurl = "mqtt://127.0.0.2:0"\nmax_client = 1\n'
    )
    with pytest.raises(HookMQError) as caught:
        broker_factory()
    assert caught.value.code == "E301"
    assert "hookmq.toml:" in caught.value.message
    assert "max_client" in caught.value.message


def test_the_banner_names_them_all(spawn, server, tmp_path):
    (tmp_path / "hookmq.toml").write_text(
        'port = 0\nhttp_port = 0\n[tls]\nport = 0\ncert = "server.pem"\nkey = "server.key"\n'
        '[[listeners]]\nurl = "ws://127.0.0.2:0"\n[[listeners]]\nurl = "unix://%s"\n' % (tmp_path / "socket")
    )
    running = spawn("run")
    running.wait_for(b"Only this machine")
    text = running.output.decode()
    for start in ("mqtt://127.0.0.1:", "mqtts://127.0.0.1:", "ws://127.0.0.2:", "http://127.0.0.1:"):
        (word,) = [word for word in text.split() if word.startswith(start)]
        port = word.removeprefix(start).split("/")[0]
        assert port.isdigit()
        assert port != "0"
    assert f"unix://{tmp_path}/socket" in text
    assert running.stop() == 0


# Whom each lets in -----------------------------------------------------------------------------------------


def test_each_has_its_own_users_and_rules(broker_factory, through, tmp_path):
    for name, secret in (("in", b"1"), ("out", b"2")):
        (tmp_path / f"users-{name}").write_text("tank:" + mosquitto_6(secret) + "\n")
        (tmp_path / f"acl-{name}").write_text(f"allow user tank publish {name}/#\n")
    listeners = [
        {
            "url": "mqtt://127.0.0.1:0",
            "users_file": str(tmp_path / f"users-{name}"),
            "acl_file": str(tmp_path / f"acl-{name}"),
        }
        for name in ("in", "out")
    ]
    broker = broker_factory(port="off", listeners=listeners)
    inside, outside = through(broker, 0), through(broker, 1)
    assert knock(through(broker, 0), username="tank", password=b"2") == 0x86
    assert knock(through(broker, 1), username="tank", password=b"1") == 0x86
    assert knock(inside, "c1", username="tank", password=b"1") == 0
    assert knock(outside, "c2", username="tank", password=b"2") == 0
    assert [topic for topic in ("in/x", "out/x") if may_publish(inside, topic)] == ["in/x"]
    assert [topic for topic in ("in/x", "out/x") if may_publish(outside, topic)] == ["out/x"]
    # Each file is read again.
    (tmp_path / "acl-in").write_text("allow user tank publish new/#\n")
    (tmp_path / "users-out").write_text("tank:" + mosquitto_6(b"3") + "\n")
    broker.reload()
    assert [topic for topic in ("in/x", "new/x") if may_publish(inside, topic)] == ["new/x"]
    assert knock(through(broker, 1), "c3", username="tank", password=b"3") == 0


def test_what_a_listener_does_not_say_is_said_for_all(broker_factory, through, tmp_path):
    (tmp_path / "users").write_text("tank:" + mosquitto_6(b"secret") + "\n")
    (tmp_path / "acl").write_text("allow any publish a\n")
    (tmp_path / "own").write_text("allow any publish b\n")
    broker = broker_factory(
        {"access.users_file": str(tmp_path / "users"), "access.acl_file": str(tmp_path / "acl")},
        listeners=[
            "mqtt://127.0.0.1:0",
            {"url": "mqtt://127.0.0.1:0", "acl_file": str(tmp_path / "own")},
            {"url": "mqtt://127.0.0.1:0", "allow_anonymous": True},
        ],
    )
    for number, allowed in ((0, "a"), (1, "a"), (2, "b"), (3, "a")):
        line = through(broker, number)
        assert knock(line, f"c{number}", username="tank", password=b"secret") == 0
        assert [topic for topic in "ab" if may_publish(line, topic)] == [allowed]
        assert (knock(through(broker, number), "nobody") == 0) is (number == 3)


def test_a_message_is_looked_at_by_the_rules_of_who_receives_it(broker_factory, through, tmp_path):
    (tmp_path / "acl").write_text("deny any receive a/secret\nallow any all #\n")
    broker = broker_factory(listeners=[{"url": "mqtt://127.0.0.1:0", "acl_file": str(tmp_path / "acl")}])
    inside, outside = through(broker, 0), through(broker, 1)
    inside.connect(Connect("in"))
    outside.connect(Connect("out"))
    for line in (inside, outside):
        line.subscribe("a/#")
    inside.publish("a/secret", b"x")
    inside.publish("a/open", b"x")
    inside.expect_message("a/secret", b"x")
    inside.expect_message("a/open", b"x")
    outside.expect_message("a/open", b"x")
    outside.expect_nothing()


def test_hooks_are_asked_by_every_listener(broker_factory, through, dial, tmp_path, local):
    path = tmp_path / "socket"
    broker = broker_factory(listeners=["mqtt://127.0.0.1:0", f"unix://{path}"], start=False)
    broker.authenticate(lambda client: client.username == "tank")
    broker.start()
    for number, line in enumerate((through(broker, 0), through(broker, 1), local(path))):
        assert knock(line, f"c{number}", username="tank") == 0
    for line in (through(broker, 0), through(broker, 1), local(path)):
        assert knock(line, "c9") in (0x86, 0x87)


def test_a_session_can_be_gone_on_with_through_another_door(broker_factory, through):
    broker = broker_factory(listeners=["mqtt://127.0.0.1:0"])
    kept = {"clean": False, "properties": {"session_expiry_interval": 60}}
    first = through(broker, 0)
    first.connect(Connect("same", **kept))
    first.subscribe("a", qos=1)
    second = through(broker, 1)
    assert second.connect(Connect("same", **kept)).session_present
    assert first.last_codes() == [0x8E]
    broker.publish("a", b"x", qos=1)
    second.expect_message("a", b"x", qos=1)


# Which may be open -----------------------------------------------------------------------------------------

# An address for documentation: no machine has it, so a broker that may listen there cannot.
NOWHERE = "192.0.2.1"


def start_code(broker_factory, settings=None, *, hook=False, **arguments) -> str:
    broker = broker_factory(settings, start=False, **arguments)
    if hook:
        broker.authenticate(lambda client: True)
    with pytest.raises(HookMQError) as caught:
        broker.start()
    return caught.value.code


@pytest.mark.parametrize("kind", ["mqtt", "ws"])
@pytest.mark.parametrize("host", ["0.0.0.0", NOWHERE, "[::]"])
def test_an_open_listener_that_lets_everyone_in_is_refused(broker_factory, kind, host):
    broker = broker_factory(listeners=[f"{kind}://{host}:0"], start=False)
    with pytest.raises(HookMQError) as caught:
        broker.start()
    assert caught.value.code == "E302"
    assert host.strip("[]") in caught.value.message
    assert caught.value.exit_code == 3


def test_a_certificate_alone_asks_nobody(broker_factory, server):
    listener = {"url": f"mqtts://{NOWHERE}:0", **server.files}
    assert start_code(broker_factory, listeners=[listener]) == "E302"
    files = {"tls.cert": str(server.cert), "tls.key": str(server.key), "tls.port": 0}
    assert start_code(broker_factory, files, host=NOWHERE, port="off") == "E302"


@pytest.mark.parametrize("how", ["hook", "users", "own users", "anonymous", "own anonymous", "identity"])
def test_an_open_listener_that_asks_is_not_refused(broker_factory, authority, server, tmp_path, how):
    users = tmp_path / "users"
    users.write_text("tank:" + mosquitto_6(b"x") + "\n")
    listener = {"url": f"mqtts://{NOWHERE}:0", **server.files}
    settings = {}
    if how == "users":
        settings = {"access.users_file": str(users)}
    elif how == "own users":
        listener |= {"users_file": str(users)}
    elif how == "anonymous":
        settings = {"allow_anonymous": True}
    elif how == "own anonymous":
        listener |= {"allow_anonymous": True}
    elif how == "identity":
        listener |= {"client_ca": str(authority.cert), "identity": "cn"}
    code = start_code(broker_factory, settings, hook=how == "hook", listeners=[listener])
    assert code == "E102"  # it was only the address


def test_each_listener_counts_for_itself(broker_factory, tmp_path):
    users = tmp_path / "users"
    users.write_text("tank:" + mosquitto_6(b"x") + "\n")
    asks = {"url": f"mqtt://{NOWHERE}:0", "users_file": str(users)}
    lets_all_in = {"url": f"mqtt://{NOWHERE}:0"}
    assert start_code(broker_factory, listeners=[asks, lets_all_in]) == "E302"
    closed = {"url": f"mqtt://{NOWHERE}:0", "allow_anonymous": False}
    assert start_code(broker_factory, {"allow_anonymous": True}, listeners=[closed]) == "E302"


def test_what_is_open_only_to_this_machine_need_not_ask(broker_factory, through, dial):
    broker = broker_factory(listeners=["mqtt://127.0.0.2:0", "mqtt://[::1]:0", "mqtt://localhost:0"])
    for number in range(4):
        assert knock(through(broker, number), f"c{number}") == 0
    enter(dial, "c9", to=broker).ping()
