"""Jobs, connectors and bridges: what there is, and what can be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...bridges import BridgeInfo
from ...connectors.health import ConnectorInfo
from ...scheduler import JobInfo
from ..problem import Problem
from ..schema import Field, Object, Text
from ..source import Source
from .operation import Answer, Ask, Operation
from .paging import PAGE, page, page_of
from .shapes import listed, named

__all__ = ["operations"]

JOB = named("Job", JobInfo)
CONNECTOR = named("Connector", ConnectorInfo)
BRIDGE = named("Bridge", BridgeInfo)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of jobs, connectors and bridges, and be done with them."""
    api = _Jobs(source)
    return [
        Operation(
            "GET",
            "jobs",
            lambda ask: page_of(ask, listed(source.jobs())),
            "List the scheduled jobs, their last runs and the next",
            query=PAGE,
            answer=page(JOB),
        ),
        *(
            Operation(
                "POST",
                f"jobs/{{name}}/{action}",
                lambda ask, paused=action == "pause": api.pause(ask, "job", paused),  # type: ignore[misc]
                summary,
                role="operator",
                answer=page(JOB),
                raises=(404,),
            )
            for action, summary in (
                ("pause", "Leave out the runs of a job"),
                ("resume", "Let a paused job go on"),
            )
        ),
        Operation(
            "POST",
            "jobs/{name}/run",
            api.run,
            "Start a run of a job now",
            role="operator",
            answer=Object([Field("started", Text(), required=True)]),
            status=202,
            raises=(404, 409),
        ),
        Operation(
            "GET",
            "connectors",
            lambda ask: page_of(ask, listed(source.connectors())),
            "List the connectors: how they are, and what waits",
            query=PAGE,
            answer=page(CONNECTOR),
        ),
        Operation(
            "GET",
            "bridges",
            lambda ask: page_of(ask, listed(source.bridges())),
            "List the bridges, what went through them, and what waits",
            query=PAGE,
            answer=page(BRIDGE),
        ),
        *(
            Operation(
                "POST",
                f"bridges/{{name}}/{action}",
                lambda ask, paused=action == "pause": api.pause(ask, "bridge", paused),  # type: ignore[misc]
                summary,
                role="operator",
                answer=page(BRIDGE),
                raises=(404,),
            )
            for action, summary in (
                ("pause", "Take the link of a bridge down; what it is to carry waits"),
                ("resume", "Let the link of a paused bridge come up again"),
            )
        ),
    ]


class _Jobs:
    def __init__(self, source: Source) -> None:
        self._source = source

    def pause(self, ask: Ask, kind: str, paused: bool) -> Any:
        name = ask.path["name"]
        self._source.pause(name, paused, [kind])
        there: Sequence[Any] = self._source.jobs() if kind == "job" else self._source.bridges()
        found = listed(one for one in there if one.name == name)
        return {"items": found, "next": None, "total": len(found)}

    def run(self, ask: Ask) -> Any:
        name = ask.path["name"]
        if not self._source.run_job(name):
            raise Problem(409, f"the job {name[:100]!r} is running", help="wait until its run is over")
        return Answer({"started": name}, 202)
