"""Who may connect, publish and subscribe."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import socket
import threading
import time
from typing import Any

import pytest
from paho.mqtt.client import MQTTv31

from hookmq import Deny

from .helpers import DEADLINE, Device, Gate, MQTTv5, MQTTv311, Seen, eventually, free_port, refused

BAD_LOGIN, NOT_AUTHORIZED, UNAVAILABLE, BANNED = 0x86, 0x87, 0x88, 0x8A


def raising(error: BaseException) -> Any:
    raise error


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


ANSWERS = [
    ("True", lambda: True, 0, ""),
    ("False", lambda: False, BAD_LOGIN, None),
    ("None", lambda: None, NOT_AUTHORIZED, "nobody vouches for this client"),
    ("Deny", lambda: raising(Deny("come back tomorrow")), NOT_AUTHORIZED, "come back tomorrow"),
    ("Deny code", lambda: raising(Deny("banned", code=BANNED)), BANNED, "banned"),
    ("Deny wrong code", lambda: raising(Deny("x", code=0x10)), NOT_AUTHORIZED, "x"),
    ("Deny no code", lambda: raising(Deny("x", code=0xF0)), NOT_AUTHORIZED, "x"),
    ("Deny odd words", lambda: raising(Deny("a\0b\ud800")), NOT_AUTHORIZED, "ab?"),
    ("Deny many words", lambda: raising(Deny("x" * 100_000)), NOT_AUTHORIZED, "x" * 1000),
    ("an error", lambda: raising(ValueError("secret detail")), NOT_AUTHORIZED, None),
    ("an exit", lambda: raising(SystemExit(1)), NOT_AUTHORIZED, None),
    ("1", lambda: 1, BAD_LOGIN, None),
    ("text", lambda: "yes", BAD_LOGIN, None),
    ("odd", Odd, BAD_LOGIN, None),
]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("name", "answer", "code", "words"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_authenticate(broker, caplog, kind, name, answer, code, words):
    def admit(client):
        return answer()

    async def admit_later(client):
        await asyncio.sleep(0)
        return answer()

    broker.authenticate(admit if kind == "def" else admit_later)
    got, reason = refused(broker, "one", login=("tom", "pw"))
    assert got == code
    assert "secret detail" not in reason
    if words is not None:
        assert reason == words
    old, _ = refused(broker, "two", version=MQTTv311)
    # paho translates the return codes of 3.1.1 into reason codes of 5.0.
    assert old == (code if code in (0, BAD_LOGIN) else NOT_AUTHORIZED)
    wrong = name in ("an error", "an exit", "1", "text", "odd")
    (hook,) = broker.hooks
    assert (hook.calls, hook.errors) == (2, 2 if wrong else 0)
    logged = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert len(logged) == (1 if wrong else 0)
    # Whatever was answered, the threads that decide are still there.
    broker.authenticate(lambda client: client.client_id == "three", name="another")
    assert refused(broker, "three")[0] == (0 if code == 0 or name == "None" else code)


def test_nobody_is_let_in_while_it_starts(broker_factory):
    """The first client may come at the moment in which the port is bound."""
    port = free_port()
    answers = Seen()

    def knock() -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", port), DEADLINE) as peer,
            ):
                peer.sendall(bytes.fromhex("100c00044d5154540402003c0000"))
                return answers.append(peer.recv(4))

    for _ in range(5):
        broker = broker_factory(start=False, port=port)
        broker.authenticate(lambda client: False)
        threads = [threading.Thread(target=knock) for _ in range(3)]
        for thread in threads:
            thread.start()
        broker.start()
        for thread in threads:
            thread.join()
        broker.stop()
    assert answers == [bytes.fromhex("20020004")] * 15


def test_nobody_is_let_in_while_a_decider_is_replaced(broker):
    """Running a cell again must not leave the door open for a moment."""
    cell = "@broker.authenticate\ndef admit(client):\n    return client.password == 'right'"
    ended = threading.Event()
    let_in = Seen()

    def knock() -> None:
        while not ended.is_set():
            if refused(broker, login=("tom", "wrong"))[0] == 0:
                let_in.append(1)

    def run_cell(number: int) -> None:
        exec(compile(cell, f"/cell/{number}.py", "exec"), {"__name__": "__main__", "broker": broker})

    run_cell(0)
    threads = [threading.Thread(target=knock) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 1.5
    number = 0
    while time.monotonic() < deadline:
        number += 1
        run_cell(number)
    ended.set()
    for thread in threads:
        thread.join()
    assert len(broker.hooks) == 1
    assert let_in == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_answer_that_takes_too_long_denies(broker_factory, kind):
    broker = broker_factory({"hooks.decision_timeout": 0.2})
    gate = Gate()

    if kind == "def":

        @broker.authenticate
        def admit(client):
            gate.wait()
            return True
    else:

        @broker.authenticate
        async def admit(client):
            await asyncio.to_thread(gate.wait)
            return True

    assert refused(broker, "v5") == (UNAVAILABLE, "the decision took too long")
    assert refused(broker, "v3", version=MQTTv311)[0] == UNAVAILABLE
    gate.opened.set()
    eventually(lambda: refused(broker, "again")[0] == 0)


def test_several_are_asked_in_their_order(broker):
    asked = Seen()

    @broker.authenticate
    def first(client):
        asked.append("first")
        return {"a": True, "b": False}.get(client.username)

    @broker.authenticate
    async def second(client):
        asked.append("second")
        return {"c": True, "d": False}.get(client.username)

    @broker.authenticate
    def third(client):
        asked.append("third")
        return {"e": True, "f": False}.get(client.username)

    def admitted(username: str) -> tuple[int, list[str]]:
        asked.clear()
        return refused(broker, login=(username, ""))[0], list(asked)

    assert admitted("a") == (0, ["first"])
    assert admitted("b") == (BAD_LOGIN, ["first"])
    assert admitted("c") == (0, ["first", "second"])
    assert admitted("d") == (BAD_LOGIN, ["first", "second"])
    assert admitted("e") == (0, ["first", "second", "third"])
    assert admitted("f") == (BAD_LOGIN, ["first", "second", "third"])
    assert admitted("g") == (NOT_AUTHORIZED, ["first", "second", "third"])


def test_what_authenticate_is_given(broker):
    seen = Seen()

    @broker.authenticate
    def admit(client):
        seen.append((client.client_id, client.username, client.password, client.password_bytes))
        seen.append((client.address, client.version, client.clean_start, client.keep_alive))
        assert abs(client.connected_at - time.time()) < 5
        return True

    for version, name in ((MQTTv31, "3.1"), (MQTTv311, "3.1.1"), (MQTTv5, "5.0")):
        seen.clear()
        assert refused(broker, "one", version=version, login=("tom", "pw"))[0] == 0
        assert seen == [("one", "tom", "pw", b"pw"), ("127.0.0.1", name, True, 60)]
    assert refused(broker, "two")[0] == 0
    assert seen[2] == ("two", None, None, None)
    assert refused(broker)[0] == 0
    assert seen[4][0].startswith("auto-")


def test_passwords_are_never_shown(broker, caplog, capfd):
    clients = Seen()

    @broker.authenticate
    def admit(client):
        clients.append((repr(client), str(client)))
        return client.username != "leak" and (client.password if client.username == "value" else True)

    @broker.on_client_connected
    def came(client):
        clients.append((repr(client), client.password, client.password_bytes))

    @broker.authorize
    def may(client):
        clients.append((repr(client), client.password))
        return True

    with caplog.at_level(logging.DEBUG):
        for username in ("ok", "leak", "value"):
            refused(broker, username, login=(username, "Rosebud"))
        with Device(broker, "last", login=("ok", "Rosebud")) as device:
            device.publish("a")
        clients.until(6)
        broker.stop()
    captured = capfd.readouterr()
    for text in (str(clients), caplog.text, captured.out, captured.err):
        assert "Rosebud" not in text
    assert "value" in caplog.text


@pytest.mark.parametrize("what", ["authenticate", "authorize"])
def test_a_slow_answer_delays_only_who_waits_for_it(broker, what):
    gate = Gate()

    def slowly(client, *rest):
        if client.client_id == "slow":
            gate.wait()
        return True

    getattr(broker, what)(slowly)
    slow = Device(broker, "slow", wait=False)
    if what == "authorize":
        slow.answers.get(timeout=DEADLINE)
        slow.client.publish("a", "slow", 1)
    assert gate.entered.wait(DEADLINE)
    with Device(broker, "other") as other, broker.subscribe("a") as messages:
        assert other.subscribe("b") == [1]
        assert other.publish("a", "quick", 2) == 0
        assert messages.get(timeout=DEADLINE).text == "quick"
        assert slow.answers.empty() and slow.published.empty()
        gate.opened.set()
        if what == "authorize":
            assert slow.published.get(timeout=DEADLINE)[1].value in (0, 0x10)
            assert messages.get(timeout=DEADLINE).text == "slow"
        else:
            assert slow.answers.get(timeout=DEADLINE).value == 0
    slow.close()


# Authorize ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", [MQTTv311, MQTTv5])
def test_publish(broker, caplog, kind, qos, version):
    asked = Seen()

    def judge(client, action, topic, at, retain):
        asked.append((client.client_id, action, topic, at, retain))
        if topic == "denied":
            raise Deny("no")
        if topic == "failed":
            raise ValueError
        return {"ok": True, "none": None, "no": False}.get(topic, 5)

    if kind == "def":
        broker.authorize(judge)
    else:

        @broker.authorize
        async def judge_later(*arguments):
            return judge(*arguments)

    received = Seen()
    broker.on_message_received(received.append)
    topics = ["ok", "no", "none", "denied", "failed", "nonsense", "ok"]
    with broker.subscribe("#") as messages, Device(broker, "p", version=version) as device:
        codes = [device.publish(topic, "x", qos, topic == "none") for topic in topics]
        assert [messages.get(timeout=DEADLINE).topic for _ in range(3)] == ["ok", "none", "ok"]
        eventually(lambda: len(asked) == 7)
        assert device.ended.empty()
    if version == MQTTv5 and qos:
        # paho releases also what was refused with QoS 2, and is told that nobody knows it.
        ok, no = codes[0], 0x87 if qos == 1 else 0x92
        assert ok in (0, 0x10)
        assert codes == [ok, no, ok, no, no, no, ok]
    assert asked == [("p", "publish", topic, qos, topic == "none") for topic in topics]
    assert broker.wait_for_hooks()
    assert [msg.topic for msg in received] == ["ok", "none", "ok"]
    assert broker.hooks[0].errors == 2
    assert broker.statistics["unauthorized"] == 4


def test_every_authorizer_may_say_no(broker):
    broker.authorize(lambda client, action, topic: topic != "a")
    broker.authorize(lambda client, action, topic: None if topic != "b" else False)

    @broker.authorize
    async def third(client, action, topic):
        return topic != "c"

    with Device(broker) as device:
        assert [device.publish(topic) for topic in "abcd"] == [0x87, 0x87, 0x87, 0x10]


@pytest.mark.parametrize(("version", "denial"), [(MQTTv311, 0x80), (MQTTv5, 0x87)])
def test_subscribe(broker, version, denial):
    asked = Seen()

    @broker.authorize
    def judge(client, action, topic, qos):
        asked.append((action, topic, qos))
        return not topic.startswith("private")

    broker.publish("private/a", "secret", retain=True)
    broker.publish("public/a", "open", retain=True)
    with Device(broker, version=version) as device:
        device.client.subscribe([("private/#", 1), ("public/#", 2), ("private/a", 0), ("other", 0)])
        codes = [code.value for code in device.granted.get(timeout=DEADLINE)]
        assert codes == [denial, 2, denial, 0]
        broker.publish("private/a", "secret", qos=1)
        broker.publish("public/b", "end", qos=1)
        assert [device.receive().payload for _ in range(2)] == [b"open", b"end"]
        with pytest.raises(queue.Empty):
            device.receive(0.05)
    filters = [("private/#", 1), ("public/#", 2), ("private/a", 0), ("other", 0)]
    # They are asked about side by side.
    assert sorted(asked) == sorted(("subscribe", *wanted) for wanted in filters)


@pytest.mark.parametrize("version", [MQTTv311, MQTTv5])
def test_a_will_is_asked_about_when_its_client_connects(broker, version):
    asked = Seen()

    @broker.authorize
    def judge(client, action, topic, qos, retain):
        asked.append((client.client_id, action, topic, qos, retain))
        return topic == "allowed"

    with broker.subscribe("#") as messages:
        code, _ = refused(broker, "bad", version=version, will=("forbidden", b"x", 1, True))
        assert code == NOT_AUTHORIZED
        device = Device(broker, "good", version=version, will=("allowed", b"bye", 2, False))
        assert device.code.value == 0
        device.drop()
        assert messages.get(timeout=DEADLINE).topic == "allowed"
    assert asked == [
        ("bad", "publish", "forbidden", 1, True),
        ("good", "publish", "allowed", 2, False),
    ]


def test_authorize_takes_as_many_arguments_as_it_wants(broker):
    seen = Seen()
    broker.authorize(lambda: seen.append("none"))
    broker.authorize(lambda client: seen.append(client.client_id))
    broker.authorize(lambda client, action: seen.append(action))
    broker.authorize(lambda *all_of_them: seen.append(len(all_of_them)))
    with Device(broker, "me") as device:
        assert device.publish("a") == 0x10
    assert seen == ["none", "me", "publish", 5]
