"""Rules with Python: functions that are given results, and functions that rules call."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hookmq import Broker
from hookmq.errors import HookMQError

from ..api.helpers import Device, Seen, eventually

HOT = """SELECT payload.temp AS t, clientid FROM "sensors/+/temp" WHERE payload.temp > 30"""


def publish(broker: Any, *temps: object, topic: str = "sensors/a/temp") -> None:
    with Device(broker, "pump") as pump:
        for temp in temps:
            pump.publish(topic, json.dumps({"temp": temp}))


def test_only_results_reach_python(broker: Broker) -> None:
    seen = Seen()

    @broker.rule(HOT)
    def hot(row):
        seen.append(row)

    publish(broker, 29, 31, 30, 32)
    assert seen.until(2) == [{"t": 31, "clientid": "pump"}, {"t": 32, "clientid": "pump"}]
    (hook,) = broker.hooks
    assert (hook.name, hook.kind, hook.calls) == ("hot", "rule", 2)
    info = broker.rules["hot"].info()
    assert (info.source, info.matched, info.passed) == ("python", 4, 2)
    assert "test_python.py" in info.where


def test_the_source_is_the_second_argument(broker: Broker) -> None:
    seen = Seen()
    broker.rule(HOT, name="hot")(lambda row, source: seen.append((row, source)))
    publish(broker, 31)
    ((row, source),) = seen.until(1)
    assert row == {"t": 31, "clientid": "pump"}
    assert (source["topic"], source["clientid"], source["qos"], source["retain"]) == (
        "sensors/a/temp",
        "pump",
        1,
        False,
    )
    assert json.loads(source["payload"]) == {"temp": 31}


def test_values_are_those_of_python(broker: Broker) -> None:
    seen = Seen()
    broker.rule('SELECT payload.v AS v, payload FROM "in"', name="any")(seen.append)
    values = [None, True, 7, -1.5, "ü", [1, [2]], {"a": {"b": None}}, 2**53, ""]
    with Device(broker, "pump") as pump:
        for value in values:
            pump.publish("in", json.dumps({"v": value}))
        pump.publish("in", b"\xff\xfe")
    assert [row["v"] for row in seen.until(len(values) + 1)[:-1]] == values
    assert seen[-1]["payload"] == b"\xff\xfe"
    assert [type(row["v"]) for row in seen[:4]] == [type(None), bool, int, float]


def test_coroutines_threads_and_processes_of_hooks(broker: Broker) -> None:
    seen, names = Seen(), set()

    @broker.rule(HOT, name="later")
    async def later(row):
        seen.append(row["t"])

    @broker.rule(HOT, name="threaded", threads=2)
    def threaded(row):
        names.add(threading.current_thread().name)
        seen.append(row["t"])

    publish(broker, 31, 32)
    assert sorted(seen.until(4)) == [31, 31, 32, 32]
    assert all(name.startswith("hookmq-threaded-") for name in names)


def test_a_hook_that_raises_is_logged_and_goes_on(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()

    @broker.rule(HOT)
    def hot(row):
        if row["t"] == 31:
            raise RuntimeError("too hot for me")
        seen.append(row)

    publish(broker, 31, 32)
    assert seen.until(1) == [{"t": 32, "clientid": "pump"}]
    assert "hot raised RuntimeError: too hot for me" in caplog.text
    assert broker.hooks[0].errors == 1


def test_before_the_start(broker_factory: Callable[..., Any]) -> None:
    broker, seen = broker_factory(start=False), Seen()
    broker.rule(HOT, name="hot")(seen.append)
    broker.add_rule("log", HOT, [{"kind": "log"}])
    assert sorted(broker.rules) == ["hot", "log"]
    for _ in range(2):
        with broker:
            publish(broker, 31)
            seen.until(1)
            assert broker.rules["hot"].info().results == 1
        seen.clear()


def test_wrong_sql_is_told_at_the_start(broker_factory: Callable[..., Any]) -> None:
    broker = broker_factory(start=False)
    broker.rule('SELECT averge(payload.t) FROM "t/#"', name="hot")(print)
    with pytest.raises(HookMQError) as caught:
        broker.start()
    assert caught.value.code == "E710" and not broker.running
    assert "test_python.py" in str(caught.value) and "^^^^^^" in str(caught.value)


def test_wrong_sql_is_told_at_once_while_it_runs(broker: Broker) -> None:
    with pytest.raises(HookMQError, match="line 1, column 8"):
        broker.rule('SELECT averge(payload.t) FROM "t/#"', name="hot")(print)
    assert not broker.hooks and not broker.rules
    with pytest.raises(HookMQError) as caught:
        broker.add_rule("hot", "SELECT")
    assert caught.value.code == "E710" and not broker.rules


def test_a_decorator_without_sql(broker: Broker) -> None:
    with pytest.raises(HookMQError) as caught:

        @broker.rule
        def hot(row): ...

    assert caught.value.code == "E501"


def test_two_rules_of_one_name(broker: Broker) -> None:
    broker.add_rule("hot", HOT, [{"kind": "log"}])
    with pytest.raises(HookMQError) as caught:
        broker.rule(HOT, name="hot")(print)
    assert caught.value.code == "E711" and "there is a rule `hot` already" in str(caught.value)
    assert not broker.hooks


def test_a_cell_that_is_run_again_replaces_its_rule(broker: Broker, redefine: Callable[..., None]) -> None:
    seen = Seen()
    cell = """
