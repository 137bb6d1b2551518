"""A rule on samples: each step, what is selected, and what the actions would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hookmq import Broker
from hookmq.errors import HookMQError
from hookmq.rules.actions.kinds import action_of
from hookmq.rules.trial import sample_of, try_samples

from ..api.helpers import Device

SQL = (
    'SELECT payload.temp AS t, clientid FROM "sensors/+/temp" '
    "WHERE payload.temp > 30 AND topic_level(2) = 'roof'"
)


def tried(sql: str, *samples: dict[str, Any], actions: list[dict[str, Any]] | None = None) -> Any:
    made = [action_of(one, "a rule") for one in actions or []]
    return try_samples("test", sql, [sample_of(one) for one in samples], {}, made)


def test_each_step_is_shown() -> None:
    (trial,) = tried(SQL, {"topic": "sensors/roof/temp", "payload": {"temp": 31}, "clientid": "c1"})
    assert trial.passed and trial.error is None and trial.results == ({"t": 31, "clientid": "c1"},)
    names = [step.step for step in trial.steps]
    assert names[0] == "FROM" and "WHERE" in names and "SELECT" in names
    for step in trial.steps:
        assert SQL[step.start : step.end] == step.text
    where = [step for step in trial.steps if step.step == "WHERE"]
    assert where[-1].value is True
    assert any(
        step.step == "SELECT" and step.text.startswith("payload.temp") and step.value == 31
        for step in trial.steps
    )


def test_where_it_ends_is_shown() -> None:
    (trial,) = tried(SQL, {"topic": "sensors/hall/temp", "payload": {"temp": 31}})
    assert not trial.passed and not trial.results
    assert [step.value for step in trial.steps if step.step == "WHERE"][-1] is False
    assert "SELECT" not in [step.step for step in trial.steps]
    (trial,) = tried(SQL, {"topic": "other", "payload": 1})
    assert [step.step for step in trial.steps] == ["FROM"] and trial.steps[0].value is False


def test_an_error_has_a_caret() -> None:
    (trial,) = tried("SELECT repeat('x', 1e12) AS x FROM \"t\"", {"topic": "t", "payload": "x"})
    assert not trial.results and "^^^" in trial.error and "line 1, column 8" in trial.error


def test_several_samples_are_one_after_the_other() -> None:
    sql = 'SELECT payload.v AS v FROM "t" WHERE changed(payload.v)'
    trials = tried(sql, *({"topic": "t", "payload": {"v": v}} for v in (1, 1, 2)))
    assert [len(trial.results) for trial in trials] == [1, 0, 1] and trials.results == [{"v": 1}, {"v": 2}]


def test_time_passes_between_samples() -> None:
    sql = "SELECT count(*) AS n FROM \"t\" GROUP BY topic, tumbling('10s')"
    now = 1_767_225_600_000
    samples = [{"topic": "t", "payload": 1, "now": now + n * 1000} for n in range(3)]
    assert tried(sql, *samples, {"now": now + 20_000}).results == [{"n": 3}]
    silent = "SELECT topic FROM \"t\" GROUP BY topic ABSENT FOR '5m'"
    trials = tried(
        silent, {"topic": "t", "payload": 1, "now": now}, {"now": now + 299_000}, {"now": now + 301_000}
    )
    assert [len(trial.results) for trial in trials] == [0, 0, 1]


def test_events() -> None:
    sql = 'SELECT clientid, reason FROM "$events/client_disconnected"'
    sample = {"event": "client_disconnected", "clientid": "c1", "reason": "gone"}
    assert tried(sql, sample).results == [{"clientid": "c1", "reason": "gone"}]


@pytest.mark.parametrize("payload", [b"\xff", "text", 7, None, [1], {"a": 1}, True, 1.5])
def test_payloads_of_every_kind(payload: Any) -> None:
    (trial,) = tried('SELECT payload AS p FROM "t"', {"topic": "t", "payload": payload})
    assert len(trial.results) == 1


ACTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"kind": "republish", "topic": "a/${clientid}"},
        {"topic": "a/c1", "payload": '{"t":31,"clientid":"c1"}'},
    ),
    (
        {"kind": "retain", "topic": "a", "payload": "${t}", "qos": 1},
        {"topic": "a", "payload": "31", "qos": 1, "retain": True},
    ),
    ({"kind": "forward", "topic": "b/${topic}"}, {"topic": "b/sensors/roof/temp", "payload": {"temp": 31}}),
    ({"kind": "disconnect"}, {"client": "c1"}),
    ({"kind": "log", "text": "at ${t}"}, {"text": "at 31", "level": "info"}),
    (
        {"kind": "webhook", "url": "https://a.example/${clientid}", "headers": {"X": "secret"}},
        {
            "method": "POST",
            "url": "https://a.example/c1",
            "headers": {"X": "***"},
            "body": '{"t":31,"clientid":"c1"}',
        },
    ),
    (
        {
            "kind": "email",
            "server": "m",
            "from": "a@b.example",
            "to": "${clientid}@b.example",
            "body": "${t}",
        },
        {"to": "c1@b.example", "subject": "sensors/roof/temp", "body": "31"},
    ),
    ({"kind": "store", "table": "r"}, {"table": "r", "row": {"t": 31, "clientid": "c1"}}),
    (
        {"kind": "connector", "name": "plant"},
        {"connector": "plant", "topic": "sensors/roof/temp", "payload": '{"t":31,"clientid":"c1"}'},
    ),
    ({"kind": "function", "function": "a:b"}, {"function": "a:b", "result": {"t": 31, "clientid": "c1"}}),
]


@pytest.mark.parametrize(("action", "would"), ACTIONS, ids=[one[0]["kind"] for one in ACTIONS])
def test_what_actions_would_do(action: dict[str, Any], would: dict[str, Any]) -> None:
    sample = {"topic": "sensors/roof/temp", "payload": {"temp": 31}, "clientid": "c1"}
    (trial,) = tried(SQL, sample, actions=[action])
    assert trial.actions == ({"number": 1, "kind": action["kind"], "would": would},)


def test_an_action_that_could_not_be_done_says_so() -> None:
    action = {"kind": "email", "server": "m", "from": "a@b.example", "to": "${clientid}"}
    (trial,) = tried('SELECT clientid FROM "t"', {"topic": "t", "clientid": "nobody"}, actions=[action])
    assert "is not one address of a mail" in trial.actions[0]["would"]["error"]


# By a broker ------------------------------------------------------------------------------------------------


def test_a_rule_of_a_broker(broker: Broker) -> None:
    broker.rule_function(name="double")(lambda value: value * 2)
    broker.add_rule("hot", 'SELECT double(payload.t) AS d FROM "in" WHERE changed(payload.t)')
    trials = broker.rules["hot"].test(
        {"topic": "in", "payload": {"t": 2}}, {"topic": "in", "payload": {"t": 2}}
    )
    assert trials.results == [{"d": 4}]
    info = broker.rules["hot"].info()
    assert (info.matched, info.keys) == (0, 0), "neither counters nor memory of the rule change"


def test_the_last_real_message(broker_factory: Callable[..., Any]) -> None:
    broker = broker_factory(history={"enabled": True}, data_dir=None)
    broker.add_rule("hot", 'SELECT payload.t AS t, topic, clientid, qos FROM "a/+", "b"')
    with pytest.raises(HookMQError, match="no message that the rule reads is in the history"):
        broker.rules["hot"].test()
    with Device(broker, "pump") as pump:
        for topic in ("a/1", "b", "a/2", "c"):
            pump.publish(topic, b'{"t": 7}')
    assert broker.rules["hot"].test().results == [{"t": 7, "topic": "a/2", "clientid": "pump", "qos": 1}]


@pytest.mark.parametrize(
    "sample", [{}, {"payload": 1}, {"topic": "t", "nonsense": 1}, {"event": "no_such"}, 7]
)
def test_what_is_no_sample(broker: Broker, sample: Any) -> None:
    broker.add_rule("hot", 'SELECT * FROM "in"')
    with pytest.raises(HookMQError) as caught:
        broker.rules["hot"].test(sample)
    assert caught.value.code == "E709"
