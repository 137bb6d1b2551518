"""Mutual TLS: who has to show a certificate, which ones are taken, and whom they vouch for."""

from __future__ import annotations

import ssl

import pytest

from ..access.deciding import may_publish
from ..access.hashes import mosquitto_6
from ..api.helpers import eventually
from ..protocol.packets import V5, Connack, Connect
from .certificates import Authority
from .doors import door
from .line import Line, open_socket
from .test_tls import BOTH, refused


@pytest.fixture
def asking(broker_factory, authority, server):
    """`asking(client_cert="optional")` starts a broker that asks for certificates."""

    def asking(settings=None, *, hook=None, **tls):
        section = {"port": 0, **server.files, "client_ca": str(authority.cert)} | tls
        broker = broker_factory(
            {f"tls.{key}": value for key, value in section.items()} | (settings or {}), start=False
        )
        if hook is not None:
            broker.authenticate(hook)
        return broker.start()

    return asking


def knock(line, client: str = "c1", **fields) -> int:
    """The code of the CONNACK."""
    line.send(Connect(client, **fields))
    answer = line.read()
    assert isinstance(answer, Connack)
    if answer.code:
        line.expect_closed()
    return answer.code


# Which certificates are taken ------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("demand", ["required", "optional", None])
def test_a_certificate_of_the_authority(asking, secure, authority, tls, demand):
    broker = asking(**({} if demand is None else {"client_cert": demand}))
    line = secure(broker, authority.trusting(authority.client(), version=tls))
    line.connect(Connect("c1"))
    line.ping()
    assert broker.statistics["tls_failures"] == 0


@BOTH
@pytest.mark.parametrize("demand", ["required", None])
def test_no_certificate_where_one_is_required(asking, secure, authority, tls, demand):
    """It is required unless the settings say otherwise."""
    broker = asking(**({} if demand is None else {"client_cert": demand}))
    refused(secure, broker, authority.trusting(version=tls))
    eventually(lambda: broker.statistics["tls_failures"] == 1)


@BOTH
def test_no_certificate_where_none_is_required(asking, secure, authority, tls):
    broker = asking(client_cert="optional")
    secure(broker, authority.trusting(version=tls)).connect(Connect("c1"))


def _stranger(authority: Authority):
    other = Authority(authority.folder / "other", "stranger")
    return other.client("impostor", CN="client")


def _namesake(authority: Authority):
    """Another authority of the same name."""
    other = Authority(authority.folder / "namesake", "authority")
    return other.client("impostor", CN="client")


BAD = {
    "another authority": _stranger,
    "an authority of the same name": _namesake,
    "expired": lambda authority: authority.issue("expired", client=True, days=(-20, -10)),
    "not yet valid": lambda authority: authority.issue("early", client=True, days=(5, 10)),
    "for servers": lambda authority: authority.issue("server2", "localhost"),
}


@BOTH
@pytest.mark.parametrize("demand", ["required", "optional"])
@pytest.mark.parametrize("what", BAD)
def test_a_certificate_that_is_not_taken(asking, secure, authority, tls, demand, what):
    broker = asking(client_cert=demand)
    bad = BAD[what](authority)
    refused(secure, broker, authority.trusting(bad, version=tls))
    eventually(lambda: broker.statistics["tls_failures"] == 1)
    secure(broker, authority.trusting(authority.client(), version=tls)).connect(Connect("c1"))


@BOTH
def test_a_revoked_certificate(asking, secure, authority, tls):
    good, bad = authority.client("good"), authority.client("bad")
    broker = asking(crl=str(authority.revoke(bad)))
    secure(broker, authority.trusting(good, version=tls)).connect(Connect("c1"))
    refused(secure, broker, authority.trusting(bad, version=tls))
    eventually(lambda: broker.statistics["tls_failures"] == 1)


def test_a_list_on_which_nobody_stands(asking, secure, authority):
    broker = asking(crl=str(authority.revoke()))
    secure(broker, authority.trusting(authority.client())).connect(Connect("c1"))


@pytest.fixture
def below(authority):
    """An authority below the one that the broker knows, and a client with a certificate of it."""
    made = Authority(authority.folder / "below", "below", above=authority)
    client = made.client()
    client.cert.write_bytes(client.cert.read_bytes() + made.cert.read_bytes())  # it shows the chain
    return made, client


def both(authority, *lists) -> str:
    path = authority.folder / "lists.pem"
    path.write_bytes(b"".join(one.read_bytes() for one in lists))
    return str(path)


