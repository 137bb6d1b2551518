"""The action that hands results to a connector of the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...connectors.record import Numbers, Record
from .action import Action, Option, rendered
from .delivery import Context
from .result import Result

__all__ = ["ToConnector"]


class ToConnector(Action):
    """Hands each result to a connector, as the payload of a message: retries and dead letters are its own."""

    kind = "connector"
    what = "writes the result into a service, by a connector of the broker"
    OPTIONS = (
        Option("name", "str", "Of the connector.", required=True),
        Option("topic", "str", "Topic of what is written.", "${topic}", template=True),
        Option("payload", "str", "What is written; the result as JSON.", "${.}", template=True),
    )

    @property
    def target(self) -> str:
        """The connector."""
        return f"the connector {self.options['name']}"

    def preview(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """What the connector would be given."""
        return {
            "connector": self.options["name"],
            "topic": rendered(self.options["topic"], row, source),
            "payload": rendered(self.options["payload"], row, source),
        }

    def put(self, result: Result, numbers: Numbers, context: Context) -> None:
        """Hand a result over. Raises E508 if there is no such connector."""
        record = result.record(numbers)
        record = Record(
            record.run,
            record.number,
            "received",
            record.time,
            record.client_id,
            rendered(self.options["topic"], *result),
            rendered(self.options["payload"], *result).encode(errors="replace"),
            record.qos,
            record.retain,
        )
        context.courier_of(self.options["name"]).put((record,))
