"""A broker in a process of its own, driven by lines: `python serve.py SETTINGS`, which are JSON.

Beside settings they may have `descriptors`, how many it may open, and `hooks`, the source of hooks for
`broker`. It says its ports, answers each line with its statistics, and stops at the end of its input or by
SIGTERM.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys


def main(settings: dict[str, object]) -> None:
    # What `ulimit -n` in the shell that starts a broker would do, before anything is opened.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    descriptors = settings.pop("descriptors", hard)
    assert isinstance(descriptors, int)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
    from hookmq import Broker

    log = settings.get("log")
    if isinstance(log, dict):
        logging.basicConfig(level=log["level"].upper())
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    hooks = settings.pop("hooks", "")
    assert isinstance(hooks, str)
    broker = Broker(**settings)
    exec(hooks, {"__name__": "hooks", "broker": broker})
    with broker:
        print(json.dumps({"port": broker.port, "http_port": broker.http_port}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(dict(broker.statistics)), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
