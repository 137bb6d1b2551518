"""Connections end when their token does; newer tokens, other ways in and refusals do not disturb that."""

from __future__ import annotations

import time

import pytest

from hookmq import Allow, Deny
from hookmq.authentication import JWT, OAuth2
from hookmq.authentication.expiry import Expiries

from ..api.conftest import app
from ..api.helpers import eventually
from ..protocol.packets import V311
from .clients import BAD_LOGIN, client, connected, knock
from .peer import as_json
from .tokens import SECRET, token

__all__ = ["app"]


def soon(seconds: float = 1.0) -> int:
    """The first whole second that is at least so far away."""
    return int(time.time() + seconds) + 1


def test_a_connection_ends_with_its_token(guarded):
    broker = guarded(JWT(secret=SECRET))
    end = soon(0.3)
    with connected(broker, "x", token(exp=end)) as wire, connected(broker, "x", token(), "c2") as other:
        wire.ping()
        wire.last_words(5)
        assert abs(time.time() - end) < 0.5
        other.ping()
    assert knock(broker, "x", token(exp=end)).code == BAD_LOGIN
    eventually(lambda: len(Expiries.of(broker)) == 0)


def test_it_may_stay_if_that_is_wanted(guarded):
    broker = guarded(JWT(secret=SECRET, disconnect=False))
    end = soon(0.1)
    with connected(broker, "x", token(exp=end)) as wire:
        eventually(lambda: time.time() > end + 0.2)
        wire.ping()
        assert len(Expiries.of(broker)) == 0


def test_a_newer_token_counts_from_then_on(guarded):
    broker = guarded(JWT(secret=SECRET))
    end = soon(0.3)
    with connected(broker, "x", token(exp=end)) as old, connected(broker, "x", token()) as new:
        old.last_words()  # it was taken over
        eventually(lambda: time.time() > end + 0.3)
        new.ping()


def test_an_older_token_that_comes_again_counts_as_well(guarded):
    broker = guarded(JWT(secret=SECRET))
    end = soon(0.3)
    with connected(broker, "x", token()) as first, connected(broker, "x", token(exp=end)) as second:
        first.last_words()
        second.last_words(5)
        assert time.time() > end - 0.5


def test_a_new_token_for_which_it_is_refused_does_not_prolong_the_connection(guarded):
    broker = guarded(JWT(secret=SECRET))

    @broker.on_connect
    def only_once(client):
        return not refusing

    refusing = False
    end = soon(0.5)
    with connected(broker, "x", token(exp=end)) as wire:
        refusing = True
        assert knock(broker, "x", token(exp=end + 1)).code == 0x87
        wire.ping()
        wire.last_words(6)
        assert time.time() < end + 3


def test_who_comes_back_without_a_token_is_not_ended_by_the_old_one(guarded):
    broker = guarded(JWT(secret=SECRET))
    broker.authenticate(lambda client: client.password == "water")
    end = soon(0.3)
    with connected(broker, "x", token(exp=end)) as old:
        old.ping()
    with connected(broker, "x", "water") as wire:
        eventually(lambda: time.time() > end + 0.3)
        wire.ping()


def test_sessions_before_version_5(guarded):
    from ..protocol.wire import Wire
    from .clients import login

    broker = guarded(JWT(secret=SECRET))
    wire = Wire("127.0.0.1", broker.port, version=V311)
    wire.connect(login("x", token(exp=soon(0.1))))
    wire.expect_closed(timeout=5)
    wire.close()


def test_two_services_have_one_watch(guarded, peer):
    end = soon(0.3)
    peer.answer = lambda request: as_json({"active": True, "username": "pump", "exp": end})
    oauth = OAuth2(introspection_url=peer.url, client_id="mqtt", client_secret="x")
    broker = guarded(JWT(secret=SECRET), oauth)
    assert len([hook for hook in broker.hooks if hook.kind == "on_client_connected"]) == 1
    with connected(broker, "x", token(exp=end)) as one, connected(broker, "x", "opaque-token", "c2") as two:
        one.last_words(5)
        two.last_words(5)
    assert abs(time.time() - end) < 0.7


def test_an_answer_from_memory_has_an_end_too(guarded, peer):
    """Who is let in again without a question is not let in for longer."""
    end = soon(0.5)
    peer.answer = lambda request: as_json({"active": True, "username": "pump", "exp": end})
    broker = guarded(OAuth2(introspection_url=peer.url, client_id="mqtt", client_secret="x", ttl=60))
    for _ in range(3):
        assert knock(broker, "x", "opaque-token").code == 0
    with connected(broker, "x", "opaque-token") as wire:
        assert len(peer.seen) == 1
        wire.last_words(5)
    assert abs(time.time() - end) < 0.7
    assert knock(broker, "x", "opaque-token").code == BAD_LOGIN
    assert len(peer.seen) == 2


