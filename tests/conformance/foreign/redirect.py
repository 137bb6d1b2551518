"""A pytest plugin for the environments of foreign tests: the ports they know lead to the broker under test.

`pytest -p redirect` loads it there, without HookMQ beside it. `FOREIGN_PORTS="1883=40123 8883=40124"`
says which port stands for which, `FOREIGN_HOST` whose they are. Nothing else can be reached by name, so no
test leaves this machine.
"""

from __future__ import annotations

import os
import socket
from typing import Any

HOST = os.environ["FOREIGN_HOST"]
PORTS = dict(map(int, pair.split("=")) for pair in os.environ["FOREIGN_PORTS"].split())

original = socket.getaddrinfo


def getaddrinfo(host: Any, port: Any, *arguments: Any, **more: Any) -> Any:
    if host != HOST or int(port) not in PORTS:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port} is not the broker under test")
    return original("127.0.0.1", PORTS[int(port)], *arguments, **more)


socket.getaddrinfo = getaddrinfo
