"""What authentication services cost: connects a second, and what an established client notices of them.

python -m bench.authentication                  the table, in the folder of the project
python -m bench.authentication --only ldap      one service; may be given several times
python -m bench.authentication --json           the figures
python -m bench.authentication --write FILE     the table as Markdown as well

Clients connect over TCP, are welcomed, and leave, eight at a time, played by ``bench/load``. Meanwhile
another client, which was there before, sends itself a message every ten milliseconds. The directory is a
slapd on this machine, the web service one of Python's. ``asked`` is what one question takes when nobody
else asks, without a broker; the CPU is that of the broker's process, with the service's library and the
client that was there before.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import secrets
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from hookmq import Allow, Broker
from hookmq.authentication import JWT, LDAP, AuthenticationService, HTTPService, SQLTable

from . import load
from .machine import ROOT, describe, process_time
from .pages import markdown, put

COUNTS = {"JWT": 20_000, "LDAP": 5_000, "HTTP": 4_000, "SQLite": 2_000}
"""Connects that are measured, by how the name of a service begins."""
MANY = 40_000
AT_A_TIME = 8
PAUSE = 0.01
TARGETS = {"JWT, HS256": 5000.0, "LDAP, bind": 200.0, "LDAP, search and bind": 200.0}


def frame(first: int, body: bytes) -> bytes:
    """Return a packet."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([first]) + bytes(digits) + body


def text(value: str) -> bytes:
    """Return a string with its length."""
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def connect_packet(client_id: str, username: str, password: str) -> bytes:
    """Return a CONNECT of 3.1.1."""
    body = (
        text("MQTT") + b"\x04\xc2" + struct.pack(">H", 60) + text(client_id) + text(username) + text(password)
    )
    return frame(0x10, body)


# Load ------------------------------------------------------------------------------------------------------


def connects(port: int, login: tuple[str, str], count: int) -> float:
    """Return how many clients connect in a second, several at a time."""
    times: list[float] = []
    options = {
        "kind": "connects",
        "publishers": AT_A_TIME,
        "count": count,
        "warm-up": 100,
        "login": ":".join(login),
    }
    load.measure(
        port, options, lambda: times.append(time.perf_counter()), lambda: times.append(time.perf_counter())
    )
    return count / (times[1] - times[0])


class Echo:
    """A client that was there before: how long a message takes to itself."""

    def __init__(self, port: int, login: tuple[str, str]) -> None:
        self._line = socket.create_connection(("127.0.0.1", port), 10)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line.sendall(connect_packet("established", *login))
        assert self._line.recv(4) == b"\x20\x02\x00\x00"
        self._line.sendall(frame(0x82, b"\x00\x01" + text("echo") + b"\x00"))
        assert self._line.recv(5)[:1] == b"\x90"
        self._message = frame(0x30, text("echo") + b"x" * 64)
        self._stopped = threading.Event()
        self._took: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stopped.wait(PAUSE):
            began = time.perf_counter()
            self._line.sendall(self._message)
            left = len(self._message)
            while left:
                left -= len(self._line.recv(left))
            self._took.append(time.perf_counter() - began)

    def __enter__(self) -> Echo:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._line.close()

    @property
    def milliseconds(self) -> tuple[float, float]:
        """The median, and what 99 of 100 take no longer than."""
        ranked = sorted(self._took)
        return statistics.median(ranked) * 1e3, ranked[int(len(ranked) * 0.99)] * 1e3


# Services --------------------------------------------------------------------------------------------------

Made = tuple[AuthenticationService | None, tuple[str, str]]


class Everyone(AuthenticationService):
    """Knows everyone: what a hook costs that asks nobody."""

    kind = "everyone"
    waits = False

    def check(self, client: Any) -> Allow:
        """Let it in."""
        return Allow()


@contextmanager
def _nobody(place: Path) -> Iterator[Made]:
    yield None, ("tank", "water")


@contextmanager
def _everyone(place: Path) -> Iterator[Made]:
    yield Everyone(), ("tank", "water")


def _jwt(algorithm: str) -> Callable[[Path], Any]:
    @contextmanager
    def make(place: Path) -> Iterator[Made]:
        import jwt
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        claims = {"sub": "tank", "exp": int(time.time()) + 3600}
        if algorithm == "HS256":
            secret = secrets.token_urlsafe(48)
            yield JWT(secret=secret), ("token", jwt.encode(claims, secret))
            return
        private: Any = rsa.generate_private_key(65537, 2048)
        if algorithm == "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = private.public_key().public_bytes(serialization.Encoding.PEM, form)
        yield JWT(key=public), ("token", jwt.encode(claims, private, algorithm))

    return make


def _tests(name: str) -> ModuleType:
    """Return a module of the tests; other packages are called `tests` as well."""
    package = ModuleType("tests")
    package.__path__ = [str(ROOT / "tests")]
    sys.modules["tests"] = package
    return importlib.import_module(f"tests.{name}")


def _ldap(how: dict[str, str], *, tls: bool = False) -> Callable[[Path], Any]:
    @contextmanager
    def make(place: Path) -> Iterator[Made]:
        import trustme

        authority = trustme.CA()
        server = authority.issue_cert("127.0.0.1")
        ca, cert, key = place / "ca.pem", place / "cert.pem", place / "key.pem"
        authority.cert_pem.write_to_path(ca)
        server.private_key_pem.write_to_path(key)
        cert.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
        slapd = _tests("authentication.slapd").Slapd(place / "slapd", ca, cert, key)
        try:
            yield LDAP(slapd.tls_url if tls else slapd.url, ca=str(ca), **how), ("tank", "water")
        finally:
            slapd.stop()

    return make


