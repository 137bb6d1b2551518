"""New code in the place of old while the broker runs: everything is swapped, nobody is disconnected."""

from __future__ import annotations

import sys
import threading

import pytest

from ..protocol.packets import Puback, Publish, Suback, Subscribe, subscription
from .asgi_apps import browser
from .helpers import DEADLINE, Gate, eventually, get
from .reloaded_app import names

# Hooks ------------------------------------------------------------------------------------------------------


def test_observers_are_swapped(app, join):
    broker = app.load(
        """
        @broker.on_message_received("a")
        def watch(msg): seen.append(("old", msg.text))

        @broker.on_message_received("a")
        def gone(msg): seen.append(("gone", msg.text))
        """
    )
    publisher = join(broker)
    publisher.publish("a", b"1", 1)
    app.seen.until(2)
    app.write(
        """
        @broker.on_message_received("{what}")
        def watch(msg, what): seen.append(("new", what, msg.text))

        @broker.on_message_received("a")
        async def later(msg): seen.append(("async", msg.text))

        @broker.on_message_received("a", threads=2)
        def shared(msg): seen.append(("threads", msg.text))

        @broker.on_batch("a", max_delay=0)
        def rows(rows): seen.append(("batch", len(rows)))
        """
    )
    app.seen.clear()
    assert broker.reload() is None
    assert names(broker) == ["watch", "later", "shared", "rows"]
    publisher.publish("a", b"2", 1)
    assert broker.wait_for_hooks()
    assert sorted(app.seen.until(4)) == [("async", "2"), ("batch", 1), ("new", "a", "2"), ("threads", "2")]


DECIDERS = """
@broker.authenticate
def admit(client): return Identity("{mark}") if client.password == "{mark}" else False

@broker.on_connect
def greet(client): seen.append(("greet {mark}", client.username))

@broker.authorize
def may(client, action, topic): return Allow(ttl=60) if topic.startswith(("{mark}", "t")) else False

@broker.on_subscribe
def grant(client, filter, qos): return {qos}

@broker.transform("t")
def change(msg): return msg.text + " {mark}"

@broker.on_deliver("t")
def deliver(msg): return msg.text + " to {mark}"
"""


def test_deciders_are_swapped(app, join):
    broker = app.load(DECIDERS.format(mark="old", qos=1))
    first = join(broker, "first", password=b"old")
    join(broker, "refused", password=b"new", code=0x86)
    first.send(Subscribe(1, [subscription("t", 2)]))
    first.expect(Suback(1, [1]))
    assert first.publish("old/x", b"", 1) == 0x10
    assert first.publish("new/x", b"", 1) == 0x87
    app.write(DECIDERS.format(mark="new", qos=0))
    broker.reload()
    assert first.publish("old/x", b"", 1) == 0x87, "what was allowed for a while is forgotten"
    assert first.publish("new/x", b"", 1) == 0x10
    first.send(Publish("t", b"x", 1, id=9))
    answers = [first.read(), first.read()]
    assert next(one for one in answers if isinstance(one, Publish)).payload == b"x new to new"
    second = join(broker, "second", password=b"new")
    second.send(Subscribe(1, [subscription("t", 2)]))
    second.expect(Suback(1, [0]))
    join(broker, "refused", password=b"old", code=0x86)
    assert app.seen == [("greet old", "old"), ("greet new", "new")]


def test_a_decider_that_is_gone_decides_no_more(app, join):
    broker = app.load("broker.authenticate(lambda client: False)")
    join(broker, code=0x86)
    app.write("")
    broker.reload()
    join(broker)
    assert broker.hooks == []
    app.write("broker.on_connect(lambda client: False)")
    broker.reload()
    join(broker, code=0x87)


def test_modules_beside_it_are_loaded_again(app, join):
    body = """
        import helper_of_app
        from package_of_app import inner

        @broker.on_message_received("a")
        def watch(msg): seen.append((helper_of_app.MARK, inner.MARK))
        """
    package = app.path.parent / "package_of_app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("MARK = 'old inner'")
    broker = app.load(body, helper_of_app="MARK = 'old helper'")
    publisher = join(broker)
    publisher.publish("a", b"", 1)
    (package / "inner.py").write_text("MARK = 'new inner'")
    app.write(body, helper_of_app="MARK = 'new helper'")
    broker.reload()
    publisher.publish("a", b"", 1)
    assert app.seen.until(2) == [("old helper", "old inner"), ("new helper", "new inner")]


def test_the_new_code_knows_its_broker(app, join):
    """Its functions publish and ask by the name that they gave the broker."""
    broker = app.load("")
    app.write(
        """
        @broker.on_message_received("a")
        def watch(msg):
            broker.publish("b", "from the new code")
            seen.append((broker.running, broker.port, [hook.name for hook in broker.hooks]))
        """
    )
    broker.reload()
    reader = join(broker)
    reader.subscribe("b")
    join(broker).publish("a", b"", 1)
    reader.expect_message("b", b"from the new code")
    assert app.seen.until(1) == [(True, broker.port, ["watch"])]
    fresh = sys.modules[app.name].broker
    fresh.on_message_received("c")(lambda msg: app.seen.append("added later"))
    join(broker).publish("c", b"", 1)
    assert app.seen.until(2)[1] == "added later"
    assert broker.hooks == fresh.hooks


