"""The rules that the pages show are taken by a broker, and select what the pages say."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq.rules.definition import Rule, rules_of
from hookmq.rules.sql_files import rule_of
from hookmq.rules.trial import try_samples

from .pages import DOCS, PAGES, Block, blocks, prose

FILES = [block for page in PAGES for block in blocks(page, "sql") if "-- [[actions]]" in block.code]
TABLES = [block for page in PAGES for block in blocks(page, "toml") if "[[rules]]" in block.code]
PAGE = DOCS / "rules.md"


def written(block: Block) -> list[Rule]:
    if block.language == "sql":
        return [rule_of(block.code, "recipe", block.where)]
    return rules_of(tomllib.loads(block.code)["rules"], block.where)


@pytest.mark.parametrize("block", [*FILES, *TABLES], ids=lambda block: block.where)
def test_rules_are_taken(
    block: Block,
    broker_factory: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    if block.language == "sql":
        (tmp_path / "recipe.sql").write_text(block.code, encoding="utf-8")
        broker = broker_factory(rules_folder=tmp_path)
    else:
        broker = broker_factory(rules=tomllib.loads(block.code)["rules"])
    assert sorted(broker.rules) == sorted(rule.name for rule in written(block))
    assert all(live.handle is not None for live in broker.rules.values())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def recipe(heading: str) -> Rule:
    """The rule below a heading of the page."""
    text = PAGE.read_text(encoding="utf-8")
    line = text[: text.index(f"### {heading}\n")].count("\n")
    found = [block for block in (*FILES, *TABLES) if block.where.startswith("docs/rules.md")]
    at = min((block for block in found if int(block.where.partition(":")[2]) > line), key=lambda b: _line(b))
    return written(at)[0]


def _line(block: Block) -> int:
    return int(block.where.partition(":")[2])


def message(topic: str, payload: object, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "payload": payload, "clientid": "c1"} | more


NOW = 1_767_225_600_000

RECIPES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    (
        "An alarm with hysteresis, by e-mail",
        [message("sensors/roof/temp", {"temp": t}) for t in (29, 30, 31, 29, 30)],
        [{"place": "roof", "t": 30}],
    ),
    (
        "A sensor that says nothing",
        [message("sensors/a/temp", 1, now=NOW), {"now": NOW + 301_000}, {"now": NOW + 900_000}],
        [{"topic": "sensors/a/temp", "clientid": "c1", "last_seen": NOW}],
    ),
    (
        "The average of each minute",
        [message("sensors/a/temp", {"temp": t}, now=NOW) for t in (20, 22)] + [{"now": NOW + 61_000}],
        [{"place": "a", "mean": 21, "low": 20, "high": 22, "n": 2}],
    ),
    (
        "Another unit",
        [message("fahrenheit/x", "212"), message("fahrenheit/x", "33")],
        [{"c": 100}, {"c": 0.6}],
    ),
    (
        "One message, many topics",
        [message("gateway/1/batch", {"sensors": [{"id": "a", "value": 1}, {"id": "b", "value": 0}]})],
        [{"id": "a", "v": 1}],
    ),
    (
        "A webhook that is not called too often",
        [message("door/3/state", {"state": "open"}, now=NOW + n * 1000) for n in range(3)],
        [{"state": "open", "door": "3"}],
    ),
    (
        "Who comes and goes",
        [
            {"event": "client_connected", "clientid": "c1"},
            {"event": "client_disconnected", "clientid": "c1", "reason": "x"},
        ],
        [{"clientid": "c1", "state": "online"}, {"clientid": "c1", "state": "offline"}],
    ),
    (
        "A client that misbehaves",
        [message("x", 1, now=NOW) for _ in range(1001)] + [{"now": NOW + 11_000}],
        [{"clientid": "c1", "n": 1001}],
    ),
]


@pytest.mark.parametrize(("heading", "samples", "results"), RECIPES, ids=[one[0] for one in RECIPES])
def test_recipes_select_what_they_say(
    heading: str,
    samples: list[dict[str, Any]],
    results: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    rule = recipe(heading)
    assert try_samples(heading, rule.sql, samples, {}).results == results


def test_the_recipe_of_changes() -> None:
    rule = recipe("Only what has changed")
    payloads = [{"level": level} for level in (10, 12, 15)]
    trials = try_samples("changes", rule.sql, [message("plant/a", one) for one in payloads], {})
    assert [len(trial.results) for trial in trials] == [1, 0, 1]


def test_the_recipe_of_times() -> None:
    (source,) = recipe("At certain times").described()["sources"]
    assert source["timer"].startswith("daily at 22:30") and len(source["next"]) == 5


def test_there_are_ten_recipes() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Ten recipes")[2].partition("\n## ")[0]
    assert section.count("\n### ") == 10
    assert len(FILES) + len(TABLES) >= 12


def test_every_source_and_clause_is_explained() -> None:
    text = prose(PAGE) + PAGE.read_text(encoding="utf-8")
    for word in (
        "THROTTLE",
        "ABSENT FOR",
        "FOREACH",
        "tumbling",
        "sliding",
        "hopping",
        "hysteresis",
        "changed",
    ):
        assert word in text
