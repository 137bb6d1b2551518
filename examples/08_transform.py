"""Change messages before anyone gets them: other units, another topic, and no nonsense.

python examples/08_transform.py

mosquitto_sub -v -t 'room/#'
mosquitto_pub -V 5 -q 1 -t room/kitchen/fahrenheit -m 68      # arrives: room/kitchen/celsius {"celsius":20.0}
mosquitto_pub -V 5 -q 1 -t room/kitchen/fahrenheit -m warm    # is refused: payload format invalid
"""

from hookmq import Broker, Change, Deny

broker = Broker()

ABSOLUTE_ZERO = -459.67


@broker.transform("room/{room}/fahrenheit")
def to_celsius(fahrenheit: float, room: str) -> Change:
    # The annotation has read the payload. What is no number never comes here; the publisher is told so.
    if fahrenheit < ABSOLUTE_ZERO:
        raise Deny("colder than cold can be", code=0x99)
    return Change(topic=f"room/{room}/celsius", payload={"celsius": round((fahrenheit - 32) / 1.8, 2)})


if __name__ == "__main__":
    broker.run()
