"""`hookmq hooks`: what a running broker tells of its hooks, and what it is told to do with them."""

from __future__ import annotations

import http.server
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from hookmq.hooks.hook import HookInfo
from hookmq.hooks.registry import HOOKS

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Spawn = Callable[..., Any]

APP = """\
from hookmq import Broker

broker = Broker()


@broker.on_message_received("tank/{tank}/level")
def watch(msg, tank): ...


@broker.authorize
def may(client, action, topic):
    return True


broker.on_client_connected(lambda client: None, name="[red]a/b[/red]")
"""


@pytest.fixture
def ports(tmp_path: Path) -> tuple[int, int]:
    """The MQTT port and the HTTP port of the configuration, which are free."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        found = one.getsockname()[1], other.getsockname()[1]
    (tmp_path / "hookmq.toml").write_text(f"port = {found[0]}\nhttp_port = {found[1]}\n")
    return found


@pytest.fixture
def running(spawn: Spawn, tmp_path: Path, ports: tuple[int, int]) -> Any:
    """A broker with hooks, that the configuration of the same directory leads to."""
    (tmp_path / "app.py").write_text(APP)
    running = spawn("run", "app.py")
    running.wait_for(b"Only this machine can connect")
    return running


def publish(hookmq: Run, ports: tuple[int, int], *more: str) -> None:
    assert (
        hookmq("pub", "-p", str(ports[0]), "-t", "tank/7/level", "-m", "1", "-q", "1", *more).returncode == 0
    )


def lines(done: subprocess.CompletedProcess[bytes]) -> list[list[str]]:
    assert (done.returncode, done.stderr) == (0, b"")
    return [re.split(r" {2,}", line.strip()) for line in done.stdout.decode().splitlines()]


def error_of(done: subprocess.CompletedProcess[bytes]) -> tuple[int, str]:
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


# ls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["hooks"], ["hooks", "ls"]], ids=" ".join)
def test_a_table_of_hooks(hookmq: Run, running: Any, ports: tuple[int, int], arguments: list[str]) -> None:
    publish(hookmq, ports)
    head, watch, may, odd = lines(hookmq(*arguments))
    assert head == [
        *("name", "kind", "filter", "where", "thread", "calls", "errors", "dropped", "queued"),
        *("waited p50/p99", "took p50/p99"),
    ]
    kind, where = "on_message_received", "app.py:6"
    assert watch[:9] == ["watch", kind, "tank/+/level", where, "hookmq-hooks", "1", "0", "0", "0"]
    assert all(re.fullmatch(r"[\d.]+ (us|ms) / [\d.]+ (us|ms)", cell) for cell in watch[9:])
    assert may[:3] == ["may", "authorize", "app.py:10"]
    assert odd[0] == "[red]a/b[/red]"


@pytest.mark.parametrize(
    "arguments", [["--json"], ["ls", "--json"], ["--json", "ls"]], ids=lambda value: " ".join(value)
)
def test_hooks_as_json(hookmq: Run, running: Any, arguments: list[str]) -> None:
    done = hookmq("hooks", *arguments)
    watch, *others = json.loads(done.stdout)["items"]
    assert set(watch) == {*HookInfo.__dataclass_fields__, "rate"}
    assert (watch["name"], watch["rate"], len(others)) == ("watch", None, 2)


def test_another_broker(hookmq: Run, running: Any, ports: tuple[int, int], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    url = f"http://localhost:{ports[1]}/"
    for arguments in (["ls", "--url", url], ["--url", url], ["--config", "../hookmq.toml"]):
        assert len(lines(hookmq("hooks", *arguments, cwd=elsewhere))) == 4
    done = hookmq("hooks", cwd=elsewhere, environment={"HOOKMQ_HTTP_PORT": str(ports[1])})
    assert len(lines(done)) == 4


def test_no_hooks(hookmq: Run, spawn: Spawn, ports: tuple[int, int]) -> None:
    spawn("run").wait_for(b"Only this machine can connect")
    assert hookmq("hooks").stdout == b"no hooks\n"


def test_rates(hookmq: Run, spawn: Spawn, running: Any, ports: tuple[int, int]) -> None:
    watching = spawn("hooks", "ls", "--watch", "0.2", "--json")
    watching.wait_for(b"\n", times=2)
    publish(hookmq, ports, "--repeat", "50")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        looks = [json.loads(line)["items"][0] for line in watching.output.split(b"\n")[:-1]]
        if any(look["rate"] for look in looks):
            break
        time.sleep(0.02)
    assert looks[0]["rate"] is None
    assert looks[1]["rate"] == 0
    assert max(look["rate"] or 0 for look in looks) > 1
    assert watching.stop(signal.SIGINT) == 130
    assert b"Traceback" not in watching.output


def test_rates_in_a_table(spawn: Spawn, running: Any) -> None:
    watching = spawn("hooks", "--watch", "0.1")
    watching.wait_for(b"calls  rate  errors")
    watching.wait_for(b" 0/s ", times=3)
    assert running.stop() == 0
    assert watching.wait() == 1
    assert b"error[E402]: cannot reach the broker at 127.0.0.1:" in watching.output


def test_a_table_on_a_terminal_is_shown_in_place(running: Any, tmp_path: Path) -> None:
    terminal, other = pty.openpty()
    command = [sys.executable, "-m", "hookmq", "hooks", "--watch", "0.1"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "160"}
    process = subprocess.Popen(command, cwd=tmp_path, stdout=other, stderr=other, env=environment)
    os.close(other)
    shown = b""
    try:
        while shown.count(b"tank/+/level") < 3:
            shown += os.read(terminal, 4096)
    finally:
        process.send_signal(signal.SIGINT)
        # What nobody reads would keep it from ending.
        reader = threading.Thread(target=_drain, args=(terminal,))
        reader.start()
        code = process.wait(10)
        reader.join(10)
        os.close(terminal)
    assert code == 130
    assert b"\x1b[1A" in shown, "the cursor goes up, to where the table began"
    assert b"\x1b[1mname" in shown


def _drain(terminal: int) -> None:
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:  # the other end is closed
        pass


# pause, resume --------------------------------------------------------------------------------------------


def test_pause_and_resume(hookmq: Run, running: Any, ports: tuple[int, int]) -> None:
    assert hookmq("hooks", "pause", "watch").stdout == b"watch is paused   app.py:6\n"
    publish(hookmq, ports)
    assert lines(hookmq("hooks"))[1][0] == "watch (paused)"
    (watch,) = json.loads(hookmq("hooks", "resume", "watch", "--json").stdout)["items"]
    assert (watch["paused"], watch["calls"], watch["skipped"]) == (False, 0, 1)
    publish(hookmq, ports)
    assert lines(hookmq("hooks"))[1][5] == "1"


def test_a_name_with_a_slash(hookmq: Run, running: Any) -> None:
    done = hookmq("hooks", "pause", "[red]a/b[/red]")
    assert done.stdout == b"[red]a/b[/red] is paused   app.py:15\n"


def test_a_hook_that_is_not_there(hookmq: Run, running: Any) -> None:
    assert error_of(hookmq("hooks", "pause", "wtach")) == (
        1,
        "error[E508]: there is no hook `wtach`\n  help: those there are:   [red]a/b[/red], may, watch\n",
    )


# kinds ----------------------------------------------------------------------------------------------------


def test_kinds_need_no_broker(hookmq: Run) -> None:
    head, *rows = lines(hookmq("hooks", "kinds"))
    assert head == ["name", "role", "filter", "given", "thread", "overflow", "when"]
    assert [row[0] for row in rows] == list(HOOKS)
    kinds = json.loads(hookmq("hooks", "kinds", "--json").stdout)["items"]
    assert [(kind["name"], kind["when"]) for kind in kinds] == [(s.name, s.when) for s in HOOKS.values()]


# Errors ---------------------------------------------------------------------------------------------------


def test_a_broker_that_does_not_run(hookmq: Run, ports: tuple[int, int]) -> None:
    assert error_of(hookmq("hooks")) == (
        1,
        f"error[E402]: cannot reach the broker at 127.0.0.1:{ports[1]}: connection refused\n"
        "  help: is it running? If its HTTP port is another one, name it:   "
        "hookmq hooks ls --url http://127.0.0.1:8080\n",
    )


@pytest.mark.parametrize(
    ("port", "what"),
    [("off", "the broker serves no HTTP"), ("0", "the broker's HTTP port is any free one")],
)
def test_a_port_that_is_not_known(hookmq: Run, port: str, what: str) -> None:
    assert error_of(hookmq("hooks", "pause", "watch", environment={"HOOKMQ_HTTP_PORT": port})) == (
        1,
        f"error[E402]: {what} (environment HOOKMQ_HTTP_PORT)\n"
        "  help: name where it is:   hookmq hooks pause NAME --url http://127.0.0.1:8080\n",
    )


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://localhost", "http://", "http://localhost:port", "8080", ""]
)
def test_a_url_that_is_none(hookmq: Run, url: str) -> None:
    code, text = error_of(hookmq("hooks", "--url", url))
    assert code == 2
    assert text.startswith(f"error: --url is {url!r}; expected http://HOST:PORT\n")


@pytest.mark.parametrize("seconds", ["x", "0", "-1", "nan", "inf"])
def test_an_interval_that_is_none(hookmq: Run, seconds: str) -> None:
    code, text = error_of(hookmq("hooks", f"--watch={seconds}"))
    assert (code, "Traceback" in text) == (2, False)
    assert "--watch: invalid number of seconds" in text


def test_a_configuration_that_is_wrong(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "hookmq.toml").write_text("prot = 5\n")
    code, text = error_of(hookmq("hooks"))
    assert (code, text.splitlines()[0]) == (3, "error[E301]: hookmq.toml:1  unknown key `prot`")


def test_a_broker_that_refuses(hookmq: Run, running: Any, ports: tuple[int, int]) -> None:
    """By a name that need not be the machine's own, which is how pages of others would come."""
    code, text = error_of(hookmq("hooks", "--url", f"http://127.1:{ports[1]}"))
    assert code == 6
    assert text.startswith("error[E401]: the broker refused to answer: ")


