"""The real clients of Elasticsearch 8 and 9 and of OpenSearch, against a server that checks the protocol.

No Elasticsearch and no OpenSearch was run: neither is in a package that this machine can get.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import hookmq
from hookmq.connectors import Courier, Elasticsearch, Record
from hookmq.errors import HookMQError

from .peer import Answer
from .records import record, records, until
from .search_server import SearchServer

MakeCourier = Callable[..., Courier]

# The client, and the version of the server: a client speaks with servers of its version and, as 8 does with
# 9, the next.
PAIRS = [("elasticsearch-8", 8), ("elasticsearch-8", 9), ("elasticsearch-9", 9), ("opensearch", 0)]


class Client:
    """A connector in a process of its own."""

    def __init__(self, python: str, kind: str) -> None:
        self.kind = kind
        path = os.pathsep.join([str(Path(hookmq.__file__).parents[1])])
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("search_program.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def new(self, url: str, **options: Any) -> dict[str, Any]:
        product = "opensearch" if self.kind == "opensearch" else "elasticsearch"
        return self.ask("new", options={"urls": url, "product": product, **options})

    def write(self, some: Sequence[Record], *, again: bool = False) -> dict[str, Any]:
        return self.ask("write", records=[each.to_json() for each in some], again=again)

    def close(self) -> None:
        self.process.communicate(timeout=10)


@pytest.fixture(scope="session")
def version_8(request: pytest.FixtureRequest) -> str:
    """A Python with the client of version 8; made once, and kept in pytest's cache."""
    assert request.config.cache is not None
    place = Path(request.config.cache.mkdir("elasticsearch-8"))
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        venv.create(place, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "elasticsearch>=8.15,<9"]
        subprocess.run(pip, check=True, timeout=100, stdin=subprocess.DEVNULL)
        (place / "complete").touch()
    return str(python)


@pytest.fixture(scope="module")
def clients(version_8: str) -> Iterator[Callable[[str], Client]]:
    running: dict[str, Client] = {}

    def client(kind: str) -> Client:
        if kind not in running:
            running[kind] = Client(version_8 if kind == "elasticsearch-8" else sys.executable, kind)
        return running[kind]

    yield client
    for each in running.values():
        each.close()


@pytest.fixture(params=PAIRS, ids=[f"{kind} with {version or 'OpenSearch'}" for kind, version in PAIRS])
def pair(
    request: pytest.FixtureRequest, clients: Callable[[str], Client]
) -> Iterator[tuple[Client, SearchServer]]:
    kind, version = request.param
    with SearchServer(version) as server:
        yield clients(kind), server
        assert server.faults == []


def test_the_clients_are_what_they_are_said_to_be(clients: Callable[[str], Client]) -> None:
    assert clients("elasticsearch-8").ask("version")["version"][0] == 8
    assert clients("elasticsearch-9").ask("version")["version"][0] == 9


def test_documents_and_daily_indices(pair: tuple[Client, SearchServer]) -> None:
    client, server = pair
    assert client.new(server.url) == {}
    sent = [
        record(1),
        record(2, b"20"),
        record(3, b"warm"),
        record(4, b"\xff"),
        record(5, b'"\\ud83d"', time=1_780_100_000.0),
        record(6, b"true"),
        record(7, kind="connected", payload=b"", topic="", detail={"port": 1883}),
    ]
    assert client.write(sent) == {"rejected": []}
    assert set(server.indices) == {"mqtt-2026.05.28", "mqtt-2026.05.30"}
    day = {
        int(name.rpartition("-")[2]): document for name, document in server.indices["mqtt-2026.05.28"].items()
    }
    assert day[1] == {
        "@timestamp": "2026-05-28T20:26:40.001000+00:00",
        "id": "0000000000abcdef-1",
        "kind": "received",
        "client_id": "pump",
        "topic": "plant/north/flow",
        "qos": 1,
        "retain": False,
        "payload": {"flow": 100.59},
    }
    assert day[2]["value"] == 20 and day[3]["text"] == "warm" and day[4]["text"] == "b'\\xff'"
    assert day[6]["text"] == "true" and day[7]["port"] == 1883
    assert not any("payload" in day[number] for number in (2, 3, 4, 6, 7))


def test_the_index_template(pair: tuple[Client, SearchServer]) -> None:
    client, server = pair
    client.new(server.url, index="plant-{topic[1]}-%Y", name="plant")
    (name, template), *others = server.templates.items()
    assert name == "hookmq-plant" and not others
    assert template["index_patterns"] == ["plant-*"] and template["_meta"] == {"made_by": "hookmq"}
    properties = template["template"]["mappings"]["properties"]
    assert properties["@timestamp"] == {"type": "date"} and properties["topic"]["type"] == "keyword"
    template["_meta"]["edited"] = True
    client.new(server.url, index="plant-{topic[1]}-%Y", name="plant")
    assert server.templates["hookmq-plant"]["_meta"]["edited"], "an operator's template was overwritten"
    server.reset()
    client.new(server.url, template=False)
    assert not server.templates


def test_what_is_written_again_is_there_once(pair: tuple[Client, SearchServer]) -> None:
    client, server = pair
    client.new(server.url)
    client.write(records(100))
    assert client.write(records(150), again=True) == {"rejected": []}
    assert server.numbers == list(range(1, 151))


