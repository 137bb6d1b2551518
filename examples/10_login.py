"""Let devices log in with a token: say who they are, and remember it for a minute.

python examples/10_login.py

mosquitto_sub -i pump-1 -u token -P t0p-s3cr3t -v -t 'site/north/#'     # is known as "north" from here on
mosquitto_pub -i pump-2 -u token -P t0p-s3cr3t -t site/north/flow -m 100
"""

import hashlib

from hookmq import Allow, Broker, Client, Deny, Identity

broker = Broker()

# What a database of tokens has: whom each belongs to, found by its hash.
OWNERS = {
    hashlib.sha256(b"t0p-s3cr3t").hexdigest(): "north",
    hashlib.sha256(b"ch4ng3-m3").hexdigest(): "south",
}


@broker.authenticate
def admit(client: Client) -> Identity:
    print(f"who is {client.client_id}?", flush=True)
    owner = OWNERS.get(hashlib.sha256(client.password_bytes or b"").hexdigest())
    if owner is None:
        raise Deny("this token is not valid", code=0x86)
    # A client that comes again with the same token is let in without a question for a minute.
    return Identity(owner, ttl=60)


@broker.authorize
def may(client: Client, action: str, topic: str) -> Allow | bool:
    print(f"may {client.username} {action} {topic}?", flush=True)
    return Allow(ttl=60) if topic.startswith(f"site/{client.username}/") else False


if __name__ == "__main__":
    broker.run()
