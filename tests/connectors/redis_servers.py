"""Redis as Debian has it: alone, with TLS and users, as a cluster, with a sentinel."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import redis
import trustme
from redis.cluster import ClusterNode, RedisCluster

from ..servers.process import Process, free_port

PASSWORD = "s3cret/@word"
ESCAPED = "s3cret%2F%40word"


class Server:
    """One process; its data is in an append only file, so a crash loses nothing that was acknowledged."""

    def __init__(self, directory: Path, *options: str, program: str = "redis-server", port: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        arguments = [program, *options]
        if program == "redis-server":
            arguments += ["--bind", "127.0.0.1", "--dir", str(directory), *durable]
            if "--tls-port" not in options:
                arguments += ["--port", str(self.port)]
        self.process = Process(arguments, directory / f"{program}.log")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5, **options)

    def start(self, **options: Any) -> None:
        self.process.start(lambda: self.client(**options).ping())

    def kill(self) -> None:
        self.process.stop(signal.SIGKILL)

    def stop(self) -> None:
        self.process.stop()


def tls_server(directory: Path) -> tuple[Server, Path]:
    """A server that speaks TLS only and asks for a user; and the authority's certificate."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    ca, pem, key = (directory / name for name in ("ca.pem", "server.pem", "server.key"))
    authority.cert_pem.write_to_path(str(ca))
    certificate.cert_chain_pems[0].write_to_path(str(pem))
    certificate.private_key_pem.write_to_path(str(key))
    port = free_port()
    server = Server(
        directory,
        *("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(pem), "--tls-key-file", str(key), "--tls-ca-cert-file", str(ca)),
        *("--user", "plant", "on", f">{PASSWORD}", "~hookmq:*", "+@all", "--user", "default", "off"),
        port=port,
    )
    server.start(ssl=True, ssl_ca_certs=str(ca), username="plant", password=PASSWORD)
    return server, ca


class Cluster:
    """Three masters."""

    def __init__(self, directory: Path) -> None:
        options = (
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            "--cluster-require-full-coverage",
            "no",
        )
        self.nodes = [
            # The port of the cluster's own bus is 10,000 higher.
            Server(directory / str(n), *options, port=_low_port())
            for n in range(3)
        ]
        for node in self.nodes:
            node.start()
        slots = [range(0, 5461), range(5461, 10923), range(10923, 16384)]
        for node, range_of_slots in zip(self.nodes, slots, strict=True):
            client = node.client()
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", range_of_slots.start, range_of_slots.stop - 1)
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        self.wait()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.nodes[0].port}"

    def wait(self) -> None:
        """Wait until each node knows all slots."""
        from .records import until

        def whole(node: Server) -> bool:
            text = str(node.client().execute_command("CLUSTER", "INFO"))
            return "cluster_state:ok" in text.replace("'cluster_state': 'ok'", "cluster_state:ok") and (
                "16384" in text and node.client().execute_command("CLUSTER", "NODES") is not None
            )

        until(lambda: all(whole(node) for node in self.nodes))

    def client(self) -> RedisCluster:
        return RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", self.nodes[0].port)])

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


class Sentinels:
    """A master, a replica and one sentinel, which decides alone."""

    def __init__(self, directory: Path) -> None:
        self.master = Server(directory / "master")
        self.replica = Server(directory / "replica", "--replicaof", "127.0.0.1", str(self.master.port))
        self.port = free_port()
        conf = directory / "sentinel.conf"
        conf.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {directory}\n"
            f"sentinel monitor plant 127.0.0.1 {self.master.port} 1\n"
            "sentinel down-after-milliseconds plant 500\nsentinel failover-timeout plant 3000\n"
        )
        self.sentinel = Server(
            directory, str(conf), "--sentinel", program="redis-server-sentinel", port=self.port
        )
        self.sentinel.process.arguments[0] = "redis-server"
        self.master.start()
        self.replica.start()
        self.sentinel.start()

        def known() -> bool:
            replicas: Any = self.sentinel.client().execute_command("SENTINEL", "REPLICAS", "plant")
            synced = self.replica.client().info("replication")["master_link_status"] == "up"
            return bool(replicas) and synced

        from .records import until

        until(known)

    def stop(self) -> None:
        for server in (self.sentinel, self.replica, self.master):
            server.stop()


def _low_port() -> int:
    while (port := free_port()) > 55535:
        pass
    return port
