"""Widgets that are written in Python: called while somebody looks, and never in anybody's way."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time

import pytest

from hookmq import Broker, HookMQError, Widget

from ..api.helpers import Gate, eventually


@pytest.fixture
def site(broker_factory):
    return broker_factory(http_port=0)


def call(site, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=20)
    given = {"X-HookMQ": "1", "Content-Type": "application/json"} | headers
    connection.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), given)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else None


def test_the_function_stays_what_it_is():
    broker = Broker(port=0, http_port=None)

    @broker.widget("Level", every=2, kind="text", name="level of the tank")
    def level():
        """How full it is."""
        return 42

    assert isinstance(level, Widget) and level() == 42 and level.__doc__ == "How full it is."
    assert (level.name, level.title, level.every, level.kind) == ("level of the tank", "Level", 2, "text")
    assert level.where.startswith(__file__.rpartition("/")[2].removesuffix(".py")) or ":" in level.where


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_value(site, kind):
    calls = []

    def level():
        calls.append(threading.current_thread().name)
        return {"v": [len(calls), "ü"]}

    async def later():
        await asyncio.sleep(0)
        return level()

    site.widget("Level", every=60, name="level")(level if kind == "def" else later)
    assert call(site, "GET", "widgets") == (
        200,
        {
            "items": [{"name": "level", "title": "Level", "kind": "value", "every": 60, "has_action": False}],
            "next": None,
            "total": 1,
        },
    )
    assert not calls  # nobody has looked
    status, told = call(site, "GET", "widgets/level")
    assert (status, told["value"], told["error"]) == (200, {"v": [1, "ü"]}, None)
    assert abs(told["at"] - time.time()) < 10
    assert call(site, "GET", "widgets/level")[1] == told and len(calls) == 1
    assert calls[0] == "hookmq-widget-level" if kind == "def" else "widget" not in calls[0]
    assert call(site, "GET", "widgets/none")[0] == 404


def test_what_it_raises_is_shown_and_logged_once(site, caplog):
    @site.widget("Broken", every=0.1)
    def broken():
        raise ValueError("the sensor is away")

    for _ in range(3):
        status, told = call(site, "GET", "widgets/broken")
        assert (status, told["value"], told["error"]) == (200, None, "ValueError: the sensor is away")
        time.sleep(0.11)
    assert caplog.text.count("raised ValueError: the sensor is away") == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [(object(), "no JSON form"), ({1, 2}, "no JSON form"), ("x" * 300_000, "more than 256 KiB")],
    ids=["object", "set", "long"],
)
def test_what_cannot_be_shown(site, value, says):
    site.widget("W", name="w")(lambda: value)
    told = call(site, "GET", "widgets/w")[1]
    assert told["value"] is None and says in told["error"]


def test_numbers_that_json_does_not_have_are_null(site):
    site.widget("W", name="w")(lambda: [float("nan"), 1])
    assert call(site, "GET", "widgets/w")[1]["value"] == [None, 1]


def test_a_slow_one_holds_nobody_up_and_is_not_called_twice(site, monkeypatch):
    monkeypatch.setattr("hookmq.web.widgets.PATIENCE", 0.3)
    gate, calls = Gate(), []

    @site.widget("Slow", every=0.1)
    def slow():
        calls.append(1)
        gate.wait()
        return "done"

    site.widget("Quick", name="quick")(lambda: "quick")
    assert call(site, "GET", "widgets/slow")[1]["value"] is None
    assert call(site, "GET", "widgets/quick")[1]["value"] == "quick"
    assert call(site, "GET", "widgets/slow")[1]["value"] is None
    assert len(calls) == 1
    gate.opened.set()
    eventually(lambda: call(site, "GET", "widgets/slow")[1]["value"] == "done")


@pytest.mark.parametrize("kind", ["def", "async def", "no value"])
def test_an_action(site, kind):
    state, seen = {"on": False}, []

    @site.widget("Pump", every=60)
    def pump():
        return state["on"]

    def switch(value):
        seen.append(value)
        state["on"] = value

    if kind == "def":
        assert pump.on_action(switch) is switch
    elif kind == "async def":

        @pump.on_action
        async def switch_later(value):
            await asyncio.sleep(0)
            switch(value)
    else:
        pump.on_action(lambda: switch(True))
    assert call(site, "GET", "widgets/pump")[1]["value"] is False
    assert call(site, "GET", "widgets")[1]["items"][0]["has_action"] is True
    status, told = call(site, "POST", "widgets/pump", {"value": True})
    assert (status, told["value"], seen) == (200, True, [True])


def test_an_action_that_fails(site, caplog):
    pump = site.widget("Pump", name="pump")(lambda: 1)
    assert call(site, "POST", "widgets/pump", {"value": 1})[0] == 409

    @pump.on_action
    def fail(value):
        raise SystemExit("no")

    status, problem = call(site, "POST", "widgets/pump", {"value": 1})
    assert status == 500 and "SystemExit: no" in problem["detail"]
    assert "pump.on_action" in caplog.text
    assert call(site, "POST", "widgets/none", {"value": 1})[0] == 404
    assert call(site, "POST", "widgets/pump", {"valu": 1})[0] == 400


@pytest.mark.parametrize(
    ("arguments", "named", "function", "says"),
    [
        (("",), {}, lambda: 1, "the title"),
        ((7,), {}, lambda: 1, "the title"),
        (("T",), {"every": 0}, lambda: 1, "every is 0"),
        (("T",), {"every": "5"}, lambda: 1, "every is '5'"),
        (("T",), {"every": float("nan")}, lambda: 1, "every is nan"),
        (("T",), {"kind": "html"}, lambda: 1, "kind is 'html'"),
        (("T",), {"name": ""}, lambda: 1, "the name"),
        (("T",), {}, lambda message: 1, "without arguments"),
        (("T",), {}, 42, "not a function"),
    ],
)
def test_what_is_no_widget(arguments, named, function, says):
    broker = Broker(port=0, http_port=None)
    with pytest.raises(HookMQError, match=says) as caught:
        broker.widget(*arguments, **named)(function)
    assert caught.value.code == "E501"


def test_without_its_title_it_says_how():
    broker = Broker(port=0, http_port=None)
    with pytest.raises(HookMQError, match="widget"):

        @broker.widget
        def level(): ...


def test_an_action_takes_one_value():
    widget = Broker(port=0, http_port=None).widget("T", name="t")(lambda: 1)
    with pytest.raises(HookMQError, match="it is given the value"):
        widget.on_action(lambda one, two: None)


def test_new_code_takes_its_place(tmp_path, broker_factory):
    import importlib.util
    import sys

    path = tmp_path / "widget_app.py"
    text = "from hookmq import Broker\nbroker = Broker(port=0, http_port=0)\n"
    path.write_text(text + "@broker.widget('Old', name='a')\ndef a(): return 1\n")
    spec = importlib.util.spec_from_file_location("widget_app", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["widget_app"] = module
    spec.loader.exec_module(module)
    site = module.broker.start()
    try:
        assert call(site, "GET", "widgets/a")[1]["value"] == 1
        path.write_text(text + "@broker.widget('New', name='b')\ndef b(): return 2\n")
        site.reload()
        assert [one["name"] for one in call(site, "GET", "widgets")[1]["items"]] == ["b"]
        assert call(site, "GET", "widgets/b")[1]["value"] == 2
        assert call(site, "GET", "widgets/a")[0] == 404
        path.write_text(text)
        site.reload()
        assert call(site, "GET", "widgets")[1]["items"] == []
    finally:
        site.stop()
        del sys.modules["widget_app"]


def test_a_widget_may_stop_its_broker(site):
    site.widget("End", name="end")(lambda: site.stop())
    site._widgets.look("end")
    eventually(lambda: not site.running)


def test_one_that_does_not_end_is_interrupted(broker_factory):
    site = broker_factory({"hooks.stop_grace": 0.2}, http_port=0)
    begun = threading.Event()

    @site.widget("Endless")
    def endless():
        begun.set()
        while True:
            time.sleep(0.01)

    site._widgets.look("endless")
    assert begun.wait(5)
    site.stop()
    assert not site._widgets._threads
