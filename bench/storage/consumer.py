"""Peer: a consumer with paho-mqtt that stores what it gets: ``consumer.py KIND URL BATCH PORT``.

``KIND`` is a database, ``BATCH`` the messages in one transaction: 1 is what such programs usually do. It says
that it is ready, and for each line on its standard input how many it has stored.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

Row = tuple[float, str, bytes, int, bool]

TABLE = (
    "CREATE TABLE stored "
    "(at DOUBLE PRECISION, topic VARCHAR(200), payload {bytes}, qos SMALLINT, retain BOOLEAN)"
)
INSERT = "INSERT INTO stored VALUES ({marks})"


def sql(kind: str, url: str) -> Callable[[list[Row]], None]:
    """Return what stores rows and commits."""
    connection: Any
    if kind == "sqlite":
        connection = sqlite3.connect(url, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        table, insert = TABLE.format(bytes="BLOB"), INSERT.format(marks="?, ?, ?, ?, ?")
    elif kind == "postgresql":
        import psycopg

        connection = psycopg.connect(url)
        table, insert = TABLE.format(bytes="BYTEA"), INSERT.format(marks="%s, %s, %s, %s, %s")
    else:
        import pymysql

        parts = urlsplit(url)
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            database=parts.path[1:],
        )
        table, insert = TABLE.format(bytes="LONGBLOB"), INSERT.format(marks="%s, %s, %s, %s, %s")
    cursor = connection.cursor()
    cursor.execute(table)
    connection.commit()

    def store(rows: list[Row]) -> None:
        if len(rows) == 1:
            cursor.execute(insert, rows[0])
        else:
            cursor.executemany(insert, rows)
        connection.commit()

    return store


def redis(url: str) -> Callable[[list[Row]], None]:
    """Return what stores rows under keys of their own."""
    from redis import Redis

    connection = Redis.from_url(url)
    number = 0

    def store(rows: list[Row]) -> None:
        nonlocal number
        pipeline = connection.pipeline(transaction=False)
        for row in rows:
            number += 1
            pipeline.set(f"stored:{number}", row[2])
        pipeline.execute()

    return store


def main() -> None:
    """Consume and store."""
    kind, url, batch, port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    store = redis(url) if kind == "redis" else sql(kind, url)
    stored = 0
    waiting: list[Row] = []

    def connected(client: Client, *_: Any) -> None:
        client.subscribe("#", 1)

    def received(client: Client, data: object, message: MQTTMessage) -> None:
        nonlocal stored
        waiting.append((time.time(), message.topic, message.payload, message.qos, message.retain))
        if len(waiting) >= batch:
            store(waiting)
            stored += len(waiting)
            waiting.clear()

    def answer() -> None:
        for _ in sys.stdin:
            print(stored, flush=True)
        client.disconnect()

    client = Client(CallbackAPIVersion.VERSION2, client_id="consumer")
    client.on_connect = connected
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = received
    client.connect("127.0.0.1", port)
    threading.Thread(target=answer, daemon=True).start()
    client.loop_forever()


if __name__ == "__main__":
    main()
