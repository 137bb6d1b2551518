"""Metrics in Prometheus' text format: those of the native broker, and those of Python."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .operations.operation import may
from .problem import Problem
from .response import Response
from .security_headers import FRESH

if TYPE_CHECKING:
    from .api import Identifying
    from .request import Request
    from .source import Source

__all__ = ["exposition", "metrics"]

MEDIA = "text/plain; version=0.0.4; charset=utf-8"


def exposition(request: Request, source: Source, access: Identifying) -> Response:
    """Return the answer to ``GET /metrics``, for those who may look."""
    from .api import finished, refusal, unauthorized

    try:
        if request.method not in ("GET", "HEAD"):
            raise Problem(405, f"{request.method} is not for /metrics", headers={"Allow": "GET, HEAD"})
        identity = access.identify(request)
        if not may(identity.role, "viewer"):
            problem = unauthorized(identity)
            if "authorization" not in request.headers:
                problem.help = "let Prometheus send an API token of a viewer (authorization: credentials)"
            raise problem
    except Problem as problem:
        return finished(request, refusal(problem))
    return finished(request, Response(metrics(source).encode(), content_type=MEDIA, headers=FRESH))


def metrics(source: Source) -> str:
    """Return all metrics, each with its help and its type."""
    native = source.run().native.metrics().rstrip("\n") + "\n"
    # What is told of every process has the same name everywhere: alerts and dashboards know it.
    native = re.sub(r"^(# (?:HELP|TYPE) )?hookmq_(?=process_)", r"\1", native, flags=re.MULTILINE)
    return native + _process() + "".join(_python(source))


def _process() -> str:
    began = _process_began()
    if began is None:
        return ""
    name, help = "process_start_time_seconds", "When the process began, in Unix seconds."
    return f"# HELP {name} {help}\n# TYPE {name} gauge\n{name} {began!r}\n"


@functools.cache
def _process_began() -> float | None:
    """Return when the process began, where the system tells."""
    try:
        with open("/proc/stat") as stream:
            booted = next(int(line.split()[1]) for line in stream if line.startswith("btime "))
        with open("/proc/self/stat") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, LookupError, StopIteration):
        return None


def _python(source: Source) -> Iterable[str]:
    from .._hookmq import __version__

    run = source.run()
    yield _family("info", "gauge", "What the broker is.", [({"version": __version__}, 1)])
    yield _family("start_time_seconds", "gauge", "When it began, in Unix seconds.", [({}, run.started_at)])
    hooks = [({"hook": hook.id, "kind": hook.kind}, hook) for hook in source.hooks()]
    for name, kind, help, field in _HOOKS:
        yield _family(f"hook_{name}", kind, help, _each(hooks, field))
    quantiles = [
        ({**labels, "quantile": quantile}, getattr(hook, field))
        for labels, hook in hooks
        for quantile, field in (("0.5", "run_p50"), ("0.99", "run_p99"))
    ]
    yield _family("hook_run_seconds", "summary", "How long calls of the hook take.", quantiles)
    for part, field in (("sum", "busy"), ("count", "calls")):
        yield "".join(_samples(f"hook_run_seconds_{part}", _each(hooks, field)))
    jobs = [({"job": job.name}, job) for job in source.jobs()]
    for name, kind, help, field in _JOBS:
        yield _family(f"job_{name}", kind, help, _each(jobs, field))
    connectors = [({"connector": one.name}, one) for one in source.connectors()]
    up = [({"connector": one.name}, int(one.state == "up")) for one in source.connectors()]
    yield _family("connector_up", "gauge", "Whether the service takes records.", up)
    for name, kind, help, field in _CONNECTORS:
        yield _family(f"connector_{name}", kind, help, _each(connectors, field))
    rules = [({"rule": info.name}, info) for info in (rule.info() for rule in source.rules())]
    for name, kind, help, field in _RULES:
        yield _family(f"rule_{name}", kind, help, _each(rules, field))
    if run.recorder is not None:
        counted = run.recorder.counters()
        for name, kind, help in _HISTORY:
            field = f"history_{name.removesuffix('_total')}"
            yield _family(f"history_messages_{name}", kind, help, [({}, counted[field])])


_HOOKS = (
    ("calls_total", "counter", "Calls of the hook.", "calls"),
    ("errors_total", "counter", "Calls of the hook that raised.", "errors"),
    ("dropped_total", "counter", "Events that were lost to the hook's full queue.", "dropped"),
    ("skipped_total", "counter", "Events that came while the hook was paused.", "skipped"),
    ("queued", "gauge", "Events that wait for the hook.", "queued"),
    ("busy_seconds_total", "counter", "Time spent in the hook.", "busy"),
)
_JOBS = (
    ("runs_total", "counter", "Runs of the job.", "runs"),
    ("errors_total", "counter", "Runs of the job that raised.", "errors"),
    ("skipped_total", "counter", "Runs of the job that were left out.", "skipped"),
    ("last_duration_seconds", "gauge", "How long the last run took.", "duration"),
)
_CONNECTORS = (
    ("written_total", "counter", "Records that the service has taken.", "written"),
    ("rejected_total", "counter", "Records that the service will never take.", "rejected"),
    ("dropped_total", "counter", "Records that were lost.", "dropped"),
    ("retries_total", "counter", "Batches that were tried again.", "retries"),
    ("queued", "gauge", "Records that wait in memory.", "queued"),
    ("spooled", "gauge", "Records that wait on disk.", "spooled"),
)
_RULES = (
    ("matched_total", "counter", "Messages and events that the rule was evaluated for.", "matched"),
    ("passed_total", "counter", "Of them those that fulfilled its conditions.", "passed"),
    ("failed_total", "counter", "Evaluations that ended with an error.", "failed"),
    ("results_total", "counter", "What the rule has selected.", "results"),
)
_HISTORY = (
    ("written_total", "counter", "Messages that were stored."),
    ("failed_total", "counter", "Messages that the database did not take."),
    ("dropped_total", "counter", "Messages that came faster than the database takes them."),
    ("queued", "gauge", "Messages that wait for the database."),
)


def _each(several: Sequence[tuple[dict[str, str], Any]], field: str) -> list[tuple[dict[str, str], Any]]:
    return [(labels, getattr(one, field)) for labels, one in several]


def _family(name: str, kind: str, help: str, samples: Sequence[tuple[dict[str, str], Any]]) -> str:
    """Return a metric with its samples; the labels of two must not be the same, so equal ones are added.

    >>> print(_family("jobs", "gauge", "Jobs.", [({"name": "nightly"}, 1)]), end="")
    # HELP hookmq_jobs Jobs.
    # TYPE hookmq_jobs gauge
    hookmq_jobs{name="nightly"} 1
    """
    head = f"# HELP hookmq_{name} {help}\n# TYPE hookmq_{name} {kind}\n"
    return head + told if (told := "".join(_samples(name, samples))) else ""


def _samples(name: str, samples: Sequence[tuple[dict[str, str], Any]]) -> Iterable[str]:
    totals: dict[str, float] = {}
    for labels, value in samples:
        if value is None:
            continue
        written = ",".join(f'{label}="{_escaped(one)}"' for label, one in labels.items())
        key = f"{{{written}}}" if written else ""
        totals[key] = totals.get(key, 0) + value
    return [f"hookmq_{name}{labels} {value!r}\n" for labels, value in totals.items()]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
