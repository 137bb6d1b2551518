"""A Redis: keys, streams and lists, and a server that stops, crashes, hangs and refuses."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookmq.connectors import Courier, Redis
from hookmq.connectors.redis import CRYSTALMQ_KEY
from hookmq.errors import HookMQError

from .records import record, records, until
from .redis_servers import Server

MakeCourier = Callable[..., Courier]


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(one_server: Server) -> Server:
    client = one_server.client()
    client.flushall()
    client.config_set("maxmemory", 0)
    return one_server


def stored(server: Server, mode: str) -> list[int]:
    """The numbers of what is there, in its order if it has one."""
    client: Any = server.client()
    if mode == "keys":
        return sorted(int(key.decode().rpartition("-")[2]) for key in client.scan_iter("hookmq:*", 1000))
    if mode == "stream":
        return [int(fields[b"id"].decode().rpartition("-")[2]) for _, fields in client.xrange("hookmq:plant")]
    return [int(json.loads(value)["id"].rpartition("-")[2]) for value in client.lrange("hookmq:plant", 0, -1)]


# What is there


def test_keys(server: Server, courier: MakeCourier) -> None:
    one = courier(Redis(server.url))
    one.put([record(7, retain=True), record(8, b"\xff"), record(9, kind="connected", detail={"port": 1})])
    assert one.wait(10)
    client: Any = server.client()
    found = json.loads(client.get("hookmq:0000000000abcdef-7"))
    assert found == record(7, retain=True).document()
    assert json.loads(client.get("hookmq:0000000000abcdef-8"))["payload"] == {"$base64": "/w=="}
    assert json.loads(client.get("hookmq:0000000000abcdef-9"))["port"] == 1
    assert client.ttl("hookmq:0000000000abcdef-7") == -1


def test_keys_that_go(server: Server, courier: MakeCourier) -> None:
    one = courier(Redis(server.url, expire=100))
    one.put(records(1))
    assert one.wait(10)
    assert 0 < server.client().ttl("hookmq:0000000000abcdef-1") <= 100


def test_the_key_of_crystalmq_keeps_the_last_of_a_second(server: Server, courier: MakeCourier) -> None:
    one = courier(Redis(server.url, key=CRYSTALMQ_KEY, shape="crystalmq"))
    one.put(records(3))
    assert one.wait(10)
    client: Any = server.client()
    assert client.keys() == [b"pump_1780000000"]
    assert json.loads(client.get("pump_1780000000")) == record(3).crystalmq()


def test_a_stream(server: Server, courier: MakeCourier) -> None:
    one = courier(Redis(server.url, mode="stream"))
    one.put(
        [
            record(1, b"\xff\x00", properties={"content_type": "x"}),
            record(2, kind="connected", detail={"port": 1}),
        ]
    )
    assert one.wait(10)
    (first, fields), (second, connected) = server.client().xrange("hookmq:plant")
    assert (first, second) == (b"1780000000001-1", b"1780000000002-2")
    assert fields[b"payload"] == b"\xff\x00" and fields[b"topic"] == b"plant/north/flow"
    assert json.loads(fields[b"properties"]) == {"content_type": "x"}
    assert connected[b"kind"] == b"connected" and connected[b"port"] == b"1" and b"payload" not in connected


@pytest.mark.parametrize(("mode", "slack"), [("stream", 200), ("list", 0)])
def test_the_oldest_go(server: Server, courier: MakeCourier, mode: Any, slack: int) -> None:
    one = courier(Redis(server.url, mode=mode, maxlen=100, batch_rows=50))
    for start in range(1, 2001, 50):
        one.put(records(50, start=start))
    assert one.wait(10)
    found = stored(server, mode)
    assert 100 <= len(found) <= 100 + slack
    assert found == list(range(2001 - len(found), 2001))


# Twice is once


@pytest.mark.parametrize("mode", ["keys", "stream", "list"])
def test_what_is_written_again_is_there_once(server: Server, mode: Any) -> None:
    connector = Redis(server.url, mode=mode)
    connector.open()
    connector.write(records(100), again=False)
    connector.write(records(150), again=True)
    other = Redis(server.url, mode=mode)  # of a broker that started again
    other.open()
    other.write(records(150), again=True)
    other.write(records(50, start=151), again=False)
    assert stored(server, mode) == list(range(1, 201))
    connector.close()
    other.close()


def test_a_clock_that_was_set_back_loses_nothing(server: Server) -> None:
    connector = Redis(server.url, mode="stream")
    connector.open()
    late = [record(number, time=1_700_000_000.0) for number in range(101, 151)]
    connector.write(records(100), again=False)
    connector.write(late, again=False)
    connector.write(late, again=True)
    assert stored(server, "stream") == list(range(1, 151))
    connector.close()


def test_another_program_with_a_later_clock(server: Server) -> None:
    client = server.client()
    client.xadd("hookmq:plant", {"id": "another-0"}, id="99999999999999-5")
    connector = Redis(server.url, mode="stream")
    connector.open()
    connector.write(records(1500), again=False)
    connector.write(records(2000), again=True)
    assert stored(server, "stream")[1:] == list(range(1, 2001))
    connector.close()


# A server that fails


@pytest.mark.parametrize("mode", ["keys", "stream", "list"])
@pytest.mark.parametrize("way", ["stop", "kill", "freeze"])
def test_a_server_that_is_away(
    server: Server, courier: MakeCourier, figures: Callable[[str], None], mode: Any, way: str
) -> None:
    one = courier(Redis(server.url, mode=mode, maxlen=None, timeout=1.0, batch_rows=100))
    published, longest = 0, 0.0
    stop = threading.Event()

    def publish() -> None:
        nonlocal published, longest
        while not stop.is_set():
            begun = time.monotonic()
            one.put([record(published + 1)], promised=published % 50 == 0)
            longest = max(longest, time.monotonic() - begun)
            published += 1
            if published % 20 == 0:
                time.sleep(0.002)

    publisher = threading.Thread(target=publish)
    publisher.start()
    until(lambda: one.info().written > 500)
    {"stop": server.stop, "kill": server.kill, "freeze": server.process.freeze}[way]()
    until(lambda: one.info().spooled > 100)
    if way == "freeze":
        server.process.thaw()
    else:
        server.start()
    until(lambda: one.info().spooled == 0 and one.info().state == "up")
    stop.set()
    publisher.join()
    assert one.wait(20)
    found = stored(server, mode)
    assert sorted(found) == list(range(1, published + 1))
    if mode != "keys" and way != "freeze":
        assert found == sorted(found)
    # A promise waits for the service for 0.2 s (patience), then it is on disk; a busy machine takes longer.
    assert longest < 5.0
    counts = f"{published} records, none lost, none twice"
    figures(f"Redis, {mode}, {way}: {counts}; a put took {longest:.2f} s at most")


def test_no_memory_is_an_absence(server: Server, courier: MakeCourier) -> None:
    one = courier(Redis(server.url))
    client = server.client()
    client.config_set("maxmemory", 1)
    one.put(records(10))
    until(lambda: one.info().spooled == 10)
    assert "maxmemory" in one.info().reason and one.info().rejected == 0
    client.config_set("maxmemory", 0)
    assert one.wait(15)
    assert stored(server, "keys") == list(range(1, 11))


def test_a_key_of_another_type_is_a_dead_letter(server: Server, courier: MakeCourier) -> None:
    server.client().set("hookmq:plant", "not a stream")
    one = courier(Redis(server.url, mode="stream"))
    one.put([record(1), record(2, topic="other/place"), record(3)])
    assert one.wait(10)
    assert one.info().rejected == 2 and one.info().written == 1
    assert server.client().xlen("hookmq:other") == 1
    assert one.directory is not None
    letters = (one.directory / "dead-letters.jsonl").read_text()
    assert letters.count("WRONGTYPE") == 2


def test_nobody_is_there(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "hookmq.connectors"):
        one = courier(Redis("redis://plant:hidden@127.0.0.1:1/0", password="concealed"))
        until(lambda: one.info().state == "down")
    assert "refused" in one.info().reason.lower()
    assert "hidden" not in caplog.text + str(one.info()) and "concealed" not in caplog.text + str(one.info())


# Options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "hash"}, "one of keys, stream, list"),
        ({"mode": "stream", "expire": 10}, "`expire`"),
        ({"expire": 0}, "`expire`"),
        ({"maxlen": 0}, "`maxlen`"),
        ({"key": "{payload}"}, "no record has"),
        ({"shape": "json"}, "shape"),
        ({"cluster": True, "sentinel": ["a:1"]}, "not both"),
        ({"sentinel": ["a:b"]}, "host:port"),
        ({"batch_rows": 0}, "batch_rows"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        Redis(**options)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "says"),
    [
        ("http://u:hidden@host", {}, "http://host is no address of Redis"),
        ("hidden", {}, "… is no address of Redis"),
        ("redis://host", {"ca": "/ca.pem"}, "no TLS"),
    ],
)
def test_addresses_that_cannot_be(url: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(HookMQError) as caught:
        Redis(url, **options).check()
    assert caught.value.code == "E603" and says in caught.value.message and "hidden" not in str(caught.value)
