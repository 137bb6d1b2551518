"""Who gets in: the users file, hooks, clients without a name, and which of them decides."""

from __future__ import annotations

import pytest

from hookmq import Deny
from hookmq.errors import HookMQError

from ..api.helpers import eventually
from ..protocol.packets import V5, V31, V311, Connack, Connect
from ..protocol.wire import Late
from .deciding import enter, may_publish
from .hashes import KINDS, argon2id, mosquitto_6, mosquitto_7, scram

WRONG_PASSWORD, NOT_AUTHORIZED = 0x86, 0x87
TANK = "tank:" + mosquitto_7(b"secret")


def knock(
    dial, broker, user: str | None, password: bytes | None, version: int = V5, client: str = "c1"
) -> int:
    """The code of the CONNACK, before version 5 the return code; who is refused is shut out."""
    wire = dial(version, to=broker)
    wire.send(Connect(client, username=user, password=password))
    answer = wire.read()
    assert isinstance(answer, Connack)
    if answer.code:
        wire.expect_closed()
    else:
        wire.disconnect()
    return answer.code


# The users file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_password(gated, dial, kind, version):
    broker = gated("tank:" + KINDS[kind](b"secret"))
    assert knock(dial, broker, "tank", b"secret", version) == 0
    wrong = WRONG_PASSWORD if version == V5 else 4
    for password in (b"Secret", b"secret ", b"secre", b"secrets", b"", None):
        assert knock(dial, broker, "tank", password, version) == wrong
    eventually(lambda: broker.statistics["auth_failures"] >= 5)


# [phc-winner-argon2's own test]: a string that somebody else made, with other parameters.
def test_a_hash_that_another_program_made(gated, dial):
    made = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    broker = gated(f"tank:{made}")
    assert knock(dial, broker, "tank", b"password") == 0
    assert knock(dial, broker, "tank", b"Password") == WRONG_PASSWORD


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "password",
    [b"", bytes(range(256)), b"a:b", b"#", b"x" * 10_000, "pässwörd 密码".encode(), b"\xff\xfe\0\r\n"],
    ids=["empty", "all bytes", "colon", "hash", "long", "unicode", "odd"],
)
def test_passwords_are_bytes(gated, dial, kind, password):
    broker = gated("tank:" + KINDS[kind](password))
    assert knock(dial, broker, "tank", password) == 0
    assert knock(dial, broker, "tank", password + b"x") == WRONG_PASSWORD


def test_several_users_and_comments(gated, dial):
    broker = gated(
        "# who may log in",
        "",
        "tank:" + argon2id(b"1"),
        "with space:" + mosquitto_7(b"2"),
        "水位:" + mosquitto_6(b"3"),
        "pump:" + argon2id(b"4") + ":" + scram(b"4"),
        "",
    )
    for user, password in (("tank", b"1"), ("with space", b"2"), ("水位", b"3"), ("pump", b"4")):
        assert knock(dial, broker, user, password) == 0
        assert knock(dial, broker, user, b"5") == WRONG_PASSWORD


def test_names_are_compared_byte_by_byte(gated, dial):
    broker = gated(TANK)
    for user in ("Tank", "tank ", "tank7", "tan", "", "# who", "*"):
        assert knock(dial, broker, user, b"secret") != 0, user


def test_an_entry_for_scram_is_no_password(gated, dial):
    entry = scram(b"secret")
    broker = gated("tank:" + argon2id(b"secret") + ":" + entry)
    for password in (entry, entry.split("$")[3], entry.split("$")[4], argon2id(b"secret")):
        assert knock(dial, broker, "tank", password.encode()) == WRONG_PASSWORD


BAD_USERS = {
    "no hash": ("tank", 1),
    "a plain password": ("# users\ntank:secret", 2),
    "an unknown hash": (f"{TANK}\npump:$5$abc$def", 2),
    "a hash cut short": ("tank:$7$101$c2FsdA==", 1),
    "a salt that is no base64": ("tank:$6$!!!$c2FsdA==", 1),
    "no iterations": ("tank:$7$0$c2FsdA==$c2FsdA==", 1),
    "no name": (":" + mosquitto_6(b"x"), 1),
    "a name twice": (f"{TANK}\n{TANK}", 2),
    "an unknown mechanism": (f"{TANK}:SCRAM-MD5$4096$c2FsdA==$c2FsdA==$c2FsdA==", 1),
}


