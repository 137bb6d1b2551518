"""Services from tables, as `hookmq.toml` has them; and what is said of tables that cannot be."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from hookmq.authentication import JWT, LDAP, ClientCertificate, HTTPService, OAuth2, SQLTable, services_from
from hookmq.authentication.options import KINDS_OF_SERVICES
from hookmq.errors import HookMQError

from .clients import BAD_LOGIN, NOT_AUTHORIZED, knock
from .peer import Reply
from .tokens import SECRET, key, public_pem, token

TOML = """
[[authentication]]
kind = "certificate"
allow = {{ OU = ["Pumps"] }}

[[authentication]]
kind = "jwt"
secret_file = "{place}/secret"
audience = ["mqtt"]
final = false

[[authentication]]
kind = "oauth2"
issuer = "https://login.example"
client_id = "mqtt"
client_secret_env = "MQTT_SECRET"

[[authentication]]
kind = "ldap"
url = ["ldaps://one.example", "ldaps://two.example"]
bind_dn = "uid={{username}},ou=people,dc=example"

[[authentication]]
kind = "ldap"
url = "ldap://127.0.0.1"
search_base = "dc=example"
name = "second"

[[authentication]]
kind = "sql"
url_env = "MQTT_DATABASE"
ttl = 60

[[authentication]]
kind = "http"
url = "https://plant.example/auth"
method = "PUT"
"""


def made(*tables):
    return services_from(tables, where="hookmq.toml")


def test_tables_of_every_kind(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("MQTT_SECRET", "whatever")
    monkeypatch.setenv("MQTT_DATABASE", "sqlite://")
    services = made(*tomllib.loads(TOML.format(place=tmp_path))["authentication"])
    assert [type(one) for one in services] == [
        ClientCertificate,
        JWT,
        OAuth2,
        LDAP,
        LDAP,
        SQLTable,
        HTTPService,
    ]
    assert [one.name for one in services] == ["certificate", "jwt", "oauth2", "ldap", "second", "sql", "http"]
    assert {type(one).kind for one in services} == set(KINDS_OF_SERVICES)
    assert (services[5].ttl, services[1].final) == (60, False)


def test_a_secret_from_a_file_is_the_one_that_counts(guarded, tmp_path, monkeypatch):
    (tmp_path / "secret").write_text(SECRET + "\r\n")
    monkeypatch.setenv("MQTT_KEY", public_pem(key("RS")))
    broker = guarded(
        *made(
            {"kind": "jwt", "secret_file": str(tmp_path / "secret"), "final": False},
            {"kind": "jwt", "key_env": "MQTT_KEY"},
        )
    )
    assert knock(broker, "x", token()).code == 0
    assert knock(broker, "x", token(key("RS"), "RS256")).code == 0
    assert knock(broker, "x", token(key("RS", 1), "RS256")).code == BAD_LOGIN
    assert [hook.name for hook in broker.hooks if hook.kind == "authenticate"] == ["jwt", "jwt-2"]


def test_they_are_asked_in_their_order(guarded, peer):
    peer.answer = lambda request: Reply(200 if request.path == "/second" else 403)
    tables = [
        {"kind": "http", "url": f"{peer.url}/first", "final": False},
        {"kind": "http", "url": f"{peer.url}/second"},
    ]
    assert knock(guarded(*made(*tables)), "tank", "water").code == 0
    assert [request.path for request in peer.seen] == ["/first", "/second"]


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ({}, "E306", "an authentication needs `kind`"),
        (
            {"kind": "ldpa"},
            "E303",
            "`kind` is 'ldpa'; expected one of http, ldap, jwt, oauth2, sql, certificate",
        ),
        ({"kind": "ldpa"}, "E303", "did you mean `ldap`?"),
        ({"kind": ["jwt"]}, "E303", "`kind` is ['jwt']"),
        ({"kind": "jwt", "secrit": SECRET}, "E301", "unknown key `secrit`"),
        ({"kind": "jwt", "secrit": SECRET}, "E301", "did you mean `secret`?"),
        ({"kind": "jwt"}, "E304", "an authentication of kind jwt: give one of secret, key and jwks"),
        ({"kind": "http"}, "E306", "an authentication of kind http needs `url`"),
        (
            {"kind": "oauth2", "client_id": "x"},
            "E306",
            "an authentication of kind oauth2 needs `client_secret`",
        ),
        ({"kind": "http", "url": 7}, "E304", "url is an address"),
        (
            {"kind": "http", "url": "https://a.example", "ttl": "60s"},
            "E304",
            "ttl is a number from 0 on, not '60s'",
        ),
        ({"kind": "sql", "url": "nothing"}, "E304", "url: it is not a database URL"),
        (
            {"kind": "jwt", "secret_env": "NOT_SET"},
            "E304",
            "`secret_env`: the environment variable NOT_SET is not set",
        ),
        (
            {"kind": "jwt", "secret_file": "/not/there"},
            "E304",
            "`secret_file`: /not/there: no such file or directory",
        ),
        ({"kind": "jwt", "secret_file": 7}, "E303", "`secret_file` is 7; expected the path of a file"),
        ({"kind": "jwt", "secret": SECRET, "secret_file": "x"}, "E304", "`secret` is given twice"),
    ],
)
def test_tables_that_cannot_be(table, code, words):
    with pytest.raises(HookMQError) as caught:
        made({"kind": "certificate"}, table)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert "hookmq.toml, authentication 2" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "module", "extra"),
    [
        ({"kind": "http", "url": "https://a.example"}, "requests", "http-auth"),
        (
            {"kind": "oauth2", "issuer": "https://a.example", "client_id": "x", "client_secret": "y"},
            "requests",
            "oauth2",
        ),
        ({"kind": "jwt", "secret": SECRET}, "jwt", "jwt"),
        ({"kind": "ldap", "url": "ldap://127.0.0.1", "bind_dn": "uid={username}"}, "ldap", "ldap"),
        ({"kind": "sql", "url": "sqlite://", "hash": "bcrypt"}, "bcrypt", "sql-users"),
    ],
)
def test_a_library_that_is_not_installed(monkeypatch, table, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HookMQError) as caught:
        made(table)
    assert f"the module `{module}` is not installed" in str(caught.value)
    assert f"pip install 'hookmq[{extra}]'" in str(caught.value)


def test_importing_the_package_imports_no_library():
    program = (
        "import sys, hookmq.authentication as a; a.services_from([], where='x');"
        "names = ('requests', 'jwt', 'ldap', 'sqlalchemy', 'bcrypt', 'cryptography');"
        "print([name for name in names if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert out.stdout == "[]\n"


def test_a_broker_reads_them_from_its_settings(broker_factory):
    tables = [{"kind": "jwt", "secret": SECRET, "audience": "mqtt"}]
    broker = broker_factory(authentication=tables)
    assert knock(broker, "x", token(aud="mqtt")).code == 0
    assert knock(broker, "x", token(aud="others")).code == BAD_LOGIN
    assert knock(broker, "x", "water").code == NOT_AUTHORIZED
    with pytest.raises(HookMQError, match="unknown key `secrit`"):
        broker_factory(authentication=[{"kind": "jwt", "secrit": SECRET}])
