"""Who is there, and what they read: as retained topics that anybody can look at.

python examples/16_presence.py

mosquitto_sub -i watcher -v -t 'presence/#' -t 'readers/#' -t broker
"""

from hookmq import Broker, Client

broker = Broker()


@broker.on_startup
def up() -> None:
    broker.publish("broker", "up", retain=True)


@broker.on_shutdown
def down() -> None:
    broker.publish("broker", "down", retain=True)


@broker.on_client_connected
def came(client: Client) -> None:
    about = {"online": True, "from": client.address, "mqtt": client.version}
    broker.publish(f"presence/{client.client_id}", about, retain=True)


@broker.on_client_disconnected
def went(client: Client, reason: str) -> None:
    broker.publish(f"presence/{client.client_id}", {"online": False, "reason": reason}, retain=True)


@broker.on_subscribed
def reads(client: Client, filter: str, qos: int) -> None:
    broker.publish(f"readers/{client.client_id}", f"reads {filter} with QoS {qos}")


@broker.on_unsubscribed
def reads_no_longer(client: Client, filter: str) -> None:
    broker.publish(f"readers/{client.client_id}", f"reads {filter} no longer")


if __name__ == "__main__":
    broker.run()
