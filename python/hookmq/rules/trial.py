"""A rule on samples, step by step, and what its actions would do: nothing is done."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._hookmq import RuleError, try_rule
from ..connectors.address import in_text, masked
from ..connectors.record import plain
from ..errors import HookMQError
from .actions.action import Action
from .actions.native import NativeAction
from .problem import excerpt, place_of, wrong_sql

__all__ = ["Step", "Trial", "Trials", "sample_of", "try_samples"]

KEYS = (
    "topic",
    "payload",
    "clientid",
    "username",
    "qos",
    "retain",
    "properties",
    "timestamp",
    "event",
    "timer",
    "now",
    "peerhost",
    "reason",
)
"""What a sample may have; of an event anything else as well."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an evaluation."""

    step: str
    """``"FROM"``, ``"WHERE"``, ``"SELECT"`` and so on."""
    text: str
    """The part of the SQL."""
    value: Any
    """What it gave."""
    note: str | None = None
    """What there is to say about it."""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """A rule on one sample."""

    sample: Mapping[str, Any]
    steps: tuple[Step, ...]
    results: tuple[Mapping[str, Any], ...]
    error: str | None
    """What went wrong, with a caret."""
    actions: tuple[Mapping[str, Any], ...] = ()
    """For each result and each action: its ``number``, its ``kind``, and what it ``would`` do."""

    @property
    def passed(self) -> bool:
        """Whether it selected something."""
        return bool(self.results)


@dataclass(frozen=True, slots=True)
class Trials:
    """A rule on several samples, one after the other."""

    name: str
    sql: str
    trials: tuple[Trial, ...] = field(default=())

    def __iter__(self) -> Any:
        return iter(self.trials)

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def results(self) -> list[Mapping[str, Any]]:
        """Everything that was selected."""
        return [result for trial in self.trials for result in trial.results]

    def json(self, *, addresses: bool = True) -> dict[str, Any]:
        """Return it as values that JSON knows; without ``addresses`` of these the hosts alone."""
        return {
            "name": self.name,
            "sql": self.sql,
            "trials": [
                {
                    "sample": plain(trial.sample),
                    "steps": [
                        {
                            "step": step.step,
                            "text": step.text,
                            "value": plain(step.value),
                            "note": step.note,
                            "start": step.start,
                            "end": step.end,
                        }
                        for step in trial.steps
                    ],
                    "results": [plain(result) for result in trial.results],
                    "error": trial.error,
                    "actions": [plain(action if addresses else _masked(action)) for action in trial.actions],
                }
                for trial in self.trials
            ],
        }


def try_samples(
    name: str,
    sql: str,
    samples: Sequence[Mapping[str, Any]],
    functions: Mapping[str, Callable[..., Any]],
    actions: Sequence[Action] = (),
    *,
    where: str | None = None,
) -> Trials:
    """Evaluate a rule for samples.

    Raises:
        HookMQError: E710 for SQL that cannot be.
    """
    # What the native side will do is rendered there; everything else as it will be delivered.
    native = [action for action in actions if isinstance(action, NativeAction)]
    templates = [text for action in native for text in action.templates.values()]
    try:
        told = try_rule(sql, [dict(sample) for sample in samples], dict(functions), templates)
    except RuleError as error:
        raise wrong_sql(error, sql, where or name) from None
    except (TypeError, ValueError) as error:
        raise HookMQError("E709", reason=f"a sample: {error}") from None
    return Trials(
        name,
        sql,
        tuple(_trial(sql, sample, one, actions) for sample, one in zip(samples, told, strict=True)),
    )


