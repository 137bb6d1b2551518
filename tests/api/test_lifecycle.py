"""Starting and stopping inside one process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
import time
import weakref

import pytest

from hookmq import Broker, HookMQError, every

from .helpers import DEADLINE, Device, Gate, Seen, eventually, free_port, get, taken_port


def hookmq_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hookmq")]


def test_start_stop_and_start_again(broker_factory):
    broker = broker_factory(start=False, http_port=0)
    seen = Seen()
    broker.on_message_received(seen.append)
    broker.authenticate(lambda client: client.username == "tom")
    broker.route("/hello")(lambda: "hello")
    assert not broker.running
    for number in range(3):
        assert broker.start() is broker
        assert broker.running and broker.start() is broker
        assert len([name for name in hookmq_threads() if name == "hookmq-hooks"]) == 1
        with Device(broker, login=("tom", "")) as device:
            device.publish("a", str(number))
        assert get(broker, "/hello").text == "hello"
        broker.stop()
        broker.stop()
        assert not broker.running
        assert hookmq_threads() == []
    assert [msg.text for msg in seen] == ["0", "1", "2"]


def test_whoever_comes_first_finds_everything_in_its_place(broker_factory):
    """A supervisor's check or a device may come as soon as the port is bound."""
    seen, stop = Seen(), threading.Event()
    port, http_port = free_port(), free_port()

    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise NotImplementedError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

    def connect(number: int) -> socket.socket:
        # From another address: to a port where nobody listens yet a socket may connect to itself.
        while not stop.is_set():
            with contextlib.suppress(ConnectionError):
                return socket.create_connection(("127.0.0.1", number), DEADLINE, ("127.0.0.2", 0))
        raise AssertionError("the test is over")

    def come(name: str, number: int, request: bytes, length: int) -> None:
        with connect(number) as peer:
            peer.sendall(request)
            seen.append((name, peer.recv(length)))

    ask = b"GET /app/ HTTP/1.1\r\nHost: x\r\n\r\n"
    hello = bytes.fromhex("100c00044d5154540402003c0000 3003000161 3003000162")
    for _ in range(20):
        broker = broker_factory(start=False, port=port, http_port=http_port)
        broker.mount("/app", app)

        @broker.on_message_received("a")
        def use(msg, broker=broker):
            broker.publish("used", broker.port)
            seen.append(("hook", broker.running))

        peers = [
            threading.Thread(target=come, args=("page", http_port, ask, 15)),
            threading.Thread(target=come, args=("device", port, hello, 4)),
        ]
        for peer in peers:
            peer.start()
        broker.start()
        try:
            eventually(lambda: len(seen) == 3)
            assert sorted(seen) == [
                ("device", bytes.fromhex("20020000")),
                ("hook", True),
                ("page", b"HTTP/1.1 200 OK"),
            ]
            assert not any(hook.errors for hook in broker.hooks)
        finally:
            stop.set()
            for peer in peers:
                peer.join()
            broker.stop()
        seen.clear()
        stop.clear()


def test_what_is_not_possible_while_it_does_not_run(broker_factory):
    broker = broker_factory(start=False)
    broker.stop()
    for use in (
        lambda: broker.publish("a"),
        lambda: broker.subscribe("a"),
        lambda: broker.history(),
        lambda: broker.statistics,
        lambda: broker.port,
        lambda: broker.disconnect("a"),
        lambda: broker.wait_for_hooks(),
    ):
        with pytest.raises(HookMQError, match="E503") as caught:
            use()
        assert caught.value.code == "E503"
    assert Broker(port=1884).port == 1884
    assert Broker(http_port=None).http_port is None


@pytest.mark.parametrize("what", ["mqtt", "http"])
def test_a_port_that_is_taken(broker_factory, tmp_path, what):
    other = free_port()
    with taken_port() as taken:
        ports = {"port": taken} if what == "mqtt" else {"port": other, "http_port": taken}
        broker = broker_factory(start=False, data_dir=tmp_path, **ports)
        for _ in range(2):
            with pytest.raises(HookMQError) as caught:
                broker.start()
            flag = "--port" if what == "mqtt" else "--http-port"
            assert str(caught.value) == (
                f"error[E101]: port {taken} is already in use\n"
                f"  help: stop the other program, or use another port:   hookmq run {flag} {taken + 1}"
            )
            assert not broker.running
            assert hookmq_threads() == []
            with pytest.raises(HookMQError, match="E503"):
                broker.publish("a")
        # Nothing listens on the port that could be had.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", other), 1).close()
    broker.start()
    broker.publish("a", "1")
    assert broker.history("a").count() == 1


