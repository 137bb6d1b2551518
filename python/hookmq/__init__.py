"""HookMQ: the MQTT broker that Python people program.

>>> from hookmq import Broker
>>> with Broker(port=0, http_port=None) as broker:
...     broker.publish("tank/7/level", {"level": 42}, retain=True)
...     with broker.subscribe("tank/+/level") as messages:
...         print(messages.get(timeout=1).json())
{'level': 42}

The package is a map of itself: :mod:`hookmq.broker` is the façade, :mod:`hookmq.decorators` what registers
hooks, :mod:`hookmq.hooks.registry` which hooks there are, :mod:`hookmq.settings.keys` every setting and its
default, :mod:`hookmq.errors` every error code.
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = [
    "KEEP",
    "Allow",
    "Ban",
    "Broker",
    "Change",
    "Client",
    "Deny",
    "Drop",
    "File",
    "HookMQError",
    "Identity",
    "Message",
    "PageSocket",
    "PageSockets",
    "Request",
    "Response",
    "Subscription",
    "Widget",
    "__version__",
    "every",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .bans import Ban
    from .broker import Broker
    from .decisions import KEEP, Allow, Change, Deny, Drop, Identity
    from .errors import HookMQError
    from .message import Client, Message
    from .scheduler import every
    from .subscription import Subscription
    from .web import File, PageSocket, PageSockets, Request, Response
    from .web.widgets import Widget

# Where each name lives. They are imported when they are first used: `hookmq --help` needs none of them.
_HOMES = {
    "KEEP": "decisions",
    "Allow": "decisions",
    "Ban": "bans",
    "Broker": "broker",
    "Change": "decisions",
    "Client": "message",
    "Deny": "decisions",
    "Drop": "decisions",
    "File": "web.file",
    "HookMQError": "errors",
    "Identity": "decisions",
    "Message": "message",
    "PageSocket": "web.sockets",
    "PageSockets": "web.sockets",
    "Request": "web",
    "Response": "web",
    "Subscription": "subscription",
    "Widget": "web.widgets",
    "every": "scheduler",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hookmq' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
