"""A whole broker with Redis: what was acknowledged is there, once, however Redis fails meanwhile."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker
from hookmq.connectors import Redis

from ..protocol.packets import V5, Connect, Puback, Publish
from ..protocol.wire import Wire
from .records import until
from .redis_servers import Server

WINDOW = 100


@pytest.mark.parametrize("way", ["stop", "kill", "freeze"])
def test_acknowledged_is_stored(
    broker_factory: Callable[..., Broker], tmp_path: Path, figures: Callable[[str], None], way: str
) -> None:
    server = Server(tmp_path / "redis")
    server.start()
    try:
        broker = broker_factory(start=False, data_dir=tmp_path / "data", history={"enabled": False})
        broker.send_to(Redis(server.url, mode="stream", timeout=1.0), "plant/#", ack="stored", patience=0.2)
        broker.start()
        acknowledged: set[int] = set()
        with contextlib.closing(Wire("127.0.0.1", broker.port, version=V5, deadline=30)) as wire:
            wire.connect(Connect("pump", keep_alive=0))
            for round in range(20):
                if round == 7:
                    {"stop": server.stop, "kill": server.kill, "freeze": server.process.freeze}[way]()
                if round == 14:
                    server.process.thaw() if way == "freeze" else server.start()
                numbers = {id: round * WINDOW + id for id in range(1, WINDOW + 1)}
                wire.send(*(Publish("plant/flow", b"%d" % n, 1, id=id) for id, n in numbers.items()))
                for _ in numbers:
                    answer = wire.read()
                    assert isinstance(answer, Puback) and answer.code < 0x80
                    acknowledged.add(numbers[answer.id])
        until(lambda: broker.connectors[0].spooled == 0 and broker.connectors[0].state == "up")
        broker.stop()
        entries: Any = server.client().xrange("hookmq:plant")
        stored = [json.loads(fields[b"payload"]) for _, fields in entries]
        assert len(stored) == len(set(stored)) and acknowledged <= set(stored)
        figures(f"broker and Redis, {way}: {len(acknowledged)} acknowledged, all stored, none twice")
    finally:
        server.stop()
