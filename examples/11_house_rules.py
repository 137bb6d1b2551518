"""Rules of the house, whoever it is: who may connect now, and what may be subscribed to.

python examples/11_house_rules.py

mosquitto_sub -V 5 -t news                                  # is refused: it has no name
mosquitto_sub -V 5 -i tv-livingroom -d -t news              # is welcome
mosquitto_sub -V 5 -i tv-livingroom -d -t '#'               # connects, but may not read everything
mosquitto_sub -V 5 -i tv-livingroom -d -q 2 -t camera/door  # gets QoS 0
"""

from hookmq import Broker, Client, Deny

broker = Broker()


@broker.on_connect
def with_a_name(client: Client) -> None:
    kind, dash, room = client.client_id.partition("-")
    if kind not in ("tv", "lamp", "camera") or not dash or not room:
        raise Deny("call yourself tv-ROOM, lamp-ROOM or camera-ROOM", code=0x85)


@broker.on_subscribe
def within_reason(client: Client, filter: str, qos: int) -> int | None:
    if filter == "#":
        raise Deny("say what you want to read")
    # Pictures come again in a moment: nobody needs to wait for their acknowledgements.
    return 0 if filter.startswith("camera/") else None


if __name__ == "__main__":
    broker.run()
