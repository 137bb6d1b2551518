"""Connectors: what happens in the broker, written into databases and other services.

# Layout

- `record.py`        `Record`: one thing that happened, under a name of its own
- `connector.py`     `Connector`: the base: open, write, close
- `courier.py`       `Courier`: the queue, the thread, batches and retries of one connector
- `health.py`        `Health`, `ConnectorInfo`: how a connector is
- `spool.py`         `Spool`: where records wait on disk while the service is away
- `dead_letters.py`  `DeadLetters`: what a service will never take
- `backoff.py`       `Backoff`: pauses between attempts
- `template.py`      `Template`: from a topic to a collection, a key, an index
- `feed.py`          from a broker's hooks to records
- `options.py`       connectors from `hookmq.toml`
- `sql/`             `SQL`: SQLite, PostgreSQL, MySQL and MariaDB, SQL Server
- `redis.py`, `mongodb.py`, `elasticsearch.py`, `webhook.py`, `kafka.py`, `influxdb.py`, `parquet.py`,
  `email.py`
- `plugin.py`        `Plugin`: a connector for an extension of CrystalMQ
- `plugin_conf.py`   `PluginConf`: its configuration

What several of them use: `library.py` (a client library, imported when it is needed), `address.py` (what may
be shown of a URL), `shape.py` (the shapes of a record), `fields.py` (texts with ``${…}``),
`http.py` (a service over HTTP), `line_protocol.py`.

Importing this package imports none of the services' libraries.

# Threads

Hooks call `Courier.put` on their own threads; `hookmq-connector-NAME` calls the connector, nobody else does.
A `put` that was promised something waits for it, at most as long as the service may be away (`patience`),
then for the disk. Lock order: `Courier._changed`, then `Spool._lock`.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .connector import Connector, Rejection
    from .courier import Courier, NotStored
    from .elasticsearch import Elasticsearch
    from .email import Email
    from .health import ConnectorInfo
    from .influxdb import InfluxDB
    from .kafka import Kafka
    from .mongodb import MongoDB
    from .parquet import Parquet
    from .record import Record
    from .redis import Redis
    from .sql import SQL
    from .template import Template
    from .webhook import Webhook

__all__ = [
    "SQL",
    "Connector",
    "ConnectorInfo",
    "Courier",
    "Elasticsearch",
    "Email",
    "InfluxDB",
    "Kafka",
    "MongoDB",
    "NotStored",
    "Parquet",
    "Record",
    "Redis",
    "Rejection",
    "Template",
    "Webhook",
]

_PLACES = {
    "SQL": "sql",
    "Connector": "connector",
    "ConnectorInfo": "health",
    "Courier": "courier",
    "Elasticsearch": "elasticsearch",
    "Email": "email",
    "InfluxDB": "influxdb",
    "Kafka": "kafka",
    "MongoDB": "mongodb",
    "NotStored": "courier",
    "Parquet": "parquet",
    "Record": "record",
    "Redis": "redis",
    "Rejection": "connector",
    "Template": "template",
    "Webhook": "webhook",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{place}", __name__), name)
