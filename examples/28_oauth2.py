"""Ask an OpenID provider (Keycloak, Authentik, …) whether an access token is active.

pip install 'hookmq[oauth2]'
OAUTH2_ISSUER=https://login.example/realms/plant OAUTH2_SECRET=… python examples/28_oauth2.py

mosquitto_sub -u token -P ACCESS_TOKEN -t 'plant/#'
"""

import os

from hookmq import Broker
from hookmq.authentication import OAuth2

broker = Broker()

broker.authenticate_with(
    OAuth2(
        issuer=os.environ.get("OAUTH2_ISSUER", "http://127.0.0.1:8180/realms/plant"),
        client_id="mqtt-broker",
        client_secret=os.environ.get("OAUTH2_SECRET", ""),
        scope="mqtt",
        ttl=30,  # a token that is revoked opens the door for that long
    ),
)

if __name__ == "__main__":
    broker.run()