@pytest.fixture
def other_program(tmp_path: Path) -> Iterator[int]:
    """The port of an HTTP server that is no broker."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *arguments: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_another_program_at_that_port(hookmq: Run, other_program: int) -> None:
    url = f"http://127.0.0.1:{other_program}"
    code, text = error_of(hookmq("hooks", "--url", url))
    assert code == 1
    assert text.startswith(f"error[E402]: what answers at {url} is not the API of a broker: status 404\n")


def test_a_port_that_speaks_no_http(hookmq: Run, running: Any, ports: tuple[int, int]) -> None:
    code, text = error_of(hookmq("hooks", "--url", f"http://127.0.0.1:{ports[0]}"))
    assert (code, "Traceback" in text) == (1, False)
    assert text.startswith(f"error[E402]: cannot reach the broker at 127.0.0.1:{ports[0]}: ")


# TLS ------------------------------------------------------------------------------------------------------


def test_https(hookmq: Run, spawn: Spawn, tmp_path: Path, ports: tuple[int, int]) -> None:
    """The broker's certificate is for another name: the configuration says which one it is."""
    authority = trustme.CA()
    for name, domain in (("server", "broker.example"), ("other", "localhost")):
        pair = authority.issue_cert(domain)
        (tmp_path / f"{name}.pem").write_bytes(pair.cert_chain_pems[0].bytes())
        (tmp_path / f"{name}.key").write_bytes(pair.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (tmp_path / "hookmq.toml").open("a") as file:
        file.write('[tls]\nhttp = true\ncert = "server.pem"\nkey = "server.key"\n')
    spawn("run").wait_for(b"Only this machine can connect")
    assert hookmq("hooks").stdout == b"no hooks\n"
    url = f"https://localhost:{ports[1]}"
    for arguments, reason in (
        (["--url", url], "certificate verify failed"),
        (["--url", url, "--cafile", "ca.pem"], "certificate is not valid for 'localhost'"),
        (["--cafile", "other.pem"], "certificate verify failed"),
    ):
        code, text = error_of(hookmq("hooks", *arguments))
        assert (code, reason in text) == (1, True), text
    code, text = error_of(hookmq("hooks", "--url", url, "--cafile", "none.pem"))
    assert (code, text) == (1, "error[E701]: cannot read `none.pem`: no such file or directory\n")
    code, text = error_of(hookmq("hooks", "--url", url, "--cafile", "hookmq.toml"))
    assert (code, text.startswith("error[E701]: cannot read `hookmq.toml`: ")) == (1, True)


# Help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["hooks"], *(["hooks", action] for action in ("ls", "kinds", "pause", "resume"))], ids=" ".join
)
def test_help(hookmq: Run, words: list[str]) -> None:
    done = hookmq(*words, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(f"usage: hookmq {' '.join(words)} ".encode())


def test_pause_without_a_name_is_a_usage_error(hookmq: Run) -> None:
    assert hookmq("hooks", "pause").returncode == 2
    assert hookmq("hooks", "nonsense").returncode == 2
