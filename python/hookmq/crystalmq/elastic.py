"""What ``setelasticconnector`` hands over: an Elasticsearch client, made when it is first used."""

from __future__ import annotations

import threading
from typing import Any

from ..connectors.library import library

__all__ = ["LazyElasticsearch"]


class LazyElasticsearch:
    """Is the client of the package ``elasticsearch``, which is imported and made at the first use.

    A home whose files ask for a client, but never use it, need not have the package.

    Raises:
        HookMQError: E603 at the first use if the package is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._client: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with self._lock:
            if self._client is None:
                module = library("elasticsearch", kind="elasticsearch", extra="elasticsearch")
                self._client = module.Elasticsearch(self._url)
        return getattr(self._client, name)

    def close(self) -> None:
        """Close the connections, if there are any."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
