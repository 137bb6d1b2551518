"""Applications of ASGI for the tests, and a browser's WebSocket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi import Request as FastRequest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from .helpers import DEADLINE, Seen

TEXT, BINARY, CLOSE, END = 1, 2, 8, -1


class Browser:
    """A WebSocket of a page."""

    def __init__(self, under: socket.socket) -> None:
        self._under = under
        self._stream = under.makefile("rb")
        self._leaving = False

    def ask(self, path: str, headers: Mapping[str, str]) -> int:
        """Ask for the WebSocket and return the status of the answer."""
        given = {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
        }
        rows = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (given | headers).items())]
        self._under.sendall("\r\n".join([*rows, "", ""]).encode())
        status = int(self._stream.readline().split()[1])
        answer = dict(line.strip().split(b": ", 1) for line in iter(self._stream.readline, b"\r\n"))
        if status == 101:
            # The answer to this key in RFC 6455, 1.3.
            accepts = {value for name, value in answer.items() if name.lower() == b"sec-websocket-accept"}
            assert accepts == {b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}
        return status

    def send(self, value: str | bytes) -> None:
        """Send a message."""
        if isinstance(value, str):
            self._send(TEXT, value.encode())
        else:
            self._send(BINARY, value)

    def leave(self, code: int = 1000) -> None:
        """Begin to close, or answer the broker's close."""
        self._leaving = True
        self._send(CLOSE, code.to_bytes(2, "big"))

    def read_frame(self) -> tuple[int, bytes]:
        """Return the type of the next frame and what is in it; the end of the connection is ``END``."""
        try:
            if len(head := self._stream.read(2)) < 2:
                return END, b""
            size = head[1]
            if size > 125:
                size = int.from_bytes(self._stream.read(2 if size == 126 else 8), "big")
            payload = self._stream.read(size)
        except ConnectionError:
            return END, b""
        assert len(payload) == size and head[0] & 0xF0 == 0x80
        return head[0] & 15, payload

    def read(self) -> str | bytes:
        """Return the next message."""
        opcode, payload = self.read_frame()
        assert opcode in (TEXT, BINARY), (opcode, payload)
        return payload.decode() if opcode == TEXT else payload

    def read_close(self) -> int:
        """Return the code of the close that comes next, and answer it."""
        opcode, payload = self.read_frame()
        assert opcode == CLOSE, (opcode, payload)
        code = int.from_bytes(payload[:2], "big")
        if not self._leaving:
            self.leave(code)
        return code

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            length = bytes([0x80 | size])
        elif size < 1 << 16:
            length = b"\xfe" + size.to_bytes(2, "big")
        else:
            length = b"\xff" + size.to_bytes(8, "big")
        # The mask of zeros leaves the payload as it is.
        self._under.sendall(bytes([0x80 | opcode]) + length + bytes(4) + payload)


@contextmanager
def browser(site: Any, path: str, *, status: int = 101, **headers: str) -> Iterator[Browser]:
    """A WebSocket to the broker's HTTP port."""
    with socket.create_connection(("127.0.0.1", site.http_port), timeout=DEADLINE) as under:
        made = Browser(under)
        with made._stream:
            assert (
                made.ask(path, {name.replace("_", "-"): value for name, value in headers.items()}) == status
            )
            yield made


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the scope and the request; knows no lifespan."""
    assert scope["type"] == "http"
    request = await receive()
    told = {"scope": repr(scope), "body": len(request["body"]), "more": request["more_body"]}
    headers = [
        (b"content-type", b"application/json"),
        (b"x-twice", b"1"),
        (b"x-twice", "ü".encode("latin-1")),
    ]
    await send({"type": "http.response.start", "status": 203, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class Steps:
    """An application that sends what it is given, and raises what is an error."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        for step in self.steps:
            if isinstance(step, BaseException):
                raise step
            await send(step)


class Lifespan:
    """An application that tells of its life, and can be told to fail."""

    def __init__(self, *, startup: str = "complete", shutdown: str = "complete") -> None:
        self.told = Seen()
        self.startup = startup
        self.shutdown = shutdown

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
            return
        self.told.append(dict(scope["state"]))
        scope["state"]["own"] = True
        await PlainTextResponse("here")(scope, receive, send)

    async def live(self, scope: Any, receive: Any, send: Any) -> None:
        """Start and stop."""
        for phase, outcome in (("startup", self.startup), ("shutdown", self.shutdown)):
            message = await receive()
            assert message == {"type": f"lifespan.{phase}"}
            self.told.append(phase)
            scope["state"]["from"] = "start"
            await send({"type": f"lifespan.{phase}.{outcome}", "message": f"no {phase} today"})


