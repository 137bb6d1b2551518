"""Message history: every received message, in a database that outlives the broker.

# Layout

- `history.py`  `HistoryStore`: opens the database, writes batches, removes what is too old
- `query.py`    `History`: what `Broker.history()` returns; runs when it is read
- `row.py`      `Row`: one stored message
- `export.py`   rows as JSON and CSV
- `topics.py`   `TopicFilter`: an MQTT topic filter, as a test in Python and as a condition in SQL
- `moments.py`  `moment()`: "10m", a `datetime` or Unix seconds become one number
- `losses.py`   the account of what could not be stored, and what the log says of it
- `schema.py`   the tables, and the check that the database has ours
- `database.py` the engines: one writer, many readers; the words for what went wrong

Importing this package imports SQLAlchemy, which costs some 0.2 s: the broker does so only when history is
enabled.

# Threads

`HistoryStore.write` is called by one native thread, `HistoryStore.prune` by the store's own thread, both hold
the store's one write lock for one short transaction at a time. Readers are any threads; in a database file or
server each has a connection of its own and waits for nobody. A database in memory has one connection, so
there readers take turns with the writer, one page of rows at a time.
"""

from hookmq.storage.history import HistoryStatistics, HistoryStore, sqlite_url
from hookmq.storage.query import History
from hookmq.storage.row import Row

__all__ = ["History", "HistoryStatistics", "HistoryStore", "Row", "sqlite_url"]
