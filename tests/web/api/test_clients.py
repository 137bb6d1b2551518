"""Clients, subscriptions, receivers and bans."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from hookmq import Broker

from ...api.helpers import Device, eventually, refused
from ...protocol.packets import Connect
from ...protocol.wire import Wire
from .site import Site


def test_a_client_is_shown_with_what_it_did(site: Site) -> None:
    with Device(site.broker, "tank/7 ü", will=("tank/7/gone", b"x", 1, True)) as device:
        device.subscribe("tank/+/cmd", 1)
        device.publish("tank/7/level", b'{"level": 1}')
        (listed,) = site.get("clients")["items"]
        assert (listed["client_id"], listed["connected"], listed["version"]) == ("tank/7 ü", True, "5.0")
        assert (listed["subscriptions"], listed["received"], listed["address"]) == (1, 1, "127.0.0.1")
        assert abs(listed["connected_at"] - time.time()) < 10
        shown = site.get("clients/tank%2F7%20%C3%BC")
        assert {name: shown[name] for name in listed} == listed
        (filter,) = shown["filters"]
        assert (filter["filter"], filter["qos"], filter["shared"]) == ("tank/+/cmd", 1, None)
        assert shown["will"] == {"topic": "tank/7/gone", "qos": 1, "retain": True, "delay": 0}


def test_filters_and_sorting(site: Site) -> None:
    with Device(site.broker, "a"), Device(site.broker, "b", version=4), Device(site.broker, "anna") as last:
        last.publish("tank/1/level", b'{"level": 1}')
        names = lambda **query: [one["client_id"] for one in site.get("clients", **query)["items"]]  # noqa: E731
        assert names() == ["a", "anna", "b"]
        assert names(search="AN") == ["anna"]
        assert names(version="3.1.1") == ["b"] and names(connected="false") == []
        assert names(sort="-received", limit=1) == ["anna"]
        assert names(ids=["b", "none", "a"]) == ["a", "b"]
        assert names(address="127.0.0.1") == ["a", "anna", "b"] and names(address="192.0.2.1") == []


def test_pages_are_whole(site: Site) -> None:
    devices = [Device(site.broker, f"c{number:02}") for number in range(23)]
    try:
        found: list[str] = []
        query: dict[str, Any] = {"limit": 10}
        while True:
            page = site.get("clients", **query)
            assert page["total"] == 23
            found += [one["client_id"] for one in page["items"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert found == [f"c{number:02}" for number in range(23)]
    finally:
        for device in devices:
            device.close()


def test_a_client_is_disconnected_and_its_session_ended(site: Site) -> None:
    with Device(site.broker, "a") as device:
        assert site.do("POST", "clients/a/disconnect") == {"disconnected": "a"}
        assert device.ended.get(timeout=8) is not None
    wire = Wire("127.0.0.1", site.broker.port, version=5, deadline=5.0)
    wire.connect(Connect("stays", properties={"session_expiry_interval": 1000}))
    wire.close()
    eventually(lambda: site.get("clients", connected="false")["total"] == 1)
    assert site.do("DELETE", "clients/stays") == {"removed": "stays"}
    assert site.get("clients")["total"] == 0
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/disconnect")):
        problem = site.do(method, f"clients/stays{path}", status=404)
        assert problem["code"] == "not_found" and "stays" in problem["detail"]


def test_bans(site: Site) -> None:
    with Device(site.broker, "a") as device:
        made = site.do("POST", "clients/a/ban", {"seconds": 60, "reason": "floods"})
        assert abs(made["until"] - time.time() - 60) < 5
        assert device.ended.get(timeout=8) is not None
    assert refused(site.broker, "a")[0] == 0x8A
    site.do("POST", "bans", {"by": "address", "value": "203.0.113.7"}, status=201)
    found = site.get("bans")["items"]
    assert [(one["by"], one["value"], one["reason"]) for one in found] == [
        ("client", "a", "floods"),
        ("address", "203.0.113.7", ""),
    ]
    assert found[1]["until"] is None
    assert site.do("DELETE", "bans", by="client", value="a") == {"removed": "a"}
    assert refused(site.broker, "a")[0] == 0
    site.do("DELETE", "bans", by="client", value="a", status=404)
    assert "no IP address" in site.do("POST", "bans", {"by": "address", "value": "x"}, status=400)["detail"]


def test_subscriptions_and_receivers(site: Site) -> None:
    with Device(site.broker, "a") as one, Device(site.broker, "b") as other:
        one.subscribe("tank/#", 1)
        other.subscribe("$share/group/tank/+/level", 0)
        listed = site.get("subscriptions")["items"]
        assert [(item["client_id"], item["shared"]) for item in listed] == [("a", None), ("b", "group")]
        assert site.get("subscriptions", client="b")["total"] == 1
        found = site.get("receivers", topic="tank/7/level")
        assert {item["client_id"] for item in found["items"]} == {"a", "b"}
        assert (found["hooks"], found["rules"], found["bridges"]) == (["watch"], ["hot"], [])
        assert site.get("receivers", topic="other")["items"] == []
        assert "wildcard" in site.do("GET", "receivers", topic="tank/+", status=400)["detail"]


@pytest.mark.timeout(240)
def test_a_page_of_a_hundred_thousand(
    broker_factory: Callable[..., Broker], figures: Callable[[str], None]
) -> None:
    """Of 20,000 sessions here; the whole hundred thousand is what bench/web/clients.py measures."""
    count = 20_000
    broker = broker_factory(http_port=0, history={"enabled": False})
    site = Site(broker)

    def join(start: int) -> None:
        for number in range(start, count, 4):
            with socket.create_connection(("127.0.0.1", broker.port)) as connection:
                name = f"c{number:06}".encode()
                variable = b"\x00\x04MQTT\x04\x00\x00\x3c" + len(name).to_bytes(2, "big") + name
                connection.sendall(bytes([0x10, len(variable)]) + variable)
                assert connection.recv(4)[:1] == b"\x20"

    threads = [threading.Thread(target=join, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: site.get("clients", limit=1)["total"] == count, timeout=30)
    took: dict[str, float] = {}
    for name, query in {
        "first page": {},
        "search that matches one": {"search": "c019999"},
        "sorted by what was sent": {"sort": "-sent"},
        "connected": {"connected": "true"},
    }.items():
        times = []
        for _ in range(9):
            began = time.perf_counter()
            site.get("clients", **query)
            times.append(time.perf_counter() - began)
        took[name] = sorted(times)[4] * 1000
    figures(f"GET clients of {count:,}: " + ", ".join(f"{name} {took[name]:.1f} ms" for name in took))
    assert max(took.values()) < 200, took
