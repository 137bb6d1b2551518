"""Pages of the user's own: requests, responses, and which function answers a path."""

from .request import Request
from .response import Response
from .routes import RouteInfo, Routes

__all__ = ["Request", "Response", "RouteInfo", "Routes"]
