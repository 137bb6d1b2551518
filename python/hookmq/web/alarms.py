"""What whoever looks after the broker should know at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from .source import Source

__all__ = ["alarms"]

_MANY = 20
"""Alarms that are told; with more of them nobody reads."""


def alarms(source: Source, counted: dict[str, int]) -> list[dict[str, Any]]:
    """Return what is wrong, the worst first."""
    found = [*_storage(source, counted), *_links(source), *_hooks(source), *_access(source)]
    found.sort(key=lambda one: one["level"])  # "error" comes before "warning"
    return found[:_MANY]


def _alarm(level: str, code: str, message: str, page: str | None = None, **params: Any) -> dict[str, Any]:
    return {"level": level, "code": code, "params": params, "message": message, "page": page}


def _storage(source: Source, counted: dict[str, int]) -> list[dict[str, Any]]:
    found = []
    recorder = source.run().recorder
    if recorder is not None and not recorder.is_well:
        failed = counted.get("history_failed", 0)
        text = f"the history's database takes nothing: {failed:,} messages are lost"
        found.append(_alarm("error", "history_failed", text, "#/logs", count=failed))
    if dropped := counted.get("history_dropped", 0):
        text = f"{dropped:,} messages came faster than the history's database takes them"
        found.append(_alarm("warning", "history_dropped", text, "#/history", count=dropped))
    problem = counted.get("store_problem", 0)
    if problem == 1:
        text = "the disk of the data directory is full: what must be kept is refused"
        found.append(_alarm("error", "store_full", text, "#/logs"))
    elif problem:
        text = "the data directory cannot be written to: what must be kept is refused"
        found.append(_alarm("error", "store_problem", text, "#/logs"))
    return found


def _links(source: Source) -> list[dict[str, Any]]:
    found = []
    for one in source.connectors():
        if one.state == "down":
            text = f"the connector {one.name} cannot write: {one.reason}"
            found.append(_alarm("error", "connector_down", text, name=one.name, reason=one.reason))
        if one.dropped:
            text = f"the connector {one.name} lost {one.dropped:,} records"
            found.append(_alarm("error", "connector_dropped", text, name=one.name, count=one.dropped))
    for bridge in source.bridges():
        if bridge.state == "waiting" and bridge.reason:
            text = f"the bridge {bridge.name} is down: {bridge.reason}"
            found.append(_alarm("warning", "bridge_down", text, name=bridge.name, reason=bridge.reason))
    return found


def _hooks(source: Source) -> list[dict[str, Any]]:
    found = []
    for hook in source.hooks():
        page = f"#/hooks/{quote(hook.id, safe='')}"
        if hook.errors:
            text = f"the hook {hook.id} failed {hook.errors:,} times"
            found.append(_alarm("warning", "hook_errors", text, page, name=hook.id, count=hook.errors))
        if hook.dropped:
            text = f"the hook {hook.id} is too slow: {hook.dropped:,} events were dropped"
            found.append(_alarm("warning", "hook_dropped", text, page, name=hook.id, count=hook.dropped))
        if hook.paused:
            text = f"the hook {hook.id} is paused"
            found.append(_alarm("warning", "hook_paused", text, page, name=hook.id))
    for job in source.jobs():
        if job.errors:
            text = f"the job {job.name} failed {job.errors:,} times"
            found.append(_alarm("warning", "job_errors", text, "#/jobs", name=job.name, count=job.errors))
    for rule in source.rules():
        info = rule.info()
        if info.problem:
            text = f"the rule {info.name} is wrong in its file: {info.problem}"
            found.append(_alarm("error", "rule_problem", text, "#/rules", name=info.name))
        elif info.failed:
            text = f"the rule {info.name} failed {info.failed:,} times: {info.last_error or ''}"
            found.append(_alarm("warning", "rule_errors", text, "#/rules", name=info.name, count=info.failed))
    return found


def _access(source: Source) -> list[dict[str, Any]]:
    from ..settings.config import is_loopback

    settings = source.run().settings
    asked = bool(source.authenticators())
    for one in settings.listeners:
        is_open = one.host is not None and not is_loopback(one.host)
        if is_open and not asked and not one.authenticates:
            text = "other machines can connect without anyone asking who they are"
            return [_alarm("warning", "anonymous", text, "#/security")]
    return []
