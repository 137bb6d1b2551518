"""A broker in a process of its own that is attacked, and a count of what was tried."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hookmq import api_token
from hookmq._hookmq import hash_user

from ..conftest import FIGURES
from .exchange import HttpSite

APP = Path(__file__).parent / "attacked.py"


class Attacks:
    """Counts attacks and hits: an attack whose test fails is a hit."""

    def __init__(self) -> None:
        self.tried = 0
        self.hits = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """What is done and expected within is one attack."""
        self.tried += 1
        try:
            yield
        except BaseException:
            self.hits += 1
            raise


@pytest.fixture(scope="session")
def attacks(request: pytest.FixtureRequest) -> Iterator[Attacks]:
    made = Attacks()
    yield made
    lines = request.config.stash[FIGURES].setdefault("security", [])
    lines.append(f"{made.tried} attacks, {made.hits} hits")


@pytest.fixture
def attack(attacks: Attacks) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """`with attack():` counts one."""
    return attacks.one


class Start:
    """A broker's process: where it listens, and how it lets in."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        (directory / "secret.txt").write_text("root:x:0:0")
        (directory / "users").write_text(hash_user("pump", b"secret of a pump"))
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HOOKMQ_")}
        environment = clean | {"HOOKMQ_DATA_DIR": str(directory / "data"), "PYTHONUNBUFFERED": "1"} | settings
        self.log = open(directory / "log", "w+")  # noqa: SIM115  it is closed by `stop`
        self.process = subprocess.Popen(
            [sys.executable, str(APP)],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.process.stdout is not None
        banner = ""
        for line in self.process.stdout:
            banner += line
            if "Only this machine" in line:
                break
        # Nobody may be kept waiting by a pipe that is full.
        self._reader = threading.Thread(target=self.process.stdout.read, daemon=True)
        self._reader.start()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", banner)
        self.http_port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/", banner)[0])
        self.link = None if found is None else found[2]
        self.mqtt_port = int(re.findall(r"mqtt://127\.0\.0\.1:(\d+)", banner)[0])
        self.local_token = api_token.read(directory / "data" / "api-token")

    def stop(self) -> str:
        """End it, and return what it has logged."""
        self.process.terminate()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.log.seek(0)
            text = self.log.read()
            self.log.close()
        assert code in (0, -15, 143), (code, text)
        return text


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Start]]:
    """`start(HOOKMQ__HTTP_BASE="/x")` starts a broker in a directory of its own."""
    started: list[Start] = []
    numbers = itertools.count(1)

    def make(**settings: str) -> Start:
        directory = tmp_path_factory.mktemp(f"attacked{next(numbers)}")
        started.append(Start(directory, **settings))
        return started[-1]

    yield make
    for one in started:
        log = one.stop()
        # The hook of the app fails by intent; nothing else does.
        records = re.split(r"(?m)^(?=\d\d:\d\d:\d\d )", log)
        assert not [one for one in records if "Traceback" in one and "watch" not in one.split("\n")[0]], log
        assert "panicked" not in log, log


@pytest.fixture(scope="session")
def fresh(start: Callable[..., Start]) -> HttpSite:
    """A broker without an account: open to programs of this machine, and to nobody else."""
    return HttpSite(start())


@pytest.fixture(scope="session")
def site(start: Callable[..., Start]) -> HttpSite:
    """A broker with an account, and an API token, of each role."""
    site = HttpSite(start(HOOKMQ__ACCESS__USERS_FILE="users"))
    site.settle()
    return site


@pytest.fixture(scope="session", autouse=True)
def slow(site: HttpSite) -> Iterator[tuple[float, list[socket.socket]]]:
    """Connections that take their time for a head, and when they began; all tests go on meanwhile."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(site.connect()) for _ in range(200)]
        for connection in found:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        yield time.monotonic(), found
