"""A peer that speaks what the connector uses of Elasticsearch and OpenSearch, and checks what it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .peer import Answer, Peer, Request

_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+(json|x-ndjson); ?compatible-with=(\d+)$")
_INDEX = re.compile(r"^(?![-_+.])[^A-Z\\/*?\"<>| ,#:]{1,255}$")


class SearchServer(Peer):
    """`version` 8 or 9 is that of an Elasticsearch; 0 is an OpenSearch."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = version
        self.indices: dict[str, dict[str, dict[str, Any]]] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.faults: list[str] = []
        self.refuse: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] = lambda document: None
        """Says what is wrong with a document: `{"status": 400, "error": {…}}`."""
        self.interfere: Callable[[Request], Answer | None] = lambda request: None
        """May answer in the place of the server."""
        self.answer = self._checked

    def reset(self) -> None:
        self.requests.clear()
        self.indices.clear()
        self.templates.clear()
        self.faults.clear()
        self.refuse = lambda document: None
        self.interfere = lambda request: None

    @property
    def numbers(self) -> list[int]:
        return sorted(int(name.rpartition("-")[2]) for index in self.indices.values() for name in index)

    def _checked(self, request: Request) -> Answer:
        if fault := self._fault(request):
            self.faults.append(f"{request.method} {request.path}: {fault}")
            return self._json(406, {"error": {"type": "not_acceptable", "reason": fault}, "status": 406})
        return self.interfere(request) or self._route(request)

    def _fault(self, request: Request) -> str | None:
        """What a server of this version would not accept, or could misunderstand."""
        if request.raw:
            kind = "x-ndjson" if request.path.endswith("_bulk") else "json"
            content_type = request.headers.get("content-type", "")
            if self.version:
                found = _COMPATIBLE.match(content_type)
                if found is None or found.group(1) != kind:
                    return f"the content type of {kind} is {content_type!r}"
                if int(found.group(2)) not in (self.version, self.version - 1):
                    return f"it is compatible with version {found.group(2)}, and this is {self.version}"
                if request.headers.get("accept", "").partition("=")[2] != found.group(2):
                    return f"it accepts {request.headers.get('accept')!r}"
            elif content_type not in (f"application/{kind}", "application/json"):
                return f"the content type is {content_type!r}"
            if kind == "x-ndjson" and not request.body.endswith(b"\n"):
                return "a bulk request ends with a newline"
        return None

    def _route(self, request: Request) -> Answer:
        if request.path == "/_bulk" and request.method in ("POST", "PUT"):
            return self._bulk(request)
        if request.path.startswith("/_index_template/"):
            name = request.path.rpartition("/")[2]
            if request.method == "PUT":
                body = request.json()
                if unknown := set(body) - {"index_patterns", "priority", "version", "_meta", "template"}:
                    return self._json(400, {"error": f"unknown field {unknown}"})
                self.templates[name] = body
                return self._json(200, {"acknowledged": True})
            return self._json(200 if name in self.templates else 404, {})
        if request.path == "/":
            return self._json(
                200, {"version": {"number": f"{self.version or 3}.0.0"}, "tagline": "You Know, for Search"}
            )
        return self._json(405, {"error": f"{request.method} {request.path}"})

    def _bulk(self, request: Request) -> Answer:
        lines = request.body[:-1].split(b"\n")
        assert len(lines) % 2 == 0
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            ((operation, where),) = json.loads(action).items()
            assert operation == "create" and set(where) == {"_index", "_id"}
            document = json.loads(source)
            items.append({"create": {**where, **self._create(where["_index"], where["_id"], document)}})
        errors = any("error" in item["create"] for item in items)
        return self._json(200, {"took": 1, "errors": errors, "items": items})

    def _create(self, index: str, name: str, document: dict[str, Any]) -> Mapping[str, Any]:
        if not _INDEX.match(index):
            return {"status": 400, "error": {"type": "invalid_index_name_exception", "reason": index}}
        if (refused := self.refuse(document)) is not None:
            return refused
        if name in self.indices.setdefault(index, {}):
            reason = f"[{name}]: version conflict, document already exists"
            return {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": reason}}
        self.indices[index][name] = document
        return {"status": 201, "result": "created"}

    def _json(self, status: int, body: Mapping[str, Any]) -> Answer:
        if self.version:
            kind = f"application/vnd.elasticsearch+json;compatible-with={self.version}"
            return Answer(status, body, {"content-type": kind, "X-Elastic-Product": "Elasticsearch"})
        return Answer(status, body, {"content-type": "application/json; charset=UTF-8"})
