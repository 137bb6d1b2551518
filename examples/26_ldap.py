"""Let in who is in a directory, and in its group `mqtt`; a yes holds for a minute.

pip install 'hookmq[ldap]'
LDAP_URL=ldaps://directory.example python examples/26_ldap.py

mosquitto_pub -u tank -P water -t tank/7/level -m 12
"""

import os

from hookmq import Broker
from hookmq.authentication import LDAP

broker = Broker()

broker.authenticate_with(
    LDAP(
        os.environ.get("LDAP_URL", "ldap://127.0.0.1"),
        search_base="ou=people,dc=example",
        account="cn=reader,dc=example",
        password=os.environ.get("LDAP_PASSWORD", "read"),
        group_base="ou=groups,dc=example",
        group_filter="(&(cn=mqtt)(member={dn}))",
        ttl=60,
    ),
)

if __name__ == "__main__":
    broker.run()
