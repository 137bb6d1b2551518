"""Which addresses a rule may not reach unless it is told so: all that are not public."""

from __future__ import annotations

import ipaddress
import socket
from typing import TypeAlias

__all__ = ["Forbidden", "forbidden", "resolve"]

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

_NETWORKS = tuple(
    (ipaddress.ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier"),
        ("100.100.100.200/32", "a cloud's metadata"),
        ("127.0.0.0/8", "this machine"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("168.63.129.16/32", "a cloud's host"),
        ("::/128", "this machine"),
        ("::1/128", "this machine"),
        ("64:ff9b:1::/48", "private"),
        ("100::/64", "discarded"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
        ("5f00::/16", "reserved"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)


class Forbidden(Exception):
    """An address that a rule may not reach."""


def forbidden(address: str) -> str | None:
    """Say what an address is that a rule may not reach; ``None`` if it is a public one.

    Addresses of IPv6 that stand for one of IPv4 are what that is.

    >>> forbidden("::ffff:169.254.169.254"), forbidden("64:ff9b::a00:1"), forbidden("9.9.9.9")
    ('link-local', 'private', None)
    """
    found: Address = ipaddress.ip_address(address.partition("%")[0])
    for inner in (found, *_within(found)):
        for network, what in _NETWORKS:
            if inner.version == network.version and inner in network:
                return what
    return None


def resolve(host: str, port: int, *, allow_private: bool) -> list[tuple[int, tuple[str, int]]]:
    """Return the addresses of a host, each with its family, in the order in which they are tried.

    Raises:
        Forbidden: if one of them is not public: which of them answers is not for others to choose.
        OSError: if it has none.
    """
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = list(dict.fromkeys((int(info[0]), (str(info[4][0]), port)) for info in infos))
    if not allow_private:
        for _, (address, _) in found:
            if (what := forbidden(address)) is not None:
                shown = address if host.strip("[]") == address else f"{host} is {address}, which"
                raise Forbidden(f"{shown} is not public ({what}): allow it with   allow_private = true")
    return found


def _within(address: Address) -> list[Address]:
    """Return the addresses of IPv4 that one of IPv6 stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return []
    number = int(address)
    low = ipaddress.IPv4Address(number & 0xFFFF_FFFF)
    found: list[Address] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    # NAT64, addresses that were compatible with IPv4 once, and translated ones.
    if number >> 32 in (0x0064_FF9B << 64, 0xFFFF_0000) or (number >> 32 == 0 and number > 1):
        found.append(low)
    return found
