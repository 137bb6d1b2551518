"""Pages of the user's own: requests, responses, which function answers a path, and WebSockets."""

from .file import File
from .request import Request
from .response import Response
from .routes import RouteInfo, Routes
from .sockets import PageSocket, PageSockets
from .stream import Streams

__all__ = ["File", "PageSocket", "PageSockets", "Request", "Response", "RouteInfo", "Routes", "Streams"]
