"""How long a page of GET /api/v1/clients takes with 100,000 sessions.

python bench/web/clients.py [SESSIONS]
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import sys
import threading
import time

from hookmq import Broker

ROUNDS = 15
QUERIES = {
    "first page": "",
    "page of 1000": "?limit=1000",
    "search, matches one": "?search=c099998",
    "search, matches none": "?search=nobody",
    "by address": "?address=127.0.0.1",
    "connected": "?connected=true",
    "sorted by received": "?sort=-received",
    "sorted by connected_at": "?sort=connected_at",
}


def join(port: int, start: int, step: int, count: int) -> None:
    """Leave sessions behind that stay: MQTT 3.1.1 without Clean Session."""
    for number in range(start, count, step):
        name = f"c{number:06}".encode()
        variable = b"\x00\x04MQTT\x04\x00\x00\x3c" + len(name).to_bytes(2, "big") + name
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(bytes([0x10, len(variable)]) + variable)
            connection.recv(4)


def ask(port: int, path: str) -> dict[str, object]:
    """Return what the API answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    found: dict[str, object] = json.loads(answer.read())
    connection.close()
    return found


def main() -> None:
    """Make the sessions, and measure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    limits = {"max_sessions": count + 10, "max_half_open": 50_000, "connect_rate": 0}
    with Broker(port=0, http_port=0, history={"enabled": False}, limits=limits) as broker:
        ports = broker.port, broker._active_run().http_port
        threads = [threading.Thread(target=join, args=(ports[0], start, 4, count)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ports[1] is not None
        print(f"{ask(ports[1], '/api/v1/clients?limit=1')['total']:,} sessions")
        for name, query in QUERIES.items():
            taken: list[float] = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                ask(ports[1], f"/api/v1/clients{query}")
                taken.append((time.perf_counter() - began) * 1000)
            print(f"{name:<24} {statistics.median(taken):7.1f} ms  (least {min(taken):.1f})")
        page = ask(ports[1], "/api/v1/clients")
        taken = []
        for _ in range(200):
            if (cursor := page["next"]) is None:
                break
            began = time.perf_counter()
            page = ask(ports[1], f"/api/v1/clients?cursor={cursor}")
            taken.append((time.perf_counter() - began) * 1000)
        print(f"{'next pages':<24} {statistics.median(taken):7.1f} ms  (most {max(taken):.1f})")


if __name__ == "__main__":
    main()
