"""Peer: amqtt with an empty plugin, ``amqtt_broker.py PORT MESSAGES``.

It says that it serves, and later that so many messages have come to the plugin, which does nothing but count
them. Runs in the environment that bench/setup.sh made.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from amqtt.broker import Broker  # type: ignore[import-not-found]
from amqtt.plugins.base import BasePlugin  # type: ignore[import-not-found]

PORT, MESSAGES = map(int, sys.argv[1:])


class Count(BasePlugin):  # type: ignore[misc]
    """Counts what clients publish."""

    seen = 0
    done = asyncio.Event()

    async def on_broker_message_received(self, *, client_id: str, message: Any) -> None:
        """Note a message."""
        self.seen += 1
        if self.seen == MESSAGES:
            self.done.set()


async def main() -> None:
    """Serve until all have come."""
    plugins = {
        "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
        f"{__name__}.{Count.__name__}": {},
    }
    listener = {"type": "tcp", "bind": f"127.0.0.1:{PORT}"}
    broker = Broker({"listeners": {"default": listener}, "plugins": plugins})
    await broker.start()
    print(json.dumps({"serves": True}), flush=True)
    await Count.done.wait()
    print(json.dumps({"seen": MESSAGES}), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # its CPU time is read before it ends
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
