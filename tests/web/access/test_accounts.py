"""Accounts and API tokens, and the file in which they are kept."""

from __future__ import annotations

import json
import os
import stat

import pytest

from hookmq import HookMQError, api_token
from hookmq.web.access import Refusal
from hookmq.web.access import access as module

from .conftest import PASSWORD, ask, page


def code(function, *arguments, **named) -> str:
    with pytest.raises(HookMQError) as caught:
        function(*arguments, **named)
    return caught.value.code


# Accounts ---------------------------------------------------------------------------------------------------


def test_accounts_are_there_after_a_restart(make, access, clock):
    clock.now += 5
    access.login(page(), "vera", PASSWORD)
    for one in (access, make()):
        told = [(account.name, account.role, account.last_login_at) for account in one.accounts()]
        assert told == [("anna", "admin", None), ("otto", "operator", None), ("vera", "viewer", clock.now)]


def test_the_first_account_is_an_admin_s(make):
    access = make()
    assert code(access.add_account, "vera", PASSWORD, "viewer") == "E722"
    assert access.setup
    access.add_account("anna", PASSWORD, "admin")
    assert not access.setup


NAMES = ["", " anna", "anna ", "a/b", "a\\b", "a\nb", "a\x00", "a" * 65, "\ud800", "a\u202eb", "\u200b"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_cannot_be(access, name):
    assert code(access.add_account, name, PASSWORD, "viewer") == "E706"
    assert code(access.add_token, name, "viewer") == "E706"


@pytest.mark.parametrize(
    "name", ["a", "Änne 7", "anna@broker.example", "日本", "<script>", "a" * 64, "..", "'; --"]
)
def test_names_that_can(make, access, name):
    access.add_account(name, PASSWORD, "viewer")
    assert make().login(page(), name, PASSWORD).identity.name == name


@pytest.mark.parametrize("password", ["", "short", "1234567", "x" * 1025, "\ud800" * 8])
def test_passwords_that_cannot_be(access, password):
    assert code(access.add_account, "new", password, "viewer") == "E705"
    assert code(access.change_account, "vera", password=password) == "E705"
    assert len(access.accounts()) == 3


def test_a_name_is_there_once(access):
    assert code(access.add_account, "anna", PASSWORD, "viewer") == "E722"


def test_there_is_always_an_admin(access):
    assert code(access.remove_account, "anna") == "E722"
    assert code(access.change_account, "anna", role="viewer") == "E722"
    access.change_account("anna", password="another horse")
    access.add_account("zoe", PASSWORD, "admin")
    access.change_account("anna", role="viewer")
    access.remove_account("anna")
    assert code(access.remove_account, "zoe") == "E722"


def test_who_is_not_there(access):
    assert code(access.remove_account, "ana") == "E721"
    assert code(access.change_account, "ana", role="viewer") == "E721"
    with pytest.raises(HookMQError, match="there is no account `ana`") as caught:
        access.remove_account("ana")
    assert caught.value.help == "those there are:   anna, otto, vera"


def test_not_endlessly_many(access, monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    assert code(access.add_account, "new", PASSWORD, "viewer") == "E722"
    for number in range(3):
        access.add_token(f"token{number}", "viewer")
    assert code(access.add_token, "new", "viewer") == "E722"


# API tokens -------------------------------------------------------------------------------------------------


def test_tokens_are_there_after_a_restart_and_their_secrets_are_nowhere(make, access, tmp_path):
    token, secret = access.add_token("grafana", "operator", expires_in=3600)
    assert secret not in (tmp_path / "accounts.json").read_text()
    assert secret not in repr(token) + repr(access.tokens())
    again = make()
    assert again.identify(ask(authorization=f"Bearer {secret}")).role == "operator"
    again.remove_token(token.id)
    assert again.identify(ask(authorization=f"Bearer {secret}")).is_nobody
    assert code(again.remove_token, token.id) == "E723"
    assert make().tokens() == []


def test_a_token_s_name_is_there_once_until_it_has_expired(access, clock):
    access.add_token("grafana", "viewer", expires_in=60)
    assert code(access.add_token, "grafana", "viewer") == "E722"
    clock.now += 61
    access.add_token("grafana", "admin")
    assert [(one.name, one.role) for one in access.tokens()] == [("grafana", "admin")]


def test_tokens_hold_without_accounts(make):
    access = make()
    _, secret = access.add_token("grafana", "viewer")
    assert access.identify(ask(authorization=f"Bearer {secret}")).role == "viewer"


# The file ---------------------------------------------------------------------------------------------------


def test_only_its_owner_reads_it(access, tmp_path):
    path = tmp_path / "accounts.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    os.chmod(path, 0o644)
    access.add_token("grafana", "viewer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["accounts.json"]
    assert PASSWORD not in path.read_text() and "$argon2id$" in path.read_text()


def damaged(change):
    def make(text: str) -> str:
        value = json.loads(text)
        change(value)
        return json.dumps(value)

    return make


DAMAGE = {
    "it is empty": lambda text: "",
    "it is cut off": lambda text: text[: len(text) // 2],
    "it is no JSON": lambda text: "accounts",
    "it is deep": lambda text: "[" * 100_000,
    "it is something else": lambda text: "[]",
    "it is null": lambda text: "null",
    "a later format": damaged(lambda value: value.update(format=2)),
    "something more": damaged(lambda value: value.update(more=[])),
    "something less": damaged(lambda value: value.pop("tokens")),
    "a role that is not there": damaged(lambda value: value["accounts"][0].update(role="root")),
    "a role that is none": damaged(lambda value: value["accounts"][0].update(role=None)),
    "a name that is none": damaged(lambda value: value["accounts"][0].update(name=5)),
    "a time that is none": damaged(lambda value: value["accounts"][0].update(created_at=float("nan"))),
    "a time that is a text": damaged(lambda value: value["sessions"][0].update(seen_at="now")),
    "an account is there twice": damaged(lambda value: value["accounts"].append(value["accounts"][0])),
    "nobody is an admin": damaged(lambda value: value["accounts"].pop(0)),
    "a session began by magic": damaged(lambda value: value["sessions"][0].update(via="local")),
    "an account has more": damaged(lambda value: value["accounts"][0].update(admin=True)),
    "an account is none": damaged(lambda value: value["accounts"].append("anna")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_cannot_be_read_lets_nobody_in(make, access, tmp_path, damage, caplog):
    login, (_, secret) = access.login(page(), "anna", PASSWORD), access.add_token("grafana", "admin")
    path = tmp_path / "accounts.json"
    path.write_text(text := damage(path.read_text()))
    broken = make(local_token="hmq_local")
    assert not broken.setup and broken.link_token is None
    for request in (ask(), page("GET", cookie=login), ask(authorization=f"Bearer {secret}")):
        assert broken.identify(request).is_nobody
    for function in (
        lambda: broken.login(page(), "anna", PASSWORD),
        lambda: broken.enter(page(), broken._link),
    ):
        assert code(function) == "E724"
    assert code(broken.accounts) == code(broken.tokens) == "E724"
    assert code(broken.add_account, "eve", PASSWORD, "admin") == "E724"
    assert code(broken.add_token, "eve", "admin") == "E724"
    # Who reads the data directory can mend it.
    assert broken.identify(ask(authorization="Bearer hmq_local")).role == "admin"
    broken.logout(page(cookie=login))
    broken.close()
    assert path.read_text() == text, "it is left for whoever mends it"
    assert "hookmq accounts reset --data-dir" in caplog.text


def test_a_directory_in_its_place_lets_nobody_in(make, tmp_path):
    (tmp_path / "accounts.json").mkdir()
    access = make()
    assert not access.setup and access.identify(ask()).is_nobody


def test_a_change_that_cannot_be_written_is_none(make, access, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    before = (tmp_path / "accounts.json").read_bytes()
    assert code(access.add_account, "new", PASSWORD, "admin") == "E703"
    assert code(access.remove_account, "vera") == "E703"
    assert code(access.add_token, "grafana", "admin") == "E703"
    assert len(access.accounts()) == 3 and access.tokens() == []
    assert [one.name for one in tmp_path.iterdir()] == ["accounts.json"]
    assert (tmp_path / "accounts.json").read_bytes() == before


def test_a_password_s_hash_that_is_none_fits_no_password(make, access, tmp_path):
    path = tmp_path / "accounts.json"
    for hashed in (
        "",
        "$argon2id$",
        "x",
        "a:b",
        "$argon2id$v=19$m=4294967295,t=9,p=1$c2FsdA$aGFzaA",
        "\nanna:x",
    ):
        value = json.loads(path.read_text())
        value["accounts"][0]["password"] = hashed
        path.write_text(json.dumps(value))
        with pytest.raises(Refusal) as caught:
            make().login(page(), "anna", PASSWORD)
        assert caught.value.status == 401


# The local token --------------------------------------------------------------------------------------------


def test_the_local_token_is_its_owner_s_and_another_each_time(tmp_path):
    path = tmp_path / "data" / "api-token"
    tokens = {api_token.write(tmp_path / "data") for _ in range(3)}
    assert len(tokens) == 3 and api_token.read(path) in tokens
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["api-token"]


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "victim").write_text("mine")
    for name in ("api-token", f"api-token.{os.getpid()}"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    api_token.write(tmp_path)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "api-token").is_symlink()


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff", b"\x00\n"])
def test_a_file_that_has_none(tmp_path, data):
    (tmp_path / "api-token").write_bytes(data)
    assert api_token.read(tmp_path / "api-token") in (None, "\x00")
    assert api_token.read(tmp_path / "none") is None
