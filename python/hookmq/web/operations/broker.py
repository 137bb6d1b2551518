"""The broker as a whole: what it is, its rates, its alarms, its code."""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from ..._hookmq import __version__
from ...errors import HookMQError
from ..alarms import alarms
from ..schema import Anything, Array, Boolean, Field, Integer, Nullable, Number, Object, Ref, Text
from ..source import Recording, Running, Source
from .hooks import HOOK
from .jobs import JOB
from .operation import Ask, Operation
from .shapes import AT, COUNT, SECONDS, listed

__all__ = ["operations", "overview", "series"]

RATES = ("received", "sent", "bytes_received", "bytes_sent", "dropped", "connects")
SERIES = (*RATES, "clients", "queued", "memory", "cpu")
SPANS = ("300", "3600", "86400")

_FIRST = 50
"""Topics at the top among which ``$SYS`` is: little sorts before a dollar sign."""

_COUNTING = 10.0
"""Seconds for which a count of the stored messages is good enough."""

_RATE = [Field(name, Number(0), "a second", required=True) for name in RATES]
TOTALS = ("clients", "sessions", "subscriptions", "retained", "queued", "topics", "hooks", "jobs", "rules")

_LISTENER = Object(
    [
        Field("url", Text(), required=True),
        Field("scheme", Text(), required=True),
        Field("port", Nullable(Integer()), required=True),
        Field("clients", Nullable(COUNT), required=True),
    ]
)

_HISTORY = Object(
    [
        Field("enabled", Boolean(), required=True),
        Field("url", Nullable(Text()), "without the password", required=True),
        Field("rows", Nullable(COUNT), required=True),
    ]
)

_BROKER = Ref(
    "Broker",
    Object(
        [
            Field("version", Text(), required=True),
            Field("python", Text(), required=True),
            Field("platform", Text(), required=True),
            Field("hostname", Text(), required=True),
            Field("pid", Integer(), required=True),
            Field("started_at", AT, required=True),
            Field("uptime", SECONDS, required=True),
            Field("data_dir", Nullable(Text()), required=True),
            Field("app", Nullable(Text()), required=True),
            Field("listeners", Array(_LISTENER), required=True),
            Field("http_port", Nullable(Integer()), required=True),
            Field("storage", Nullable(Object(more=Anything())), required=True),
            Field("history", _HISTORY, required=True),
        ]
    ),
)

_ALARM = Object(
    [
        Field("level", Text(among=("warning", "error")), required=True),
        Field("code", Text(), required=True),
        Field("params", Object(more=Anything()), required=True),
        Field("message", Text(), required=True),
        Field("page", Nullable(Text()), "of the dashboard", required=True),
    ]
)

OVERVIEW = Ref(
    "Overview",
    Object(
        [
            Field("at", AT, required=True),
            Field("uptime", SECONDS, required=True),
            Field("rates", Object(_RATE), required=True),
            Field("totals", Object([Field(one, COUNT, required=True) for one in TOTALS]), required=True),
            Field(
                "latency",
                Nullable(
                    Object([Field("p50", SECONDS, required=True), Field("p99", SECONDS, required=True)])
                ),
                "from reading a message to writing it, of the last 10 s",
                required=True,
            ),
            Field("alarms", Array(_ALARM), required=True),
        ]
    ),
)

