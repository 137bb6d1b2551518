"""The API of the HTTP port: hooks, jobs, reloads, and whom it does not answer."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker, HookMQError, every
from hookmq.hooks.registry import HOOKS
from hookmq.web.request import Request

from .helpers import Device, get, request

PERMIT = {"X_HookMQ": "1"}


@pytest.fixture
def site(broker_factory) -> Broker:
    """A broker with a hook, a decider and a job."""
    broker: Broker = broker_factory(http_port=0, start=False)

    @broker.on_message_received("tank/{tank}/level")
    def watch(msg, tank): ...

    @broker.authorize
    def may(client, action, topic):
        return True

    @broker.schedule(every(0.05).seconds)
    def tick(): ...

    return broker.start()


def ask(broker: Any, path: str, *, method: str = "GET", status: int = 200, **headers: str) -> Any:
    reply = request(broker, method, f"/api/v1/{path}", **headers)
    kind = "application/json" if status < 400 else "application/problem+json"
    assert (reply.status, reply.headers["Content-Type"]) == (status, kind), reply.text
    assert reply.headers["Cache-Control"] == "no-store"
    return json.loads(reply.text)


# What it tells ----------------------------------------------------------------------------------------------


def test_hooks_have_all_fields(site):
    with Device(site) as device:
        device.publish("tank/7/level", b"12")
        assert site.wait_for_hooks()
        listed = [dataclasses.asdict(info) for info in site.hooks]
        assert ask(site, "hooks") == {"items": listed, "next": None, "total": 2}
        assert ask(site, "hooks")["items"][0]["calls"] == 1


def test_kinds_are_those_of_the_registry(site):
    kinds = ask(site, "hooks/kinds")["items"]
    told = {"name", "when", "arguments", "decides", "filtered", "thread", "order", "overflow"}
    assert [kind["name"] for kind in kinds] == list(HOOKS)
    for kind in kinds:
        assert told <= kind.keys()
        spec = HOOKS[kind["name"]]
        assert {name: getattr(spec, name) for name in kind} == kind | {"arguments": tuple(kind["arguments"])}


def test_jobs_have_times_of_iso_8601(site):
    (job,) = ask(site, "jobs")["items"]
    (info,) = site.jobs
    assert (job["name"], job["where"]) == ("tick", info.where)
    assert set(job) == {field.name for field in dataclasses.fields(info)} | {"next_run_at", "last_run_at"}
    moment = datetime.datetime.fromisoformat(job["next_run"])
    assert moment.tzinfo is not None and moment.timestamp() == job["next_run_at"]
    assert abs(moment - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(seconds=5)


def test_head_is_get_without_a_body(site):
    reply = request(site, "HEAD", "/api/v1/hooks")
    assert (reply.status, reply.body) == (200, b"")


# What it does -----------------------------------------------------------------------------------------------


def test_pause_and_resume(site):
    (watch,) = ask(site, "hooks/watch/pause", method="POST", **PERMIT)["items"]
    assert watch["paused"] and site.hooks[0].paused
    with Device(site) as device:
        device.publish("tank/7/level", b"12")
        (watch,) = ask(site, "hooks/watch/resume", method="POST", **PERMIT)["items"]
        device.publish("tank/7/level", b"13")
    assert site.wait_for_hooks()
    assert (watch["paused"], site.hooks[0].skipped, site.hooks[0].calls) == (False, 1, 1)


def test_pause_and_resume_a_job(site):
    site.schedule(every(100).days, name="a/b")(lambda: None)
    site.on_message_received(name="a/b")(lambda msg: None)
    (job,) = ask(site, "jobs/a%2Fb/pause", method="POST", **PERMIT)["items"]
    assert (job["name"], job["paused"]) == ("a/b", True)
    assert not any(hook.paused for hook in site.hooks), "a hook of that name is another matter"
    (job,) = ask(site, "jobs/a%2Fb/resume", method="POST", **PERMIT)["items"]
    assert not job["paused"] and not site.jobs[0].paused
    error = ask(site, "jobs/watch/pause", method="POST", status=404, **PERMIT)["error"]
    assert error["message"] == "there is no job `watch`"


def test_a_hook_may_have_any_name(site):
    site.on_message_received("a", name="a/b ü/pause")(lambda msg: None)
    ask(site, "hooks/a%2Fb%20%C3%BC%2Fpause/pause", method="POST", **PERMIT)
    assert [info.name for info in site.hooks if info.paused] == ["a/b ü/pause"]


def test_a_hook_that_is_not_there(site):
    error = ask(site, "hooks/none/pause", method="POST", status=404, **PERMIT)["error"]
    assert error == {
        "code": "E508",
        "message": "there is no hook `none`",
        "help": "those there are:   may, watch",
    }


APP = """
from hookmq import Broker
broker = Broker(port=0, http_port=0)
broker.on_message_received("a", name="{name}")(lambda msg: None)
{more}
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[tuple[Path, Broker]]:
    """A broker that a file has made, and the file."""
    path, name = tmp_path / "app.py", "app_of_the_api"
    path.write_text(APP.format(name="old", more=""))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.broker as broker:
        yield path, broker
    del sys.modules[name]


def test_reload(app):
    path, broker = app
    path.write_text(APP.format(name="new", more=""))
    told = ask(broker, "reload", method="POST", **PERMIT)
    assert ([hook["name"] for hook in told["hooks"]], told["jobs"]) == (["new"], [])
    assert [info.name for info in broker.hooks] == ["new"]


