"""Let clients in by signed tokens; the connection ends when the token does.

pip install 'hookmq[jwt]'
python examples/25_jwt.py

mosquitto_sub -u token -P TOKEN -t 'tank/#'     # TOKEN is what it prints, good for a minute
"""

import secrets
import time

import jwt

from hookmq import Broker, Client
from hookmq.authentication import JWT

broker = Broker()
SECRET = secrets.token_urlsafe(48)  # with jwks="https://…" only who makes the tokens has their key
broker.authenticate_with(JWT(secret=SECRET, audience="mqtt"))


@broker.on_client_disconnected
def farewell(client: Client, reason: str) -> None:
    print(f"{client.username} is gone: {reason}", flush=True)


if __name__ == "__main__":
    print(jwt.encode({"sub": "tank", "aud": "mqtt", "exp": time.time() + 60}, SECRET), flush=True)
    broker.run()
