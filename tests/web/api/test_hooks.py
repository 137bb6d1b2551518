"""Hooks: their source, their last error, and a trial; jobs that are run now."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from hookmq import Broker

from ...api.helpers import eventually
from .site import Site, publish

HERE = __file__


def test_a_hook_has_its_source(site: Site) -> None:
    found = site.get("hooks/watch")
    source = found["source"]
    assert found["filter"] == "tank/+/level" and source["file"].endswith("site.py")
    assert source["lines"][0].strip().startswith("@broker.on_message_received")
    assert any("def watch" in line for line in source["lines"])
    assert source["first_line"] <= source["line"]
    assert site.do("GET", "hooks/none", status=404)["code"] == "E508"


def test_several_hooks_of_one_name_are_told_apart(site: Site) -> None:
    def twice(msg: Any) -> None:
        assert msg.topic == "tank/good"

    for filter in ("tank/good", "tank/bad", "tank/more"):
        site.broker.on_message_received(filter)(twice)
    publish(site, ("tank/bad", b""), ("tank/bad", b""), ("tank/good", b""))
    ids = {one["id"]: one["filter"] for one in site.get("hooks")["items"] if one["name"] == "twice"}
    assert ids == {"twice": "tank/good", "twice 2": "tank/bad", "twice 3": "tank/more"}
    second = site.get("hooks/twice%202")
    assert (second["id"], second["filter"], second["calls"]) == ("twice 2", "tank/bad", 2)
    assert site.get("hooks/twice%202/traceback")["count"] == 2
    assert site.ask("GET", "hooks/twice%204").status == 404
    site.do("POST", "hooks/twice%202/pause")
    paused = {one["id"]: one["paused"] for one in site.get("hooks")["items"] if one["name"] == "twice"}
    assert paused == {"twice": False, "twice 2": True, "twice 3": False}
    site.do("POST", "hooks/twice/pause")
    assert [one["paused"] for one in site.get("hooks")["items"] if one["name"] == "twice"] == [True] * 3
    metrics = site.ask("GET", "/metrics").body.decode()
    assert 'hookmq_hook_calls_total{hook="twice 2",kind="on_message_received"} 2\n' in metrics


def test_the_last_error_with_its_source(site: Site) -> None:
    assert site.do("GET", "hooks/watch/traceback", status=404)["code"] == "not_found"
    publish(site, ("tank/1/level", b'{"level": 0}'), ("tank/2/level", b'{"level": 0}'))
    found = site.get("hooks/watch/traceback")
    assert (found["error"], found["count"]) == ("ZeroDivisionError: float division by zero", 2) or (
        found["error"],
        found["count"],
    ) == ("ZeroDivisionError: division by zero", 2)
    assert abs(found["at"] - time.time()) < 10
    frame = found["frames"][-1]
    assert frame["file"].endswith("site.py") and frame["function"] == "watch"
    assert dict(map(tuple, frame["source"]))[frame["line"]].strip() == 'return 100 / msg.json()["level"]'
    assert "Traceback (most recent call last):" in found["text"]
    publish(site, ("tank/1/level", b"x"))
    found = site.get("hooks/watch/traceback")
    assert found["error"].startswith("JSONDecodeError") and found["count"] == 3
    assert found["text"].rstrip().endswith(found["error"])


def test_errors_of_many_messages_cost_little(site: Site) -> None:
    failures = site.broker._failures

    def fail(number: int) -> BaseException:
        try:
            raise ValueError(f"number {number}")
        except ValueError as error:
            return error

    errors = [fail(number) for number in range(10_000)]
    began = time.perf_counter()
    for error in errors:
        failures._keep("watch", error)
    took = (time.perf_counter() - began) / len(errors)
    assert site.get("hooks/watch/traceback")["error"] == "ValueError: number 9999"
    assert took < 100e-6


def test_an_error_that_was_caused(site: Site) -> None:
    @site.broker.on_message_received("tank/c", name="c")
    def caused(msg: Any) -> None:
        try:
            msg.json()
        except ValueError as error:
            raise RuntimeError("cannot be read") from error

    publish(site, ("tank/c", b"x"))
    found = site.get("hooks/c/traceback")
    assert found["error"] == "RuntimeError: cannot be read"
    assert "JSONDecodeError" in found["text"] and "direct cause" in found["text"]


# Trials ---------------------------------------------------------------------------------------------------


def test_a_trial_with_a_sample(site: Site) -> None:
    before = site.get("hooks")["items"][0]
    body = {"topic": "tank/7/level", "payload": {"level": 4, "debug": True}}
    found = site.do("POST", "hooks/watch/run", body)
    assert (found["result"], found["error"], found["frames"]) == ("25.0", None, [])
    assert found["printed"].startswith("tank 7 has") and "stderr" in found["printed"]
    assert 0 < found["seconds"] < 5 and found["message"]["topic"] == "tank/7/level"
    found = site.do("POST", "hooks/watch/run", {"topic": "tank/7/level", "payload": '{"level": 0}'})
    assert found["error"].startswith("ZeroDivisionError") and found["result"] is None
    assert found["frames"][-1]["function"] == "watch"
    assert site.get("hooks")["items"][0] == before, "a trial counts nowhere"
    site.do("GET", "hooks/watch/traceback", status=404)


def test_a_trial_with_the_last_message(site: Site) -> None:
    problem = site.do("POST", "hooks/watch/run", {"last": True}, status=404)
    assert "tank/+/level" in problem["detail"]
    publish(site, ("tank/1/level", b'{"level": 5}'), ("tank/2/level", b'{"level": 10}'), ("tank/x", b"1"))
    found = site.do("POST", "hooks/watch/run", {"last": True})
    assert (found["result"], found["message"]["topic"]) == ("10.0", "tank/2/level")
    assert found["message"]["client_id"] == "pump"


def test_trials_of_other_kinds(site: Site) -> None:
    broker: Broker = site.broker
    threads: list[str] = []

    @broker.on_message_received("tank/a")
    async def later(msg: Any) -> str:
        await asyncio.sleep(0.01)
        threads.append(threading.current_thread().name)
        print("on the loop")
        return msg.text.upper()

    @broker.transform("tank/t")
    def louder(msg: Any, client: Any) -> str:
        return f"{msg.text} of {client.client_id}"

    @broker.on_message_received("tank/typed")
    def typed(level: float) -> float:
        return level * 2

    @broker.on_batch("tank/batch")
    def many(rows: Any) -> int:
        return len(rows)

    run = lambda name, **body: site.do("POST", f"hooks/{name}/run", {"topic": "tank/x"} | body)  # noqa: E731
    found = run("later", payload="hello")
    assert (found["result"], found["printed"], threads) == ("'HELLO'", "on the loop\n", ["hookmq-asyncio"])
    assert run("louder", payload="a", client_id="c")["result"] == "'a of c'"
    assert run("typed", payload="2.5")["result"] == "5.0"
    assert "InvalidPayload" in run("typed", payload="x")["error"]
    assert run("many")["result"] == "1"
    assert site.get("hooks/typed")["invalid"] == 0
    problem = site.do("POST", "hooks/may/run", {"topic": "a"}, status=409)
    assert "authorize" in problem["detail"]
    site.do("POST", "hooks/watch/run", {}, status=400)
    site.do("POST", "hooks/watch/run", {"topic": "a/#"}, status=400)


def test_a_trial_that_ends_the_thread(site: Site) -> None:
    @site.broker.on_message_received("tank/e", name="ends")
    def ends(msg: Any) -> None:
        raise SystemExit(3)

    assert site.do("POST", "hooks/ends/run", {"topic": "tank/e"})["error"] == "SystemExit: 3"
    assert site.get("session")


# Jobs -----------------------------------------------------------------------------------------------------


def test_a_job_is_run_now(site: Site) -> None:
    assert site.do("POST", "jobs/tick/run", status=202) == {"started": "tick"}
    assert "is running" in site.do("POST", "jobs/tick/run", status=409)["detail"]
    eventually(lambda: site.get("jobs")["items"][0]["duration"] is not None)
    (job,) = site.get("jobs")["items"]
    assert (job["runs"], job["skipped"]) == (1, 0) and job["next_run_at"] > time.time() + 500
    assert site.do("POST", "jobs/none/run", status=404)["code"] == "E508"
