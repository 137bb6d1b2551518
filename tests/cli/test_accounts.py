"""`hookmq accounts` and `hookmq tokens`, and how commands say who they are."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Spawn = Callable[..., Any]

PASSWORD = b"correct horse\n"


@pytest.fixture
def port(tmp_path: Path) -> int:
    """The HTTP port of the configuration, which is free."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        found = one.getsockname()[1]
        (tmp_path / "hookmq.toml").write_text(f"port = {other.getsockname()[1]}\nhttp_port = {found}\n")
    return found


@pytest.fixture
def broker(spawn: Spawn, port: int) -> Any:
    """A broker that the configuration of the same directory leads to; its data are in hookmq-data."""
    running = spawn("run")
    running.wait_for(b"Only this machine")
    return running


def done(result: subprocess.CompletedProcess[bytes]) -> str:
    assert (result.returncode, result.stderr) == (0, b""), result
    return result.stdout.decode()


def failed(result: subprocess.CompletedProcess[bytes], code: int) -> str:
    assert (result.returncode, result.stdout) == (code, b""), result
    return result.stderr.decode()


def add(hookmq: Run, name: str, *flags: str) -> str:
    return done(hookmq("accounts", "add", name, "--password-stdin", *flags, input=PASSWORD))


def test_the_banner_has_a_link_until_there_is_an_account(broker, spawn, hookmq, port):
    link = re.search(rb"Dashboard   http://127\.0\.0\.1:(\d+)/\?token=[A-Za-z0-9_-]{43}\n", broker.output)
    assert link is not None and int(link[1]) == port
    add(hookmq, "anna")
    broker.stop()
    again = spawn("run")
    again.wait_for(b"Only this machine")
    assert f"Dashboard   http://127.0.0.1:{port}/\n".encode() in again.output
    assert b"token" not in again.output


def test_accounts_from_the_first_to_the_last(broker, hookmq):
    assert done(hookmq("accounts", "list")) == "no accounts\n"
    assert add(hookmq, "anna") == "anna is added, role admin\n"
    assert add(hookmq, "vera", "--role", "viewer") == "vera is added, role viewer\n"
    rows = done(hookmq("accounts", "list")).splitlines()
    assert [row.split()[:2] for row in rows] == [["name", "role"], ["anna", "admin"], ["vera", "viewer"]]
    told = json.loads(done(hookmq("accounts", "list", "--json")))["items"]
    assert [one["name"] for one in told] == ["anna", "vera"] and told[0]["last_login_at"] is None
    assert done(hookmq("accounts", "role", "vera", "operator")) == "vera has the role operator\n"
    changed = hookmq("accounts", "password", "vera", "--password-stdin", input=b"battery staple\n")
    assert done(changed) == "vera has a new password, and is logged out\n"
    assert done(hookmq("accounts", "remove", "vera")) == "vera is removed\n"
    assert "it is the last admin's" in failed(hookmq("accounts", "remove", "anna"), 1)
    assert "error[E721]: there is no account `vera`" in failed(
        hookmq("accounts", "role", "vera", "viewer"), 1
    )


def test_what_cannot_be_added(broker, hookmq):
    first = hookmq("accounts", "add", "vera", "--role", "viewer", "--password-stdin", input=PASSWORD)
    assert "the first account must be an admin's" in failed(first, 1)
    short = hookmq("accounts", "add", "anna", "--password-stdin", input=b"short\n")
    assert failed(short, 1).startswith(
        "error[E705]: the password cannot be used: it has fewer than 8 characters"
    )
    odd = hookmq("accounts", "add", "a/b", "--password-stdin", input=PASSWORD)
    assert failed(odd, 1).startswith("error[E706]: `a/b` cannot be added: it has a slash")
    nothing = hookmq("accounts", "add", "anna", "--password-stdin", input=b"")
    assert "it is empty" in failed(nothing, 1)
    assert "hookmq accounts add anna --password-stdin" in failed(hookmq("accounts", "add", "anna"), 1)


def test_tokens(broker, hookmq, tmp_path, port):
    add(hookmq, "anna")
    token = done(hookmq("tokens", "add", "grafana", "--expires-in", "30d")).strip()
    assert re.fullmatch(r"hmq_[A-Za-z0-9_-]{43}", token)
    (row,) = json.loads(done(hookmq("tokens", "list", "--json")))["items"]
    assert (row["name"], row["role"]) == ("grafana", "viewer")
    assert row["expires_at"] - row["created_at"] == 30 * 86_400
    assert done(hookmq("tokens", "list")).splitlines()[1].split()[:3] == [row["id"], "grafana", "viewer"]
    assert "there is an API token `grafana` already" in failed(hookmq("tokens", "add", "grafana"), 1)

    # By a token alone, somewhere else: the file, and the variable.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    url = f"http://127.0.0.1:{port}"
    refused = failed(hookmq("hooks", "--url", url, cwd=elsewhere), 6)
    assert refused.startswith("error[E401]: the broker refused to answer: nobody is logged in")
    assert "give an API token in HOOKMQ_TOKEN, or in a file:   hookmq hooks ls --token-file FILE" in refused
    (elsewhere / "token").write_text(f"{token}\n")
    done(hookmq("hooks", "--url", url, "--token-file", "token", cwd=elsewhere))
    done(hookmq("hooks", "--url", url, cwd=elsewhere, environment={"HOOKMQ_TOKEN": token}))
    given = hookmq("accounts", "list", "--url", url, cwd=elsewhere, environment={"HOOKMQ_TOKEN": token})
    assert "grafana has the role viewer" in failed(given, 6)

    done(hookmq("tokens", "remove", row["id"]))
    gone = hookmq("hooks", "--url", url, "--token-file", "token", cwd=elsewhere)
    refused = failed(gone, 6)
    assert "refused to answer: the API token is not known\n" in refused
    assert "hookmq tokens add NAME" in refused and "HOOKMQ_TOKEN" not in refused
    assert "error[E723]: there is no API token" in failed(hookmq("tokens", "remove", row["id"]), 1)


