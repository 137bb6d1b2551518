"""Users in a table: SQLite and PostgreSQL, right and wrong passwords, and a database that is away."""

from __future__ import annotations

import statistics
import time

import pytest
import sqlalchemy

from hookmq.authentication import SQLTable
from hookmq.errors import HookMQError

from ..api.helpers import eventually
from .clients import BAD_LOGIN, NOT_AUTHORIZED, UNAVAILABLE, client, knock, secret
from .conftest import LEFT_OUT
from .test_password_hashes import MADE, PASSWORD

KINDS = ["sqlite"] + ([] if any("PostgreSQL" in what for what in LEFT_OUT) else ["postgresql"])
QUERY = "SELECT password_hash, username FROM users WHERE username = :username"
INJECTIONS = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "tank'--",
    "'; DROP TABLE users; --",
    "' UNION SELECT 'x', 'admin' --",
    ":username",
    "%s",
    "tank\r\n",
    "\\",
    "%",
    "x" * 10_000,
]


class Table:
    """A table of users."""

    def __init__(self, url):
        self.url = url
        driver = url.replace("postgresql://", "postgresql+psycopg://")
        self.engine = sqlalchemy.create_engine(driver)
        self.execute("DROP TABLE IF EXISTS users")
        self.execute(
            "CREATE TABLE users (username varchar(200), password_hash varchar(500), enabled integer)"
        )

    def execute(self, statement, **values):
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement), values)

    def add(self, username, stored, enabled=1):
        self.execute("INSERT INTO users VALUES (:u, :h, :e)", u=username, h=stored, e=enabled)


@pytest.fixture(params=KINDS)
def table(request, tmp_path):
    url = f"sqlite:///{tmp_path}/users.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").url
    made = Table(url)
    yield made
    made.engine.dispose()


@pytest.fixture
def users(table):
    for number, stored in enumerate(MADE.values()):
        table.add(f"user{number}", stored)
    return table


@pytest.mark.parametrize("number", range(len(MADE)))
def test_users_with_hashes_of_every_kind(guarded, users, number):
    broker = guarded(SQLTable(users.url, QUERY))
    assert knock(broker, f"user{number}", PASSWORD).code == 0
    assert knock(broker, f"user{number}", "wrong").code == BAD_LOGIN
    assert (
        knock(broker, f"user{number}", list(MADE.values())[number]).code == BAD_LOGIN
    )  # the hash is no password


def test_users_that_there_are_not(guarded, users):
    broker = guarded(SQLTable(users.url))
    assert knock(broker, "nobody", PASSWORD).code == BAD_LOGIN
    for password in ("", None):
        assert knock(broker, "user0", password).code == BAD_LOGIN
    assert knock(broker, None, None).code == NOT_AUTHORIZED


@pytest.mark.parametrize("username", INJECTIONS)
def test_a_user_name_is_never_part_of_the_statement(guarded, users, username):
    broker = guarded(SQLTable(users.url, QUERY))
    assert knock(broker, username, PASSWORD).code == BAD_LOGIN
    assert knock(broker, "user0", PASSWORD).code == 0


def test_the_client_is_known_by_the_name_in_the_row(guarded, users):
    users.add("Odd", MADE["argon2id"])
    broker, seen = guarded(SQLTable(users.url, QUERY.replace("username = ", "lower(username) = "))), []
    broker.on_client_connected(lambda client: seen.append(client.username))
    assert knock(broker, "odd", PASSWORD).code == 0
    eventually(lambda: seen == ["Odd"])


def test_the_query_may_look_at_the_client_as_well(guarded, users):
    users.add("tank", MADE["argon2id"], enabled=0)
    query = QUERY + " AND enabled = 1 AND :client_id = 'device-' || username AND :address = '127.0.0.1'"
    broker = guarded(SQLTable(users.url, query))
    assert knock(broker, "user0", PASSWORD, client_id="device-user0").code == 0
    assert knock(broker, "user0", PASSWORD, client_id="device-user1").code == BAD_LOGIN
    assert knock(broker, "tank", PASSWORD, client_id="device-tank").code == BAD_LOGIN


def test_two_rows_of_one_name_let_nobody_in(guarded, users, caplog):
    users.add("user0", MADE["bcrypt"])
    assert knock(guarded(SQLTable(users.url, QUERY)), "user0", PASSWORD).code == UNAVAILABLE
    assert "more than one row" in caplog.text


@pytest.mark.parametrize("stored", [None, "", "plain text"])
def test_a_row_without_a_hash_lets_nobody_in(guarded, table, stored, caplog):
    table.add("tank", stored)
    for password in ("plain text", "None", "x"):
        assert knock(guarded(SQLTable(table.url)), "tank", password).code in (BAD_LOGIN, UNAVAILABLE)
    secret("plain text")


