"""Client libraries: imported when they are needed; one that is missing is named with what installs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hookmq.connectors import Connector, Elasticsearch, InfluxDB, Kafka, MongoDB, Parquet, Redis, Webhook
from hookmq.connectors.options import KINDS_OF_CONNECTORS
from hookmq.errors import HookMQError

CONNECTORS: list[tuple[Callable[[], Connector], str, str]] = [
    (lambda: Redis(), "redis", "redis"),
    (lambda: MongoDB(), "pymongo", "mongodb"),
    (lambda: Elasticsearch(), "elasticsearch", "elasticsearch"),
    (lambda: Elasticsearch(product="opensearch"), "opensearchpy", "opensearch"),
    (lambda: Webhook("http://a"), "requests", "webhook"),
    (lambda: InfluxDB(database="plant"), "requests", "influxdb"),
    (lambda: Kafka("kafka:9092"), "confluent_kafka", "kafka"),
    (lambda: Parquet("/tmp/hookmq-none"), "pyarrow", "parquet"),
]


@pytest.mark.parametrize(("make", "module", "extra"), CONNECTORS, ids=[extra for _, _, extra in CONNECTORS])
def test_a_missing_library(
    make: Callable[[], Connector], module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = make()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HookMQError) as caught:
        connector.check()
    assert caught.value.code == "E603"
    assert f"the module `{module}` is not installed" in str(caught.value)
    assert f"pip install 'hookmq[{extra}]'" in str(caught.value)


@pytest.mark.parametrize(("make", "module", "extra"), CONNECTORS, ids=[extra for _, _, extra in CONNECTORS])
def test_all_is_well_before_the_service_is_there(
    make: Callable[[], Connector], module: str, extra: str
) -> None:
    connector = make()
    connector.check()
    connector.close()
    connector.abort()
    assert connector.kind in KINDS_OF_CONNECTORS and connector.kind in repr(connector)
    assert not Path("/tmp/hookmq-none").exists()


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = "; ".join(
        [
            "import sys",
            "from hookmq.connectors import *",
            "Redis(); MongoDB(); Elasticsearch(); Webhook('http://a'); Kafka('a'); Parquet('a')",
            "print(sorted({name.partition('.')[0] for name in sys.modules}))",
        ]
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    for module in {module for _, module, _ in CONNECTORS}:
        assert f"'{module}'" not in ended.stdout