@BOTH
def test_the_lists_of_a_chain(asking, secure, authority, below, tls):
    intermediate, client = below
    broker = asking(crl=both(authority, authority.revoke(), intermediate.revoke()))
    secure(broker, authority.trusting(client, version=tls)).connect(Connect("c1"))


@BOTH
@pytest.mark.parametrize(
    "what", ["the client", "its authority", "no list of the client", "no list of its authority"]
)
def test_a_chain_of_which_one_was_revoked_or_cannot_be_looked_up(
    asking, secure, authority, below, tls, what, caplog
):
    intermediate, client = below
    lists = {
        "the client": lambda: (authority.revoke(), intermediate.revoke(client)),
        "its authority": lambda: (authority.revoke(intermediate), intermediate.revoke()),
        "no list of the client": lambda: (authority.revoke(),),
        "no list of its authority": lambda: (intermediate.revoke(),),
    }
    broker = asking(crl=both(authority, *lists[what]()))
    refused(secure, broker, authority.trusting(client, version=tls))
    eventually(lambda: broker.statistics["tls_failures"] == 1)
    # The log says why, and what to do.
    why = "tls.crl needs a list of every authority" if "list" in what else "Revoked"
    eventually(lambda: "TLS handshake" in caplog.text)
    (record,) = (one for one in caplog.records if "TLS handshake" in one.message)
    assert (why in record.message, record.levelname) == (True, "WARNING"), record.message


def test_a_list_that_is_out_of_date_lets_nobody_in(asking, secure, authority, caplog):
    broker = asking(crl=str(authority.revoke(days=(-5, -1))))
    refused(secure, broker, authority.trusting(authority.client()))
    eventually(lambda: "tls.crl needs a newer list" in caplog.text)
    authority.revoke()
    broker.reload()
    secure(broker, authority.trusting(authority.client())).connect(Connect("c1"))


def test_several_authorities_in_one_file(asking, secure, authority):
    other = Authority(authority.folder / "other", "other")
    both = authority.folder / "both.pem"
    both.write_bytes(authority.cert.read_bytes() + other.cert.read_bytes())
    broker = asking(client_ca=str(both))
    for client in (authority.client("one"), other.client("two")):
        secure(broker, authority.trusting(client)).connect(Connect(client.cert.stem))


# Whom they vouch for ---------------------------------------------------------------------------------------


def test_the_common_name_becomes_the_user_name(asking, secure, authority, access_rules):
    seen = []
    broker = asking(access_rules("allow user sensor all sensor/#"), identity="cn")
    broker.on_client_connected(lambda client: seen.append(client.username))
    context = authority.trusting(authority.client("one", CN="sensor", O="Works"))
    # What CONNECT says of it counts for nothing.
    for number, username in enumerate((None, "admin", "sensor")):
        line = secure(broker, context)
        line.connect(Connect(f"c{number}", username=username, password=b"x" if username else None))
        assert may_publish(line, "sensor/x")
        assert not may_publish(line, "admin/x")
    eventually(lambda: seen == ["sensor"] * 3)


def test_the_whole_subject_becomes_the_user_name(asking, secure, authority):
    seen = []
    broker = asking(identity="dn")
    broker.on_client_connected(lambda client: seen.append(client.username))
    context = authority.trusting(authority.client("one", C="DE", O="Works", OU="Pumps", CN="sensor"))
    secure(broker, context).connect(Connect("c1", username="admin"))
    eventually(lambda: seen)
    # RFC 4514 writes the most particular part first.
    assert seen[0].replace(", ", ",") == "CN=sensor,OU=Pumps,O=Works,C=DE"


def test_a_subject_cannot_be_made_to_look_like_another(asking, secure, authority):
    seen = []
    broker = asking(identity="dn")
    broker.on_client_connected(lambda client: seen.append(client.username))
    for file, parts in (("one", {"O": "b", "CN": "a"}), ("two", {"CN": "a,O=b"})):
        secure(broker, authority.trusting(authority.client(file, **parts))).connect(Connect(file))
    eventually(lambda: len(seen) == 2)
    assert len(set(seen)) == 2


@pytest.mark.parametrize("name", ["+", "#", "a/b", "水位"])
def test_a_common_name_never_widens_a_rule(asking, secure, authority, access_rules, name):
    broker = asking(access_rules("allow any publish of/%u/x"), identity="cn")
    line = secure(broker, authority.trusting(authority.client("one", CN=name)))
    line.connect(Connect("c1"))
    assert not may_publish(line, "of/a/b/x")
    assert not may_publish(line, "of/other/x")
    if name == "水位":
        assert may_publish(line, "of/水位/x")


