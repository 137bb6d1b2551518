"""MQTT over a Unix socket: its file, its permissions, whose it is."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from hookmq.errors import HookMQError

from ..access.deciding import may_publish
from ..protocol.packets import V5, Connect
from .doors import urls


@pytest.fixture
def path(tmp_path):
    """Where the socket is."""
    return tmp_path / "mqtt.sock"


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_mqtt_over_a_unix_socket(broker_factory, local, connect, path, version):
    broker = broker_factory(listeners=[f"unix://{path}"])
    assert urls(broker, "unix") == [f"unix://{path}"]
    plain = connect(to=broker)
    plain.subscribe("a")
    line = local(path, version)
    line.connect(Connect("c1"))
    line.subscribe("b", qos=1)
    line.publish("a", b"from here", 2)
    plain.expect_message("a", b"from here")
    plain.publish("b", b"from there", 1)
    line.expect_message("b", b"from there", qos=1)
    line.disconnect()


def test_who_may_connect_is_said_by_the_mode(broker_factory, path, tmp_path):
    other = tmp_path / "other.sock"
    broker_factory(listeners=[f"unix://{path}", {"url": f"unix://{other}", "mode": "0600"}])
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert mode(path) == 0o660
    assert mode(other) == 0o600


def test_the_umask_does_not_matter(broker_factory, path):
    before = os.umask(0o077)
    try:
        broker_factory(listeners=[{"url": f"unix://{path}", "mode": "0666"}])
        assert mode(path) == 0o666
        assert os.umask(0o077) == 0o077  # nor is it changed
    finally:
        os.umask(before)


def test_it_goes_when_the_broker_goes(broker_factory, local, path):
    broker = broker_factory(listeners=[f"unix://{path}"])
    line = local(path)
    line.connect(Connect("c1"))
    broker.stop()
    assert line.last_codes() == [0x8B]
    assert not path.exists()
    broker.start()
    local(path).connect(Connect("c1"))


def test_a_file_that_a_dead_broker_left_is_replaced(broker_factory, local, path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.exists()
    broker_factory(listeners=[f"unix://{path}"])
    local(path).connect(Connect("c1"))


def test_a_socket_that_is_in_use_is_not_taken(broker_factory, local, path):
    first = broker_factory(listeners=[f"unix://{path}"])
    with pytest.raises(HookMQError) as caught:
        broker_factory(listeners=[f"unix://{path}"])
    assert caught.value.code in ("E101", "E102")
    assert str(path) in caught.value.message
    assert path.exists()
    line = local(path)
    line.connect(Connect("c1"))
    assert first.statistics["clients_connected"] == 1


def test_another_file_is_not_removed(broker_factory, path):
    path.write_text("precious")
    with pytest.raises(HookMQError) as caught:
        broker_factory(listeners=[f"unix://{path}"])
    assert caught.value.exit_code == 5
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there(broker_factory, tmp_path):
    with pytest.raises(HookMQError) as caught:
        broker_factory(listeners=[f"unix://{tmp_path}/missing/mqtt.sock"])
    assert caught.value.exit_code == 5
    assert "missing" in caught.value.message


def test_a_path_that_is_too_long_for_the_system(broker_factory, tmp_path):
    with pytest.raises(HookMQError) as caught:
        broker_factory(listeners=[f"unix://{tmp_path}/{'x' * 120}"])
    assert caught.value.exit_code in (3, 5)


def test_what_hooks_are_told(broker_factory, local, path):
    seen = []
    broker = broker_factory(listeners=[f"unix://{path}"], start=False)

    @broker.authenticate
    def admit(client):
        seen.append((client.client_id, client.address, client.port))
        return True

    broker.start()
    local(path).connect(Connect("c1"))
    assert seen == [("c1", None, None)]


def test_an_address_rule_does_not_match(broker_factory, local, path, access_rules):
    rules = "allow address 0.0.0.0/0 publish a\nallow address ::/0 publish a\nallow any publish b"
    broker_factory(access_rules(rules), listeners=[f"unix://{path}"])
    line = local(path)
    line.connect(Connect("c1"))
    assert not may_publish(line, "a")
    assert may_publish(line, "b")


def test_it_is_not_open_to_other_machines(broker_factory, local, path):
    """So it needs nobody to authenticate, also without the plain port."""
    broker_factory(port="off", listeners=[f"unix://{path}"])
    local(path).connect(Connect("c1"))


def test_clients_of_one_machine_do_not_count_as_one_address(broker_factory, local, path):
    broker_factory({"limits.max_clients_per_address": 1}, listeners=[f"unix://{path}"])
    for number in range(3):
        local(path, V5).connect(Connect(f"c{number}"))
