"""Do something again and again, in the words of the `schedule` library.

python examples/03_schedule.py

mosquitto_sub -v -t '#'
"""

import time
from itertools import count

from hookmq import Broker, every

broker = Broker()
ticks = count(1)


@broker.schedule(every(1).seconds)
def tick() -> None:
    broker.publish("clock/tick", {"number": next(ticks), "time": time.time()}, retain=True)


@broker.schedule(every().day.at("06:00"))
def good_morning() -> None:
    broker.publish("clock/morning", "rise and shine")


if __name__ == "__main__":
    broker.run()
