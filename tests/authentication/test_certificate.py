"""Who a certificate says the client is, and which ones are let in."""

from __future__ import annotations

import pytest

from hookmq.authentication import ClientCertificate
from hookmq.authentication.certificate import parts_of

from ..api.helpers import eventually
from ..protocol.packets import V5, Connack, Connect
from ..transports.certificates import Authority
from ..transports.doors import door
from ..transports.line import Line, open_socket
from .clients import NOT_AUTHORIZED, client

WORKS = {"C": "DE", "O": "Works", "OU": "Pumps", "CN": "tank"}


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("signer"))


@pytest.fixture
def present(guarded, signer):
    """`present(service, CN="tank")` connects with such a certificate: the code, and whom it is taken for."""

    def present(service, username=None, **parts):
        server = signer.server()
        tls = {"port": 0, **server.files, "client_ca": str(signer.cert), "client_cert": "optional"}
        broker, seen = guarded(service, settings={f"tls.{key}": value for key, value in tls.items()}), []
        broker.on_client_connected(lambda client: seen.append(client.username))
        shown = signer.client("client", **parts) if parts else None
        host, port = door(broker, "mqtts")
        with signer.trusting(shown).wrap_socket(
            open_socket(port, host=host), server_hostname="localhost"
        ) as line:
            wire = Line(line, version=V5)
            wire.send(Connect("c1", username=username))
            answer = wire.read()
            assert isinstance(answer, Connack)
            if answer.code == 0:
                eventually(lambda: seen)
        return answer.code, *seen

    return present


def test_the_common_name(present):
    assert present(ClientCertificate(), **WORKS) == (0, "tank")
    assert present(ClientCertificate(), username="admin", **WORKS) == (0, "tank")


def test_the_whole_subject(present):
    assert present(ClientCertificate(username="dn"), **WORKS) == (0, "CN=tank,OU=Pumps,O=Works,C=DE")


@pytest.mark.parametrize("pattern", [r"CN=(\w+),OU=Pumps,.*", r".*OU=(?P<unit>\w+),.*|(?P<username>x)"])
def test_a_group_of_a_pattern(present, pattern):
    found = present(ClientCertificate(username=pattern), **WORKS)
    assert found == ((0, "tank") if "unit" not in pattern else (NOT_AUTHORIZED,))


def test_the_pattern_is_for_the_whole_subject(present):
    service = ClientCertificate(username=r"CN=(\w+)")
    assert present(service, **WORKS) == (NOT_AUTHORIZED,)


def test_only_some_are_let_in(present):
    service = {"allow": {"O": "Works", "ou": ["Pumps", "Valves"]}}
    assert present(ClientCertificate(**service), **WORKS) == (0, "tank")
    for other in (
        {"OU": "Office"},
        {"O": "Others"},
        {"O": "Works,OU=Pumps", "OU": "x"},
        {"CN": "x,O=Works", "O": "y"},
    ):
        assert present(ClientCertificate(**service), **WORKS | other) == (NOT_AUTHORIZED,)


def test_a_client_without_a_certificate_is_left_to_others(present):
    service = ClientCertificate()
    assert present(service, username="tank") == (0x87,)
    assert service.counters["refused"] == 0


def test_a_certificate_without_a_name(present):
    assert present(ClientCertificate(), O="Works") == (NOT_AUTHORIZED,)


@pytest.mark.parametrize(
    ("subject", "parts"),
    [
        ("CN=tank", {"CN": ["tank"]}),
        ("CN=a\\,b\\+c\\=d\\\\,O=x", {"CN": ["a,b+c=d\\"], "O": ["x"]}),
        ("CN=a\\00b", {"CN": ["a\0b"]}),
        ("CN=\\ a\\ ,O=\\#x", {"CN": [" a "], "O": ["#x"]}),
        ("OU=a+OU=b,2.5.4.99=c", {"OU": ["a", "b"], "2.5.4.99": ["c"]}),
        ("CN=", {"CN": [""]}),
        ("CN=two\nlines", {"CN": ["two\nlines"]}),
    ],
)
def test_the_parts_of_a_subject(subject, parts):
    assert parts_of(subject) == parts


@pytest.mark.parametrize("subject", ["CN=a,CN=b", "CN=", "CN=a\\00b", "O=x"])
def test_a_name_that_is_not_clear(subject):
    answer = ClientCertificate().decide(client(certificate=subject))
    assert getattr(answer, "code", 0) == NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("username", "words"), [("uid", "'cn', 'dn' or a regular expression"), ("(", "no regular")]
)
def test_options_that_cannot_be(username, words):
    with pytest.raises(ValueError, match=words):
        ClientCertificate(username=username)
