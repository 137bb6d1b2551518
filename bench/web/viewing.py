"""Pages that watch: ``viewing.py PORT COUNT WATCHES``. For each line of its input it says what came since.

``WATCHES`` is a list of frames in JSON, which every page sends. One page of :data:`EACH` reads what it is
sent; the others count frames, so that this process does not become what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

EACH = 25

_HEAD = (
    "GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@dataclass
class Tally:
    """What came to all pages."""

    frames: int = 0
    bytes: int = 0
    begun: float = field(default_factory=time.monotonic)
    on_the_way: list[float] = field(default_factory=list)
    """Seconds from when a frame was made until a page had it."""
    ages: list[float] = field(default_factory=list)
    """Seconds from when a message came to the broker until a page had it."""


tally = Tally()
closed = 0


async def page(port: int, number: int, watches: list[dict[str, Any]], ready: asyncio.Event) -> None:
    """Watch for ever."""
    global closed
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 21)
    writer.write(_HEAD.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head, head
    for watch in watches:
        frame = json.dumps(watch).encode()
        length = bytes([0x80 | len(frame)]) if len(frame) < 126 else b"\xfe" + len(frame).to_bytes(2, "big")
        writer.write(b"\x81" + length + bytes(4) + frame)
    try:
        while True:
            first, size = await reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            payload = await reader.readexactly(size)
            ready.set()
            if first & 15 == 9:  # a ping, and the answer to it
                writer.write(b"\x8a\x80" + bytes(4))
                continue
            tally.frames += 1
            tally.bytes += size
            if number % EACH == 0:
                look(json.loads(payload))
    except (asyncio.IncompleteReadError, ConnectionError):
        closed += 1


def look(frame: dict[str, Any]) -> None:
    """See how old a frame is, and what it shows."""
    now = time.time()
    if "at" in frame:
        tally.on_the_way.append(now - frame["at"])
    for item in frame.get("set", {}).values():
        if isinstance(item, dict) and isinstance(item.get("at"), float):
            tally.ages.append(now - item["at"])


async def main(port: int, count: int, watches: list[dict[str, Any]]) -> None:
    """Open the pages, say so, and tell what came for each line of the input."""
    global tally
    events = [asyncio.Event() for _ in range(count)]
    tasks = []
    for number, event in enumerate(events):
        tasks.append(asyncio.create_task(page(port, number, watches, event)))
        if number % 50 == 49:
            await event.wait()
    for event in events:
        await event.wait()
    print(json.dumps({"pages": count}), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        seconds = time.monotonic() - tally.begun
        told: dict[str, Any] = {
            "seconds": seconds,
            "frames": tally.frames,
            "bytes": tally.bytes,
            "closed": closed,
        }
        told |= {"on_the_way": sorted(tally.on_the_way), "ages": sorted(tally.ages)}
        tally = Tally()
        print(json.dumps(told), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))
