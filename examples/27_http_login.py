"""Let a web service say who may connect. Here it is a small one in the same program.

pip install 'hookmq[http-auth]'
python examples/27_http_login.py

mosquitto_pub -u pump -P water -t plant/flow -m 100      # is let in, and known as north/pump
"""

from hookmq import Broker, Client, Request, Response
from hookmq.authentication import HTTPService, register

service = Broker(port=None, http_port=8089)
broker = Broker(http_port=None)
register(broker, HTTPService("http://127.0.0.1:8089/login", body="json", timeout=0.5))


@service.route("/login", methods=("POST",))
def login(request: Request) -> Response:
    told = request.json()
    known = (told["username"], told["password"]) == ("pump", "water")
    return Response({"username": "north/pump", "ttl": 10}) if known else Response(status=403)


@broker.on_client_connected
def greet(client: Client) -> None:
    print(f"{client.username} connected from {client.address}", flush=True)


if __name__ == "__main__":
    with service:
        broker.run()