@contextmanager
def _http(place: Path) -> Iterator[Made]:
    class Login(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    context = multiprocessing.get_context("fork")  # a process of its own, as a service has
    server = ThreadingHTTPServer(("127.0.0.1", 0), Login)
    process = context.Process(target=server.serve_forever, daemon=True)
    process.start()
    try:
        yield HTTPService(f"http://127.0.0.1:{server.server_port}"), ("tank", "water")
    finally:
        process.terminate()
        process.join()
        server.server_close()


@contextmanager
def _sql(place: Path) -> Iterator[Made]:
    import hashlib
    import sqlite3
    from base64 import b64encode

    made = b64encode(hashlib.pbkdf2_hmac("sha256", b"water", b"salt", 10_000)).decode()
    with sqlite3.connect(place / "users.db") as database:
        database.execute("CREATE TABLE users (username, password_hash)")
        database.execute("INSERT INTO users VALUES ('tank', ?)", (f"pbkdf2_sha256$10000$salt${made}",))
    database.close()
    yield SQLTable(f"sqlite:///{place}/users.db"), ("tank", "water")


SEARCH = {"search_base": "ou=people,dc=example", "account": "cn=reader,dc=example", "password": "read"}
SERVICES: dict[str, Callable[[Path], Any]] = {
    "no authentication": _nobody,
    "a hook that knows everyone": _everyone,
    "JWT, HS256": _jwt("HS256"),
    "JWT, RS256": _jwt("RS256"),
    "JWT, ES256": _jwt("ES256"),
    "LDAP, bind": _ldap({"bind_dn": "uid={username},ou=people,dc=example"}),
    "LDAP, search and bind": _ldap(SEARCH),
    "LDAP, search and bind, TLS": _ldap(SEARCH, tls=True),
    "HTTP": _http,
    "SQLite, PBKDF2 of 10,000": _sql,
}


def asked(service: AuthenticationService, login: tuple[str, str]) -> float:
    """Return the microseconds of one question."""
    username, password = login
    client: Any = SimpleNamespace(
        client_id="c1",
        username=username,
        password=password,
        password_bytes=password.encode(),
        address="127.0.0.1",
        port=1,
        certificate=None,
        connected_at=0.0,
    )
    took, end = [], time.perf_counter() + 0.5
    broker = Broker(port=0, http_port=None)
    service.attach(broker)  # or it says for each that nobody ends connections
    while time.perf_counter() < end:
        began = time.perf_counter()
        service.decide(client)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


def measure(name: str, count: int) -> dict[str, float]:
    """Measure one service."""
    with (
        tempfile.TemporaryDirectory(prefix="hookmq-bench-") as place,
        SERVICES[name](Path(place)) as (service, login),
    ):
        one = asked(service, login) if service is not None else 0.0
        broker = Broker(port=0, http_port=None, history={"enabled": False})
        if service is not None:
            broker.authenticate_with(service)
        with broker:
            with Echo(broker.port, login) as alone:
                time.sleep(1.0)
            with Echo(broker.port, login) as beside:
                before = process_time(os.getpid())
                rate = connects(broker.port, login, count)
                spent = process_time(os.getpid()) - before
    quiet, during = alone.milliseconds, beside.milliseconds
    return {
        "asked_us": one,
        "connects_per_second": rate,
        "cpu_us": spent / 1e3 / count,
        "echo_p50_alone_ms": quiet[0],
        "echo_p99_alone_ms": quiet[1],
        "echo_p50_ms": during[0],
        "echo_p99_ms": during[1],
    }


def rows(found: dict[str, dict[str, float]]) -> list[list[str]]:
    """Return the table."""
    head = [
        "Service",
        "asked",
        "CPU a connect",
        "connects a second",
        "at least",
        "echo, half",
        "echo, 99 of 100",
    ]
    table = [head]
    for name, one in found.items():
        target = TARGETS.get(name)
        table.append(
            [
                name,
                f"{one['asked_us']:,.0f} µs" if one["asked_us"] else "",
                f"{one['cpu_us']:,.0f} µs",
                f"{one['connects_per_second']:,.0f}",
                f"{target:,.0f}" if target else "",
                f"{one['echo_p50_ms']:.2f} ms",
                f"{one['echo_p99_ms']:.2f} ms",
            ]
        )
    return table


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="What authentication services cost.")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    load.build()
    wanted = [one.lower() for one in options.only]
    found = {}
    for name in SERVICES:
        if not wanted or any(one in name.lower() for one in wanted):
            print(f"\r\033[K{name}", end="", file=sys.stderr)
            count = next((count for start, count in COUNTS.items() if name.startswith(start)), MANY)
            found[name] = measure(name, count)
    print("\r\033[K", end="", file=sys.stderr)
    facts = describe({}) | {"clients": f"{AT_A_TIME} at a time, on the same {os.cpu_count()} cores"}
    if options.json:
        print(json.dumps({"facts": facts, "services": found}, indent=2))
    else:
        for row in rows(found):
            print(f"{row[0]:<30}" + "".join(f"{cell:>18}" for cell in row[1:]))
        print("; ".join(f"{name}: {fact}" for name, fact in facts.items()))
    if options.write:
        put(options.write, "bench-authentication", markdown(rows(found), facts))


if __name__ == "__main__":
    main()
