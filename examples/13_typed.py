"""Say what a payload is, and get just that: what is something else goes to a topic of its own.

python examples/13_typed.py

mosquitto_sub -v -t 'alert/#' -t 'rejected/#'
mosquitto_pub -t tank/7/level -m '{"level": 12, "state": "filling"}'
mosquitto_pub -t tank/7/level -m '{"level": "low"}'         # goes to rejected/level
mosquitto_pub -t tank/seven/level -m '{"level": 12}'        # so does this: `seven` is no number
"""

from dataclasses import asdict, dataclass
from enum import StrEnum

from hookmq import Broker

broker = Broker()


class State(StrEnum):
    """What a tank is doing."""

    FILLING = "filling"
    DRAINING = "draining"
    IDLE = "idle"


@dataclass
class Reading:
    """What a tank publishes; its level in percent."""

    level: float
    state: State = State.IDLE


@broker.on_message_received("tank/{tank}/level", dead_letter="rejected/level")
def watch(reading: Reading, tank: int) -> None:
    if reading.level < 20 and reading.state is not State.FILLING:
        broker.publish(f"alert/{tank}", asdict(reading))
    print(f"tank {tank}: {reading.level:.1f} {reading.state}", flush=True)


if __name__ == "__main__":
    broker.run()
