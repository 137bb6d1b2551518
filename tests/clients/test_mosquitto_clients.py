"""mosquitto_pub, mosquitto_sub and mosquitto_rr, run as programs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

DEADLINE = 10.0
VERSIONS = ["31", "311", "5"]


@pytest.fixture(params=VERSIONS, ids=["3.1", "3.1.1", "5.0"])
def version(request: pytest.FixtureRequest) -> str:
    return request.param


class Program:
    """A running mosquitto program; its debug lines tell when it is ready."""

    def __init__(self, command: list[str]) -> None:
        # stdbuf, because the C library keeps the lines back when its output is a pipe.
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, words: str) -> str:
        """The first line that contains the words."""
        assert self.process.stdout
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if words in line:
                return line
        raise AssertionError(f"the program ended without {words!r}:\n{''.join(seen)}")

    def finish(self) -> list[str]:
        """The rest of its output, without the debug lines; it must end by itself, and well."""
        out, _ = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == 0, out
        lines = out.splitlines()
        return [line for line in lines if not line.startswith(("Client ", "Subscribed (", "Unsubscribed"))]


@pytest.fixture
def start(address) -> Iterator[Callable[..., Program]]:
    """`start("mosquitto_sub", "-t", "a", ...)` runs the program until the end of the test."""
    programs: list[Program] = []

    def start(name: str, *arguments: str) -> Program:
        host, port = address
        programs.append(Program([name, "-h", host, "-p", str(port), *arguments]))
        return programs[-1]

    yield start
    for program in programs:
        program.process.kill()
        program.process.communicate()


@pytest.fixture
def subscribe(start, version) -> Callable[..., Program]:
    """A mosquitto_sub that has its subscription."""

    def subscribe(*arguments: str) -> Program:
        program = start("mosquitto_sub", "-d", "-W", "10", "-V", version, *arguments)
        program.wait_for("Subscribed (")
        return program

    return subscribe


@pytest.fixture
def publish(start, version) -> Callable[..., None]:
    """Runs a mosquitto_pub to its end."""

    def publish(*arguments: str) -> None:
        start("mosquitto_pub", "-V", version, *arguments).finish()

    return publish


@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_publish_and_subscribe(subscribe, publish, root, qos):
    subscriber = subscribe("-t", f"{root}/+/level", "-q", qos, "-C", "2", "-F", "%t %q %r %p")
    publish("-t", f"{root}/7/level", "-m", "one", "-q", qos)
    publish("-t", f"{root}/8/level", "-m", "two", "-q", "2")
    assert subscriber.finish() == [f"{root}/7/level {qos} 0 one", f"{root}/8/level {qos} 0 two"]


def test_a_retained_message(start, publish, root, version):
    publish("-t", f"{root}/state", "-m", "on", "-q", "1", "-r")
    arguments = ("-t", f"{root}/#", "-q", "1", "-V", version, "-W", "10", "-C", "1", "-F", "%q %r %p")
    assert start("mosquitto_sub", *arguments).finish() == ["1 1 on"]
    publish("-t", f"{root}/state", "-n", "-r")
    subscriber = start("mosquitto_sub", "-d", "-t", f"{root}/#", "-V", version, "-W", "10", "-C", "1")
    subscriber.wait_for("Subscribed (")
    publish("-t", f"{root}/later", "-m", "later")
    assert subscriber.finish() == ["later"]


def test_a_will(subscribe, start, root, version):
    watcher = subscribe("-t", f"{root}/will", "-q", "1", "-C", "1", "-F", "%q %p")
    will = ("--will-topic", f"{root}/will", "--will-payload", "gone", "--will-qos", "1")
    doomed = start("mosquitto_sub", "-d", "-t", f"{root}/x", "-V", version, *will)
    doomed.wait_for("Subscribed (")
    doomed.process.kill()
    assert watcher.finish() == ["1 gone"]


def test_a_session_with_queued_messages(start, publish, root, version):
    keep = ["-c", "-i", f"{root}s", "-q", "1", "-V", version, "-W", "10", "-t", f"{root}/#"]
    keep += ["-x", "60"] if version == "5" else []
    start("mosquitto_sub", "-E", *keep).finish()  # -E: leaves as soon as it has subscribed
    for number in range(5):
        publish("-t", f"{root}/x", "-m", str(number), "-q", "1")
    assert start("mosquitto_sub", "-C", "5", *keep).finish() == ["0", "1", "2", "3", "4"]


def test_many_lines_in_order(subscribe, address, root, version):
    subscriber = subscribe("-t", root, "-q", "1", "-C", "1000")
    lines = [str(number) for number in range(1000)]
    host, port = address
    subprocess.run(
        ["mosquitto_pub", "-h", host, "-p", str(port), "-V", version, "-t", root, "-q", "1", "-l"],
        input="\n".join(lines) + "\n",
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    assert subscriber.finish() == lines


def test_a_large_file(subscribe, publish, root, tmp_path):
    path = tmp_path / "payload"
    path.write_text("x" * (1 << 20))
    subscriber = subscribe("-t", root, "-q", "2", "-C", "1", "-F", "%l")
    publish("-t", root, "-q", "2", "-f", str(path))
    assert subscriber.finish() == [str(1 << 20)]


@pytest.mark.parametrize("version", ["5"], indirect=True)
def test_request_and_response(start, publish, root):
    requester = start(
        "mosquitto_rr",
        "-d",
        "-W",
        "10",
        "-V",
        "5",
        "-t",
        f"{root}/ask",
        "-e",
        f"{root}/answer",
        "-m",
        "1+1",
        "-q",
        "1",
    )
    requester.wait_for("sending PUBLISH")
    publish("-t", f"{root}/answer", "-m", "2", "-q", "1")
    assert requester.finish() == ["2"]


@pytest.mark.parametrize("version", ["5"], indirect=True)
def test_version_5_properties(subscribe, publish, root):
    subscriber = subscribe("-t", root, "-C", "1", "-F", "%C|%R|%D|%P|%p")
    properties = [("content-type", "text/plain"), ("response-topic", "a/b"), ("correlation-data", "id7")]
    wishes = [word for name, value in properties for word in ("-D", "PUBLISH", name, value)]
    wishes += ["-D", "PUBLISH", "user-property", "k", "v"]
    publish("-t", root, "-m", "x", *wishes)
    assert subscriber.finish() == ["text/plain|a/b|id7|k:v|x"]


def test_a_shared_subscription(subscribe, publish, root):
    one, two = (subscribe("-t", f"$share/g/{root}", "-q", "1", "-C", "2") for _ in range(2))
    for number in range(4):
        publish("-t", root, "-m", str(number), "-q", "1")
    assert sorted(one.finish() + two.finish()) == ["0", "1", "2", "3"]


def test_logging_in(guarded, version, root):
    host, port = guarded
    command = [
        "mosquitto_pub",
        "-h",
        host,
        "-p",
        str(port),
        "-V",
        version,
        "-t",
        root,
        "-m",
        "x",
        "-u",
        "tank",
    ]
    codes = [
        subprocess.run([*command, "-P", word], capture_output=True, timeout=DEADLINE).returncode
        for word in ("secret", "wrong")
    ]
    assert codes == [0, 0x86 if version == "5" else 4]


@pytest.mark.parametrize("version", ["311", "5"], indirect=True)
@pytest.mark.parametrize("way", ["mqtts", "unix"])
def test_a_transport(doors, root, version, tmp_path, way):
    path = tmp_path / "payload"
    path.write_text("x" * (1 << 20))
    where = ["-V", version, "-t", root, "-q", "2"]
    where += ["--unix", str(doors.unix)] if way == "unix" else ["-h", "127.0.0.1", "-p", str(doors.mqtts)]
    where += ["--cafile", str(doors.authority)] if way == "mqtts" else []
    subscriber = Program(["mosquitto_sub", "-d", "-W", "10", *where, "-C", "1", "-F", "%l"])
    subscriber.wait_for("Subscribed (")
    assert Program(["mosquitto_pub", *where, "-f", str(path)]).finish() == []
    assert subscriber.finish() == [str(1 << 20)]
