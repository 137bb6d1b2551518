"""librdkafka's own cluster for tests, in a process of its own: real sockets and Kafka's protocol, no disk.

Run as a program it prints its addresses and then does what it reads: `down 1`, `up 1`, `topic NAME ERROR`.
"""

from __future__ import annotations

import ctypes
import glob
import signal
import subprocess
import sys
import time
from pathlib import Path

BROKERS = 3


def main() -> None:
    import confluent_kafka

    place = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    kafka = ctypes.CDLL(glob.glob(str(place / "librdkafka*.so*"))[0])
    for name in ("conf_new", "new", "mock_cluster_new", "mock_cluster_bootstraps"):
        getattr(kafka, f"rd_kafka_{name}").restype = ctypes.c_void_p
    errors = ctypes.create_string_buffer(512)
    handle = kafka.rd_kafka_new(0, ctypes.c_void_p(kafka.rd_kafka_conf_new()), errors, 512)
    cluster = ctypes.c_void_p(kafka.rd_kafka_mock_cluster_new(ctypes.c_void_p(handle), BROKERS))
    bootstraps = ctypes.c_char_p(kafka.rd_kafka_mock_cluster_bootstraps(cluster)).value
    assert bootstraps is not None
    print(bootstraps.decode(), flush=True)
    for line in sys.stdin:
        match line.split():
            case ["down", broker]:
                kafka.rd_kafka_mock_broker_set_down(cluster, int(broker))
            case ["up", broker]:
                kafka.rd_kafka_mock_broker_set_up(cluster, int(broker))
            case ["topic", name, error]:
                kafka.rd_kafka_mock_topic_set_error(cluster, name.encode(), int(error))
        print("done", flush=True)


class KafkaCluster:
    """Starts the program; `close` ends it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.servers = self.process.stdout.readline().strip()

    def do(self, command: str) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def freeze(self) -> None:
        """Let it hang, from the moment this returns."""
        self.process.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{self.process.pid}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


if __name__ == "__main__":
    main()
