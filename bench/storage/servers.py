"""The servers that tests start. Their folder is named: packages of others are called ``tests``, too."""

from __future__ import annotations

import sys

from ..machine import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from servers.mariadb import MariaDB
from servers.postgresql import PostgreSQL
from servers.redis import RedisServer

__all__ = ["MariaDB", "PostgreSQL", "RedisServer"]
