"""An authentication method of your own (MQTT 5): the key never crosses the network.

    python examples/12_challenge.py

The client connects with the Authentication Method "HMAC" and its user name as data. It gets 16 random bytes,
and answers with their HMAC-SHA256 by its key. Each step is a `yield`.
"""

import hashlib
import hmac
import secrets
from collections.abc import Generator

from hookmq import Broker, Client

broker = Broker()

KEYS = {b"tank": b"a key that both sides know"}


@broker.enhanced_authenticate("HMAC")
def prove(client: Client, user: bytes) -> Generator[bytes, bytes, bool]:
    challenge = secrets.token_bytes(16)
    answer = yield challenge
    # Who is unknown is asked as well, so that nobody learns which names there are.
    expected = hmac.digest(KEYS.get(user, secrets.token_bytes(16)), challenge, hashlib.sha256)
    return hmac.compare_digest(answer, expected)


if __name__ == "__main__":
    broker.run()
