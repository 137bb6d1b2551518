"""Acknowledge a message when it is in a database, not before: what a client was told, is true.

    python examples/14_after_hook.py

    mosquitto_pub -V 5 -q 1 -t meter/7 -m 1024
    sqlite3 readings.db 'SELECT * FROM readings'

If the database cannot take it, the client is not told that all is well: a client of MQTT 5 gets 0x83, one of
MQTT 3.1.1 is disconnected and sends the message again.
"""

import sqlite3
from contextlib import closing
from typing import Any

from hookmq import Broker

broker = Broker()

DATABASE = "readings.db"


@broker.on_startup
def prepare() -> None:
    with closing(sqlite3.connect(DATABASE)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS readings (time REAL, topic TEXT, value BLOB)")


@broker.on_batch("meter/#", format="dicts", ack="after_hook", max_delay=0.01)
def store(rows: list[dict[str, Any]]) -> None:
    # Many messages, one transaction: a disk can only do so many of them in a second.
    with closing(sqlite3.connect(DATABASE)) as database, database:
        database.executemany("INSERT INTO readings VALUES (:timestamp, :topic, :payload)", rows)


if __name__ == "__main__":
    broker.run()
