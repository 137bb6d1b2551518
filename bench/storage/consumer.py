"""Peer: a consumer with paho-mqtt that stores what it gets: ``consumer.py KIND URL BATCH PORT``.

``KIND`` is a database, ``BATCH`` the messages in one transaction: 1 is what such programs usually do. It says
that it is ready, and for each line on its standard input how many it has stored.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

Row = tuple[Any, ...]


def sql(kind: str, url: str) -> Callable[[list[Row]], None]:
    """Return what stores rows and commits: the same rows in the same table as HookMQ's."""
    connection: Any
    marks = "%s"
    if kind == "sqlite":
        connection, marks = sqlite3.connect(url, check_same_thread=False), "?"
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # as HookMQ
    elif kind == "postgresql":
        import psycopg

        connection = psycopg.connect(url)
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
    cursor = connection.cursor()
    insert = f"INSERT INTO mqtt_received VALUES ({', '.join([marks] * 9)})"

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

    def store(rows: list[Row]) -> None:
        pipeline = connection.pipeline(transaction=False)
        for row in rows:
            names = ("id", "time", "client_id", "topic", "payload", "qos", "retain")
            values = (row[1], row[2], row[3], row[4], row[5].decode(), row[6], row[7])
            pipeline.set(f"stored:{row[1]}", json.dumps(dict(zip(names, values, strict=True))))
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
        at = round(time.time() * 1_000_000)
        number = stored + len(waiting)
        waiting.append(
            (1, number, at, "?", message.topic, message.payload, message.qos, message.retain, None)
        )
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