def test_a_broker_that_is_started_again(guarded):
    broker = guarded(JWT(secret=SECRET))
    with connected(broker, "x", token()):
        eventually(lambda: len(Expiries.of(broker)) == 1)
        broker.stop()
    assert len(Expiries.of(broker)) == 0
    broker.start()
    with connected(broker, "x", token(exp=soon(0.1))) as wire:
        wire.last_words(5)


# The book alone --------------------------------------------------------------------------------------------


class Doorman:
    """A broker, as far as the book knows one."""

    def __init__(self):
        self.ended = []

    def disconnect(self, client_id):
        self.ended.append(client_id)
        return True


@pytest.fixture
def book():
    made = Expiries(Doorman())
    yield made
    made.stop()


def test_what_nobody_needs_any_more_is_forgotten(book):
    for number in range(5000):
        one = client(client_id=f"c{number}", connected_at=float(number))
        book.expect(one, time.time() + 3600)
        book.connected(one)
        book.disconnected(one)
    assert len(book) == 0
    assert len(book._heap) < 1100
    assert book._expected == {}


def test_who_never_connects_is_forgotten(book, monkeypatch):
    monkeypatch.setattr("hookmq.authentication.expiry.FORGOTTEN", 0.01)
    for number in range(100):
        book.expect(client(client_id=f"c{number}"), time.time() + 3600)
    time_passed = time.monotonic() + 0.02
    eventually(lambda: time.monotonic() > time_passed)
    book.expect(client(client_id="last"), time.time() + 3600)
    assert len(book._expected) == 1


def test_events_in_either_order(book):
    """A takeover may be told as the end of the old connection before or after the begin of the new one."""
    old, new = client(connected_at=1.0), client(connected_at=2.0)
    for order in ((0, 1), (1, 0)):
        book.expect(old, time.time() + 3600)
        book.connected(old)
        book.expect(new, time.time() + 3600)
        for what in order:
            (book.connected, book.disconnected)[what]((new, old)[what])
        assert len(book) == 1
        book.disconnected(new)
        assert len(book) == 0


def test_who_came_back_without_a_token_before_the_end_of_the_old_connection_was_told(book):
    old, new = client(connected_at=1.0), client(connected_at=2.0)
    book.expect(old, time.time() + 0.2)
    book.connected(old)
    book.connected(new)  # let in by a password
    assert len(book) == 0
    moment = time.monotonic() + 0.4
    eventually(lambda: time.monotonic() > moment)
    assert book._broker.ended == []


def test_who_is_just_coming_in_anew_is_not_thrown_out(book):
    old, new = client(connected_at=1.0), client(connected_at=2.0)
    book.expect(new, time.time() + 3600)
    book.expect(old, time.time())
    book.connected(old)
    moment = time.monotonic() + 0.3
    eventually(lambda: time.monotonic() > moment)
    assert book._broker.ended == []
    book.connected(new)
    book.expect(client(client_id="c2", connected_at=3.0), time.time())
    book.connected(client(client_id="c2", connected_at=3.0))
    eventually(lambda: book._broker.ended == ["c2"])


def test_the_nearest_end_comes_first(book):
    now = time.time()
    for number in (3, 1, 2):
        one = client(client_id=f"c{number}", connected_at=float(number))
        book.expect(one, now + number / 20)
        book.connected(one)
    eventually(lambda: book._broker.ended == ["c1", "c2", "c3"])


def test_a_plain_hook_beside_it(guarded):
    broker = guarded(JWT(secret=SECRET))

    @broker.authenticate
    def others(client):
        return Allow() if client.username == "guest" else Deny("who are you?")

    assert knock(broker, "guest", "anything").code == 0
    assert knock(broker, "x", token()).code == 0
    assert knock(broker, "x", "anything").code == 0x87


# New code --------------------------------------------------------------------------------------------------

APP = f"""
from hookmq.authentication import JWT

broker.authenticate_with(JWT(secret="{SECRET}", name="tokens"))
"""


def test_new_code_ends_the_connections_that_old_code_let_in(app):
    broker = app.load(APP)
    end = soon(1.0)
    with connected(broker, "x", token(exp=end)) as wire, connected(broker, "x", token(), "c2") as other:
        eventually(lambda: len(Expiries.of(broker)) == 2)
        app.write(APP + "renewed = True")
        broker.reload()
        with connected(broker, "x", token(exp=end), "c3") as third:
            wire.last_words(5)
            third.last_words(5)
        assert abs(time.time() - end) < 0.7
        other.ping()
    assert knock(broker, "x", token()).code == 0


def test_a_second_token_that_is_refused_puts_the_end_off_for_a_moment_only(guarded, monkeypatch):
    """A valid token for the same client identifier, whose CONNECT somebody else refuses."""
    monkeypatch.setattr("hookmq.authentication.expiry.PATIENCE", 0.5)
    broker = guarded(JWT(secret=SECRET))
    broker.on_connect(lambda one: Deny("not you") if one.username == "thief" else True)
    end = soon(0.5)
    with connected(broker, "x", token(exp=end)) as wire:
        assert knock(broker, "x", token(sub="thief")).code != 0
        wire.ping()
        wire.last_words(6)
        assert time.time() - end < 3
