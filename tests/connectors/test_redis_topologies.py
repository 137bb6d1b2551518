"""Redis with TLS and users, as a cluster, and with a sentinel that makes another node the master."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq.connectors import Courier, Redis

from .records import record, records, until
from .redis_servers import ESCAPED, PASSWORD, Cluster, Sentinels, Server, tls_server

MakeCourier = Callable[..., Courier]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    server, ca = tls_server(tmp_path_factory.mktemp("redis-tls"))
    yield server, ca
    server.stop()


def keys(server: Server, ca: Path) -> int:
    client: Any = server.client(ssl=True, ssl_ca_certs=str(ca), username="plant", password=PASSWORD)
    count = len(client.keys("hookmq:*"))
    client.flushall()
    return int(count)


def test_tls_and_a_user(secure: tuple[Server, Path], courier: MakeCourier) -> None:
    server, ca = secure
    url = f"rediss://plant:{ESCAPED}@127.0.0.1:{server.port}/0"
    one = courier(Redis(url, ca=str(ca)))
    one.put(records(10))
    assert one.wait(10)
    assert keys(server, ca) == 10


def test_a_password_beside_the_url(secure: tuple[Server, Path], courier: MakeCourier) -> None:
    server, ca = secure
    url = f"rediss://127.0.0.1:{server.port}/0"
    one = courier(Redis(url, username="plant", password=PASSWORD, ca=str(ca)))
    one.put(records(10))
    assert one.wait(10)
    assert keys(server, ca) == 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"password": "wrong/word"}, "invalid username-password pair"),
        ({"ca": None}, "certificate verify failed"),
    ],
    ids=["wrong password", "unknown authority"],
)
def test_not_let_in(
    secure: tuple[Server, Path], courier: MakeCourier, options: dict[str, Any], says: str
) -> None:
    server, ca = secure
    given = {"username": "plant", "password": PASSWORD, "ca": str(ca)} | options
    one = courier(Redis(f"rediss://127.0.0.1:{server.port}/0", **given))
    one.put(records(3))
    until(lambda: one.info().spooled == 3)
    reason = one.info().reason
    assert says in reason and "wrong/word" not in reason and PASSWORD not in reason
    assert one.info().rejected == 0


def test_keys_that_a_user_may_not_write_are_dead_letters(
    secure: tuple[Server, Path], courier: MakeCourier
) -> None:
    server, ca = secure
    options: dict[str, Any] = {"username": "plant", "password": PASSWORD, "ca": str(ca)}
    one = courier(Redis(f"rediss://127.0.0.1:{server.port}/0", key="{topic[0]}:{id}", **options))
    one.put([record(1, topic="hookmq/a"), record(2), record(3, topic="hookmq/a")])
    assert one.wait(10)
    assert one.info().rejected == 1 and keys(server, ca) == 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("redis-cluster"))
    yield made
    made.stop()


@pytest.mark.parametrize("mode", ["keys", "stream", "list"])
def test_a_cluster_with_a_node_that_is_killed(cluster: Cluster, courier: MakeCourier, mode: Any) -> None:
    for node in cluster.nodes:
        node.client().flushall()
    key = "hookmq:{client_id}:{id}" if mode == "keys" else "hookmq:{client_id}"
    one = courier(Redis(cluster.url, mode=mode, cluster=True, key=key))
    for number in range(1, 301):
        one.put([record(number, client_id=f"client-{number % 10}")])
    assert one.wait(10)
    sizes = [int(node.client().dbsize()) for node in cluster.nodes]
    assert all(sizes) and sum(sizes) == (300 if mode == "keys" else 10)
    cluster.nodes[1].kill()
    for number in range(301, 601):
        one.put([record(number, client_id=f"client-{number % 10}")])
    until(lambda: one.info().spooled > 0)
    cluster.nodes[1].start()
    cluster.wait()
    assert one.wait(30)
    client: Any = cluster.client()
    if mode == "keys":
        assert sum(int(node.client().dbsize()) for node in cluster.nodes) == 600
    else:
        length = client.xlen if mode == "stream" else client.llen
        assert [length(f"hookmq:client-{n}") for n in range(10)] == [60] * 10
    client.close()


def test_a_sentinel_makes_another_the_master(tmp_path: Path, courier: MakeCourier) -> None:
    group = Sentinels(tmp_path / "sentinel")
    try:
        one = courier(
            Redis("redis://plant/0", sentinel=[f"127.0.0.1:{group.port}"], mode="stream", timeout=2)
        )
        one.put(records(100), promised=True)
        until(lambda: int(group.replica.client().xlen("hookmq:plant")) == 100)
        group.master.kill()
        one.put(records(100, start=101), promised=True)
        assert one.wait(30)
        assert int(group.replica.client().xlen("hookmq:plant")) == 200
        assert group.replica.client().info("replication")["role"] == "master"
    finally:
        group.stop()
