"""A broker that is killed: what its API has answered is there afterwards, what waited is delivered."""

from __future__ import annotations

import http.client
import json
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ..api.helpers import eventually, free_port
from ..cli.conftest import clean_environment
from ..connectors.peer import Peer

SQL = 'SELECT payload.n AS n FROM "in"'


class Server:
    """`hookmq run` with a data directory, on ports that stay."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.http_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "hookmq", "run", "--data-dir", "data"]
        command += ["--port", str(self.port), "--http-port", str(self.http_port)]
        self.process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: self.ask("GET", "rules") is not None, 20)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask its API; `None` if it is not there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{path}", sent, {"X-HookMQ": "1"})
            answer = connection.getresponse()
            text = answer.read()
            return json.loads(text) if answer.status < 300 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def test_what_was_answered_is_there(tmp_path: Path, seed: int, figures: Any) -> None:
    server, chance = Server(tmp_path), random.Random(seed)
    answered: dict[str, int] = {}
    changes = 0
    for _ in range(3):
        server.start()
        for name, version in answered.items():
            found = server.ask("GET", f"rules/{name}")
            assert found is not None and found["info"]["version"] >= version, f"seed {seed}: {name}"
            answered[name] = found["info"]["version"]
        killer = threading.Timer(chance.uniform(0.3, 1.5), server.kill)
        killer.start()
        while killer.is_alive():
            name = f"rule{chance.randrange(5)}"
            rule = {"name": name, "sql": SQL.replace("payload.n", f"{changes}"), "actions": [{"kind": "log"}]}
            method, path = ("PUT", f"rules/{name}") if name in answered else ("POST", "rules")
            done = server.ask(method, path, rule)
            if done is not None:
                changes += 1
                answered[name] = done["info"]["version"]
            elif name not in answered and (found := server.ask("GET", f"rules/{name}")) is not None:
                answered[name] = found["info"]["version"]  # the answer was lost, not the rule
        killer.join()
    assert changes > 10
    figures(f"{changes} changes of rules that were answered, 3 kills, 0 lost")


def test_what_waits_on_disk_is_delivered(tmp_path: Path) -> None:
    import paho.mqtt.publish as publish

    server = Server(tmp_path)
    with Peer() as peer:
        server.start()
        try:
            action = {"kind": "webhook", "url": peer.url, "allow_private": True}
            assert server.ask("POST", "rules", {"name": "hook", "sql": SQL, "actions": [action]})
            peer.stop()
            messages = [{"topic": "in", "payload": json.dumps({"n": n}), "qos": 1} for n in range(50)]
            publish.multiple(messages, port=server.port)

            def spooled() -> bool:
                spool = tmp_path / "data/rules/hook/1-webhook/spool"
                return sum(len(file.read_bytes().splitlines()) for file in spool.glob("*.jsonl")) >= 50

            eventually(spooled, 20)
        finally:
            server.kill()
        peer.start()
        server.start()
        try:
            eventually(lambda: len(peer.requests) >= 50, 30)
            assert [request.json()["n"] for request in peer.requests][-50:] == list(range(50))
        finally:
            server.kill()