def test_again_and_again(app, join):
    broker = app.load("broker.on_message_received('a', name='watch')(lambda msg: seen.append(0))")
    publisher = join(broker)
    threads = threading.active_count()
    for number in range(1, 21):
        app.write(
            f"""
            @broker.on_message_received("a", threads=2)
            def watch(msg): seen.append({number})

            @broker.on_batch("a")
            def rows(rows): ...
            """
        )
        broker.reload()
        publisher.publish("a", b"", 1)
        assert app.seen.until(number)[-1] == number
    assert threading.active_count() <= threads + 3 + 3, "threads of hooks that are gone have ended"


# While it works ---------------------------------------------------------------------------------------------


def test_what_runs_in_the_old_code_ends_there(app, join):
    app.witness.gate = gate = Gate()
    broker = app.load(
        """
        from witness import gate

        @broker.on_message_received("a")
        def watch(msg):
            gate.wait()
            seen.append("old")

        @broker.transform("t")
        def change(msg):
            gate.wait()
            return "old"
        """
    )
    publisher, other = join(broker), join(broker)
    reader = join(broker)
    reader.subscribe("t", qos=1)
    publisher.send(Publish("t", b"x", 1, id=1))
    assert gate.entered.wait(DEADLINE)
    other.publish("a", b"x", 1)
    app.write("broker.on_message_received('a')(lambda msg: seen.append('new'))")
    broker.reload()
    gate.opened.set()
    publisher.expect(Puback(1))
    reader.expect_message("t", b"old", qos=1)
    other.publish("a", b"x", 1)
    eventually(lambda: app.seen[-1:] == ["new"])  # what the old one still had to do comes before


@pytest.mark.parametrize("where", ["page", "hook", "async hook", "job"])
def test_reloading_from_within(app, join, where):
    body = {
        "page": """
            @broker.route("/reload")
            def page():
                broker.reload()
                return "done"
            """,
        "hook": """
            @broker.on_message_received("reload")
            def watch(msg): broker.reload()
            """,
        "async hook": """
            @broker.on_message_received("reload")
            async def watch(msg): broker.reload()
            """,
        "job": """
            @broker.schedule(every(0.1).seconds)
            def job():
                if not seen:
                    broker.reload()
            """,
    }[where]
    broker = app.load(body)
    app.write(
        """
        seen.append("loaded")
        broker.on_message_received("a", name="new")(lambda msg: seen.append(msg.text))
        """
    )
    if where == "page":
        assert get(broker, "/reload").text == "done"
    elif where != "job":
        join(broker).publish("reload", b"", 1)
    eventually(lambda: names(broker) == ["new"])
    join(broker).publish("a", b"x", 1)
    assert app.seen.until(2) == ["loaded", "x"]


# Connections ------------------------------------------------------------------------------------------------


def test_clients_stay_connected_and_keep_what_they_have(app, join):
    broker = app.load(
        "broker.on_client_disconnected(lambda client, reason: seen.append((client.client_id, reason)))"
    )
    reader = join(broker, "r")
    reader.subscribe("a/#", qos=1)
    expiry = {"session_expiry_interval": 60}
    sleeper = join(broker, "s", properties=expiry)
    sleeper.subscribe("a/#", qos=1)
    sleeper.disconnect()
    app.seen.until(1)
    broker.publish("a/kept", "x", qos=1, retain=True)
    reader.expect_message("a/kept", b"x", qos=1)
    port, http_port, before = broker.port, broker.http_port, broker.statistics
    with broker.subscribe("a/#", retained=False) as messages:
        for _ in range(5):
            broker.reload()
        broker.publish("a/b", "y", qos=1)
        reader.expect_message("a/b", b"y", qos=1)
        assert messages.get(timeout=DEADLINE).text == "y"
    assert (broker.port, broker.http_port) == (port, http_port)
    again = join(broker, "s", clean=False, properties=expiry)
    assert again.connack.session_present
    assert [one.payload for one in again.drain()] == [b"x", b"y"]
    assert broker.history("a/#").count() == 2
    after = broker.statistics
    assert all(after[name] >= before[name] for name in ("messages_received", "packets_received"))
    assert len(app.seen) == 1


def test_pages_are_swapped(app):
    broker = app.load(
        """
        broker.route("/same")(lambda: "old")
        broker.route("/gone")(lambda: "old")
        broker.route("/{part}/x", methods=("GET",))(lambda request, part: f"old {part}")
        """
    )
    assert [get(broker, path).text for path in ("/same", "/gone", "/p/x")] == ["old", "old", "old p"]
    app.write(
        """
        broker.route("/same")(lambda: "new")
        broker.route("/added")(lambda: "new")
        """
    )
    broker.reload()
    assert [get(broker, path).status for path in ("/same", "/gone", "/p/x", "/added")] == [200, 404, 404, 200]
    assert get(broker, "/same").text == "new"
    assert [info.path for info in broker.routes] == ["/same", "/added"]


