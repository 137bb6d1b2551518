"""Hooks: what there is, what they count, their last error, and a trial."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ...connectors.address import in_text
from ...hooks.hook import Hook, HookInfo
from ...hooks.registry import HOOKS
from ...message import Message
from ..problem import Problem
from ..schema import Anything, Array, Boolean, Field, Nullable, Object, Ref, Text
from ..source import Source
from .operation import Ask, Operation, may
from .paging import PAGE, page, page_of
from .shapes import AT, COUNT, MESSAGE, QOS, SECONDS, TOPIC, listed, message, named, plain
from .subscriptions import check_topic
from .topics import decoded

__all__ = ["operations"]

# The native module's name of a kind says nothing to anyone else.
_INTERNAL = frozenset({"native"})

HOOK = named("Hook", HookInfo)

_SOURCE = Object(
    [
        Field("file", Text(), required=True),
        Field("line", COUNT, "where the function begins", required=True),
        Field("first_line", COUNT, "the number of the first of the lines", required=True),
        Field("lines", Array(Text()), required=True),
    ]
)

_FRAME = Ref(
    "Frame",
    Object(
        [
            Field("file", Text(), required=True),
            Field("line", COUNT, required=True),
            Field("function", Text(), required=True),
            Field("source", Array(Array(Anything(), 2)), "pairs of number and text", required=True),
        ]
    ),
)

_TRACEBACK = Ref(
    "Traceback",
    Object(
        [
            Field("error", Text(), required=True),
            Field("at", AT, required=True),
            Field("count", COUNT, "errors since the start", required=True),
            Field("text", Text(), "as Python prints it", required=True),
            Field("frames", Array(_FRAME), "the last one has raised", required=True),
        ]
    ),
)

_TRIAL = Ref(
    "Trial",
    Object(
        [
            Field("result", Nullable(Text()), "its repr", required=True),
            Field("error", Nullable(Text()), required=True),
            Field("text", Nullable(Text()), "the traceback", required=True),
            Field("frames", Array(_FRAME), required=True),
            Field("seconds", SECONDS, required=True),
            Field("message", MESSAGE, "what it was called with", required=True),
            Field("printed", Text(), required=True),
        ]
    ),
)

_KIND = Object(
    [
        Field("name", Text(), required=True),
        Field("when", Text(), required=True),
        Field("arguments", Array(Text()), required=True),
        Field("filtered", Boolean(), required=True),
        Field("decides", Boolean(), required=True),
        Field("thread", Text(), required=True),
        Field("order", Text(), required=True),
        Field("overflow", Text(), required=True),
        Field("payload", Boolean(), required=True),
    ]
)

_LINES = 60
"""Lines of a function that are shown."""


def kinds() -> list[dict[str, Any]]:
    """Return the registry of hooks as values that JSON knows.

    >>> [kind["name"] for kind in kinds() if kind["decides"]][:2]
    ['authenticate', 'enhanced_authenticate']
    """
    specs = listed(HOOKS.values())
    return [{name: value for name, value in spec.items() if name not in _INTERNAL} for spec in specs]


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of hooks, and be done with them."""
    api = _Hooks(source)
    return [
        Operation(
            "GET",
            "hooks",
            lambda ask: page_of(ask, listed(source.hooks())),
            "List the hooks and what they counted since the start",
            query=PAGE,
            answer=page(HOOK),
        ),
        Operation(
            "GET",
            "hooks/kinds",
            lambda ask: page_of(ask, kinds()),
            "List the kinds of hooks that there are",
            query=PAGE,
            answer=page(_KIND),
        ),
        Operation(
            "GET",
            "hooks/{name}",
            api.show,
            "Show a hook with the source of its function",
            answer=named("HookDetail", HookInfo, Field("source", Nullable(_SOURCE), required=True)),
            raises=(404,),
        ),
        Operation(
            "GET",
            "hooks/{name}/traceback",
            api.traceback,
            "Show the last error of a hook",
            answer=_TRACEBACK,
            raises=(404,),
        ),
        Operation(
            "POST",
            "hooks/{name}/pause",
            lambda ask: api.pause(ask, True),
            "Let events pass a hook by",
            role="operator",
            answer=page(HOOK),
            raises=(404,),
        ),
        Operation(
            "POST",
            "hooks/{name}/resume",
            lambda ask: api.pause(ask, False),
            "Let a paused hook go on",
            role="operator",
            answer=page(HOOK),
            raises=(404,),
        ),
        Operation(
            "POST",
            "hooks/{name}/run",
            api.run,
            "Call a hook with a message, and tell what came of it",
            description="The call counts nowhere; what the function publishes is published. `last` calls it "
            "with the last message that matches its filter.",
            role="admin",
            body=Object(
                [
                    Field("topic", TOPIC, example="tank/7/level"),
                    Field("payload", Anything(), "a text as it is; any other value as JSON", example="42"),
                    Field("payload_base64", Text(max=4 << 20, format="byte"), "or bytes"),
                    Field("qos", QOS, default=0),
                    Field("retain", Boolean(), default=False),
                    Field("client_id", Text(), default="trial"),
                    Field("last", Boolean(), default=False),
                ]
            ),
            answer=_TRIAL,
            raises=(404, 409),
        ),
    ]