@broker.rule('SELECT {n} AS n, payload.temp AS t FROM "sensors/+/temp"')
def hot(row):
    seen.append(row)
"""
    for n in (1, 2):
        redefine(broker, cell.format(n=n), seen=seen)
    publish(broker, 31)
    assert seen.until(1) == [{"n": 2, "t": 31}]
    assert len(broker.hooks) == len(broker.rules) == 1


@pytest.fixture
def redefine() -> Callable[..., None]:
    cells = iter(range(1, 1000))

    def redefine(broker: Any, source: str, **names: Any) -> None:
        code = compile(source, f"/tmp/ipykernel_1/{next(cells)}.py", "exec")
        exec(code, {"__name__": "__main__", "broker": broker, **names})

    return redefine


def test_remove(broker: Broker) -> None:
    seen = Seen()
    broker.rule(HOT, name="hot")(seen.append)
    broker.add_rule("log", HOT, [{"kind": "log"}])
    broker.remove_rule("hot")
    broker.remove_rule("log")
    assert not broker.rules and not broker.hooks
    publish(broker, 31)
    assert broker.wait_for_hooks() and not seen
    with pytest.raises(HookMQError, match="there is no rule `hot`"):
        broker.remove_rule("hot")


def test_a_hook_that_publishes_to_its_own_rule_ends(broker: Broker) -> None:
    @broker.rule('SELECT payload FROM "in"')
    def echo(row):
        broker.publish("in", row["payload"])

    broker.publish("in", "x")
    eventually(lambda: broker.rules["echo"].info().loops)
    assert broker.rules["echo"].info().results < 100


# Functions that rules call ----------------------------------------------------------------------------------


def test_a_function_of_python(broker: Broker) -> None:
    seen, names = Seen(), set()

    @broker.rule_function
    def dew_point(temp, humidity):
        names.add(threading.current_thread().name)
        return temp - (100 - humidity) / 5

    broker.rule('SELECT dew_point(payload.temp, 50) AS d FROM "sensors/+/temp"', name="dew")(seen.append)
    publish(broker, 30)
    assert seen.until(1) == [{"d": 20.0}]
    assert names == {"hookmq-rule-dew"}
    assert broker.wait_for_hooks()


def test_a_function_by_another_name_and_every_value(broker: Broker) -> None:
    seen = Seen()

    @broker.rule_function(name="same")
    def identity(value):
        return value

    broker.rule('SELECT same(payload.v) AS v FROM "in"', name="any")(seen.append)
    values = [None, True, 7, -1.5, "ü", [1, [2]], {"a": {"b": None}}]
    with Device(broker, "pump") as pump:
        for value in values:
            pump.publish("in", json.dumps({"v": value}))
    assert [row["v"] for row in seen.until(len(values))] == values


def test_a_function_that_raises(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()

    @broker.rule_function
    def fragile(value):
        return 1 / value

    broker.rule('SELECT fragile(payload.temp) AS f FROM "sensors/+/temp"', name="frag")(seen.append)
    publish(broker, 0, 2)
    assert seen.until(1) == [{"f": 0.5}]
    eventually(lambda: "ZeroDivisionError" in caplog.text)
    assert "Traceback" in caplog.text or any(record.exc_info for record in caplog.records)
    info = broker.rules["frag"].info()
    assert (info.matched, info.failed, info.results) == (2, 1, 1)
    assert "ZeroDivisionError" in info.last_error and "fragile(payload.temp)" in info.last_error


def test_a_function_that_returns_what_is_no_value(broker: Broker) -> None:
    broker.rule_function(name="odd_one")(lambda value: object())
    broker.rule('SELECT odd_one(1) AS x FROM "in"', name="odd")(print)
    with Device(broker, "pump") as pump:
        pump.publish("in", b"")
    info = eventually(lambda: (i := broker.rules["odd"].info()).failed and i)
    assert "object" in info.last_error


def test_a_function_that_publishes_to_its_own_rule_ends(broker: Broker) -> None:
    broker.rule_function(name="say")(lambda value: broker.publish("in", value))
    broker.add_rule("echo", 'SELECT say(payload) AS x FROM "in"')
    broker.publish("in", "x")
    eventually(lambda: broker.rules["echo"].info().loops)
    assert broker.rules["echo"].info().results < 100


def test_a_function_in_where_and_one_that_is_defined_again(broker: Broker) -> None:
    seen = Seen()
    broker.rule_function(name="wanted")(lambda t: t > 30)
    broker.rule('SELECT payload.temp AS t FROM "sensors/+/temp" WHERE wanted(payload.temp)', name="w")(
        seen.append
    )
    publish(broker, 29, 31)
    assert seen.until(1) == [{"t": 31}]
    broker.rule_function(name="wanted")(lambda t: t < 30)
    publish(broker, 29, 31)
    assert seen.until(2) == [{"t": 31}, {"t": 29}]


@pytest.mark.parametrize(
    "name", ["abs", "AVG", "topic", "changed", "upper", "two words", "class", "9lives", "größe"]
)
def test_names_that_functions_cannot_have(broker: Broker, name: str) -> None:
    with pytest.raises(HookMQError) as caught:
        broker.rule_function(name=name)(print)
    assert caught.value.code == "E711"


def test_functions_in_the_settings_rules(
    broker_factory: Callable[..., Any], write: Callable[[str], Any]
) -> None:
    config = write(
        """