LIVE = """
live = broker.websocket("/live")

@live.on_message
{how} echo(message, socket):
    socket.send("{mark} " + message)

@live.on_close
def bye(socket): seen.append("{mark} close")
"""


@pytest.mark.parametrize("how", ["def", "async def"])
def test_websockets_of_pages_stay_connected(app, how):
    broker = app.load(LIVE.format(mark="old", how=how))
    with browser(broker, "/live") as socket:
        socket.send("1")
        assert socket.read() == "old 1"
        app.write(LIVE.format(mark="new", how=how) + "\nadded = broker.websocket('/added')")
        broker.reload()
        socket.send("2")
        assert socket.read() == "new 2"
        live = sys.modules[app.name].live
        assert (len(live), live.send("pushed")) == (1, 1)
        assert socket.read() == "pushed"
        with browser(broker, "/added"):
            eventually(lambda: len(sys.modules[app.name].added) == 1)
        socket.leave()
        socket.read_close()
    assert app.seen.until(1) == ["new close"]


def test_a_place_for_websockets_that_is_gone(app):
    """Nobody is left who would talk to them."""
    broker = app.load("broker.websocket('/gone')")
    with browser(broker, "/gone") as socket:
        app.write("")
        broker.reload()
        with browser(broker, "/gone", status=404):
            pass
        assert socket.read_close() in (1000, 1001, 1012)


def test_mounted_applications_are_swapped(app):
    body = """
        import witness
        async def answer(scope, receive, send):
            if scope["type"] == "lifespan":
                while (await receive())["type"] != "lifespan.shutdown":
                    seen.append("{mark} begins")
                    await send({{"type": "lifespan.startup.complete"}})
                seen.append("{mark} ends")
                return await send({{"type": "lifespan.shutdown.complete"}})
            await send({{"type": "http.response.start", "status": 200, "headers": []}})
            await send({{"type": "http.response.body", "body": b"{mark}"}})

        broker.mount("/api", answer)
        """
    broker = app.load(body.format(mark="old"))
    assert get(broker, "/api/x").text == "old"
    app.write(body.format(mark="new"))
    broker.reload()
    assert get(broker, "/api/x").text == "new"
    assert sorted(app.seen.until(3)) == ["new begins", "old begins", "old ends"]
    app.write("")
    broker.reload()
    assert get(broker, "/api/x").status == 404


def test_jobs_are_swapped(app):
    broker = app.load(
        """
        @broker.schedule(every(0.05).seconds)
        def same(): seen.append("old")

        @broker.schedule(every(0.05).seconds)
        def gone(): seen.append("gone")
        """
    )
    eventually(lambda: {"old", "gone"} <= set(app.seen))
    app.write(
        """
        @broker.schedule(every(0.05).seconds)
        def same(): seen.append("new")

        @broker.schedule(every(0.05).seconds)
        async def added(): seen.append("added")
        """
    )
    broker.reload()
    assert [job.name for job in broker.jobs] == ["same", "added"]
    del app.seen[:]
    eventually(lambda: app.seen.count("new") >= 3 and app.seen.count("added") >= 3)
    late = app.seen[2:]  # of the old ones a run may have been under way
    assert "old" not in late and "gone" not in late
    app.write("")
    broker.reload()
    assert broker.jobs == []


def test_jobs_that_are_new(app):
    broker = app.load("")
    app.write("broker.schedule(every(0.05).seconds)(lambda: seen.append(1))")
    broker.reload()
    app.seen.until(2)


# The broker's own life --------------------------------------------------------------------------------------


def test_startup_hooks_are_not_called_and_shutdown_hooks_are_the_new_ones(app):
    body = """
        broker.on_startup(lambda: seen.append("{mark} up"))
        broker.on_shutdown(lambda: seen.append("{mark} down"))
        """
    broker = app.load(body.format(mark="old"))
    app.write(body.format(mark="new"))
    broker.reload()
    assert app.seen == ["old up"]
    broker.stop()
    assert app.seen == ["old up", "new down"]
    with broker:
        assert app.seen[2:] == ["new up"]


def test_what_the_app_does_at_its_start_it_does_not_do_again(app):
    """It may start its broker at the end, as scripts do."""
    body = """
        seen.append(__name__)
        broker.start()
        broker.run()
        if __name__ == "__main__":
            raise AssertionError
        """
    broker = app.load("seen.append(__name__)")
    app.write(body)
    broker.reload()
    assert app.seen == [app.name, app.name] and broker.running


def test_settings_hold_from_the_next_start_on(app, join):
    broker = app.load("")
    text = app.path.read_text()
    app.path.write_text(text.replace("http_port=0", "http_port=0, limits={'max_topic_levels': 2}"))
    broker.reload()
    assert broker.settings["limits.max_topic_levels"] != 2
    join(broker).publish("a/b/c", b"", 1)
    broker.stop()
    with broker:
        assert broker.settings["limits.max_topic_levels"] == 2
