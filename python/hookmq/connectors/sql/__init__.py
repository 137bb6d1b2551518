"""Storage in a database of SQL.

# Layout

- `storage.py`    `SQL`: the connector
- `tables.py`     `Tables`: what is stored, the version and its migrations
- `rows.py`       `Rows`: from records to rows
- `dialects.py`   how each database takes many rows, and none twice: COPY, ON CONFLICT, ON DUPLICATE KEY
- `retention.py`  `Retention`: what is too old goes
"""

from __future__ import annotations

from .storage import SQL

__all__ = ["SQL"]
