"""HookMQ that stores what it gets: ``serve.py KIND URL PORT``; ``none`` stores nothing.

It says that it is ready, and for each line on its standard input how many records the service has taken.
"""

from __future__ import annotations

import sys

from hookmq import Broker


def main() -> None:
    """Serve until standard input ends."""
    kind, url, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    directory = sys.argv[4]
    broker = Broker(port=port, http_port=None, data_dir=directory, history={"enabled": False})
    if kind == "redis":
        from hookmq.connectors import Redis

        broker.send_to(Redis(url), ack="stored")
    elif kind != "none":
        from hookmq.connectors import SQL

        broker.send_to(SQL(url), ack="stored")
    with broker:
        print("ready", flush=True)
        for _ in sys.stdin:
            print(sum(one.written for one in broker.connectors), flush=True)


if __name__ == "__main__":
    main()
