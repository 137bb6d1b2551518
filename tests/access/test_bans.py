"""`broker.ban`: who is refused, for how long, and that it outlives the broker."""

from __future__ import annotations

import time

import pytest

from hookmq import Ban

from ..api.helpers import eventually
from ..protocol.packets import V5, V311, Connect, Disconnect

BANNED, ADMINISTRATIVE_ACTION = 0x8A, 0x98


@pytest.mark.parametrize(("version", "code"), [(V5, BANNED), (V311, 5)])
def test_a_client_that_is_banned_is_refused(broker_factory, dial, version, code):
    broker = broker_factory()
    broker.ban("bad", reason="floods")
    dial(version, to=broker).connect(Connect("bad"), code=code)
    dial(version, to=broker).connect(Connect("good"))
    assert broker.bans == [Ban("client", "bad", None, "floods")]
    assert broker.unban("bad") and not broker.unban("bad")
    dial(version, to=broker).connect(Connect("bad"))


def test_its_connection_is_ended(broker_factory, dial):
    broker = broker_factory()
    bad, good = dial(to=broker), dial(to=broker)
    bad.connect(Connect("bad"))
    good.connect(Connect("good"))
    broker.ban("bad")
    bad.expect_closed(Disconnect(ADMINISTRATIVE_ACTION))
    good.ping()


def test_a_user_and_an_address(broker_factory, dial):
    broker = broker_factory()

    @broker.authenticate
    def known(client):
        return client.password == "right"

    broker.ban(username="anna")
    dial(to=broker).connect(Connect("1", username="anna", password=b"right"), code=BANNED)
    dial(to=broker).connect(Connect("1", username="bob", password=b"right"))
    broker.unban(username="anna")
    broker.ban(address="::ffff:127.0.0.1")
    dial(to=broker).connect(Connect("1", username="bob", password=b"wrong"), code=BANNED)
    assert broker.bans == [Ban("address", "127.0.0.1", None, "")]
    assert broker.unban(address="127.0.0.1")
    dial(to=broker).connect(Connect("1", username="anna", password=b"right"))


def test_it_ends(broker_factory, dial):
    broker = broker_factory()
    broker.ban("bad", seconds=0.5)
    dial(to=broker).connect(Connect("bad"), code=BANNED)
    (ban,) = broker.bans
    assert ban.until is not None and 0 < ban.until - time.time() <= 0.5
    eventually(lambda: broker.bans == [])
    dial(to=broker).connect(Connect("bad"))


def test_the_list_has_the_nearest_end_first(broker_factory):
    broker = broker_factory()
    broker.ban("for ever")
    broker.ban("later", seconds=200)
    broker.ban("soon", seconds=100)
    broker.ban("later", seconds=300, reason="once more")
    assert [ban.value for ban in broker.bans] == ["soon", "later", "for ever"]
    assert broker.bans[1].reason == "once more"


def test_bans_outlive_the_broker(broker_factory, dial, tmp_path):
    broker = broker_factory(data_dir=tmp_path)
    for name in ("kept", "lifted"):
        broker.ban(name, reason="ö")
    broker.ban("over", seconds=0.2)
    broker.ban(address="192.0.2.7", seconds=1000)
    broker.unban("lifted")
    before = [ban for ban in broker.bans if ban.value != "over"]
    broker.stop()
    time.sleep(0.2)
    broker.start()
    assert broker.bans == before
    dial(to=broker).connect(Connect("kept"), code=BANNED)
    for name in ("lifted", "over"):
        dial(to=broker).connect(Connect(name))


def test_what_cannot_be_banned(broker_factory):
    broker = broker_factory()
    for wrong in ({}, {"client_id": "a", "username": "b"}):
        with pytest.raises(ValueError, match="name one of client_id, username and address"):
            broker.ban(**wrong)
    with pytest.raises(ValueError, match="is no IP address"):
        broker.ban(address="nobody")