_SERIES = Ref(
    "Series",
    Object(
        [
            Field("step", SECONDS, "from one value to the next", required=True),
            Field("end", AT, "of the last value", required=True),
            Field("series", Object(more=Array(Nullable(Number()))), required=True),
        ]
    ),
)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of the broker as a whole."""
    api = _Broker(source)
    return [
        Operation("GET", "broker", api.broker, "Say what the broker is and where it listens", answer=_BROKER),
        Operation(
            "GET", "overview", lambda ask: overview(source), "Rates, totals and alarms", answer=OVERVIEW
        ),
        Operation(
            "GET",
            "series",
            api.series,
            "Rates over time",
            query=(
                Field("names", Text(1, 200), "which, with commas", example="received,sent"),
                Field("span", Text(among=SPANS), "how far back, in seconds", default="300"),
            ),
            answer=_SERIES,
        ),
        Operation(
            "GET",
            "statistics",
            api.statistics,
            "Every counter since the start",
            answer=Object([Field("statistics", Object(more=Number()), required=True)]),
        ),
        Operation(
            "POST",
            "reload",
            api.reload,
            "Load the app's code again, and certificates, users and access rules",
            role="admin",
            answer=Object(
                [Field("hooks", Array(HOOK), required=True), Field("jobs", Array(JOB), required=True)]
            ),
            raises=(409,),
        ),
    ]


class _Broker:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._counted: tuple[float, int | None] = (-_COUNTING, 0)
        self._counting = threading.Lock()

    def broker(self, ask: Ask) -> Any:
        run = self._source.run()
        settings, recorder = run.settings, run.recorder
        directory = settings["data_dir"]
        return {
            "version": __version__,
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": run.started_at,
            "uptime": max(0.0, time.time() - run.started_at),
            "data_dir": None if directory is None else os.path.abspath(str(directory)),
            "app": self._source.app(),
            "listeners": [
                {
                    "url": one.url,
                    "scheme": one.kind,
                    "port": one.port or None,
                    "clients": _clients(run, one.url),
                }
                for one in run.listeners
            ],
            "http_port": run.http_port,
            "storage": _storage(self._source, directory),
            "history": {
                "enabled": recorder is not None,
                "url": None if recorder is None else recorder.url,
                "rows": None if recorder is None else self._rows(recorder),
            },
        }

    def _rows(self, recorder: Recording) -> int | None:
        """Return how many messages are stored, if it is known; counting many takes a while, so it is not done
        each time, and by one caller at a time."""
        with self._counting:
            counted, rows = self._counted
            if time.monotonic() - counted > _COUNTING:
                try:
                    rows = recorder.count()
                except HookMQError:  # the database is away, which is told elsewhere
                    rows = None
                self._counted = (time.monotonic(), rows)
            return rows

    def series(self, ask: Ask) -> Any:
        names = ask.query["names"]
        return series(self._source, None if names is None else names.split(","), int(ask.query["span"]))

    def statistics(self, ask: Ask) -> Any:
        return {"statistics": self._source.statistics()}

    def reload(self, ask: Ask) -> Any:
        self._source.reload()
        return {"hooks": listed(self._source.hooks()), "jobs": listed(self._source.jobs())}


def _clients(run: Running, listener: str) -> int:
    return run.native.clients(1, None, connected=True, listener=listener)[2]


def _storage(source: Source, directory: object) -> dict[str, Any] | None:
    if directory is None:
        return None
    counted = {name: value for name, value in source.statistics().items() if name.startswith("store_")}
    return {"path": os.path.abspath(str(directory)), **counted}


def overview(source: Source) -> dict[str, Any]:
    """Return rates, totals and alarms."""
    run = source.run()
    counted, latency = source.statistics(), run.native.latency()
    return {
        "at": time.time(),
        "uptime": max(0.0, time.time() - run.started_at),
        "rates": run.native.rates(),
        "totals": {
            "clients": counted.get("clients_connected", 0),
            "sessions": counted.get("sessions", 0),
            "subscriptions": counted.get("subscriptions", 0),
            "retained": counted.get("retained_messages", 0),
            "queued": counted.get("queued_messages", 0),
            "topics": counted.get("topics", 0) - _own_topics(run),
            "hooks": len(source.hooks()),
            "jobs": len(source.jobs()),
            "rules": counted.get("rules", 0),
        },
        "latency": None if latency is None else {"p50": latency[0], "p99": latency[1]},
        "alarms": alarms(source, counted),
    }


def _own_topics(run: Running) -> int:
    """Return how many topics are the broker's own: nobody who counts his topics means those of ``$SYS``."""
    top, _, _ = run.native.topics(_FIRST)
    return sum(int(one["below_topics"]) for one in top if one["topic"] == "$SYS")


def series(source: Source, names: Sequence[str] | None, span: int) -> dict[str, Any]:
    """Return rates over time. Raises a problem for names that there are none of."""
    from ..problem import Problem

    for name in names or ():
        if name not in SERIES:
            raise Problem(400, f"`names` has {name[:40]!r}; expected {', '.join(SERIES)}")
    return source.run().native.series(names, span)
