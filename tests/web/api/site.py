"""A broker with some of everything, and somebody who asks its API."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hookmq import Broker, every

from ...api.helpers import Device

ACL = "allow all tank/#\nallow user anna subscribe public/#\n"


class Reply(NamedTuple):
    """An answer of the API."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


class Site:
    """A running broker, asked over a socket with the rights of an API token, or by this machine."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.port = broker._active_run().http_port
        self.token: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        /,
        *,
        headers: dict[str, str] | None = None,
        token: str | None = None,
        **query: Any,
    ) -> Reply:
        """Ask for a path below `/api/v1/`, or for a whole one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        whole = path if path.startswith("/") else f"/api/v1/{path}"
        if query:
            whole += "?" + urlencode(query, doseq=True)
        given = {"X-HookMQ": "1"} | (headers or {})
        if (bearer := token or self.token) is not None:
            given["Authorization"] = f"Bearer {bearer}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, whole, data, given)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, /, **query: Any) -> Any:
        """Return what `GET` answers, which must be 200."""
        reply = self.ask("GET", path, **query)
        assert reply.status == 200, reply.body
        return reply.json

    def do(self, method: str, path: str, body: Any = None, /, *, status: int = 200, **query: Any) -> Any:
        """Return what is answered, with this status."""
        reply = self.ask(method, path, body, **query)
        assert reply.status == status, reply.body
        return reply.json


@contextmanager
def site_of(directory: Path) -> Iterator[Site]:
    """Start a broker with hooks, jobs, rules, users, an access list, a data directory and messages."""
    (directory / "users").write_text("")
    (directory / "acl").write_text(ACL)
    broker = Broker(
        port=0,
        http_port=0,
        data_dir=directory / "data",
        access={"users_file": directory / "users", "acl_file": directory / "acl"},
        history={"enabled": True},
        allow_anonymous=True,
    )

    @broker.on_message_received("tank/{tank}/level")
    def watch(msg: Any, tank: str) -> float:
        if "debug" in msg.text:
            print(f"tank {tank} has {msg.text}")
            print("and this goes to stderr", file=sys.stderr)
        return 100 / msg.json()["level"]

    @broker.authorize
    def may(client: Any, action: str, topic: str) -> bool | None:
        return False if topic.startswith("tank/secret") else None

    broker.authenticate(lambda client: True, name="door/2 ü")

    @broker.schedule(every(1000).seconds)
    def tick() -> None:
        time.sleep(0.2)

    broker.add_rule("hot", 'SELECT payload.level AS level FROM "tank/#" WHERE payload.level > 90')
    with broker:
        yield Site(broker)


def publish(site: Site, *messages: tuple[str, bytes], client: str = "pump") -> None:
    """Publish as a client does."""
    with Device(site.broker, client) as device:
        for topic, payload in messages:
            device.publish(topic, payload)
    assert site.broker.wait_for_hooks()