@pytest.mark.parametrize("case", BAD_USERS)
def test_a_bad_file_keeps_the_broker_from_starting(broker_factory, access, case):
    text, line = BAD_USERS[case]
    access.users.write_text(text)
    with pytest.raises(HookMQError) as caught:
        broker_factory({"access.users_file": str(access.users)})
    assert caught.value.code == "E305"
    assert f"{access.users}:{line}" in caught.value.message
    assert "secret" not in caught.value.message


def test_a_missing_file_keeps_the_broker_from_starting(broker_factory, access):
    with pytest.raises(HookMQError) as caught:
        broker_factory({"access.users_file": str(access.users)})
    assert caught.value.code == "E305"
    assert caught.value.exit_code == 3


def unusable(broker, path) -> None:
    """Reads the files again, which is told not to have worked."""
    with pytest.raises(HookMQError) as caught:
        broker.reload()
    assert caught.value.code == "E305"
    assert str(path) in caught.value.message


@pytest.mark.parametrize("how", ["gone", "bad"])
def test_while_it_cannot_be_read_nobody_logs_in(gated, dial, access, how):
    broker = gated(TANK)
    inside = enter(dial, "inside", to=broker, password=b"secret")
    if how == "gone":
        access.users.unlink()
    else:
        access.entries(TANK, "nonsense")
    unusable(broker, access.users)
    assert knock(dial, broker, "tank", b"secret") != 0
    assert knock(dial, broker, None, None) != 0
    inside.ping()
    access.entries(TANK)
    broker.reload()
    assert knock(dial, broker, "tank", b"secret") == 0


def test_while_it_cannot_be_read_no_hook_vouches_in_its_place(gated, dial, access):
    """The file would have refused this password; that it cannot be asked does not make it right."""
    broker = gated(TANK)
    broker.authenticate(lambda client: True)
    assert knock(dial, broker, "tank", b"wrong") == WRONG_PASSWORD
    assert knock(dial, broker, "tank", b"secret") == 0
    access.users.unlink()
    unusable(broker, access.users)
    assert knock(dial, broker, "tank", b"wrong") != 0


def test_a_file_that_changed_is_read_by_itself(gated, dial, access):
    broker = gated(TANK)
    inside = enter(dial, "inside", to=broker, password=b"secret")
    access.entries("pump:" + mosquitto_6(b"other"))
    eventually(lambda: knock(dial, broker, "pump", b"other") == 0, 6)
    assert knock(dial, broker, "tank", b"secret") != 0
    inside.ping()  # no connection is dropped


def test_a_changed_password(gated, dial, access):
    broker = gated(TANK)
    access.entries("tank:" + argon2id(b"new"))
    broker.reload()
    assert knock(dial, broker, "tank", b"secret") == WRONG_PASSWORD
    assert knock(dial, broker, "tank", b"new") == 0


# Who decides -----------------------------------------------------------------------------------------------

YES, NO, UNDECIDED = True, False, None
RIGHT, WRONG = ("tank", b"secret"), ("tank", b"wrong")
UNKNOWN, NOBODY = ("pump", b"secret"), (None, None)

# File, hook, allow_anonymous, who comes: whether it gets in.
COMBINATIONS = [
    (False, "absent", False, RIGHT, True),
    (False, "absent", False, NOBODY, True),
    (True, "absent", False, RIGHT, True),
    (True, "absent", False, WRONG, False),
    (True, "absent", False, UNKNOWN, False),
    (True, "absent", False, NOBODY, False),
    (True, "absent", True, RIGHT, True),
    (True, "absent", True, WRONG, False),
    (True, "absent", True, UNKNOWN, False),
    (True, "absent", True, NOBODY, True),
    (False, YES, False, UNKNOWN, True),
    (False, YES, False, NOBODY, True),
    (False, UNDECIDED, False, UNKNOWN, False),
    (False, UNDECIDED, False, NOBODY, False),
    (False, UNDECIDED, True, UNKNOWN, False),
    (False, UNDECIDED, True, NOBODY, True),
    (False, NO, True, NOBODY, False),
    (True, YES, False, RIGHT, True),
    (True, YES, False, WRONG, False),
    (True, YES, False, UNKNOWN, True),
    (True, YES, False, NOBODY, True),
    (True, NO, False, RIGHT, False),
    (True, NO, True, NOBODY, False),
    (True, UNDECIDED, False, RIGHT, True),
    (True, UNDECIDED, False, WRONG, False),
    (True, UNDECIDED, False, UNKNOWN, False),
    (True, UNDECIDED, False, NOBODY, False),
    (True, UNDECIDED, True, NOBODY, True),
    (True, "deny", True, RIGHT, False),
    (True, "deny", True, NOBODY, False),
    (True, "error", True, RIGHT, False),
    (True, "error", True, NOBODY, False),
]


