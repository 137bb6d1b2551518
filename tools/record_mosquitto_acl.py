"""Asks a real mosquitto what its access lists mean, and keeps the answers for the tests.

    python tools/record_mosquitto_acl.py            writes tests/cli/mosquitto_acl/decisions.json
    python tools/record_mosquitto_acl.py --check    writes nothing; shows what differs and exits with 1

Reads tests/cli/mosquitto_acl/samples.toml. mosquitto (Debian: `apt-get install mosquitto`) is started on
loopback with a listener that has the access list and one that has none: the second is the other side of each
client's messages. `tests/cli/test_acl_import.py` compares the answers with what our translation decides.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from protocol.packets import Connect, Suback, Subscribe, subscription  # noqa: E402
from protocol.wire import Wire  # noqa: E402

DIRECTORY = ROOT / "tests" / "cli" / "mosquitto_acl"
HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def mosquitto(acl: str) -> Iterator[tuple[int, int] | None]:
    """Run mosquitto with the access list; gives the guarded port and the open one, or None if it ended."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "acl").write_text(acl, encoding="utf-8")
        ports = free_port(), free_port()
        lines = ["per_listener_settings true", "log_dest none"]
        lines += ["user root"] if os.geteuid() == 0 else []
        lines += [f"listener {ports[0]} {HOST}", "allow_anonymous true", f"acl_file {directory / 'acl'}"]
        lines += [f"listener {ports[1]} {HOST}", "allow_anonymous true"]
        (directory / "conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        process = subprocess.Popen([program(), "-c", str(directory / "conf")], stderr=subprocess.DEVNULL)
        try:
            yield ports if answers(process, ports[1]) else None
        finally:
            process.terminate()
            process.wait(10)


def program() -> str:
    """Return the path of mosquitto; end without one."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if found is None:
        sys.exit("mosquitto is not installed:   apt-get install mosquitto")
    return found


def answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it listens, or has ended; say whether it listens."""
    deadline = time.monotonic() + 10
    while process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return True
    return False


@contextmanager
def connected(port: int, user: str, client: str) -> Iterator[Wire]:
    """Connect a client; it says goodbye."""
    wire = Wire(HOST, port)
    try:
        wire.connect(Connect(client, username=user or None))
        yield wire
        wire.disconnect()
    finally:
        wire.close()


def decisions(acl: str, clients: Sequence[Sequence[str]], topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """What mosquitto decides with the access list."""
    with mosquitto(acl) as ports:
        if ports is None:
            sys.exit(f"mosquitto does not start with:\n{acl}")
        return asked(*ports, clients, topics)


def asked(
    guarded: int, open_port: int, clients: Sequence[Sequence[str]], topics: Sequence[str]
) -> dict[str, dict[str, str]]:
    """For each client and topic: p it may publish, s it may subscribe, r it gets what is published.

    The two ports are of one broker: the first has the access list, the second has none.
    """
    found: dict[str, dict[str, str]] = {}
    with connected(open_port, "", "the-other-side") as other:
        for user, client in clients:
            row = found[f"{user}|{client}"] = {}
            for topic in topics:
                publish = "p" if may_publish(guarded, user, client, topic) else "-"
                row[topic] = publish + "".join(may_receive(guarded, user, client, topic, other))
    return found


def may_publish(port: int, user: str, client: str, topic: str) -> bool:
    """Say whether its publish is taken."""
    with connected(port, user, client) as wire:
        return wire.publish(topic, b"x", 1) < 0x80


def may_receive(port: int, user: str, client: str, topic: str, other: Wire) -> tuple[str, str]:
    """Say whether its subscription is taken, and whether a message of the other client comes."""
    with connected(port, user, client) as wire:
        wire.send(Subscribe(1, [subscription(topic, 0)]))
        got = []
        while not isinstance(packet := wire.read(), Suback):
            got.append(packet)  # a retained message may come first
        other.publish(topic, b"x")
        # What was routed is written: what there is for this client comes before the answer to a ping.
        got += wire.drain()
        return ("s" if packet.codes[0] < 0x80 else "-", "r" if got else "-")


def is_read(line: str) -> bool:
    """Say whether mosquitto starts with the line in its file."""
    with mosquitto(f"user a\n{line}\n") as ports:
        return ports is not None


def version() -> str:
    """Return mosquitto's version."""
    done = subprocess.run([program(), "-h"], capture_output=True, text=True, check=False)
    return done.stdout.split()[2]


def recorded() -> str:
    """Everything mosquitto says, as the text of decisions.json."""
    samples: dict[str, Any] = tomllib.loads((DIRECTORY / "samples.toml").read_text(encoding="utf-8"))
    answer = {
        "mosquitto": version(),
        "accepted": {
            sample["name"]: decisions(sample["acl"], sample["clients"], sample["topics"])
            for sample in samples["accepted"]
        },
        "single": {sample["line"]: is_read(sample["line"]) for sample in samples["single"]},
    }
    return json.dumps(answer, indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, or compare with what is recorded; return the exit code."""
    parser = argparse.ArgumentParser(description="Record what mosquitto's access lists mean.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if an answer differs"
    )
    path = DIRECTORY / "decisions.json"
    checking = parser.parse_args(arguments).check
    text = recorded()
    if not checking:
        path.write_text(text, encoding="utf-8")
        return 0
    before = path.read_text(encoding="utf-8")
    print(
        "".join(difflib.unified_diff(before.splitlines(True), text.splitlines(True), "recorded", "now")),
        end="",
    )
    return int(before != text)


if __name__ == "__main__":
    sys.exit(main())