[[rules]]
name = "double"
sql = 'SELECT double(payload.temp) AS d FROM "sensors/+/temp"'
actions = [{ kind = "republish", topic = "out" }]
"""
    )
    broker = broker_factory(start=False, config=config)
    broker.rule_function(name="double")(lambda value: value * 2)
    broker.start()
    with broker.subscribe("out") as messages:
        publish(broker, 4)
        assert messages.get(timeout=8).json() == {"d": 8}


# New code ---------------------------------------------------------------------------------------------------

APP = """
from hookmq import Broker
import witness
broker = Broker(port=0, http_port=None)

@broker.rule_function
def factor(value):
    return value * {factor}

@broker.rule('SELECT factor(payload.temp) AS t FROM "sensors/+/temp"')
def hot(row):
    witness.seen.append(({factor}, row["t"]))
{more}
"""


@pytest.fixture
def app(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    import importlib.util
    import sys
    import types

    witness = types.ModuleType("witness")
    witness.seen = Seen()
    monkeypatch.setitem(sys.modules, "witness", witness)
    path = tmp_path / "app_of_rules.py"
    path.write_text(APP.format(factor=1, more=""))
    spec = importlib.util.spec_from_file_location("app_of_rules", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "app_of_rules", module)
    spec.loader.exec_module(module)
    with module.broker:
        yield path, module.broker, witness.seen


def test_rules_are_exchanged_with_the_code(app: Any) -> None:
    path, broker, seen = app
    with Device(broker, "pump") as pump:
        pump.publish("sensors/a/temp", b'{"temp": 10}')
        assert seen.until(1) == [(1, 10)]
        more = 'broker.add_rule("extra", \'SELECT 1 AS x FROM "none"\')'
        path.write_text(APP.format(factor=2, more=more))
        broker.reload()
        assert sorted(broker.rules) == ["extra", "hot"]
        pump.publish("sensors/a/temp", b'{"temp": 10}')
        assert seen.until(2)[1] == (2, 20)
        assert broker.rules["hot"].info().matched == 2, "its counters go on"
        path.write_text(APP.format(factor=3, more="").partition("@broker.rule(")[0])
        broker.reload()
        assert not broker.rules and not broker.hooks


def test_code_with_wrong_sql_changes_nothing(app: Any) -> None:
    path, broker, seen = app
    path.write_text(APP.format(factor=2, more="").replace("SELECT factor(", "SELECT fctor("))
    with pytest.raises(HookMQError) as caught:
        broker.reload()
    assert caught.value.code == "E710" and "did you mean `factor`?" in str(caught.value)
    publish(broker, 10)
    assert seen.until(1) == [(1, 10)]


def test_no_message_is_lost_or_told_twice_while_code_is_exchanged(app: Any) -> None:
    path, broker, seen = app
    done = threading.Event()

    def publish_on() -> None:
        with Device(broker, "pump") as pump:
            for n in range(400):
                pump.publish("sensors/a/temp", json.dumps({"temp": n}))
        done.set()

    thread = threading.Thread(target=publish_on)
    thread.start()
    for factor in range(2, 8):
        path.write_text(APP.format(factor=1, more=f"# {factor}"))
        broker.reload()
    assert done.wait(60)
    thread.join()
    assert broker.wait_for_hooks()
    assert [value for _, value in seen] == list(range(400))