@pytest.mark.parametrize("topic", ["Plant/A", "/x", "a*b?c/d", "..", "-_+x", "ä ö", "x" * 400, "$SYS/x"])
def test_any_topic_makes_an_index(pair: tuple[Client, SearchServer], topic: str) -> None:
    client, server = pair
    client.new(server.url, index="{topic}", template=False)
    assert client.write([record(1, topic=topic)]) == {"rejected": []}
    assert server.numbers == [1]


def test_what_the_mapping_does_not_take(pair: tuple[Client, SearchServer]) -> None:
    client, server = pair
    error = {
        "type": "document_parsing_exception",
        "reason": "failed to parse",
        "caused_by": {"reason": "no number"},
    }
    server.refuse = lambda document: (
        {"status": 400, "error": error} if document.get("text") == "bad" else None
    )
    client.new(server.url)
    answer = client.write([record(number, b"bad" if number in (2, 5) else b"1") for number in range(1, 7)])
    reason = "document_parsing_exception: failed to parse (no number)"
    assert answer == {"rejected": [[2, reason], [5, reason]]}
    assert server.numbers == [1, 3, 4, 6]


@pytest.mark.parametrize("status", [429, 503, 403])
def test_a_record_for_which_this_is_not_the_moment(pair: tuple[Client, SearchServer], status: int) -> None:
    client, server = pair
    error = {"type": "es_rejected_execution_exception", "reason": "the queue is full"}
    server.refuse = lambda document: (
        {"status": status, "error": error} if document.get("value") == 3 else None
    )
    client.new(server.url)
    some = [record(number, b"%d" % number) for number in range(1, 6)]
    answer = client.write(some)
    assert answer["rejection"] is False and f"answered {status}" in answer["error"]
    server.refuse = lambda document: None
    assert client.write(some, again=True) == {"rejected": []}
    assert server.numbers == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("status", "rejection"), [(400, False), (413, True), (401, False), (429, False), (503, False)]
)
def test_a_request_that_is_not_taken(pair: tuple[Client, SearchServer], status: int, rejection: bool) -> None:
    client, server = pair
    client.new(server.url)
    product = {"X-Elastic-Product": "Elasticsearch", "content-type": "application/json"}
    server.interfere = lambda request: Answer(
        status, {"error": {"type": "x", "reason": "y"}, "status": status}, product
    )
    answer = client.write(records(2))
    assert answer["rejection"] is rejection and str(status) in answer["error"]


def test_a_server_that_is_something_else(clients: Callable[[str], Client]) -> None:
    client = clients("elasticsearch-9")
    with SearchServer(0) as opensearch:
        answer = client.new(opensearch.url)
        assert answer["rejection"] is False and "406" in answer["error"]
        assert client.write(records(1))["rejection"] is False and not opensearch.indices


def test_who_is_let_in(pair: tuple[Client, SearchServer]) -> None:
    client, server = pair
    client.new(server.url, username="anna", password="secret")
    assert server.requests[-1].headers["authorization"] == "Basic YW5uYTpzZWNyZXQ="
    if client.kind != "opensearch":
        client.new(server.url, api_key="abc123")
        assert server.requests[-1].headers["authorization"] == "ApiKey abc123"


def test_a_server_that_stops(courier: MakeCourier) -> None:
    with SearchServer(9) as server:
        one = courier(Elasticsearch(server.url, timeout=2, batch_rows=50))
        one.put(records(100))
        assert one.wait(20)
        server.stop()
        one.put(records(100, start=101), promised=True)
        assert one.info().spooled == 100
        server.start()
        assert one.wait(20)
        assert server.numbers == list(range(1, 201)) and server.faults == []


def test_one_of_two_nodes_is_away(courier: MakeCourier) -> None:
    with SearchServer(9) as server:
        one = courier(Elasticsearch(["http://127.0.0.1:1", server.url], timeout=2))
        for start in range(1, 101, 10):
            one.put(records(10, start=start), promised=True)
        assert one.wait(10)
        assert server.numbers == list(range(1, 101))
        assert one.info().state == "up"


def test_no_secret_is_told(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    url = "http://anna:concealed@127.0.0.1:1"
    one = courier(Elasticsearch(url, timeout=1))
    until(lambda: one.info().state == "down")
    keyed = courier(Elasticsearch("http://127.0.0.1:1", api_key="hidden", timeout=1, name="keyed"))
    until(lambda: keyed.info().state == "down")
    told = caplog.text + str(one.info()) + str(keyed.info())
    assert "concealed" not in told and "hidden" not in told and "efused" in one.info().reason


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"index": "{topic[0]}"}, "template=False"),
        ({"product": "solr"}, "'opensearch'"),
        ({"api_key": "a", "username": "b"}, "in the place"),
        ({"api_key": "a", "product": "opensearch"}, "for Elasticsearch"),
        ({"shape": "x"}, "shape"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        Elasticsearch(**options)
    assert says in str(caught.value)


@pytest.mark.parametrize("urls", ["search:9200", [], ["http://a:9200", "b"]])
def test_no_url(urls: Any) -> None:
    with pytest.raises(HookMQError, match="E603"):
        Elasticsearch(urls).check()