def test_plain_passwords_only_if_that_is_said(guarded, table):
    table.add("tank", "deep water")
    assert knock(guarded(SQLTable(table.url)), "tank", "deep water").code == UNAVAILABLE
    broker = guarded(SQLTable(table.url, hash="plain"))
    assert knock(broker, "tank", "deep water").code == 0
    for wrong in ("deep", "deep water ", "Deep water"):
        assert knock(broker, "tank", wrong).code == BAD_LOGIN
    assert knock(broker, "nobody", "deep water").code == BAD_LOGIN


def test_hashes_of_one_kind_only(guarded, table, caplog):
    table.add("tank", MADE["bcrypt"])
    table.add("pump", MADE["argon2id"])
    broker = guarded(SQLTable(table.url, hash="bcrypt"))
    assert knock(broker, "tank", PASSWORD).code == 0
    assert knock(broker, "pump", PASSWORD).code == UNAVAILABLE
    assert "not of the kind bcrypt" in caplog.text


def test_a_table_that_is_not_there(guarded, table, caplog):
    table.execute("DROP TABLE users")
    assert knock(guarded(SQLTable(table.url)), "tank", PASSWORD).code == UNAVAILABLE
    assert "users" in caplog.text


def test_nothing_secret_is_shown():
    service = SQLTable("postgresql://mqtt:hidden-one@db.example/plant?sslpassword=hidden-two")
    assert "db.example" in service.describe()
    assert "hidden" not in repr(service)


def test_a_database_that_is_down_and_comes_back(guarded, postgresql, caplog):
    table = Table(postgresql.url)
    table.add("tank", MADE["argon2id"])
    table.engine.dispose()
    service = SQLTable(postgresql.url, failures=2, pause=0.2, timeout=1.0)
    broker = guarded(service)
    assert knock(broker, "tank", PASSWORD).code == 0
    postgresql.kill()
    codes = [knock(broker, "tank", PASSWORD).code for _ in range(4)]
    assert codes == [UNAVAILABLE] * 4
    assert service.short_circuited >= 1
    postgresql.start()
    eventually(lambda: knock(broker, "tank", PASSWORD).code == 0)
    assert "sql answers again" in caplog.text


def test_a_database_that_hangs(guarded, postgresql, caplog):
    table = Table(postgresql.url)
    table.add("tank", MADE["argon2id"])
    table.engine.dispose()
    service = SQLTable(postgresql.url, failures=2, pause=0.2, patience=0.5)
    broker = guarded(service)
    assert knock(broker, "tank", PASSWORD).code == 0
    postgresql.freeze()
    try:
        began = time.monotonic()
        assert [knock(broker, "tank", PASSWORD).code for _ in range(4)] == [UNAVAILABLE] * 4
        assert time.monotonic() - began < 2.5
        assert "no answer within 0.5 s" in caplog.text
    finally:
        postgresql.thaw()
    eventually(lambda: knock(broker, "tank", PASSWORD).code == 0)


def test_a_query_that_waits_for_a_lock(guarded, postgresql):
    table = Table(postgresql.url)
    table.add("tank", MADE["argon2id"])
    table.engine.dispose()
    broker = guarded(SQLTable(postgresql.url, timeout=0.3))
    with postgresql.locked("users"):
        began = time.monotonic()
        assert knock(broker, "tank", PASSWORD).code == UNAVAILABLE
        assert time.monotonic() - began < 2
    assert knock(broker, "tank", PASSWORD).code == 0


def test_unknown_users_take_as_long_as_known_ones(tmp_path):
    from hookmq._hookmq import hash_user

    table = Table(f"sqlite:///{tmp_path}/users.db")
    table.add("tank", hash_user("tank", b"water", False).partition(":")[2])
    service = SQLTable(table.url, negative_ttl=0)

    def took(username):
        began = time.perf_counter()
        service.decide(client(username, "wrong"))
        return time.perf_counter() - began

    took("tank")
    pairs = [(took("tank"), took("nobody")) for _ in range(7)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 0.5 < unknown / known < 2
    table.engine.dispose()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": "SELECT 1"}, "query does not ask for :username"),
        ({"query": "SELECT 1 WHERE :username = :password"}, "query asks for :password; there are :username"),
        ({"hash": "md5"}, "hash is one of auto, plain, argon2id"),
        ({"timeout": "2s"}, "timeout is a number"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        SQLTable(**{"url": "sqlite://"} | options)


@pytest.mark.parametrize(
    "url", ["users.db", "oracle://mqtt:hidden-one@db/plant", "postgresql+nothing://x:hidden-one@y"]
)
def test_a_url_that_cannot_be(url):
    with pytest.raises(HookMQError) as caught:
        SQLTable(url)
    assert caught.value.code == "E304"
    assert "hidden-one" not in str(caught.value)
    assert "history" not in str(caught.value)
