"""A server of MongoDB's wire protocol, as much as the connector uses; the real pymongo speaks with it."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import bson

Answer = Mapping[str, Any]

_HEADER = struct.Struct("<iiii")
_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013


class MongoServer:
    """Keeps documents in memory; runs from `start` to `stop`, also several times, on the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.collections: dict[str, dict[Any, list[dict[str, Any]]]] = {}
        self.options: dict[str, dict[str, Any]] = {}
        self.indexes: dict[str, list[dict[str, Any]]] = {}
        self.commands: list[dict[str, Any]] = []
        self.interfere: Callable[[dict[str, Any]], Answer | None] = lambda command: None
        """May answer in the place of the server."""
        self.refuse: Callable[[dict[str, Any]], Answer | None] = lambda document: None
        """Says what is wrong with a document: `{"code": 121, "errmsg": "…"}`."""
        self.loses_answers = 0
        self.hangs = False
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def documents(self, collection: str) -> list[dict[str, Any]]:
        return [document for same in self.collections.get(collection, {}).values() for document in same]

    def numbers(self, collection: str = "plant") -> list[int]:
        return sorted(int(document["_id"].rpartition("-")[2]) for document in self.documents(collection))

    def names(self) -> list[str]:
        """The commands that it was given, but for those of the driver's own."""
        return [next(iter(command)) for command in self.commands]

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Connection)
        self._server.owner = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.hang_up()

    def __enter__(self) -> MongoServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, command: dict[str, Any]) -> Answer:
        """Run a command and return its answer."""
        name = next(iter(command))
        if name.lower() in ("hello", "ismaster"):
            return {
                **{"isWritablePrimary": True, "ismaster": True, "helloOk": True, "ok": 1.0},
                **{"minWireVersion": 0, "maxWireVersion": 25, "maxBsonObjectSize": 1 << 24},
                **{"maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000},
            }
        if name in ("ping", "endSessions"):
            return {"ok": 1.0}
        self.commands.append(command)
        if (answer := self.interfere(command)) is not None:
            return answer
        match name:
            case "insert":
                return self._insert(command)
            case "find":
                return self._find(command)
            case "create":
                if command["create"] in self.options:
                    return {"ok": 0.0, "code": 48, "codeName": "NamespaceExists", "errmsg": "it exists"}
                self.options[command["create"]] = {k: v for k, v in command.items() if k == "timeseries"}
                return {"ok": 1.0}
            case "listCollections":
                wanted = command.get("filter", {}).get("name")
                found = [{"name": n, "options": o} for n, o in self.options.items() if n == wanted]
                return {"ok": 1.0, "cursor": {"id": 0, "ns": "x.$cmd.listCollections", "firstBatch": found}}
            case "createIndexes":
                self.indexes.setdefault(command["createIndexes"], []).extend(command["indexes"])
                return {"ok": 1.0}
        return {"ok": 0.0, "code": 59, "codeName": "CommandNotFound", "errmsg": f"no such command: {name}"}

    def _insert(self, command: dict[str, Any]) -> Answer:
        name = command["insert"]
        if not name or "$" in name or name.startswith("system."):
            return {"ok": 0.0, "code": 73, "codeName": "InvalidNamespace", "errmsg": f"invalid name {name}"}
        assert command["ordered"] is False and command["writeConcern"]["j"] is True
        kept = self.collections.setdefault(name, {})
        unique = "timeseries" not in self.options.get(name, {})
        errors = []
        for index, document in enumerate(command["documents"]):
            error = self.refuse(document)
            if error is None and unique and document["_id"] in kept:
                error = {"code": 11000, "errmsg": "E11000 duplicate key", "keyPattern": {"_id": 1}}
            if error is None:
                kept.setdefault(document["_id"], []).append(document)
            else:
                errors.append({"index": index, **error})
        answer = {"ok": 1.0, "n": len(command["documents"]) - len(errors)}
        return answer | ({"writeErrors": errors} if errors else {})

    def _find(self, command: dict[str, Any]) -> Answer:
        wanted = command["filter"]
        begins, ends, names = wanted["time"]["$gte"], wanted["time"]["$lte"], set(wanted["_id"]["$in"])
        batch = [
            {"_id": document["_id"]}
            for document in self.documents(command["find"])
            if document["_id"] in names and begins <= document["time"] <= ends
        ]
        return {"ok": 1.0, "cursor": {"id": 0, "ns": "plant.x", "firstBatch": batch}}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    owner: MongoServer

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[Any] = set()
        super().__init__(*arguments)

    def hang_up(self) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(2)


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.server.connections.add(self.request)
        with contextlib.suppress(OSError, struct.error):
            while header := self.rfile.read(16):
                size, request, _, opcode = _HEADER.unpack(header)
                self._answer(request, opcode, self.rfile.read(size - 16))
        self.server.connections.discard(self.request)

    def _answer(self, request: int, opcode: int, body: bytes) -> None:
        owner = self.server.owner
        command = _command_of(opcode, body)
        answer = owner.run(command)
        is_write = "insert" in command
        while owner.hangs and is_write:
            time.sleep(0.01)
        if owner.loses_answers and is_write:
            owner.loses_answers -= 1
            raise OSError("the answer is lost")
        data = bson.encode(answer)
        if opcode == _OP_QUERY:
            data = struct.pack("<iqii", 8, 0, 0, 1) + data
        else:
            data = struct.pack("<IB", 0, 0) + data
        reply = _OP_REPLY if opcode == _OP_QUERY else _OP_MSG
        self.wfile.write(_HEADER.pack(len(data) + 16, 1, request, reply) + data)


def _command_of(opcode: int, body: bytes) -> dict[str, Any]:
    """Read a command: the old form, in which a driver says hello, or OP_MSG with its sections."""
    options: bson.CodecOptions[dict[str, Any]] = bson.CodecOptions(tz_aware=True)
    if opcode == _OP_QUERY:
        at = body.index(b"\0", 4) + 1 + 8
        return bson.decode(body[at:], options)
    assert opcode == _OP_MSG
    (flags,) = struct.unpack_from("<I", body)
    end = len(body) - (4 if flags & 1 else 0)
    command: dict[str, Any] = {}
    sequences: dict[str, Any] = {}
    at = 4
    while at < end:
        kind, (size,) = body[at], struct.unpack_from("<i", body, at + 1)
        section = body[at + 1 : at + 1 + size]
        if kind == 0:
            command = bson.decode(section, options)
        else:
            name_end = section.index(b"\0", 4)
            sequences[section[4:name_end].decode()] = bson.decode_all(section[name_end + 1 :], options)
        at += 1 + size
    return command | sequences
