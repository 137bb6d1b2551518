"""Conditions as CrystalMQ's rules have them, client, topic and message, made to SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import HookMQError

__all__ = ["KEYS", "sql_of"]

KEYS = ("client", "topic", "operator", "message", "timer")
"""What a table has in the place of ``sql``."""

OPERATORS = ("=", "!=", "<", ">")


def sql_of(table: Mapping[str, Any], where: str) -> str:
    """Return the SQL of a condition: a client and a topic, a topic and a message, all three, or a timer.

    A message that is a number is compared with payloads as numbers, any other with the text of the payload.

    Raises:
        HookMQError: E303 or E306 for what is no condition.

    >>> print(sql_of({"client": "pump", "topic": "plant/+/flow", "operator": "<", "message": 90}, ""))
    SELECT * FROM "plant/+/flow" WHERE clientid = 'pump' AND payload < 90
    >>> print(sql_of({"topic": "door", "message": "it's open"}, ""))
    SELECT * FROM "door" WHERE payload = 'it''s open'
    """
    if (timer := table.get("timer")) is not None:
        if others := [key for key in KEYS[:-1] if key in table]:
            raise HookMQError(
                "E711", where=where, reason=f"a timer fires without a message: `{others[0]}` says nothing"
            )
        return f"SELECT * FROM TIMER {_text(_checked(timer, 'timer', where))}"
    if "topic" not in table:
        raise HookMQError("E306", where=where, what="a rule with a condition", key="topic")
    topic = _checked(table["topic"], "topic", where)
    conditions = []
    if (client := table.get("client")) is not None:
        conditions.append(f"clientid = {_text(_checked(client, 'client', where))}")
    if (message := table.get("message")) is not None:
        operator = str(table.get("operator", "="))
        if operator not in OPERATORS:
            expected = f"one of {', '.join(OPERATORS)}"
            raise HookMQError("E303", where=where, key="operator", value=repr(operator), expected=expected)
        conditions.append(_comparison(operator, message, where))
    elif "operator" in table:
        raise HookMQError("E306", where=where, what="an operator", key="message")
    written = topic.replace("\\", "\\\\").replace('"', '""')
    return f'SELECT * FROM "{written}"' + (f" WHERE {' AND '.join(conditions)}" if conditions else "")


def _comparison(operator: str, message: Any, where: str) -> str:
    number = _number(message)
    if number is not None:
        return f"payload {operator} {number}"
    text = _checked(message, "message", where)
    if operator in ("<", ">"):
        raise HookMQError("E303", where=where, key="message", value=repr(message), expected="a number")
    return f"payload {operator} {_text(text)}"


def _number(message: Any) -> str | None:
    """Return a message as a number of SQL; ``None`` if it is none."""
    if isinstance(message, bool):
        return None
    if isinstance(message, int | float):
        return repr(message)
    if not isinstance(message, str):
        return None
    try:
        value = float(message)
    except ValueError:
        return None
    if value != value or value in (float("inf"), float("-inf")):
        return None
    return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _checked(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise HookMQError("E303", where=where, key=key, value=repr(value), expected="a text")
    return value


def _text(value: str) -> str:
    """Return a text as SQL writes it.

    >>> _text("it's")
    "'it''s'"
    """
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