def test_a_reload_that_fails_says_why(app):
    path, broker = app
    path.write_text(APP.format(name="new", more="raise ValueError('no sensor')"))
    error = ask(broker, "reload", method="POST", status=409, **PERMIT)["error"]
    assert error["code"] == "E511"
    assert f"{path}:5" in error["message"] and "ValueError: no sensor" in error["message"]
    assert "mend the file" in error["help"]
    assert [info.name for info in broker.hooks] == ["old"]


def test_settings_that_could_not_be_started_with_are_not_loaded(app):
    path, broker = app
    text = APP.format(name="new", more="")
    path.write_text(text.replace("http_port=0", "http_port='none'"))
    assert ask(broker, "reload", method="POST", status=409, **PERMIT)["error"]["code"] == "E303"
    assert [info.name for info in broker.hooks] == ["old"]


def test_code_that_asks_nobody_does_not_open_an_open_address(app):
    """Every name but localhost counts as open to others, also this one of the loopback interface."""
    path, broker = app
    broker.stop()
    text = APP.replace("port=0,", "host='127.1', port=0,", 1)
    asking = "broker.authenticate(lambda client: False)"
    path.write_text(text.format(name="old", more=asking))
    broker._arguments["host"] = "127.1"
    broker.authenticate(lambda client: False)
    with broker:
        path.write_text(text.format(name="new", more=""))
        with pytest.raises(HookMQError) as caught:
            broker.reload()
        assert (caught.value.code, broker.hooks[0].name) == ("E302", "old")
        path.write_text(text.format(name="new", more=asking))
        broker.reload()
        assert broker.hooks[0].name == "new"


# What there is not ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "hook", "hooks/", "hooks/watch/pause/x", "jobs/tick"])
def test_a_path_that_is_not_there(site, path):
    assert ask(site, path, status=404)["error"] == {
        "code": "not_found",
        "message": f"there is no /api/v1/{path}",
        "help": "/api/openapi.json lists what there is",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "hooks", "GET, HEAD"),
        ("DELETE", "jobs", "GET, HEAD"),
        ("OPTIONS", "hooks/kinds", "GET, HEAD"),
        ("GET", "hooks/watch/pause", "POST"),
        ("PUT", "hooks/watch/resume", "POST"),
        ("GET", "reload", "POST"),
    ],
)
def test_a_method_that_is_not_for_it(site, method, path, allowed):
    reply = request(site, method, f"/api/v1/{path}", **PERMIT)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)
    assert json.loads(reply.text)["error"]["code"] == "method_not_allowed"
    assert not site.hooks[0].paused


# Whom it answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 403, "forbidden"),
        ({"Host": "evil.example:8080"}, 403, "forbidden"),
        ({"Host": "localhost.evil.example"}, 403, "forbidden"),
        ({"Host": ""}, 403, "forbidden"),
        ({"Host": "192.0.2.1"}, 401, "unauthorized"),
        ({"Host": "[2001:db8::1]:80"}, 401, "unauthorized"),
        ({"Origin": "http://evil.example"}, 401, "unauthorized"),
        ({"Origin": "null"}, 401, "unauthorized"),
        ({"Origin": "http://127.0.0.1:1"}, 401, "unauthorized"),
        ({"X_Forwarded_For": "192.0.2.1"}, 401, "unauthorized"),
        ({"Forwarded": "for=192.0.2.1"}, 401, "unauthorized"),
        ({"Via": "1.1 proxy"}, 401, "unauthorized"),
    ],
    ids=str,
)
def test_strangers_are_refused(site, headers, status, code):
    for method, path in (("GET", "hooks"), ("POST", "hooks/watch/pause")):
        error = ask(site, path, method=method, status=status, **PERMIT | headers)["error"]
        assert error["code"] == code
    assert not site.hooks[0].paused


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.9:80", "[::1]:8080"])
def test_every_name_of_the_loopback_interface_is_answered(site, host):
    assert ask(site, "hooks", Host=host)["items"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("192.0.2.1", 401),
        ("::ffff:192.0.2.1", 401),
        ("2001:db8::1", 401),
        ("0.0.0.0", 401),
        ("", 401),
    ],
)
def test_only_this_machine_is_answered(site, address, status):
    api = site._console.api
    answer = api.answer(Request("GET", "/api/v1/hooks", "", {"host": "localhost"}, b"", address))
    assert answer.status == status


@pytest.mark.parametrize("headers", [{}, {"X_HookMQ": "0"}, {"X_HookMQ": ""}], ids=str)
def test_what_changes_something_needs_the_header(site, headers):
    for path in ("hooks/watch/pause", "hooks/watch/resume", "reload"):
        assert ask(site, path, method="POST", status=403, **headers)["error"]["code"] == "csrf"
    assert not site.hooks[0].paused


# The user's own ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/hooks", "/api/v1/{what}", "/{rest:path}"])
def test_the_page_of_a_user_wins(site, path):
    site.route(path)(lambda request: "mine")
    assert get(site, "/api/v1/hooks").text == "mine"
    assert ask(site, "hooks/kinds")["items"] if "rest" not in path else True


def test_the_method_of_a_users_page_wins(site):
    site.route("/api/v1/jobs", methods=("POST",))(lambda: "mine")
    reply = get(site, "/api/v1/jobs")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/"])
def test_the_application_of_a_user_wins(site, path):
    async def application(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"mine"})

    site.mount(path, application)
    assert get(site, "/api/v1/hooks").text == "mine"
