"""Whether the broker lives, and whether it takes clients: for those who start and watch it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .response import Response
from .security_headers import FRESH

if TYPE_CHECKING:
    from .request import Request
    from .source import Running

__all__ = ["health"]


def health(request: Request, run: Running | None, *, ready: bool) -> Response:
    """Return 200 if all is well, and 503 with what is not. That the process answers is health enough.

    >>> from hookmq.web.request import Request
    >>> health(Request("GET", "/healthz", "", {}, b"", "127.0.0.1"), None, ready=False).status
    200
    """
    if request.method not in ("GET", "HEAD"):
        return Response("method not allowed\n", status=405, headers={**FRESH, "Allow": "GET, HEAD"})
    checks = _checks(run) if ready else {}
    good = all(checks.values())
    body: dict[str, Any] = {"status": "ok" if good else "not ready"}
    if ready:
        body["checks"] = {name: "ok" if one else "failing" for name, one in checks.items()}
    return Response(
        json.dumps(body) + "\n", status=200 if good else 503, content_type="application/json", headers=FRESH
    )


def _checks(run: Running | None) -> dict[str, bool]:
    """Return what must be well before clients are sent here."""
    if run is None:
        return {"clients": False}
    checks = {"clients": run.is_ready}
    counted = run.native.statistics()
    if run.settings["data_dir"] is not None:
        checks["store"] = not counted.get("store_problem", 0)
    recorder = run.recorder
    if recorder is not None:
        checks["history"] = recorder.is_well
    return checks
