"""Decide who may connect.

python examples/02_authenticate.py

mosquitto_pub -u pump -P water -t plant/flow -m 100      # is let in
mosquitto_pub -u pump -P fire  -t plant/flow -m 100      # is refused
"""

import hashlib
import hmac

from hookmq import Broker, Client

broker = Broker()


def digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)


# A program that serves others reads these from a file: never store a password itself.
USERS = {"pump": (b"salt-1", digest("water", b"salt-1")), "valve": (b"salt-2", digest("steam", b"salt-2"))}
NOBODY = (b"salt-0", b"")


@broker.authenticate
def admit(client: Client) -> bool:
    # The same work whether the user exists or not, so that the time it takes tells nothing.
    salt, expected = USERS.get(client.username or "", NOBODY)
    return hmac.compare_digest(digest(client.password or "", salt), expected)


@broker.on_client_connected
def greet(client: Client) -> None:
    print(f"{client.username} connected as {client.client_id}", flush=True)


if __name__ == "__main__":
    broker.run()
