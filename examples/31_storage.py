"""Messages in a database that other programs can ask; they are acknowledged when they are there.

python examples/31_storage.py
"""

import contextlib
import sqlite3
import time

from hookmq import Broker
from hookmq.connectors import SQL

broker = Broker(data_dir="hookmq-data")
broker.send_to(SQL("sqlite:///plant.db"), "plant/#", ack="stored")


@broker.route("/flow")
def flow() -> list[tuple[str, float]]:
    """What any program could ask: the mean of the last minute, by topic."""
    query = "SELECT topic, avg(CAST(payload AS REAL)) FROM mqtt_received WHERE time_us > ? GROUP BY topic"
    with contextlib.closing(sqlite3.connect("plant.db")) as database:
        return database.execute(query, [(time.time() - 60) * 1e6]).fetchall()


if __name__ == "__main__":
    broker.run()
