"""`hookmq pub` and `hookmq sub` against a broker of our own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]


class Clients:
    """Runs pub and sub on the broker's port."""

    def __init__(self, broker: Any, run: Run, spawn: Callable[..., Any]) -> None:
        self.broker, self._run, self._spawn = broker, run, spawn
        self.address = ("-h", "127.0.0.1", "-p", str(broker.port))

    def pub(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        return self._run("pub", *self.address, *arguments, **more)

    def sub(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        return self._run("sub", *self.address, *arguments, **more)

    def start_sub(self, *arguments: str) -> Any:
        """Start a subscriber and return it once the broker has its subscription."""
        running = self._spawn("sub", *self.address, "-d", *arguments)
        running.wait_for(b"Subscribed (mid: ")
        return running


def printed(running: Any) -> bytes:
    """What a subscriber printed, without the lines of -d, once it has ended."""
    running.wait()
    lines = running.output.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith((b"Client ", b"Subscribed ")))


@pytest.fixture
def clients(broker: Any, hookmq: Run, spawn: Callable[..., Any]) -> Clients:
    return Clients(broker, hookmq, spawn)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_a_message_arrives(clients: Clients, version: str, qos: str) -> None:
    running = clients.start_sub("-t", "tank/+/level", "-q", qos, "-V", version, "-v", "-C", "1")
    done = clients.pub("-t", "tank/7/level", "-m", "hé llo", "-q", qos, "-V", version)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert printed(running) == "tank/7/level hé llo\n".encode()
    assert running.process.returncode == 0


def test_the_kinds_of_message(clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"\xff\0from a file")
    running = clients.start_sub("-t", "a", "-v", "-C", "5")
    clients.pub("-t", "a", "-m", "--help")
    clients.pub("-t", "a", "-f", "m.bin")
    clients.pub("-t", "a", "-n")
    clients.pub("-t", "a", "-s", input=b"all\nof it")
    clients.pub("-t", "a", "-m", b"\xe9".decode("utf-8", "surrogateescape"))
    assert printed(running) == b"a --help\na \xff\0from a file\na (null)\na all\nof it\na \xe9\n"


@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_lines_of_standard_input(clients: Clients, qos: str) -> None:
    running = clients.start_sub("-t", "a", "-v", "-C", "4", "-q", qos)
    done = clients.pub("-t", "a", "-l", "-q", qos, input=b"one\ntwo\r\n\nlast")
    assert done.returncode == 0
    assert printed(running) == b"a one\na two\r\na (null)\na last\n"


def test_many_lines_keep_their_order(clients: Clients) -> None:
    lines = b"".join(b"%d\n" % number for number in range(3000))
    running = clients.start_sub("-t", "a", "-C", "3000", "-q", "1")
    assert clients.pub("-t", "a", "-l", "-q", "1", input=lines).returncode == 0
    assert printed(running) == lines


def test_a_line_is_sent_before_the_next_one_comes(clients: Clients, environment: dict[str, str]) -> None:
    running = clients.start_sub("-t", "a")
    command = [sys.executable, "-m", "hookmq", "pub", *clients.address, "-t", "a", "-l"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as publisher:
        assert publisher.stdin is not None
        publisher.stdin.write(b"first\n")
        publisher.stdin.flush()
        running.wait_for(b"first\n")
        publisher.stdin.close()
        assert publisher.wait(10) == 0


def test_repeat(clients: Clients) -> None:
    running = clients.start_sub("-t", "a", "-C", "3")
    began = time.monotonic()
    clients.pub("-t", "a", "-m", "x", "--repeat", "3", "--repeat-delay", "0.2")
    assert time.monotonic() - began >= 0.4
    assert printed(running) == b"x\nx\nx\n"


def test_an_empty_message_without_v_prints_nothing(clients: Clients) -> None:
    running = clients.start_sub("-t", "a", "-C", "2")
    clients.pub("-t", "a", "-n")
    clients.pub("-t", "a", "-m", "x")
    assert printed(running) == b"x\n"


def test_n_leaves_out_the_line_ends(clients: Clients) -> None:
    clients.pub("-t", "a", "-m", "x", "-r", "-q", "1")
    assert clients.sub("-t", "a", "-N", "-C", "1").stdout == b"x"
    assert clients.sub("-t", "a", "-N", "-v", "-C", "1").stdout == b"a x"
    assert clients.sub("-t", "a", "-N", "-F", "<%p>", "-C", "1").stdout == b"<x>"


def test_properties_arrive(clients: Clients) -> None:
    running = clients.start_sub("-t", "a", "-V", "5", "-F", "%C|%D|%E|%F|%P|%R|%p", "-C", "1")
    clients.pub(
        *("-t", "a", "-m", "x"),
        *("-D", "publish", "content-type", "text/plain"),
        *("-D", "publish", "correlation-data", "id 1"),
        *("-D", "publish", "message-expiry-interval", "3600"),
        *("-D", "publish", "payload-format-indicator", "1"),
        *("-D", "publish", "response-topic", "r"),
        *("-D", "publish", "user-property", "colour", "blue"),
        *("-D", "publish", "user-property", "size", "L"),
    )
    assert printed(running) == b"text/plain|id 1|3600|1|colour:blue size:L|r|x\n"


def test_json_output(clients: Clients) -> None:
    running = clients.start_sub("-t", "a", "-q", "1", "-F", "%J", "-C", "1")
    clients.pub("-t", "a", "-m", '{"level": 17.0}', "-q", "1")
    message = json.loads(printed(running))
    assert message["payload"] == {"level": 17}
    assert (message["topic"], message["qos"], message["retain"]) == ("a", 1, 0)


def test_a_payload_that_is_not_json_is_said_on_stderr(clients: Clients) -> None:
    clients.pub("-t", "a", "-m", "hello", "-r")
    done = clients.sub("-t", "a", "-F", "%J", "-C", "1")
    assert (done.returncode, done.stdout) == (0, b"\n")
    assert done.stderr == b"Error: Message payload is not valid JSON on topic a.\n"


# Retained messages ---------------------------------------------------------------------------------------


@pytest.fixture
def retained(clients: Clients) -> Clients:
    for topic in ("r/a", "r/b"):
        assert clients.pub("-t", topic, "-m", topic[-1], "-r", "-q", "1").returncode == 0
    return clients


@pytest.mark.parametrize(
    ("arguments", "output", "code"),
    [
        (["-C", "2", "-v"], [b"r/a a", b"r/b b"], 0),
        (["-W", "1", "-F", "%r%t"], [b"1r/a", b"1r/b"], 27),
        (["-W", "1", "-R"], [], 27),
        (["-W", "1", "-T", "r/a"], [b"b"], 27),
        (["-W", "1", "-T", "r/#"], [], 27),
        (["-W", "1", "-V", "5", "--retain-handling", "2"], [], 27),
        (["-W", "1", "-V", "5", "--retain-handling", "always"], [b"a", b"b"], 27),
    ],
)
def test_what_is_printed_of_them(
    retained: Clients, arguments: list[str], output: list[bytes], code: int
) -> None:
    done = retained.sub("-t", "r/#", *arguments)
    assert sorted(done.stdout.splitlines()) == output
    assert done.returncode == code


def test_retained_only_ends_at_the_first_other(retained: Clients) -> None:
    running = retained.start_sub("-t", "r/#", "--retained-only")
    retained.pub("-t", "r/c", "-m", "live")
    assert sorted(printed(running).splitlines()) == [b"a", b"b"]
    assert running.process.returncode == 0


def test_remove_retained(retained: Clients) -> None:
    assert retained.sub("-t", "r/#", "--remove-retained", "-C", "2").returncode == 0
    assert retained.sub("-t", "r/#", "-W", "1").stdout == b""


def test_an_empty_retained_message_clears_the_topic(retained: Clients) -> None:
    retained.pub("-t", "r/a", "-r", "-n", "-q", "1")
    assert retained.sub("-t", "r/#", "-W", "1").stdout == b"b\n"


def test_retain_as_published(clients: Clients) -> None:
    running = clients.start_sub("-t", "a", "-V", "5", "--retain-as-published", "-F", "%r", "-C", "1")
    clients.pub("-t", "a", "-m", "x", "-r")
    assert printed(running) == b"1\n"


# Sessions and wills --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [["-V", "311"], ["-V", "5"], ["-V", "5", "-x", "600"]])
def test_a_session_keeps_messages(clients: Clients, version: list[str]) -> None:
    session = ("-i", "keeper", "-c", "-q", "1", *version)
    assert clients.sub("-t", "a", *session, "-E").returncode == 0
    clients.pub("-t", "a", "-m", "while away", "-q", "1")
    done = clients.sub("-t", "a", *session, "-C", "1", "-W", "5")
    assert (done.returncode, done.stdout) == (0, b"while away\n")


def test_messages_after_the_last_one_wanted_stay_in_the_session(clients: Clients) -> None:
    session = ("-t", "a", "-i", "keeper", "-c", "-q", "1")
    clients.sub(*session, "-E")
    clients.pub("-t", "a", "-l", "-q", "1", input=b"1\n2\n3\n")
    assert clients.sub(*session, "-C", "1", "-W", "5").stdout == b"1\n"
    assert clients.sub(*session, "-C", "2", "-W", "5").stdout == b"2\n3\n"


def test_unsubscribe_ends_a_subscription_of_the_session(clients: Clients) -> None:
    session = ("-i", "keeper", "-c", "-q", "1")
    clients.sub("-t", "a", *session, "-E")
    assert clients.sub("-U", "a", *session, "-E").returncode == 0
    clients.pub("-t", "a", "-m", "x", "-q", "1")
    done = clients.sub("-t", "other", *session, "-W", "1")
    assert (done.returncode, done.stdout) == (27, b"")


def test_a_will_is_published_when_the_client_is_killed(clients: Clients) -> None:
    watcher = clients.start_sub("-t", "will/#", "-v", "-C", "1", "-W", "10")
    will = ("--will-topic", "will/me", "--will-payload", "gone", "--will-qos", "1")
    victim = clients.start_sub("-t", "a", *will)
    victim.process.kill()
    assert printed(watcher) == b"will/me gone\n"


# The end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_sub_in_order(clients: Clients, number: int) -> None:
    watcher = clients.start_sub("-t", "will", "-C", "1")
    running = clients.start_sub("-t", "a", "--will-topic", "will", "--will-payload", "gone")
    assert running.stop(number) == 0
    clients.pub("-t", "will", "-m", "no will came before")
    assert printed(watcher) == b"no will came before\n"


def test_time_is_up(clients: Clients) -> None:
    began = time.monotonic()
    done = clients.sub("-t", "a", "-W", "1")
    assert (done.returncode, done.stdout, done.stderr) == (27, b"", b"Timed out\n")
    assert 1 <= time.monotonic() - began < 5
    assert clients.sub("-t", "a", "-W", "1", "--quiet").stderr == b""


@pytest.mark.parametrize("command", [["pub", "-m", "x"], ["sub"]])
def test_a_broker_that_is_not_there(hookmq: Run, closed_port: int, command: list[str]) -> None:
    name, *more = command
    done = hookmq(name, "-h", "127.0.0.1", "-p", str(closed_port), "-t", "a", *more)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"error[E402]: cannot reach the broker at 127.0.0.1:{closed_port}: connection refused\n"
        "  help: is it running? To start one on this machine:   hookmq run\n"
    )
    quiet = hookmq(name, "-h", "127.0.0.1", "-p", str(closed_port), "-t", "a", "--quiet", *more)
    assert (quiet.returncode, quiet.stderr) == (1, b"")


@pytest.mark.parametrize("version", ["31", "311", "5"])
@pytest.mark.parametrize("command", [["pub", "-m", "x"], ["sub"]])
def test_a_broker_that_refuses(hookmq: Run, command: list[str], version: str) -> None:
    connack = b"\x20\x03\x00\x87\x00" if version == "5" else b"\x20\x02\x00\x05"
    with answering(connack) as port:
        name, *more = command
        done = hookmq(name, "-h", "127.0.0.1", "-p", str(port), "-t", "a", "-V", version, *more)
    assert (done.returncode, done.stdout) == (6, b"")
    assert done.stderr == (
        b"error[E401]: the broker refused the connection: not authorized\n"
        b"  help: give a user name and a password it accepts:   -u NAME -P PASSWORD\n"
    )


def test_a_broker_that_refuses_the_identifier(hookmq: Run) -> None:
    with answering(b"\x20\x02\x00\x02") as port:
        done = hookmq("sub", "-h", "127.0.0.1", "-p", str(port), "-t", "a")
    assert done.returncode == 6
    assert b"it does not accept the protocol version or the client identifier" in done.stderr


def test_a_server_that_hangs_up(hookmq: Run) -> None:
    with answering(b"") as port:
        done = hookmq("pub", "-h", "127.0.0.1", "-p", str(port), "-t", "a", "-m", "x", "-q", "1")
    assert done.returncode == 1
    assert b"it closed the connection instead of answering CONNECT" in done.stderr


def test_a_message_that_is_refused(hookmq: Run) -> None:
    puback = b"\x40\x04\x00\x01\x87\x00"
    with answering(b"\x20\x03\x00\x00\x00", puback) as port:
        done = hookmq("pub", "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-q", "1", "-t", "a", "-m", "x")
    assert done.returncode == 6
    assert done.stderr == b"error[E403]: the broker refused a message to `a`: not authorized\n"


def test_a_subscription_that_is_refused(hookmq: Run) -> None:
    suback = b"\x90\x04\x00\x01\x00\x87"
    with answering(b"\x20\x03\x00\x00\x00", suback) as port:
        done = hookmq("sub", "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-t", "a")
    assert done.returncode == 6
    assert done.stderr == b"error[E404]: the broker refused every subscription: not authorized\n"


def test_a_session_that_is_taken_over(hookmq: Run) -> None:
    disconnect = b"\xe0\x02\x8e\x00"
    with answering(b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x00" + disconnect) as port:
        done = hookmq("sub", "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-t", "a")
    assert done.returncode == 6
    assert done.stderr == b"error[E405]: the broker ended the connection: session taken over\n"


def test_our_broker_says_that_a_session_is_taken_over(clients: Clients) -> None:
    first = clients.start_sub("-t", "a", "-V", "5", "-i", "twin")
    clients.start_sub("-t", "a", "-V", "5", "-i", "twin")
    assert first.wait() == 6
    assert b"error[E405]: the broker ended the connection: session taken over\n" in first.output


def test_sub_waits_for_a_broker_that_comes_back(spawn: Callable[..., Any], closed_port: int) -> None:
    from hookmq import Broker

    running = None
    for payload in ("before", "after"):
        with Broker(host="127.0.0.1", port=closed_port, http_port=None) as broker:
            if running is None:
                address = ("-h", "127.0.0.1", "-p", str(closed_port))
                running = spawn("sub", *address, "-t", "a", "-d")
            running.wait_for(b"Subscribed (mid: ", times=1 if payload == "before" else 2)
            broker.publish("a", payload)
            running.wait_for(payload.encode())
    assert running is not None
    assert running.stop() == 0


def test_a_reader_that_goes_away(clients: Clients, environment: dict[str, str]) -> None:
    clients.pub("-t", "a", "-m", "x", "-r", "-q", "1")
    command = [sys.executable, "-m", "hookmq", "sub", *clients.address, "-t", "a"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == b"x\n"
        running.stdout.close()
        clients.pub("-t", "a", "-m", "nobody reads this")
        assert running.wait(10) == 141
        assert running.stderr.read() == b""


def test_host_and_port_of_the_environment(clients: Clients, hookmq: Run) -> None:
    environment = {"HOOKMQ_HOST": "0.0.0.0", "HOOKMQ_PORT": str(clients.broker.port)}
    assert hookmq("pub", "-t", "a", "-m", "x", "-r", "-q", "1", environment=environment).returncode == 0
    assert hookmq("sub", "-t", "a", "-C", "1", environment=environment).stdout == b"x\n"


def test_a_file_that_is_not_there(hookmq: Run) -> None:
    done = hookmq("pub", "-t", "a", "-f", "no.bin")
    assert (done.returncode, done.stderr) == (
        1,
        b"error[E701]: cannot read `no.bin`: no such file or directory\n",
    )


def test_certificates_that_are_none(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    for name, reason in (("ca.pem", b"certificate"), ("no.pem", b"no such file or directory")):
        done = hookmq("sub", "-t", "a", "--cafile", name)
        assert done.returncode == 1
        assert done.stderr.startswith(b"error[E701]: cannot read `" + name.encode())
        assert reason in done.stderr


class answering:
    """A server that answers each packet with the next of these, and then hangs up."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *error: object) -> None:
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            for answer in self._answers:
                connection.recv(4096)
                connection.sendall(answer)
            connection.settimeout(2)
            try:
                while connection.recv(4096):
                    pass
            except OSError:
                return
