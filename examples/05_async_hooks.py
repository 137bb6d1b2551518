"""Hooks that wait without blocking: `async def` works wherever `def` does.

python examples/05_async_hooks.py

mosquitto_sub -v -t 'answer/#'
mosquitto_pub -t question/1 -m 'six times seven'
mosquitto_pub -t question/2 -m 'six times eight'
"""

import asyncio

from hookmq import Broker, Message

broker = Broker()


@broker.on_message_received("question/{number}")
async def answer(msg: Message, number: str) -> None:
    # Stands for a request to a slow service. The questions of many clients wait here at the same time; those
    # of one client are answered one after the other, in its order.
    await asyncio.sleep(0.5)
    broker.publish(f"answer/{number}", f"{msg.text}? Let me think about it.")


if __name__ == "__main__":
    broker.run()
