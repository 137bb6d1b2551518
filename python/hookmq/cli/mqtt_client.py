"""The MQTT connection of ``hookmq pub`` and ``hookmq sub``, over paho-mqtt, driven from one thread.

paho's own thread would reconnect by itself and report failures late; here every step belongs to the command,
which therefore knows at once that the connection was refused or lost.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from hookmq.errors import HookMQError

from .mosquitto_options import ClientOptions
from .mqtt_properties import to_paho

if TYPE_CHECKING:
    import ssl

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["Connection", "ConnectionLost"]

CONNACK_TIMEOUT = 30.0
"""Seconds a broker has to answer CONNECT: a hook that authenticates may ask a slow directory."""

CLOSE_TIMEOUT = 2.0
"""Seconds the last packets have to leave when the connection is closed."""

# Reasons of DISCONNECT after which a new attempt would only be thrown out again.
_FINAL_REASONS = frozenset({0x87, 0x8E, 0x98, 0x9C, 0x9D})
_NOT_AUTHORIZED = frozenset({0x86, 0x87})

_PAHO_PROTOCOL_ERROR = 2  # paho.mqtt.enums.MQTTErrorCode.MQTT_ERR_PROTOCOL


class ConnectionLost(Exception):
    """The connection ended without either side asking for it; a new attempt may succeed."""


class Connection:
    """One connection to a broker. ``paho`` is the client itself, for publishing and subscribing."""

    def __init__(self, options: ClientOptions) -> None:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        versions = {"31": paho.MQTTv31, "311": paho.MQTTv311, "5": paho.MQTTv5}
        self._options = options
        self._connack: ReasonCode | None = None
        self._disconnect: ReasonCode | None = None
        self.paho: Client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id or "",
            # MQTT 5 has no clean session: clean start and session expiry are given to connect().
            clean_session=None if options.version == "5" else not options.persistent,
            protocol=versions[options.version],
            reconnect_on_failure=False,
        )
        self.paho.max_inflight_messages_set(options.max_inflight)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        if options.debug:
            self.paho.on_log = self._on_log
        if options.username is not None or options.password is not None:
            self.paho.username_pw_set(options.username, options.password)
        if options.will_topic is not None:
            self.paho.will_set(
                options.will_topic,
                options.will_payload,
                options.will_qos,
                options.will_retain,
                to_paho(options.properties, "will"),
            )
        if options.tls:
            self.paho.tls_set_context(_tls_context(options))
            self.paho.tls_insecure_set(options.insecure)

    def connect(self) -> None:
        """Connect and wait until the broker has agreed. Raises E401 (refused) or E402 (not there)."""
        from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY

        options = self._options
        clean_start: bool | Literal[3] = MQTT_CLEAN_START_FIRST_ONLY  # what paho insists on before MQTT 5
        properties = None
        if options.version == "5":
            clean_start = not options.persistent
            properties = to_paho(options.properties, "connect", SessionExpiryInterval=options.session_expiry)
        self._attempt(
            lambda: self.paho.connect(
                options.host,
                options.port or 1883,
                options.keepalive,
                bind_address=options.bind_address,
                clean_start=clean_start,
                properties=properties,
            )
        )

    def reconnect(self) -> None:
        """Connect again as before. Raises as :meth:`connect` does."""
        self._attempt(self.paho.reconnect)

    def step(self, timeout: float) -> None:
        """Send and receive what there is, waiting at most ``timeout`` seconds for something to come.

        Raises :class:`ConnectionLost`, or E405 if the broker ended the connection for good.
        """
        code = self.paho.loop(timeout)
        if code == 0 and self.paho.socket() is not None:
            return
        reason = self._disconnect
        if reason is not None and reason.value in _FINAL_REASONS:
            raise HookMQError("E405", reason=_words(reason))
        raise ConnectionLost(_words(reason) if reason is not None else "the connection was lost")

    def close(self) -> None:
        """Send what is left, then DISCONNECT."""
        properties = None
        if self._options.version == "5":
            properties = to_paho(self._options.properties, "disconnect")
        under = self.paho.socket()
        # paho closes the socket when DISCONNECT was sent. If something lies there that was not read, the
        # system resets the connection then, and the broker may lose the last acknowledgements.
        kept = None if under is None else socket.socket(fileno=os.dup(under.fileno()))
        self.paho.disconnect(properties=properties)
        deadline = time.monotonic() + CLOSE_TIMEOUT
        while self.paho.socket() is not None and time.monotonic() < deadline:
            self.paho.loop(0.05)
        if kept is not None:
            with kept:
                _drain(kept, deadline)

    def _attempt(self, open_socket: Callable[[], object]) -> None:
        self._connack = self._disconnect = None
        try:
            open_socket()
            if self._options.nodelay:
                self._set_nodelay()
        except OSError as error:
            raise self._unreachable(_reason(error)) from None
        except UnicodeError:  # what the idna codec makes of a host such as "a..b"
            raise self._unreachable("this is not a host name") from None
        deadline = time.monotonic() + CONNACK_TIMEOUT
        while self._connack is None:
            if time.monotonic() > deadline:
                raise self._unreachable(f"no answer within {CONNACK_TIMEOUT:.0f} s")
            code = self.paho.loop(0.2)
            if self._connack is None and code == _PAHO_PROTOCOL_ERROR and self._options.version == "311":
                # paho does not hand over these two refusals: it would try another version or identifier.
                reason = "it does not accept the protocol version or the client identifier"
                raise HookMQError("E401", reason=reason, help="")
            if self._connack is None and (code != 0 or self.paho.socket() is None):
                raise self._unreachable("it closed the connection instead of answering CONNECT")
        if self._connack.is_failure:
            help = None if self._connack.value in _NOT_AUTHORIZED else ""
            raise HookMQError("E401", reason=_words(self._connack), help=help)

    def _unreachable(self, reason: str) -> HookMQError:
        return HookMQError("E402", host=self._options.host, port=self._options.port, reason=reason)

    def _set_nodelay(self) -> None:
        sock = self.paho.socket()
        if isinstance(sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self,
        client: Client,
        data: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._connack = reason

    def _on_disconnect(
        self,
        client: Client,
        data: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._disconnect = reason

    def _on_log(self, client: Client, data: object, level: int, line: str) -> None:
        # In the form and on the stream of mosquitto's -d.
        name = self._options.client_id or "(null)"
        print(f"Client {name} {line[:1].lower()}{line[1:]}", file=sys.stdout, flush=True)


def _drain(sock: socket.socket, deadline: float) -> None:
    """Say that nothing more comes, and read until the other side has closed."""
    with contextlib.suppress(OSError):  # it is closed already
        sock.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(64 << 10):
                return


def _tls_context(options: ClientOptions) -> ssl.SSLContext:
    import ssl

    named = options.cafile or options.capath or options.cert or ""
    try:
        context = ssl.create_default_context(cafile=options.cafile, capath=options.capath)
        if options.os_certs:
            context.load_default_certs()
        if options.cert is not None:
            named = options.cert
            context.load_cert_chain(options.cert, options.key)
    except OSError as error:  # a file that is not there, or (ssl.SSLError) not a certificate
        raise HookMQError("E701", path=named, reason=_reason(error)) from None
    if options.insecure:
        context.check_hostname = False
    return context


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _words(reason: ReasonCode) -> str:
    return str(reason).lower()
