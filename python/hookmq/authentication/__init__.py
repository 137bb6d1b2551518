"""Authentication services: who may connect is asked of somebody who knows; in doubt nobody may.

# Layout

- `service.py`          `AuthenticationService`: the base: cache, circuit breaker, counters, what goes wrong
- `part.py`             `ServicePart`: what `Broker.authenticate_with` makes of a service
- `options.py`          `services_from`: services from `[[authentication]]` in `hookmq.toml`
- `http_service.py`     `HTTPService`: a web service of yours
- `ldap.py`             `LDAP`: a directory; `directory.py` has its connections
- `jwt.py`              `JWT`: signed tokens; `keys.py` has the keys, `key_sets.py` where sets of them come
from
- `oauth2.py`           `OAuth2`: tokens that an authorization server is asked about
- `sql.py`              `SQLTable`: a table of a database; `password_hashes.py` reads its hashes
- `certificate.py`      `ClientCertificate`: the subject of a TLS certificate
- `expiry.py`           `Expiries`: ends connections when their token does
- `lease.py`            `Lease`: a yes with an end
- `token.py`            where a token stands, and what its claims must be
- `http_client.py`      `HTTPClient`: how services are asked over HTTP
- `breaker.py`          `Breaker`: leaves a service alone that is down
- `answers.py`          `Answers`: what a service said not long ago
- `workers.py`          `Workers`: the threads on which services are waited for
- `trouble.py`          `Outage`, `Failure`, and what the log says of them
- `library.py`          libraries that are imported when they are needed

Importing this package imports none of the services' libraries.

# Threads

A broker asks on its deciding threads. What has to be waited for goes to `hookmq-auth-NAME-N`, so that a
service that is slow holds up neither other hooks nor clients that are connected; the event loop waits for the
answer. `hookmq-expiry` ends connections, one thread for all services of a broker. No lock is held while a
service is asked, but one: that of a key set while it is fetched.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .certificate import ClientCertificate
    from .http_service import HTTPService
    from .jwt import JWT
    from .ldap import LDAP
    from .lease import Lease
    from .oauth2 import OAuth2
    from .options import services_from
    from .service import AuthenticationService
    from .sql import SQLTable
    from .trouble import Failure, Outage

__all__ = [
    "JWT",
    "LDAP",
    "AuthenticationService",
    "ClientCertificate",
    "Failure",
    "HTTPService",
    "Lease",
    "OAuth2",
    "Outage",
    "SQLTable",
    "services_from",
]

_PLACES = {
    "JWT": "jwt",
    "LDAP": "ldap",
    "AuthenticationService": "service",
    "ClientCertificate": "certificate",
    "Failure": "trouble",
    "HTTPService": "http_service",
    "Lease": "lease",
    "OAuth2": "oauth2",
    "Outage": "trouble",
    "SQLTable": "sql",
    "services_from": "options",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{place}", __name__), name)
