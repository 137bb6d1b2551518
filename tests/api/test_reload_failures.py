"""New code that cannot be loaded, and what a reload keeps: bytecode, pauses, counters, other brokers."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from hookmq import HookMQError

from .asgi_apps import browser
from .helpers import DEADLINE, Gate, Seen, eventually, get
from .reloaded_app import names

# What fails -------------------------------------------------------------------------------------------------

FAILURES = [
    ("a syntax error", "def broken(:", "SyntaxError", 7),
    ("an error", "x = 1\nraise ValueError('no sensor')", "ValueError: no sensor", 8),
    ("a name that is missing", "nothing_like_this", "NameError", 7),
    ("an exit", "raise SystemExit(3)", "SystemExit: 3", 7),
    ("an import", "import no_such_module_at_all", "ModuleNotFoundError", 7),
    ("a hook that does not fit", "broker.on_message_received('a')(lambda a, b: 1)", "E501", 7),
    ("no broker", "del broker", "it makes no Broker any more", None),
    ("an error in a module beside it", "import helper_of_app", "ValueError: beside", 7),
]


@pytest.mark.parametrize(("name", "body", "problem", "line"), FAILURES, ids=lambda v: str(v)[:25])
def test_code_that_fails_leaves_the_old(app, join, name, body, problem, line):
    old = """
        import helper_of_app

        @broker.on_message_received("a")
        def watch(msg): seen.append(("old", helper_of_app.MARK))

        broker.route("/page")(lambda: "old")
        live = broker.websocket("/live")

        @broker.schedule(every(60).seconds)
        def job(): ...
        """
    broker = app.load(old, helper_of_app="MARK = 'old helper'")
    publisher = join(broker)
    publisher.publish("a", b"", 1)
    app.seen.until(1)
    modules = {key: sys.modules[key] for key in (app.name, "helper_of_app")}
    # It fails after it has registered other things.
    half = "broker.route('/page')(lambda: 'new')\n"
    app.write(half + body, helper_of_app="MARK = 'new'\nraise ValueError('beside')")
    with pytest.raises(HookMQError) as caught:
        broker.reload()
    assert (caught.value.code, caught.value.exit_code) == ("E511", 4)
    assert problem in str(caught.value)
    assert str(app.path if line is None else f"{app.path}:{line + 1}") in str(caught.value)
    assert {key: sys.modules[key] for key in modules} == modules
    # All is as it was.
    assert (names(broker), broker.hooks[0].calls) == (["watch"], 1)
    assert [job.name for job in broker.jobs] == ["job"]
    publisher.publish("a", b"", 1)
    assert app.seen.until(2) == [("old", "old helper")] * 2
    assert get(broker, "/page").text == "old"
    with browser(broker, "/live"):
        eventually(lambda: len(modules[app.name].live) == 1)
    # And when it is mended, the new code takes over.
    app.write("broker.on_message_received('a')(lambda msg: seen.append('mended'))", helper_of_app="")
    broker.reload()
    publisher.publish("a", b"", 1)
    assert app.seen.until(3)[-1] == "mended"


def test_a_file_that_is_gone(app):
    broker = app.load("broker.on_message_received('a', name='watch')(lambda msg: None)")
    app.path.unlink()
    with pytest.raises(HookMQError) as caught:
        broker.reload()
    assert caught.value.code == "E511" and "FileNotFoundError" in str(caught.value)
    assert names(broker) == ["watch"]


@pytest.mark.parametrize("option", ["where='level <'", "dead_letter='a/#'", "format='csv'"])
def test_options_that_cannot_be_are_found_before_anything_is_swapped(app, option):
    broker = app.load("broker.on_message_received('a', name='watch')(lambda msg: None)")
    kind = "on_batch" if "format" in option else "on_message_received"
    app.write(
        f"""
        @broker.{kind}("a", {option})
        def broken(level: {"list" if "format" in option else "float"}): ...
        """
    )
    with pytest.raises(HookMQError, match="E511"):
        broker.reload()
    assert names(broker) == ["watch"]


# Bytecode, and two at a time --------------------------------------------------------------------------------


def test_a_module_that_was_saved_twice_in_a_second(app, monkeypatch):
    """Python tells newer code from bytecode by seconds and sizes, which is too coarse to try things."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def save(mark: str) -> None:
        app.write("from twice import MARK\nseen.append(MARK)", twice=f"MARK = {mark!r}\n")
        os.utime(app.path.parent / "twice.py", (1_700_000_000, 1_700_000_000))

    save("old")
    broker = app.load("from twice import MARK\nseen.append(MARK)")
    for mark in ("mid", "new"):
        save(mark)
        broker.reload()
    assert app.seen == ["old", "mid", "new"]
    assert broker.reload() is None and app.seen[-1] == "new"


def test_reloads_at_the_same_moment_end_with_the_newest_code(app):
    body = """
        import witness
        witness.gate.wait()
        broker.on_message_received("a", name="{name}")(lambda msg: None)
        """
    app.witness.gate = Gate()
    app.witness.gate.opened.set()
    broker = app.load(body.format(name="first"))
    app.witness.gate = slow = Gate()
    app.write(body.format(name="second"))
    reloads = [threading.Thread(target=broker.reload) for _ in range(4)]
    reloads[0].start()
    assert slow.entered.wait(DEADLINE)  # it has read the second
    app.write(body.format(name="third"))
    for reload in reloads[1:]:
        reload.start()
    time.sleep(0.1)
    assert names(broker) == ["first"]
    slow.opened.set()
    for reload in reloads:
        reload.join(DEADLINE)
        assert not reload.is_alive()
    assert names(broker) == ["third"]


