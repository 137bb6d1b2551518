"""Read messages in a loop of your own, without a hook; `async for` and `for` both work.

python examples/07_subscribe.py

mosquitto_pub -t room/kitchen/temperature -m 21.5
"""

import asyncio
import contextlib

from hookmq import Broker


async def main() -> None:
    async with Broker(http_port=None) as broker:
        print(f"MQTT  mqtt://{broker.host}:{broker.port}", flush=True)
        with broker.subscribe("room/+/temperature") as messages:
            async for msg in messages:
                print(f"{msg.topic}: {msg.text} from {msg.client_id}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
