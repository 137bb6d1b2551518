"""A real slapd: bind, search and bind, groups, TLS, and a directory that is away, hangs and comes back."""

from __future__ import annotations

import threading
import time

import pytest

from hookmq.authentication import LDAP

from ..api.helpers import eventually
from ..servers.process import free_port
from .clients import BAD_LOGIN, NOT_AUTHORIZED, UNAVAILABLE, client, knock, secret
from .slapd import USERS

DIRECT = {"bind_dn": "uid={username},ou=people,dc=example"}
SEARCH = {"search_base": "ou=people,dc=example", "account": "cn=reader,dc=example", "password": "read"}
BOTH = pytest.mark.parametrize("how", [DIRECT, SEARCH], ids=["bind", "search"])


@BOTH
@pytest.mark.parametrize("username", USERS)
def test_users_of_the_directory(guarded, slapd, how, username):
    broker, seen = guarded(LDAP(slapd.url, **how)), []
    broker.on_client_connected(lambda client: seen.append(client.username))
    assert knock(broker, username, USERS[username]).code == 0
    eventually(lambda: seen == [username])
    for password in ("wrong", "Water", USERS[username] + " ", b"\xff\xfe"):
        assert knock(broker, username, password).code == BAD_LOGIN
    assert knock(broker, "nobody", USERS[username]).code == BAD_LOGIN


@BOTH
def test_an_empty_password_is_no_password(guarded, slapd, how):
    """RFC 4513, 5.1.2: directories let everyone bind with it."""
    service = LDAP(slapd.url, **how)
    broker = guarded(service)
    for password in ("", None):
        assert knock(broker, "tank", password).code == BAD_LOGIN
    assert knock(broker, None, None).code == NOT_AUTHORIZED  # nobody vouches for it


@BOTH
@pytest.mark.parametrize(
    "username",
    [
        "*",
        "t*nk",
        "tank)(uid=*",
        "*)(|(uid=*",
        "tank,ou=people,dc=example",
        "tank,ou=people,dc=example\\",
        "x)(|(objectClass=*)",
        "tank\r\ndn: cn=admin",
        "{dn}",
        "{username}",
        "\\74ank",
        "a" * 3000,
    ],
)
def test_a_user_name_is_never_part_of_a_filter_or_a_dn(guarded, slapd, how, username):
    broker = guarded(LDAP(slapd.url, **how))
    assert knock(broker, username, "water").code == BAD_LOGIN
    assert knock(broker, "tank", "water").code == 0


@BOTH
@pytest.mark.parametrize("username", ["TANK", " tank", "tank ", "Tank  "])
def test_the_client_is_known_by_the_name_as_the_directory_writes_it(guarded, slapd, how, username):
    broker, seen = guarded(LDAP(slapd.url, **how)), []
    broker.on_client_connected(lambda client: seen.append(client.username))
    assert knock(broker, username, "water").code == 0
    eventually(lambda: seen == ["tank"])


def test_an_entry_that_does_not_show_its_name_lets_nobody_in(guarded, slapd, caplog):
    broker = guarded(LDAP(slapd.url, bind_dn="uid={username},ou=hidden,dc=example"))
    assert knock(broker, "ghost", "boo!").code == BAD_LOGIN
    assert knock(broker, "ghost", "boo").code == UNAVAILABLE
    assert "read their own entry" in caplog.text or "does not show" in caplog.text


def test_two_entries_of_one_name_let_nobody_in(guarded, slapd, caplog):
    broker = guarded(LDAP(slapd.url, **SEARCH | {"search_base": "dc=example"}))
    for password in ("one", "two"):
        assert knock(broker, "twin", password).code == UNAVAILABLE
    assert "more than one entry" in caplog.text
    assert knock(broker, "tank", "water").code == 0


@BOTH
def test_only_members_of_a_group(guarded, slapd, how):
    group = {"group_base": "ou=groups,dc=example", "group_filter": "(&(cn=mqtt)(member={dn}))"}
    broker = guarded(LDAP(slapd.url, **how, **group))
    assert knock(broker, "tank", "water").code == 0
    assert knock(broker, "tank", "wrong").code == BAD_LOGIN
    for username in ("pump", "a,b=c+d", "st*r (old) \\"):
        assert knock(broker, username, USERS[username]).code == NOT_AUTHORIZED


def test_an_account_that_is_refused(guarded, slapd, caplog):
    broker = guarded(LDAP(slapd.url, **SEARCH | {"password": secret("wrong-account-password")}))
    assert knock(broker, "tank", "water").code == UNAVAILABLE
    assert "the account that searches is refused: Invalid credentials" in caplog.text


def test_without_an_account_it_searches_anonymously(guarded, slapd, caplog):
    service = LDAP(slapd.url, search_base="ou=open,dc=example")
    broker = guarded(service)
    assert knock(broker, "guest", "welcome").code == 0
    assert knock(broker, "guest", "wrong").code == BAD_LOGIN
    assert knock(broker, "tank", "water").code == BAD_LOGIN
    # Where nobody may search anonymously, nobody gets in; not even on the connection that was a user's.
    assert (
        knock(guarded(LDAP(slapd.url, search_base="ou=people,dc=example")), "tank", "water").code
        == UNAVAILABLE
    )
    assert "Insufficient access" in caplog.text