@pytest.mark.parametrize("time", ["soon", "-1", "1y", "1e9", "inf"])
def test_times_that_are_none(broker, hookmq, time):
    assert "expected a time such as 30d" in failed(hookmq("tokens", "add", "x", f"--expires-in={time}"), 2)


def test_a_token_file_that_is_none(broker, hookmq, tmp_path):
    assert failed(hookmq("hooks", "--token-file", "none"), 1).startswith("error[E701]: cannot read `none`")
    (tmp_path / "empty").write_text("\n")
    assert "its first line is no API token" in failed(hookmq("hooks", "--token-file", "empty"), 1)


def test_a_local_token_of_another_start_hinders_nobody(broker, hookmq, tmp_path):
    """As long as there is no account, programs of this machine need none."""
    (tmp_path / "hookmq-data" / "api-token").write_text("hmq_" + "A" * 43 + "\n")
    done(hookmq("hooks"))
    add(hookmq, "anna")
    assert failed(hookmq("hooks"), 6).startswith("error[E401]")


def test_a_token_is_not_sent_to_other_machines(hookmq, tmp_path, monkeypatch):
    from hookmq.cli.http_api import NOTHING_GIVEN, HttpApi

    (tmp_path / "hookmq-data").mkdir()
    (tmp_path / "hookmq-data" / "api-token").write_text("hmq_local\n")
    monkeypatch.chdir(tmp_path)

    def tokens(**given: Any) -> tuple[str | None, str | None]:
        import argparse

        api = HttpApi.of(argparse.Namespace(**(NOTHING_GIVEN | given)), command="hookmq hooks")
        return api._token, api._local_token

    assert tokens() == tokens(url="http://localhost:8080") == (None, "hmq_local")
    assert tokens(url="http://broker.example:8080") == tokens(url="http://10.0.0.1") == (None, None)
    monkeypatch.setenv("HOOKMQ_TOKEN", " hmq_given ")
    assert tokens() == tokens(url="http://broker.example") == ("hmq_given", None)


def test_reset(broker, spawn, hookmq, tmp_path):
    path = tmp_path / "hookmq-data" / "accounts.json"
    add(hookmq, "anna")
    assert "a broker runs there; stop it first" in failed(hookmq("accounts", "reset"), 1)
    broker.stop()
    path.write_text("{")
    again = spawn("run")
    again.wait_for(b"Only this machine")
    # The local token holds, but accounts there are none that could be asked for.
    assert "error[E724]" in failed(hookmq("accounts", "list"), 1)
    assert b"hookmq accounts reset --data-dir hookmq-data" in again.output
    again.stop()
    told = done(hookmq("accounts", "reset"))
    assert "the next start prints a link" in told and not path.exists()
    assert (tmp_path / "hookmq-data" / "accounts.json.old").read_text() == "{"
    assert "there are no accounts" in done(hookmq("accounts", "reset"))
    anew = spawn("run")
    anew.wait_for(b"?token=")
    add(hookmq, "anna")


def test_a_broker_that_cannot_be_reached(hookmq):
    assert failed(hookmq("accounts", "list", "--url", "http://127.0.0.1:1"), 1).startswith("error[E402]")
    assert failed(hookmq("tokens", "list", "--url", "ftp://x"), 2).startswith("error: --url")
    for scheme in ("mqtt", "mqtts"):
        assert "ask the HTTP port" in failed(hookmq("clients", "--url", f"{scheme}://127.0.0.1:1883"), 2)


def test_https_where_there_is_none(broker, hookmq, port):
    text = failed(hookmq("clients", "--url", f"https://127.0.0.1:{port}"), 1)
    assert "speaks no TLS" in text and f"hookmq clients --url http://127.0.0.1:{port}" in text


def test_who_has_an_account_and_no_token_makes_one(broker, hookmq, tmp_path, port):
    """As for a broker in memory, which writes its token nowhere."""
    add(hookmq, "anna")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    flags = ("tokens", "add", "laptop", "--role", "admin", "--url", f"http://127.0.0.1:{port}")
    refused = failed(hookmq(*flags, cwd=elsewhere), 6)
    assert "nobody is logged in" in refused and "hookmq tokens add NAME --user ACCOUNT" in refused
    wrong = hookmq(*flags, "--user", "anna", "--password-stdin", input=b"wrong\n", cwd=elsewhere)
    text = failed(wrong, 6)
    assert "do not belong together" in text and "HOOKMQ_TOKEN" not in text
    assert "--password-stdin" in failed(hookmq(*flags, "--user", "anna", cwd=elsewhere), 1)
    assert "--user" in failed(hookmq(*flags, "--password-stdin", cwd=elsewhere), 2)
    made = done(hookmq(*flags, "--user", "anna", "--password-stdin", input=PASSWORD, cwd=elsewhere)).strip()
    asked = ("accounts", "list", "--url", f"http://127.0.0.1:{port}")
    done(hookmq(*asked, cwd=elsewhere, environment={"HOOKMQ_TOKEN": made}))
