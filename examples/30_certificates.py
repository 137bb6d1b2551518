"""Let in the pumps and valves of the works, by their certificates; docs/listeners.md says how to make some.

python examples/30_certificates.py      # beside ca.pem, server.pem and server.key

mosquitto_pub --cafile ca.pem --cert pump.pem --key pump.key -h localhost -p 8883 -t pump/flow -m 100
"""

from hookmq import Broker, Client
from hookmq.authentication import ClientCertificate

TLS = {"port": 8883, "cert": "server.pem", "key": "server.key", "client_ca": "ca.pem"}
broker = Broker(tls=TLS)

broker.authenticate_with(ClientCertificate(username="cn", allow={"O": "Works", "OU": ["Pumps", "Valves"]}))


@broker.on_client_connected
def greet(client: Client) -> None:
    print(f"{client.username} connected: {client.certificate}", flush=True)


if __name__ == "__main__":
    broker.run()