class _Hooks:
    def __init__(self, source: Source) -> None:
        self._source = source

    def show(self, ask: Ask) -> Any:
        id = ask.path["name"]
        hook = self._source.hook(id)
        return plain(hook.info()) | {"id": id, "source": _for(ask, _source_of(hook))}

    def traceback(self, ask: Ask) -> Any:
        name = ask.path["name"]
        failure = self._source.failures.last_error(name)
        if failure is None:  # it may be the second of its name; if there is none at all, this says so
            failure = self._source.failures.last_error(self._source.hook(name).name)
        if failure is None:
            raise Problem(404, f"the hook {name[:100]!r} has not failed since the broker began")
        found = {
            "error": failure.trace.error,
            "at": failure.at,
            "count": failure.count,
            "text": failure.trace.text,
            "frames": [_frame(one) for one in failure.trace.frames],
        }
        return _for(ask, found)

    def pause(self, ask: Ask, paused: bool) -> Any:
        name = ask.path["name"]
        self._source.pause(name, paused, ["hook"])
        found = listed(hook for hook in self._source.hooks() if name in (hook.name, hook.id))
        return {"items": found, "next": None, "total": len(found)}

    def run(self, ask: Ask) -> Any:
        from ...hooks.trial import can_be_tried, try_hook

        hook = self._source.hook(ask.path["name"])
        if not can_be_tried(hook):
            detail = f"{hook.name} is called for {hook.spec.name}, with no message to try it with"
            raise Problem(409, detail, help="try a hook of on_message_received, on_batch or transform")
        sample = self._last(hook) if ask.body["last"] else _sample(ask.body)
        trial = try_hook(hook, sample, self._source.loop)
        return {
            "result": trial.result,
            "error": trial.error,
            "text": trial.text,
            "frames": [_frame(one) for one in trial.frames],
            "seconds": trial.seconds,
            "message": message(sample),
            "printed": trial.printed,
        }

    def _last(self, hook: Hook) -> Message:
        """Return the last message that matches a hook's filter: of the history, or else a retained one."""
        run, filter = self._source.run(), hook.template.filter if hook.template else "#"
        native = run.native
        found = None if "+" in filter or "#" in filter else native.topic_value(filter)
        if found is not None and found[1] == len(found[0].payload):
            return found[0]
        if run.recorder is not None:
            for row in run.recorder.store.query(filter, newest=True, limit=1):
                return Message(
                    row.topic,
                    row.payload,
                    qos=row.qos,
                    retain=row.retain,
                    client_id=row.client_id,
                    timestamp=row.timestamp,
                    properties=row.properties or None,
                )
        items, _, _ = native.retained(1, filter=filter)
        if items and (kept := native.retained_value(items[0]["topic"])) is not None:
            return kept
        raise Problem(
            404,
            f"no message that matches {filter} was published yet",
            help="publish one, or try the hook with a sample: topic and payload",
        )


def _sample(body: dict[str, Any]) -> Message:
    import json

    topic = body["topic"]
    if topic is None:
        raise Problem(400, "`topic` is missing", help="name a topic and a payload, or `last`: true")
    check_topic(topic)
    payload: Any = body["payload"]
    if body["payload_base64"] is not None:
        data = decoded(body["payload_base64"], "payload_base64")
    elif payload is None:
        data = b""
    else:
        data = (payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)).encode()
    try:
        return Message(
            topic,
            data,
            qos=body["qos"],
            retain=body["retain"],
            client_id=body["client_id"],
            timestamp=time.time(),
        )
    except ValueError as error:
        raise Problem(400, str(error)) from None


def _for(ask: Ask, value: Any) -> Any:
    """Return what somebody may see of code and errors: of web addresses the hosts, if he is no admin."""
    if may(ask.identity.role, "admin"):
        return value
    if isinstance(value, dict):
        return {name: _for(ask, one) for name, one in value.items()}
    if isinstance(value, list):
        return [_for(ask, one) for one in value]
    return in_text(value) if isinstance(value, str) else value


def _frame(frame: Any) -> dict[str, Any]:
    return {
        "file": frame.file,
        "line": frame.line,
        "function": frame.function,
        "source": [list(pair) for pair in frame.source],
    }


def _source_of(hook: Hook) -> dict[str, Any] | None:
    import inspect

    from ...hooks.functions import innermost

    function = innermost(hook.user_function)
    try:
        file = inspect.getsourcefile(function)
        lines, first = inspect.getsourcelines(function)
    except (TypeError, OSError, IndexError, SyntaxError):  # built in, typed at a prompt, or changed since
        return None
    if file is None:
        return None
    code = getattr(function, "__code__", None)
    line = first if code is None else code.co_firstlineno
    shown = [text.rstrip("\n")[:1000] for text in lines[:_LINES]]
    return {"file": file, "line": line, "first_line": max(first, 1), "lines": shown}