def test_other_addresses_that_cannot_be_had(broker_factory):
    for arguments, code in [
        ({"host": "192.0.2.1"}, "E102"),
        ({"host": "no.such.host.invalid"}, "E102"),
        ({"port": 70000}, "E303"),
        ({"colour": "red"}, "E301"),
        ({"hooks": {"queue_event": 1}}, "E301"),
        ({"hooks": {"queue_events": "many"}}, "E303"),
        ({"host": "0.0.0.0"}, "E302"),
    ]:
        broker = broker_factory(start=False, **({"allow_anonymous": code == "E102"} | arguments))
        with pytest.raises(HookMQError) as caught:
            broker.start()
        assert caught.value.code == code
        assert hookmq_threads() == []


def test_a_data_directory_that_cannot_be_had(broker_factory, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for directory in (file, file / "below"):
        broker = broker_factory(start=False, data_dir=directory)
        with pytest.raises(HookMQError) as caught:
            broker.start()
        assert caught.value.code == "E602"
        assert hookmq_threads() == []


def test_with():
    with Broker(port=0, http_port=None) as broker:
        assert broker.running
        with pytest.raises(ZeroDivisionError), Broker(port=0, http_port=None) as second:
            raise ZeroDivisionError
        assert not second.running
    assert not broker.running


def test_async_with():
    async def main() -> Broker:
        async with Broker(port=0, http_port=None) as broker:
            assert broker.running
        return broker

    assert not asyncio.run(main()).running


@pytest.mark.parametrize("how", ["cancelled", "stopped"])
def test_serve(how):
    async def main() -> None:
        broker = Broker(port=0, http_port=None)
        task = asyncio.create_task(broker.serve())
        while not broker.running:
            await asyncio.sleep(0.005)
        if how == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            await asyncio.to_thread(broker.stop)
            await asyncio.wait_for(task, 2)
        assert not broker.running

    asyncio.run(main())


def test_serve_that_is_cancelled_while_it_starts():
    async def main() -> Broker:
        broker = Broker(port=0, http_port=None)
        task = asyncio.create_task(broker.serve())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return broker

    broker = asyncio.run(main())  # waits for the threads of to_thread
    try:
        assert not broker.running
    finally:
        broker.stop()


def test_two_brokers_in_one_process(broker_factory):
    first, second = broker_factory(), broker_factory()
    in_first, in_second = Seen(), Seen()
    first.on_message_received(in_first.append)
    second.on_message_received(in_second.append)

    @first.on_message_received("bridge/#")
    def bridge(msg):
        second.publish(msg.topic, msg.payload)

    with Device(first) as one, Device(second) as two, second.subscribe("#") as messages:
        one.publish("bridge/a", "1")
        two.publish("b", "2")
        assert {messages.get(timeout=DEADLINE).topic for _ in range(2)} == {"bridge/a", "b"}
    first.stop()
    assert second.running
    with Device(second) as two:
        two.publish("c", "3")
    assert second.wait_for_hooks()
    assert ([msg.topic for msg in in_first], [msg.topic for msg in in_second]) == (["bridge/a"], ["b", "c"])


def test_a_stopped_broker_is_collected():
    def live() -> list[weakref.ref[object]]:
        broker = Broker(port=0, http_port=0)
        seen = Seen()

        @broker.on_message_received
        def observe(msg):
            seen.append((broker, msg))

        @broker.on_message_received
        async def later(msg):
            seen.append((broker, msg))

        @broker.authenticate
        def admit(client):
            seen.append((broker, client))
            return True

        @broker.route("/")
        def page():
            return str(broker.running)

        with broker:
            messages = broker.subscribe("#")
            with Device(broker) as device:
                device.publish("a")
            assert get(broker, "/").text == "True"
            seen.until(3)
            assert messages.get(timeout=DEADLINE).topic == "a"
            broker.history().count()
        return [weakref.ref(each) for each in (broker, observe, later, admit, page, messages)]

    references = live()
    for _ in range(3):
        gc.collect()
    assert [reference() for reference in references] == [None] * 6


def test_a_started_broker_lives_without_a_reference():
    def start() -> tuple[int, weakref.ref[Broker]]:
        broker = Broker(port=0, http_port=None).start()
        return broker.port, weakref.ref(broker)

    port, reference = start()
    gc.collect()
    socket.create_connection(("127.0.0.1", port), 2).close()
    broker = reference()
    assert broker is not None and broker.running
    broker.stop()


def test_the_stop_lets_hooks_finish_what_waits(broker_factory, tmp_path):
    broker = broker_factory(data_dir=tmp_path)
    gate, seen = Gate(), Seen()

    @broker.on_message_received("a")
    def slow(msg):
        gate.wait()
        seen.append(msg.text)
        broker.publish("told", msg.payload)

    with Device(broker) as device:
        for number in range(300):
            device.client.publish("a", str(number))
        device.publish("a", "300")
        assert gate.entered.wait(DEADLINE)
    stopping = threading.Thread(target=broker.stop)
    stopping.start()
    gate.opened.set()
    stopping.join(DEADLINE)
    assert not broker.running
    assert seen == [str(number) for number in range(301)]
    broker.start()
    assert broker.history("told").count() == 301


@pytest.mark.parametrize("kind", ["held loop", "everything else"])
def test_the_stop_does_not_wait_for_ever(broker_factory, kind):
    """Whatever hangs, a stop takes the grace once, and a moment to interrupt."""
    broker = broker_factory({"hooks.stop_grace": 0.5}, http_port=0)
    entered, opened = threading.Semaphore(0), threading.Event()

    def hang(*arguments):
        entered.release()
        opened.wait(30)

    async def hang_later(*arguments):
        entered.release()
        await asyncio.sleep(30)

    async def hold(msg):
        hang()

    with Device(broker) as device:
        if kind == "held loop":
            broker.on_message_received("a")(hold)
        else:
            broker.on_message_received("a")(hang)
            broker.on_message_received("a")(hang_later)
            broker.schedule(every(1).seconds)(hang)
            broker.schedule(every(1).seconds)(hang_later)
            broker.authorize(lambda client, action, topic: hang() if topic == "decider" else None)
            broker.route("/")(hang)
            with socket.create_connection(("127.0.0.1", broker.http_port)) as page:
                page.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert entered.acquire(timeout=DEADLINE)
        device.publish("a")
        device.client.publish("decider", "", 1)
        for _ in range(1 if kind == "held loop" else 5):
            assert entered.acquire(timeout=DEADLINE)
        started = time.monotonic()
        broker.stop()
        took = time.monotonic() - started
    opened.set()
    eventually(lambda: hookmq_threads() == [])
    assert took < 3


def test_the_end_of_a_subscription_ends_the_job_that_reads_it(broker_factory):
    broker = broker_factory({"hooks.stop_grace": 3.0})
    gate, seen = Gate(), Seen()
    gate.opened.set()

    @broker.schedule(every(1).seconds)
    def read():
        with broker.subscribe("#") as messages:
            gate.wait()
            for msg in messages:
                seen.append(msg.text)

    assert gate.entered.wait(DEADLINE)
    broker.publish("a", "1")
    seen.until(1)
    started = time.monotonic()
    broker.stop()
    assert time.monotonic() - started < 2


def test_a_hook_that_hangs_takes_nothing_from_the_history(broker_factory, tmp_path):
    broker = broker_factory({"hooks.stop_grace": 0.1}, data_dir=tmp_path)
    gate = Gate()
    broker.on_message_received(lambda msg: gate.wait())
    with Device(broker) as device:
        device.publish("a", "first")
        assert gate.entered.wait(DEADLINE)
        for number in range(20_000):
            broker.publish("a", str(number))
        broker.stop()
    gate.opened.set()
    broker.start()
    assert broker.history("a").count() == 20_001
