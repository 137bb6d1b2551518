"""Rules: SQL over messages, events and time, whose results go to actions, without code or with it.

# Layout

- `problem.py`     what is wrong with a rule, shown with a caret
- `definition.py`  `Rule`: what a rule is, read from a table
- `conditions.py`  conditions as CrystalMQ's rules have them, made to SQL
- `actions/`       what is done with results, a module for each kind
- `deliveries.py`  `Deliveries`: the couriers and native actions of one rule that runs
- `live.py`        `LiveRule`: a rule of a broker, with its counters
- `places.py`      `Places`: where rules have their places while a broker runs
- `book.py`        `RuleBook`: all rules of a broker
- `checking.py`    what is wrong with rules before any of them runs
- `sql_files.py`   rules from files; `folder.py` looks at a folder of them
- `store.py`       `RuleStore`: rules of the HTTP API with their versions, and what was switched off
- `hidden.py`      secrets of rules that come back from where they were shown
- `trial.py`       a rule on samples, step by step
- `api.py`         what the HTTP API answers

Rules are read, matched and evaluated natively (`rust/rules`). Republishing, disconnecting and logging stay
there; other actions and functions of the user's are called from there.

# Threads

`hookmq-rules` hands results to couriers, `hookmq-connector-RULE-N-KIND` delivers those of one action,
`hookmq-rule-NAME` evaluates a rule that calls Python functions, `hookmq-rules-folder` looks at files.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .book import RuleBook
    from .definition import Rule
    from .info import ActionInfo, RuleInfo
    from .live import LiveRule

__all__ = ["ActionInfo", "LiveRule", "Rule", "RuleBook", "RuleInfo"]

_PLACES = {
    "ActionInfo": "info",
    "LiveRule": "live",
    "Rule": "definition",
    "RuleBook": "book",
    "RuleInfo": "info",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{place}", __name__), name)