# TLS -------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("start_tls", [True, False])
def test_tls(guarded, slapd, how, start_tls):
    url = slapd.url if start_tls else slapd.tls_url
    options = {"start_tls": True} if start_tls else {}
    broker = guarded(LDAP(url, ca=slapd.ca, **options, **how))
    assert knock(broker, "tank", "water").code == 0
    assert knock(broker, "tank", "wrong").code == BAD_LOGIN


@pytest.mark.parametrize("start_tls", [True, False])
@pytest.mark.parametrize("trust", ["another authority", "the system's", "another name"])
def test_a_directory_that_nobody_vouches_for(guarded, slapd, other_authority, trust, start_tls, caplog):
    strange = trust == "another name"
    plain, tls = (slapd.strange_url, slapd.strange_tls_url) if strange else (slapd.url, slapd.tls_url)
    ca = {"another authority": str(other_authority), "the system's": None, "another name": slapd.ca}[trust]
    options = {"start_tls": True} if start_tls else {}
    broker = guarded(LDAP(plain if start_tls else tls, ca=ca, **options, **DIRECT))
    assert knock(broker, "tank", "water").code == UNAVAILABLE
    assert any(word in caplog.text.lower() for word in ("certificate", "hostname"))


def test_passwords_go_to_other_machines_with_tls_only():
    assert "StartTLS" in LDAP("ldap://directory.example", **DIRECT).describe()
    assert "StartTLS" not in LDAP("ldap://127.0.0.1", **DIRECT).describe()
    assert "StartTLS" not in LDAP("ldap://directory.example", start_tls=False, **DIRECT).describe()
    assert "StartTLS" not in LDAP("ldaps://directory.example", **DIRECT).describe()


# A directory that is away ----------------------------------------------------------------------------------


@BOTH
def test_a_directory_that_is_down_and_comes_back(guarded, slapd, how, caplog):
    service = LDAP(slapd.url, failures=2, pause=0.2, **how)
    broker = guarded(service)
    assert knock(broker, "tank", "water").code == 0
    slapd.stop()
    for _ in range(4):
        assert knock(broker, "tank", "water").code == UNAVAILABLE
    assert service.short_circuited >= 1
    assert "Can't contact LDAP server" in caplog.text
    slapd.start()
    eventually(lambda: knock(broker, "tank", "water").code == 0)
    assert "ldap answers again" in caplog.text


@BOTH
def test_a_restart_that_nobody_noticed(guarded, slapd, how):
    """Connections that were kept are gone, and nobody is refused for that."""
    service = LDAP(slapd.url, **how)
    broker = guarded(service)
    assert knock(broker, "tank", "water").code == 0
    slapd.stop()
    slapd.start()
    assert knock(broker, "tank", "water").code == 0
    assert knock(broker, "tank", "wrong").code == BAD_LOGIN
    assert service.failed == 0


@BOTH
def test_a_directory_that_hangs(guarded, slapd, how, caplog):
    service = LDAP(slapd.url, timeout=0.3, failures=2, pause=0.3, **how)
    broker = guarded(service)
    assert knock(broker, "tank", "water").code == 0
    slapd.freeze()
    began = time.monotonic()
    for number in range(4):
        assert knock(broker, f"tank{number}", "water").code == UNAVAILABLE
    assert time.monotonic() - began < 2
    assert service.short_circuited >= 1
    assert "no answer within 0.3 s" in caplog.text
    slapd.thaw()
    eventually(lambda: knock(broker, "tank", "water").code == 0)


def test_several_servers(guarded, slapd):
    nobody = f"ldap://127.0.0.1:{free_port()}"
    service = LDAP([nobody, slapd.url], **DIRECT)
    broker = guarded(service)
    assert knock(broker, "tank", "water").code == 0
    assert service.describe().startswith(slapd.url)  # the one that answered is asked first from now on
    assert knock(guarded(LDAP([nobody, nobody], **DIRECT)), "tank", "water").code == UNAVAILABLE


def test_many_at_a_time(slapd):
    """Each thread has a connection of its own: nobody gets the answer to another one's question."""
    service = LDAP(slapd.url, negative_ttl=0, **SEARCH)
    names = list(USERS)
    wrong = []

    def ask(number):
        for turn in range(30):
            name = names[(number + turn) % len(names)]
            right = turn % 3 != 0
            answer = service.decide(client(name, USERS[name] if right else "wrong"))
            if getattr(answer, "username", None) != (name if right else None):
                wrong.append((name, right, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert wrong == []
    service.closed()


# Options ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either bind_dn or search_base"),
        ({**DIRECT, "search_base": "dc=example"}, "either bind_dn or search_base"),
        ({"bind_dn": "uid=tank,dc=example"}, "bind_dn has no {username}"),
        ({"search_base": "dc=example", "search_filter": "(uid=tank)"}, "search_filter has no {username}"),
        ({"search_base": "dc=example", "search_filter": "(mail={username}@x)"}, "username_attribute"),
        ({**DIRECT, "account": "cn=reader"}, "account and password go together"),
        ({**DIRECT, "account": "cn=reader", "password": ""}, "account and password go together"),
        ({**DIRECT, "group_base": "dc=example"}, "group_filter and group_base go together"),
        ({**DIRECT, "url": "http://directory.example"}, "url is an address such as ldaps"),
        ({**DIRECT, "url": []}, "url names no server"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        LDAP(**{"url": "ldaps://directory.example"} | options)
