"""Sessions: how they begin and end, and how often a password may be wrong."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from hookmq import HookMQError
from hookmq.web.access import Refusal
from hookmq.web.access import access as module
from hookmq.web.access.passwords import AT_ONCE, Passwords
from hookmq.web.access.throttle import FORGET, FREE, MOST, Throttle
from hookmq.web.problem import Problem

from .conftest import PASSWORD, ask, page


def value_of(login) -> str:
    """What is secret of it, without what shows that the browser is known."""
    return login.cookie.partition(";")[0].partition("=")[2].partition(".")[0]


def test_the_number_of_a_session_is_random_and_only_its_hash_is_kept(access, tmp_path):
    values = {value_of(access.login(page(), "anna", PASSWORD)) for _ in range(3)}
    assert len(values) == 3 and all(len(value) == 43 for value in values)
    kept = (tmp_path / "accounts.json").read_text()
    for value in values:
        assert value not in kept
        assert hashlib.sha256(value.encode()).hexdigest() in kept


def test_a_login_gives_another_number_than_the_browser_had(access):
    """Or who chose it for the browser would be logged in with it."""
    chosen = "hookmq_session=" + "A" * 43
    login = access.login(page(cookie=chosen), "anna", PASSWORD)
    assert value_of(login) != "A" * 43
    assert access.identify(page("GET", cookie=chosen)).is_nobody
    again = access.login(page(cookie=login), "anna", PASSWORD)
    assert access.identify(page("GET", cookie=login)).is_nobody
    assert access.identify(page("GET", cookie=again)).name == "anna"


def test_it_ends_when_nobody_uses_it(access, clock):
    login = access.login(page(), "anna", PASSWORD)
    for _ in range(5):
        clock.now += 11 * 3600
        assert access.identify(page("GET", cookie=login)).name == "anna"
    clock.now += 12 * 3600 + 1
    assert access.identify(page("GET", cookie=login)).reason == "the session has ended"
    assert not access.holds(login.identity)


def test_it_ends_in_any_case(access, clock):
    login = access.login(page(), "anna", PASSWORD)
    for _ in range(30 * 24 // 10 - 1):
        clock.now += 10 * 3600
        assert access.identify(page("GET", cookie=login)).name == "anna"
    clock.now += 11 * 3600
    assert access.identify(page("GET", cookie=login)).is_nobody


def test_it_outlives_a_restart(make, access, clock):
    login = access.login(page(), "anna", PASSWORD)
    clock.now += 6 * 3600
    access.identify(page("GET", cookie=login))
    access.close()
    clock.now += 11 * 3600
    assert make().identify(page("GET", cookie=login)).name == "anna"


def test_without_a_data_directory_it_does_not(make):
    access = make(None)
    access.add_account("anna", PASSWORD, "admin")
    login = access.login(page(), "anna", PASSWORD)
    assert access.identify(page("GET", cookie=login)).name == "anna"
    assert make(None).identify(page("GET", cookie=login)).is_nobody


def test_a_logout(access):
    login, other = access.login(page(), "anna", PASSWORD), access.login(page(), "anna", PASSWORD)
    cookie = access.logout(page("DELETE", cookie=login))
    assert access.identify(page("GET", cookie=login)).is_nobody
    assert access.identify(page("GET", cookie=cookie.partition(";")[0])).is_nobody
    assert value_of(login) not in cookie
    assert access.identify(page("GET", cookie=other)).name == "anna"
    for request in (page("DELETE"), page("DELETE", cookie=login)):  # without one nothing happens
        gone = access.logout(request)
        assert gone == "hookmq_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"


def test_brokers_on_one_host_do_not_log_each_other_out(make):
    """Browsers keep cookies by host, whatever the port."""
    one, other = make(None, port=8080), make(None, port=8081, base="/mqtt-broker")
    for access in (one, other):
        access.add_account("anna", PASSWORD, "admin")
    first, second = (access.login(page(), "anna", PASSWORD) for access in (one, other))
    both = "; ".join(login.cookie.partition(";")[0] for login in (first, second))
    assert [access.identify(page(cookie=both)).name for access in (one, other)] == ["anna", "anna"]
    assert first.cookie.startswith("hookmq_session_8080=") and "; Path=/;" in first.cookie
    assert second.cookie.startswith("hookmq_session_8081=") and "; Path=/mqtt-broker;" in second.cookie
    other.logout(page(cookie=both))
    assert one.identify(page(cookie=both)).name == "anna"


ENDINGS = {
    "another password": lambda access: access.change_account("vera", password="another horse"),
    "another role": lambda access: access.change_account("vera", role="operator"),
    "it is removed": lambda access: access.remove_account("vera"),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_a_change_of_the_account_ends_its_sessions(make, access, end):
    login, other = access.login(page(), "vera", PASSWORD), access.login(page(), "anna", PASSWORD)
    end(access)
    assert access.identify(page("GET", cookie=login)).is_nobody
    assert make().identify(page("GET", cookie=login)).is_nobody
    assert access.identify(page("GET", cookie=other)).name == "anna"


def test_a_change_that_changes_nothing_ends_none(access):
    login = access.login(page(), "vera", PASSWORD)
    access.change_account("vera", role="viewer")
    assert access.identify(page("GET", cookie=login)).name == "vera"


def test_one_s_own_password(access):
    login, other = access.login(page(), "vera", PASSWORD), access.login(page(), "vera", PASSWORD)
    again = access.change_password(page("PUT", cookie=login), login.identity, PASSWORD, "battery staple")
    assert access.identify(page("GET", cookie=again)).name == "vera"
    assert access.identify(page("GET", cookie=login)).is_nobody
    assert access.identify(page("GET", cookie=other)).is_nobody
    access.login(page(), "vera", "battery staple")
    with pytest.raises(Refusal):
        access.login(page(), "vera", PASSWORD)


def test_one_s_own_password_needs_the_old_one_and_is_not_to_be_guessed(access):
    login = access.login(page(), "vera", PASSWORD)
    for _ in range(FREE):
        with pytest.raises(Problem, match="the old password is wrong"):
            access.change_password(page("PUT", cookie=login), login.identity, "wrong horse", "battery staple")
    with pytest.raises(Refusal) as caught:
        access.change_password(page("PUT", cookie=login), login.identity, PASSWORD, "battery staple")
    assert caught.value.status == 429


def test_who_has_no_password_does_not_change_it(access):
    _, secret = access.add_token("grafana", "admin")
    identity = access.identify(ask(authorization=f"Bearer {secret}"))
    with pytest.raises(HookMQError) as caught:
        access.change_password(ask("PUT"), identity, PASSWORD, "battery staple")
    assert caught.value.code == "E722"


def test_there_are_not_endlessly_many_sessions(access, monkeypatch, clock):
    monkeypatch.setattr(module, "MOST_SESSIONS", 3)
    logins = []
    for _ in range(5):
        clock.now += 1
        logins.append(access.login(page(), "anna", PASSWORD))
    left = [not access.identify(page("GET", cookie=login)).is_nobody for login in logins]
    assert left == [False, False, True, True, True]


def test_who_is_logged_in_stays_so_when_the_disk_is_full(access, monkeypatch):
    def full(contents):
        raise HookMQError("E703", path="x", reason="no space left on device")

    monkeypatch.setattr(access._vault, "write", full)
    login = access.login(page(), "anna", PASSWORD)
    assert access.identify(page("GET", cookie=login)).name == "anna"


# Wrong passwords --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["anna", "nobody", "", "Anna", "anna ", "a" * 9000, "\ud800", "anna\nroot", "é\x00"]
)
def test_a_wrong_login_says_the_same_for_every_name(access, name):
    with pytest.raises(Refusal) as caught:
        access.login(page(), name, "wrong horse")
    assert (caught.value.status, caught.value.code) == (401, "unauthorized")
    assert caught.value.detail == "the name and the password do not belong together"
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="hookmq"'}


@pytest.mark.parametrize(
    "password", ["", PASSWORD + " ", PASSWORD.upper(), "x" * 100_000, "\ud800", PASSWORD + "\x00"]
)
def test_wrong_passwords(access, password):
    with pytest.raises(Refusal) as caught:
        access.login(page(), "anna", password)
    assert caught.value.status == 401


def test_letters_are_the_same_however_they_are_composed(access):
    access.add_account("émile", "Pässwörter", "viewer")
    for name in ("émile", "e\u0301mile"):
        assert access.login(page(), name, "Pa\u0308sswo\u0308rter").identity.name == "émile"
    with pytest.raises(HookMQError, match="of this name already"):
        access.add_account("e\u0301mile", PASSWORD, "viewer")
    access.change_account("e\u0301mile", role="operator")
    assert [one.role for one in access.accounts() if one.name == "émile"] == ["operator"]
    access.remove_account("e\u0301mile")
    assert "émile" not in [one.name for one in access.accounts()]


def test_a_name_that_is_not_there_takes_as_long(access):
    def seconds(name: str) -> float:
        access._tries.forget()
        began = time.perf_counter()
        with pytest.raises(Refusal):
            access.login(page(), name, "wrong horse")
        return time.perf_counter() - began

    seconds("nobody")  # the first one makes what others are compared with
    # In turns, and the fastest: what else the machine does makes both slower, and none faster.
    pairs = [(seconds("anna"), seconds("nobody")) for _ in range(12)]
    known, unknown = (min(times) for times in zip(*pairs, strict=True))
    assert 0.5 < known / unknown < 2


def failures(access, name: str, address: str = "10.0.0.9", **headers: str) -> str:
    try:
        access.login(page(address=address, **headers), name, "wrong horse")
    except Refusal as refusal:
        return f"{refusal.status} {refusal.headers.get('Retry-After', '')}".strip()
    raise AssertionError("it was let in")


@pytest.fixture
def passing(monkeypatch):
    """Time that passes for throttles alone, when a test says so."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_by_one_address_only_so_many_passwords_of_a_name_are_tried(passing, make):
    access = make()
    access.add_account("anna", PASSWORD, "admin")
    assert [failures(access, "anna") for n in range(FREE + 2)] == ["401"] * FREE + ["429 1"] * 2
    pauses = []
    for _ in range(12):
        pauses.append(int(failures(access, "anna").partition(" ")[2]))
        passing[0] += pauses[-1]
        assert failures(access, "anna") == "401"
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert access.login(page(address="10.0.0.8"), "anna", PASSWORD).identity.name == "anna"


