"""Actions that the native side does itself: republish, retain, forward, disconnect, log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._hookmq import check_filter
from ...errors import HookMQError
from .action import Action, Option, rendered

__all__ = ["Disconnect", "Forward", "Log", "NativeAction", "Republish", "Retain"]

RESULT = "${.}"
"""The template of a whole result, as JSON."""

TEXTS = ("content_type", "response_topic", "correlation_data")
"""Properties of MQTT 5 that are texts here."""

_TOPIC = Option("topic", "str", "Where to.", required=True, template=True)
_QOS = Option("qos", "int", "QoS; that of the message if it is left out.", maximum=2)


class NativeAction(Action):
    """An action of which the native side is told."""

    def native(self) -> dict[str, Any]:
        """Return it as the native side takes it."""
        raise NotImplementedError

    @property
    def publishes(self) -> bool:
        """Whether it may be refused for want of room, and so has dead letters."""
        return False

    def preview(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """What it would do, as far as that can be known here: see :meth:`shown`."""
        return self.shown({key: rendered(text, row, source) for key, text in self.templates.items()}, source)

    def shown(self, texts: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
        """What it would do; ``texts`` are its templates as the native side has filled them in."""
        raise NotImplementedError


class _Publishing(NativeAction):
    retains: bool | None = None

    def check(self) -> None:
        topic = str(self.options["topic"])
        # What fields will say cannot be known; what stands between them can be wrong already.
        literal = topic.replace("${", "").replace("}", "")
        problem = "a topic has no wildcards" if {"+", "#"} & set(literal) else None
        if problem is None and "${" not in topic:
            try:
                check_filter(topic)
            except ValueError as error:
                problem = str(error)
        if problem is not None:
            expected = f"a topic ({problem})"
            raise HookMQError("E303", where=self.where, key="topic", value=repr(topic), expected=expected)

    @property
    def publishes(self) -> bool:
        return True

    @property
    def target(self) -> str:
        return str(self.options["topic"])

    def native(self) -> dict[str, Any]:
        return {
            "kind": "republish",
            "topic": self.options["topic"],
            "payload": self.options.get("payload"),
            "qos": self.options["qos"],
            "retain": self.options.get("retain", self.retains),
            "properties": self._properties(),
        }

    def shown(self, texts: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = {"topic": texts["topic"]}
        shown["payload"] = texts["payload"] if "payload" in texts else source.get("payload", "")
        if (qos := self.options["qos"]) is not None:
            shown["qos"] = qos
        if retain := self.options.get("retain", self.retains):
            shown["retain"] = retain
        properties = {key: text for key, text in texts.items() if key not in shown}
        return shown | ({"properties": properties} if properties else {})

    def _properties(self) -> dict[str, Any] | None:
        found = {name: self.options[name] for name in TEXTS if self.options.get(name) is not None}
        if users := self.options.get("user_properties"):
            found["user_properties"] = users
        return found or None


_PUBLISHED = (
    _TOPIC,
    Option("payload", "str", "What is published; the result as JSON.", RESULT, template=True),
    _QOS,
    Option("content_type", "str", "Content Type of MQTT 5.", template=True),
    Option("response_topic", "str", "Response Topic of MQTT 5.", template=True),
    Option("correlation_data", "str", "Correlation Data of MQTT 5.", template=True),
    Option("user_properties", "templates", "User Properties of MQTT 5.", template=True),
)


class Republish(_Publishing):
    """Publishes what a template makes of the result."""

    kind = "republish"
    what = "publishes a message that templates make of the result"
    OPTIONS = (*_PUBLISHED, Option("retain", "bool", "Whether it is retained; as the message was."))


class Retain(_Publishing):
    """Sets a retained message."""

    kind = "retain"
    what = "sets the retained message of a topic; with an empty payload it clears it"
    OPTIONS = _PUBLISHED
    retains = True


class Forward(_Publishing):
    """Publishes the message itself under another topic."""

    kind = "forward"
    what = "publishes the message itself, payload and properties as they came, under another topic"
    OPTIONS = (_TOPIC, _QOS, Option("retain", "bool", "Whether it is retained; as the message was."))


class Disconnect(NativeAction):
    """Ends a client's connection."""

    kind = "disconnect"
    what = "ends the connection of a client"
    OPTIONS = (Option("client", "str", "Its client identifier.", "${clientid}", template=True),)

    @property
    def target(self) -> str:
        """Which client."""
        return str(self.options["client"])

    def native(self) -> dict[str, Any]:
        """What the native side does."""
        return {"kind": "disconnect", "client": self.options["client"]}

    def shown(self, texts: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
        """Which client would be disconnected."""
        return {"client": texts["client"]}


class Log(NativeAction):
    """Writes a line to the log."""

    kind = "log"
    what = "writes a line to the log"
    OPTIONS = (
        Option("text", "str", "The line; the result as JSON.", RESULT, template=True),
        Option("level", "str", "`info` or `warning`.", "info", choices=("info", "warning")),
    )

    @property
    def target(self) -> str:
        """The level."""
        return f"the log, {self.options['level']}"

    def native(self) -> dict[str, Any]:
        """What the native side does."""
        return {"kind": "log", "level": self.options["level"], "text": self.options["text"]}

    def shown(self, texts: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
        """The line that would be written."""
        return {"text": texts["text"], "level": self.options["level"]}