def test_a_broker_that_is_stopped_while_its_code_is_loaded_stays_stopped(app):
    body = "import witness\nwitness.gate.wait()\nbroker.on_message_received('a', threads=2)(lambda msg: None)"
    app.witness.gate = Gate()
    app.witness.gate.opened.set()
    broker = app.load(body)
    app.witness.gate = slow = Gate()
    raised = Seen()

    def reload() -> None:
        try:
            broker.reload()
        except HookMQError as error:
            raised.append(error.code)

    thread = threading.Thread(target=reload)
    thread.start()
    assert slow.entered.wait(DEADLINE)
    broker.stop()
    slow.opened.set()
    thread.join(DEADLINE)
    assert raised == ["E503"] and not broker.running
    assert [each.name for each in threading.enumerate() if each.name.startswith("hookmq")] == []


# Pauses and counters ----------------------------------------------------------------------------------------


def test_paused_hooks_stay_paused(app, join):
    body = """
        @broker.on_message_received("a")
        def watch(msg): seen.append("watch")

        @broker.on_message_received("a")
        async def later(msg): seen.append("later")

        @broker.authorize
        def may(client, action, topic): return None if topic != "denied" else False

        @broker.on_message_received("a")
        def free(msg): seen.append("free")
        """
    broker = app.load(body)
    for name in ("watch", "later", "may"):
        broker.pause(name)
    broker.reload()
    assert [(info.name, info.paused) for info in broker.hooks] == [
        ("watch", True),
        ("later", True),
        ("may", True),
        ("free", False),
    ]
    publisher = join(broker)
    assert publisher.publish("a", b"", 1) == 0x87, "a decider that is paused denies"
    broker.resume("may")
    assert publisher.publish("a", b"", 1) == 0x10
    assert app.seen.until(1) == ["free"]
    for name in ("watch", "later"):
        broker.resume(name)
    publisher.publish("a", b"", 1)
    assert sorted(app.seen.until(4)) == ["free", "free", "later", "watch"]


def test_a_paused_job_stays_paused(app):
    body = "broker.schedule(every(0.05).seconds, name='tick')(lambda: seen.append({mark!r}))"
    broker = app.load(body.format(mark="old"))
    broker.pause("tick")
    app.write(body.format(mark="new"))
    broker.reload()
    (job,) = broker.jobs
    assert job.paused
    del app.seen[:]
    eventually(lambda: broker.jobs[0].skipped > job.skipped + 2)
    assert app.seen == []
    broker.resume("tick")
    assert app.seen.until(1)[0] == "new"


def test_a_hook_of_another_kind_is_not_paused(app, join):
    broker = app.load("broker.on_message_received('a', name='x')(lambda msg: None)")
    broker.pause("x")
    app.write("broker.on_message_sent('a', name='x')(lambda msg: None)")
    broker.reload()
    assert [info.paused for info in broker.hooks] == [False]


def test_counters(app, join):
    """Those of the broker go on; those of hooks count the new function."""
    body = """
        @broker.on_message_received("a")
        def watch(msg):
            if msg.text == "bad":
                raise ValueError
        """
    broker = app.load(body)
    publisher = join(broker)
    for text in (b"x", b"bad", b"x"):
        publisher.publish("a", text, 1)
    assert broker.wait_for_hooks()
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (3, 1)
    eventually(lambda: broker.statistics["messages_received"] == 3)
    broker.reload()
    publisher.publish("a", b"bad", 1)
    assert broker.wait_for_hooks()
    eventually(lambda: broker.statistics["messages_received"] == 4)
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (1, 1)


# Which brokers ----------------------------------------------------------------------------------------------


def test_a_broker_without_a_file_reads_its_files_only(broker_factory, tmp_path):
    """One that a function has made, or a notebook, cannot be made again."""
    rules = tmp_path / "acl"
    rules.write_text("allow any all #\n")
    broker = broker_factory({"access.acl_file": str(rules)})
    broker.on_message_received("a", name="watch")(lambda msg: None)
    broker.reload()
    assert names(broker) == ["watch"]
    rules.write_text("nonsense\n")
    with pytest.raises(HookMQError, match="E305"):
        broker.reload()


def test_without_its_code(app):
    broker = app.load("broker.on_message_received('a', name='old')(lambda msg: None)")
    app.write("broker.on_message_received('a', name='new')(lambda msg: None)")
    broker.reload(code=False)
    assert names(broker) == ["old"]


def test_while_it_does_not_run(app):
    broker = app.load("seen.append(1)")
    broker.stop()
    with pytest.raises(HookMQError, match="E503"):
        broker.reload()
    assert app.seen == [1]


def test_two_brokers_in_one_file(app, join):
    body = """
        other = Broker(port=0, http_port=None)
        broker.on_message_received("a", name="of one")(lambda msg: seen.append("one {mark}"))
        other.on_message_received("a", name="of other")(lambda msg: seen.append("other {mark}"))
        """
    broker = app.load(body.format(mark="old"))
    other = app.module.other.start()
    try:
        app.write(body.format(mark="new"))
        other.reload()
        assert (names(broker), names(other)) == (["of one"], ["of other"])
        join(other).publish("a", b"", 1)
        assert app.seen.until(1) == ["other new"]
    finally:
        other.stop()