def test_by_one_address_names_are_tried_slowly_and_its_others_get_in(passing, make):
    """Behind a proxy, or in an office, everybody has one address."""
    access = make()
    access.add_account("anna", PASSWORD, "admin")
    told = [failures(access, f"user{n}") for n in range(200)]
    assert told[:20] == ["401"] * 20 and set(told[20:]) == {"429 1"}
    for n in range(50):
        passing[0] += 2
        assert failures(access, f"user{n}") in ("401", "429 1", "429 2")
    passing[0] += 2
    assert access.login(page(address="10.0.0.9"), "anna", PASSWORD).identity.name == "anna"


def test_by_many_addresses_passwords_of_a_name_are_tried_slowly(passing, make):
    access = make()
    access.add_account("anna", PASSWORD, "admin")
    told = [failures(access, "anna", f"10.0.1.{n}") for n in range(50)]
    assert told == ["401"] * 20 + ["429 1"] * 30
    for _ in range(20):
        passing[0] += 10
        assert failures(access, "anna", f"10.0.2.{passing[0]}") == "401"
    passing[0] += 10
    assert access.login(page(address="10.0.3.1"), "anna", PASSWORD).identity.name == "anna"


def test_a_browser_that_has_logged_in_before_is_not_kept_out(make, access):
    """By its session, and after its end as well; another password, and another name, are others."""
    login, vera = access.login(page(), "anna", PASSWORD), access.login(page(), "vera", PASSWORD)
    left = access.logout(page("DELETE", cookie=access.login(page(), "anna", PASSWORD))).partition(";")[0]
    while failures(access, "anna", "127.0.0.1") == "401":
        pass
    for cookie in (None, vera, "hookmq_session=" + "A" * 43 + "." + "0" * 64, left[:-1] + "x"):
        with pytest.raises(Refusal) as caught:
            access.login(page(cookie=cookie), "anna", PASSWORD)
        assert caught.value.status == 429
    another = make()  # another start
    another._tries = access._tries
    for one in (access, another):
        for cookie in (login, left):
            assert one.login(page(cookie=cookie), "anna", PASSWORD).identity.name == "anna"
    access.change_account("anna", password="another horse")
    with pytest.raises(Refusal) as caught:
        access.login(page(cookie=left), "anna", "another horse")
    assert caught.value.status == 429


