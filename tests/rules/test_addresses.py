"""Which addresses a webhook may reach, and that what was checked is what is connected to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from hookmq.connectors.http import Unavailable
from hookmq.errors import HookMQError
from hookmq.rules.actions.addresses import Forbidden, forbidden, resolve
from hookmq.rules.actions.guarded import GuardedHTTP
from hookmq.rules.actions.kinds import action_of

from ..connectors.peer import Answer, Peer

NOT_PUBLIC = {
    "http://127.0.0.1/": "this machine",
    "http://127.8.9.1:8080/x": "this machine",
    "http://localhost/": "this machine",
    "http://LOCALHOST./": "this machine",
    "http://0.0.0.0/": "this network",
    "http://10.0.0.1/": "private",
    "http://10.255.255.255/": "private",
    "http://172.16.0.1/": "private",
    "http://172.31.255.1/": "private",
    "http://192.168.1.1/": "private",
    "http://169.254.169.254/latest/meta-data/": "link-local",
    "http://169.254.0.1/": "link-local",
    "http://100.64.0.1/": "shared by a carrier",
    "http://100.100.100.200/": "shared by a carrier",
    "http://168.63.129.16/": "a cloud's host",
    "http://192.0.0.1/": "reserved",
    "http://192.0.2.1/": "for documentation",
    "http://198.18.0.1/": "for benchmarks",
    "http://198.51.100.1/": "for documentation",
    "http://203.0.113.9/": "for documentation",
    "http://224.0.0.1/": "multicast",
    "http://239.255.255.250/": "multicast",
    "http://240.0.0.1/": "reserved",
    "http://255.255.255.255/": "reserved",
    "http://[::1]/": "this machine",
    "http://[::]/": "this machine",
    "http://[fe80::1]/": "link-local",
    "http://[fc00::1]/": "private",
    "http://[fd12:3456::1]/": "private",
    "http://[ff02::1]/": "multicast",
    "http://[fec0::1]/": "private",
    "http://[2001:db8::1]/": "for documentation",
    "http://[::ffff:127.0.0.1]/": "this machine",
    "http://[::ffff:10.0.0.1]/": "private",
    "http://[::ffff:a9fe:a9fe]/": "link-local",
    "http://[::127.0.0.1]/": "this machine",
    "http://[64:ff9b::169.254.169.254]/": "link-local",
    "http://[64:ff9b::7f00:1]/": "this machine",
    "http://[2002:7f00:1::]/": "this machine",
    "http://[2002:a00:1::1]/": "private",
    "http://[fd00:ec2::254]/": "private",
}

# What the system's resolver takes for an address as well: they are seen when the name is resolved.
DISGUISED = ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "0"]

PUBLIC = ["9.9.9.9", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.169.0.1", "2620:fe::fe", "64:ff9b::909:909"]


def webhook(url: str, **options: Any) -> Any:
    return action_of({"kind": "webhook", "url": url, **options}, "a rule")


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_addresses_that_are_not_public_are_refused(url: str) -> None:
    with pytest.raises(HookMQError) as caught:
        webhook(url)
    assert caught.value.code == "E711"
    assert f"is not public ({NOT_PUBLIC[url]}): allow it with   allow_private = true" in str(caught.value)
    webhook(url, allow_private=True)


@pytest.mark.parametrize("host", DISGUISED)
def test_addresses_in_disguise_are_refused_when_they_are_resolved(host: str) -> None:
    with pytest.raises(Forbidden, match=r"is not public \(this (machine|network)\)"):
        resolve(host, 80, allow_private=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    assert forbidden(address) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://plant.example/", "its address does not begin with http:// or https://"),
        ("plant.example", "its address does not begin with http:// or https://"),
        ("http:///x", "its address names no host"),
        ("http://plant.example:99999/", "its address is no URL"),
        ("http://${clientid}/", "a field may stand in its path and its query alone"),
        ("http://plant.${topic}/", "a field may stand in its path and its query alone"),
        ("http://plant.example:${port}/", "its address is no URL"),
        ("${url}", "its address does not begin with http:// or https://"),
        ("http://user:secret@plant.example/", "it has a password in it"),
        ("http://${user}@plant.example/", "a field may stand in its path and its query alone"),
    ],
)
def test_urls_that_cannot_be(url: str, reason: str) -> None:
    with pytest.raises(HookMQError) as caught:
        webhook(url)
    assert caught.value.code == "E711" and reason in str(caught.value)


def test_a_name_that_leads_inside_is_refused(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: whatever a name was before, the address that is connected to is one that is checked."""
    answers = iter(["9.9.9.9", "127.0.0.1"])
    asked: list[str] = []

    def rebinding(host: str, port: int, **more: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert resolve("plant.example", peer.port, allow_private=False)[0][1] == ("9.9.9.9", peer.port)
    http = GuardedHTTP(f"http://plant.example:{peer.port}/", allow_private=False, timeout=2)
    with pytest.raises(Forbidden, match=r"plant\.example is 127\.0\.0\.1, which is not public"):
        http.send("POST", "/", b"{}", {})
    assert asked == ["plant.example"] * 2 and peer.requests == []


def test_one_address_inside_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in ("9.9.9.9", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)
    with pytest.raises(Forbidden):
        resolve("plant.example", 80, allow_private=False)
    assert len(resolve("plant.example", 80, allow_private=True)) == 2


def test_redirects_are_not_followed(peer: Peer) -> None:
    peer.answer = lambda request: Answer(302, headers={"Location": "http://127.0.0.1:1/"})
    http = GuardedHTTP(peer.url, allow_private=True, timeout=2)
    with pytest.raises(Unavailable, match="redirects are not followed"):
        http.send("POST", "/", b"{}", {})
    http.close()
    assert len(peer.requests) == 1


def test_one_connection_is_kept_and_made_again(peer: Peer) -> None:
    http = GuardedHTTP(peer.url, allow_private=True, timeout=2)
    for _ in range(3):
        http.send("POST", "/a", b"{}", {})
    peer.stop()
    with pytest.raises(Unavailable):
        http.send("POST", "/a", b"{}", {})
    peer.start()
    http.send("POST", "/a", b"{}", {})
    http.close()
    assert len(peer.requests) == 4


def test_a_peer_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        http = GuardedHTTP(f"http://127.0.0.1:{silent.getsockname()[1]}", allow_private=True, timeout=0.2)
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            http.send("POST", "/", b"{}", {})
