"""A broker in a process of its own, driven by lines: `python serve.py SETTINGS`, which are JSON.

It says its ports, answers each line with its statistics, and stops at the end of its input.
"""

from __future__ import annotations

import json
import resource
import sys


def main(settings: dict[str, object]) -> None:
    descriptors = settings.pop("descriptors", None)
    if isinstance(descriptors, int):
        # Before the broker opens anything, as `ulimit -n` in its shell would.
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    from hookmq import Broker

    broker = Broker(**settings).start()
    print(json.dumps({"port": broker.port, "http_port": broker.http_port}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(dict(broker.statistics)), flush=True)
    broker.stop()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