def test_a_certificate_without_a_common_name_vouches_for_nobody(asking, secure, authority):
    broker = asking(identity="cn")
    line = secure(broker, authority.trusting(authority.client("one", O="Works")))
    assert knock(line, username="admin") in (0x86, 0x87)


def test_a_certificate_vouches_where_hooks_have_no_opinion(asking, secure, authority):
    asked = []

    def decide(client):
        asked.append(client.username)
        return {"banned": False}.get(client.username)

    broker = asking(identity="cn", hook=decide)
    for name, let_in in (("sensor", True), ("banned", False)):
        line = secure(broker, authority.trusting(authority.client(name, CN=name)))
        assert (knock(line, username="other") == 0) is let_in
    assert asked == ["sensor", "banned"]


def test_without_a_certificate_nobody_vouches(asking, secure, authority):
    broker = asking(identity="cn", client_cert="optional")
    assert knock(secure(broker, authority.trusting())) in (0x86, 0x87)
    assert knock(secure(broker, authority.trusting()), username="sensor") in (0x86, 0x87)
    broker = asking({"allow_anonymous": True}, identity="cn", client_cert="optional")
    assert knock(secure(broker, authority.trusting())) == 0
    assert knock(secure(broker, authority.trusting()), username="sensor") in (0x86, 0x87)


def test_a_password_instead_of_a_certificate(asking, secure, authority, tmp_path):
    users = tmp_path / "users"
    users.write_text("tank:" + mosquitto_6(b"secret") + "\n")
    broker = asking({"access.users_file": str(users)}, identity="cn", client_cert="optional")
    assert knock(secure(broker, authority.trusting()), username="tank", password=b"secret") == 0
    assert knock(secure(broker, authority.trusting()), username="tank", password=b"wrong") == 0x86
    sensor = authority.trusting(authority.client("one", CN="sensor"))
    assert knock(secure(broker, sensor), "c2") == 0


def test_a_certificate_that_is_no_identity_vouches_for_nobody(asking, secure, authority, tmp_path):
    """By default it only opens the line: who it is is said by CONNECT, and checked."""
    users = tmp_path / "users"
    users.write_text("tank:" + mosquitto_6(b"secret") + "\n")
    broker = asking({"access.users_file": str(users)})
    context = authority.trusting(authority.client("one", CN="tank"))
    assert knock(secure(broker, context)) in (0x86, 0x87)
    assert knock(secure(broker, context), username="tank", password=b"wrong") == 0x86
    assert knock(secure(broker, context), username="tank", password=b"secret") == 0


def test_a_session_belongs_to_who_the_certificate_names(asking, secure, authority):
    broker = asking(identity="cn")
    kept = {"clean": False, "properties": {"session_expiry_interval": 60}}
    ann, bob = (authority.trusting(authority.client(name, CN=name)) for name in ("ann", "bob"))
    line = secure(broker, ann)
    line.connect(Connect("same", **kept))
    assert knock(secure(broker, bob), "same", username="ann") == 0x87
    line.ping()
    assert secure(broker, ann).connect(Connect("same", **kept)).session_present


def test_the_plain_port_knows_no_certificates(asking, secure, dial, authority):
    """What a certificate opens does not close the other ports, nor open them."""
    broker = asking(identity="cn")
    wire = dial(V5, to=broker)
    wire.connect(Connect("c1", username="sensor"))
    line = secure(broker, authority.trusting(authority.client("one", CN="sensor")))
    line.connect(Connect("c2"))


@BOTH
def test_who_was_revoked_does_not_resume_its_tls_session(asking, secure, authority, tls, lines):
    """A ticket from before must not spare a client the look at its certificate."""
    client = authority.client("leaver")
    crl = authority.revoke()
    broker = asking(crl=str(crl))
    context = authority.trusting(client, version=tls)
    first = secure(broker, context)
    first.connect(Connect("c1"))
    session = first.socket.session
    authority.revoke(client)
    broker.reload()
    first.ping()  # a connection that is there stays
    host, port = door(broker, "mqtts")
    with pytest.raises((OSError, AssertionError)) as caught:
        plain = open_socket(port, host=host)
        lines.append(plain)
        wrapped = context.wrap_socket(plain, server_hostname="localhost", session=session)
        lines.append(wrapped)
        Line(wrapped).connect(Connect("c2"))
    assert isinstance(caught.value, (ssl.SSLError, ConnectionError)) or "closed" in str(caught.value)