def test_a_browser_that_was_known_may_not_guess_either(access):
    login = access.login(page(), "anna", PASSWORD)
    told = []
    for _ in range(FREE + 1):
        with pytest.raises(Refusal) as caught:
            access.login(page(cookie=login), "anna", "wrong horse")
        told.append(caught.value.status)
    assert told == [401] * FREE + [429]
    assert access.identify(page("GET", cookie=login)).name == "anna"
    assert access.login(page(), "anna", PASSWORD).identity.name == "anna"  # others are counted apart


def test_logins_all_the_time_keep_nobody_out_who_was_there_before(access, monkeypatch):
    from hookmq.web.access import passwords as passwords_module

    login, verify = access.login(page(), "anna", PASSWORD), passwords_module.verify_user
    begun, release = threading.Semaphore(0), threading.Event()

    def slow(text: str, name: str, password: bytes) -> object:
        if password == b"wrong horse":
            begun.release()
            release.wait(30)
        return verify(text, name, password)

    monkeypatch.setattr(passwords_module, "verify_user", slow)
    threads = [
        threading.Thread(target=failures, args=(access, f"user{n}", f"10.0.1.{n}")) for n in range(AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=10)
    with pytest.raises(Refusal, match="too many passwords are checked"):
        access.login(page(), "anna", PASSWORD)
    assert access.login(page(cookie=login), "anna", PASSWORD).identity.name == "anna"
    release.set()
    for thread in threads:
        thread.join()


def test_a_network_of_ipv6_is_one_address(access):
    told = [failures(access, "anna", f"2001:db8::{n + 1:x}") for n in range(FREE + 1)]
    assert told[-1] == "429 1"
    assert failures(access, "anna", "2001:db8:0:1::1") == "401"


def test_whom_a_proxy_on_this_machine_names_is_counted(access):
    for _ in range(FREE):
        assert failures(access, "vera", "127.0.0.1", x_forwarded_for="10.0.0.7") == "401"
    # What a client has written stands before what the proxy has.
    for said in ("10.0.0.7", "1.2.3.4, 10.0.0.7"):
        assert failures(access, "vera", "127.0.0.1", x_forwarded_for=said) == "429 1"
    assert failures(access, "vera", "127.0.0.1", x_forwarded_for="10.0.0.6") == "401"
    # Others say what they like.
    for n in range(FREE):
        assert failures(access, "otto", "10.9.9.9", x_forwarded_for=f"10.1.1.{n}") == "401"
    assert failures(access, "otto", "10.9.9.9", x_forwarded_for="10.1.1.9") == "429 1"


def test_guessing_links_is_slowed_down(make):
    access = make()
    told = []
    for _ in range(FREE + 1):
        with pytest.raises(Refusal) as caught:
            access.enter(page(address="10.0.0.9"), "x" * 43)
        told.append(caught.value.status)
    assert told == [401] * FREE + [429]


def test_who_succeeds_begins_anew_but_his_address_does_not(access):
    """An account of one's own must not be the way to go on guessing those of others."""
    for n in range(19):
        failures(access, f"user{n}")
        access.login(page(address="10.0.0.9"), "vera", PASSWORD)
    assert failures(access, "otto") == "401"
    assert failures(access, "otto") == "429 1"


def test_pauses_become_longer_and_are_forgotten():
    now = 0.0
    throttle = Throttle(60.0, lambda: now)
    for _ in range(FREE):
        assert throttle.attempt("a") == 0
    pauses = []
    for _ in range(9):
        pauses.append(throttle.attempt("a"))
        now += pauses[-1]
        assert throttle.attempt("a") == 0
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    now += FORGET + 1
    assert [throttle.attempt("a") for _ in range(FREE + 1)] == [0] * FREE + [1]


def test_many_keys_take_little_memory():
    throttle = Throttle(60.0, lambda: 0.0)
    for number in range(3 * MOST):
        throttle.attempt(str(number))
    assert len(throttle) == MOST


def test_many_at_the_same_time_are_not_more_tries(access):
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(failures(access, "anna"))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("401") <= FREE and len(told) == 40


def test_no_more_than_some_passwords_are_hashed_at_a_time(monkeypatch):
    from hookmq.web.access import passwords as module

    most, now, lock = 0, 0, threading.Lock()

    def slow(*arguments):
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.2)
        with lock:
            now -= 1
        return False

    monkeypatch.setattr(module, "verify_user", slow)
    passwords, told = Passwords(), []

    def check() -> None:
        try:
            passwords.fits("x", "$argon2id$x")
            told.append(200)
        except Refusal as refusal:
            told.append(refusal.status)

    threads = [threading.Thread(target=check) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == AT_ONCE
    assert set(told) == {200, 429}