@pytest.mark.parametrize(("file", "hook", "anonymous", "who", "let_in"), COMBINATIONS)
def test_who_gets_in(broker_factory, dial, access, file, hook, anonymous, who, let_in):
    access.entries(TANK)
    settings = {"access.users_file": str(access.users)} if file else {}
    broker = broker_factory(settings | {"allow_anonymous": anonymous})

    def decide(client):
        if hook == "deny":
            raise Deny("not today")
        if hook == "error":
            raise ValueError
        return hook

    if hook != "absent":
        broker.authenticate(decide)
    for version in (V311, V5):
        code = knock(dial, broker, *who, version)
        assert (code == 0) is let_in
        if not let_in:
            assert code in ((WRONG_PASSWORD, NOT_AUTHORIZED) if version == V5 else (4, 5))
        if file and who == WRONG and hook in ("absent", YES, UNDECIDED):
            assert code == (WRONG_PASSWORD if version == V5 else 4)


def test_a_hook_may_refuse_a_user_of_the_file(gated, dial):
    broker = gated(TANK)
    seen = []

    @broker.authenticate
    def decide(client):
        seen.append(client.username)
        return False if client.client_id == "banned" else None

    assert knock(dial, broker, *RIGHT) == 0
    assert knock(dial, broker, *RIGHT, client="banned") != 0
    assert seen == ["tank", "tank"]


def test_a_password_without_a_user_name(gated, dial):
    broker = gated(TANK, allow_anonymous=True)
    assert knock(dial, broker, None, b"secret") in (0, WRONG_PASSWORD, NOT_AUTHORIZED)
    broker = gated(TANK)
    assert knock(dial, broker, None, b"secret") in (WRONG_PASSWORD, NOT_AUTHORIZED)


def test_an_empty_user_name_is_not_no_user_name(gated, dial):
    broker = gated(TANK, allow_anonymous=True)
    assert knock(dial, broker, None, None) == 0
    assert knock(dial, broker, "", b"") != 0
    assert knock(dial, broker, "", None) != 0


def test_no_wrong_answer_tells_which_users_there_are(gated, dial):
    broker = gated(TANK)
    codes = {knock(dial, broker, *who) for who in (WRONG, UNKNOWN)}
    assert 0 not in codes
    assert len(codes) == 1


@pytest.mark.parametrize("version", [V31, V311, V5], ids=["3.1", "3.1.1", "5.0"])
def test_a_slow_hash_delays_nobody_else(gated, connect, dial, version):
    broker = gated("tank:" + mosquitto_7(b"secret", iterations=2_000_000), allow_anonymous=True)
    other = connect(to=broker)
    slow = dial(version, to=broker)
    slow.deadline = 15
    slow.send(Connect("slow", username="tank", password=b"secret"))
    for _ in range(20):
        other.ping()
    connect(to=broker).ping()
    with pytest.raises(Late):
        slow.read(0.001)
    answer = slow.read()
    assert isinstance(answer, Connack)
    assert answer.code == 0


def test_a_user_of_the_file_has_the_rights_of_its_name(broker_factory, dial, access):
    access.entries(TANK, "pump:" + mosquitto_6(b"other"))
    access.rules("allow user tank publish tank/#\nallow user pump publish pump/#")
    files = {"access.users_file": str(access.users), "access.acl_file": str(access.acl)}
    broker = broker_factory(files)
    for user, password in (("tank", b"secret"), ("pump", b"other")):
        wire = enter(dial, user, user, to=broker, password=password)
        assert may_publish(wire, f"{user}/x")
        assert [topic for topic in ("tank/x", "pump/x") if may_publish(wire, topic)] == [f"{user}/x"]


def test_passwords_are_never_shown(gated, dial, caplog, capfd):
    broker = gated("tank:" + mosquitto_6(b"Rosebud"))
    knock(dial, broker, "tank", b"Rosebud")
    knock(dial, broker, "tank", b"Rosebud2")
    knock(dial, broker, "pump", b"Rosebud3")
    broker.stop()
    captured = capfd.readouterr()
    for text in (caplog.text, captured.out, captured.err, str(broker.settings)):
        assert "Rosebud" not in text
