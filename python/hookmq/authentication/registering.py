"""How a service becomes an ``authenticate`` hook of a broker."""

from __future__ import annotations

from typing import Any

from .expiry import Expiries
from .service import AuthenticationService

__all__ = ["register"]


def register(broker: Any, service: AuthenticationService) -> None:
    """Let a service decide who may connect to a broker, behind the hooks and services that are there.

    It is started and stopped with the broker, and ends connections whose token expires.

    ```python
    from hookmq import Broker
    from hookmq.authentication import LDAP, register

    broker = Broker()
    register(broker, LDAP("ldaps://directory.example", bind_dn="uid={username},ou=people,dc=example"))
    ```
    """

    def begin() -> None:
        service.start(broker)

    # Clients are let in before `on_startup` is called, and code that is loaded later never hears it.
    service.attach(broker)
    if service.leases:
        Expiries.watch(broker)
    broker.on_startup(begin, name=service.name)
    broker.on_shutdown(service.stop, name=service.name)
    broker.authenticate(service, name=service.name)