def sample_of(given: Any) -> dict[str, Any]:
    """Return a sample as it was sent in JSON: ``{"$base64": "…"}`` as a payload is bytes.

    Raises:
        HookMQError: E709 for what is no sample.

    >>> sample_of({"topic": "t/1", "payload": {"$base64": "/w=="}})
    {'topic': 't/1', 'payload': b'\\xff'}
    """
    if not isinstance(given, Mapping) or not given:
        raise HookMQError("E709", reason='a sample is an object such as {"topic": "t/1", "payload": 31}')
    sample = {str(key): value for key, value in given.items()}
    payload = sample.get("payload")
    if isinstance(payload, Mapping) and payload.keys() == {"$base64"}:
        try:
            sample["payload"] = base64.b64decode(str(payload["$base64"]), validate=True)
        except ValueError:
            raise HookMQError("E709", reason="the payload of a sample is not Base64") from None
    if not {"topic", "event", "timer", "now"} & sample.keys():
        raise HookMQError("E709", reason="a sample has a `topic`, an `event` or a time `now`")
    return sample


def last_messages(
    reads: Iterable[Mapping[str, Any]], history: Callable[..., Iterable[Any]]
) -> list[dict[str, Any]]:
    """Return the newest stored message of those that a rule reads; of one that reads times alone a time.

    Raises:
        HookMQError: E709 if there is none.
    """
    reads = list(reads)
    if reads and all("timer" in source for source in reads):
        return [{"event": "timer"}]
    rows = [
        row
        for source in reads
        if (topic := source.get("topic")) is not None
        for row in history(topic, newest=True, limit=1)
    ]
    if not rows:
        raise HookMQError(
            "E709",
            reason="no message that the rule reads is in the history: give a sample",
            help='{"topic": "t/1", "payload": 31}; on the command line: --topic TOPIC --payload TEXT',
        )
    row = max(rows, key=lambda row: row.timestamp)
    return [
        {
            "topic": row.topic,
            "payload": _shown(row.payload),
            "clientid": row.client_id,
            "qos": row.qos,
            "retain": row.retain,
            "properties": row.properties,
            "timestamp": round(row.timestamp * 1000),
        }
    ]


def _shown(payload: bytes) -> str | bytes:
    """Return a payload as text, if it is some: a sample is read by people."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload


def _masked(action: Mapping[str, Any]) -> dict[str, Any]:
    would = dict(action["would"])
    if "url" in would:
        would["url"] = masked(str(would["url"]))
    if "error" in would:
        would["error"] = in_text(str(would["error"]))
    return {**action, "would": would}


def _trial(sql: str, sample: Mapping[str, Any], told: Mapping[str, Any], actions: Sequence[Action]) -> Trial:
    steps = tuple(
        Step(one["step"], one["text"], one["value"], one.get("note"), one.get("start", 0), one.get("end", 0))
        for one in told["steps"]
    )
    results = tuple(told["results"])
    source = {"timestamp": round(time.time() * 1000)} | dict(sample)
    # What was due by time comes first, and is not rendered.
    rendered = [[], *([] for _ in results), *told.get("rendered", ())][-len(results) :] if results else []
    would = tuple(
        {"number": number, "kind": action.kind, "would": shown}
        for row, texts in zip(results, rendered, strict=True)
        for number, action, shown in _would(actions, row, source, texts)
    )
    return Trial(sample, steps, results, _error(sql, told.get("error")), would)


def _would(
    actions: Sequence[Action], row: Mapping[str, Any], source: Mapping[str, Any], texts: Sequence[str]
) -> Iterator[tuple[int, Action, dict[str, Any]]]:
    left = iter(texts)
    for number, action in enumerate(actions, start=1):
        try:
            if isinstance(action, NativeAction) and texts:
                shown = action.shown({key: next(left) for key in action.templates}, source)
            else:
                shown = action.preview(row, source)
        except (ValueError, HookMQError) as error:
            shown = {"error": str(error)}
        yield number, action, shown


def _error(sql: str, error: Sequence[Any] | None) -> str | None:
    if error is None:
        return None
    message, start, end, hint = (*error, None, None, None)[:4]
    if start is None:
        return str(message)
    place = place_of(sql, start, end)
    return f"line {place.line}, column {place.column}: {message}\n{excerpt(sql, start, end, hint)}"