class Endless:
    """An application that sends without end; `sent` has an entry for each piece of 64 KiB."""

    def __init__(self) -> None:
        self.sent = Seen()
        self.ends = Seen()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(64 << 10), "more_body": True})
                self.sent.append(1)
        finally:
            self.ends.append(1)


def starlette_app(seen: Seen, folder: Any) -> Starlette:
    """What Starlette's own answers do."""

    async def events(request: Request) -> StreamingResponse:
        async def make() -> Any:
            try:
                yield "data: 1\n\n"
                await asyncio.sleep(float(request.query_params.get("wait", "0")))
                yield "data: 2\n\n"
            finally:
                seen.append("events over")

        return StreamingResponse(make(), media_type="text/event-stream")

    async def late(request: Request) -> StreamingResponse:
        async def make() -> Any:
            while not seen:
                await asyncio.sleep(0.001)
            yield "late"

        return StreamingResponse(make())

    async def file(request: Request) -> FileResponse:
        return FileResponse(folder / "data.bin")

    async def broken(request: Request) -> StreamingResponse:
        async def make() -> Any:
            yield "some"
            raise ValueError("in the middle")

        return StreamingResponse(make())

    async def watch(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse(str(await request.is_disconnected()))

    def plain(request: Request) -> JSONResponse:
        return JSONResponse({"path": request.url.path, "url": str(request.url_for("plain"))})

    async def echo(socket: Any) -> None:
        await socket.accept()
        seen.append((socket.url.path, socket.query_params.get("name"), socket.headers["host"]))
        try:
            while (message := await socket.receive())["type"] != "websocket.disconnect":
                if message.get("bytes") is not None:
                    await socket.send_bytes(message["bytes"])
                elif message["text"] == "close":
                    return await socket.close(4001)
                elif message["text"] == "raise":
                    raise ValueError("asked to")
                else:
                    await socket.send_json({"said": message["text"]})
        finally:
            seen.append("echo over")

    async def careless(socket: Any) -> None:
        await socket.accept()
        while True:
            await socket.receive_text()

    async def flood(socket: Any) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send_bytes(bytes(64 << 10))
                await asyncio.sleep(0)
        except WebSocketDisconnect:
            seen.append("flood over")

    async def refuse(socket: Any) -> None:
        await socket.close(4003)

    return Starlette(
        routes=[
            Route("/plain", plain),
            Route("/events", events),
            Route("/late", late),
            Route("/file", file),
            Route("/broken", broken),
            Route("/watch", watch, methods=["POST"]),
            WebSocketRoute("/echo", echo),
            WebSocketRoute("/careless", careless),
            WebSocketRoute("/flood", flood),
            WebSocketRoute("/refuse", refuse),
        ]
    )


class Level(BaseModel):
    """What is posted."""

    tank: int
    level: float


def fastapi_app(seen: Seen) -> FastAPI:
    """What people write with FastAPI."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        seen.append("startup")
        yield {"greeting": "hello"}
        seen.append("shutdown")

    app = FastAPI(lifespan=lifespan)
    router = APIRouter(prefix="/tanks")

    def greeting(request: FastRequest) -> str:
        return str(request.state.greeting)

    @router.get("/{tank}")
    def tank(tank: int, said: str = Depends(greeting), unit: str = "l") -> dict[str, Any]:
        return {"tank": tank, "said": said, "unit": unit}

    @router.post("", status_code=201)
    async def post(level: Level, tasks: BackgroundTasks) -> Level:
        tasks.add_task(seen.append, level.level)
        return level

    @app.get("/cookies")
    def cookies() -> JSONResponse:
        answer = JSONResponse([])
        answer.set_cookie("a", "1")
        answer.set_cookie("b", "2")
        return answer

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout")

    @app.get("/fail")
    async def fail() -> None:
        raise ValueError("secret")

    @app.websocket("/ws/{room}")
    async def talk(socket: WebSocket, room: str) -> None:
        await socket.accept()
        while True:
            text = await socket.receive_text()
            await socket.send_text(f"{socket.state.greeting} {room} {text}")

    app.include_router(router)
    return app
