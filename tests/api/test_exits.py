"""How programs with a broker end: by a signal, by stop(), by their end, in a forked child."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .helpers import Device, ended, free_port, get, launch, program, read_until, run_program

LOG_LINE = re.compile(r"\d\d:\d\d:\d\d (INFO|WARNING) ")

# A client without a library, so that nothing but the broker is in the process.
CLIENT = """
import socket

def send(broker, count=1, topic=b"a"):
    peer = socket.create_connection(("127.0.0.1", broker.port))
    peer.sendall(bytes.fromhex("100c00044d5154540402003c0000"))
    packet = bytes([0x30, 2 + len(topic), 0, len(topic)]) + topic
    peer.sendall(packet * count)
    return peer

def listen(broker):
    peer = socket.create_connection(("127.0.0.1", broker.port))
    peer.sendall(bytes.fromhex("100c00044d5154540402003c0000 820600010001 2300"))
    assert peer.recv(4) and peer.recv(5)
    return peer

def ask(broker, path="/"):
    peer = socket.create_connection(("127.0.0.1", broker.http_port))
    peer.sendall(f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    return peer

def open_page(broker, path="/live"):
    peer = socket.create_connection(("127.0.0.1", broker.http_port))
    peer.sendall(
        f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n".encode()
    )
    assert peer.recv(4096)
    peer.sendall(bytes([0x81, 0x81, 0, 0, 0, 0]) + b"x")
    return peer
"""


def only_logs(errors: str) -> bool:
    """Whether all lines on stderr are of the log, and none of them says that something broke."""
    return all(LOG_LINE.match(line) for line in errors.splitlines())


# run() ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_ends_by_a_signal(tmp_path, number):
    """At any time after the banner: nobody knows how soon a supervisor changes its mind."""
    path = program(tmp_path, 'Broker(port=0, http_port=None).run(); print("after")')

    def once(pause: float) -> tuple[int, str, str]:
        process = launch(path)
        read_until(process, "Only this machine")
        time.sleep(pause)
        process.send_signal(number)
        return ended(process)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(once, [0.0] * 9 + [0.3])) == {(0, "after\n", "")}


# One write, so that what two threads write is not mixed.
END = "broker.stop(); sys.stdout.write('called\\n')\n"
STOPS = {
    "on_startup": "@broker.on_startup\ndef end(): " + END,
    "hook": "@broker.on_message_received\ndef end(msg): " + END,
    "async hook": "@broker.on_message_received\nasync def end(msg): " + END,
    "decider": "@broker.authorize\ndef end(client): " + END,
    "job": "@broker.schedule(every(1).seconds)\ndef end(): " + END,
    "async job": "@broker.schedule(every(1).seconds)\nasync def end(): " + END,
    "batch hook": "@broker.on_batch('#', max_delay=0)\ndef end(rows): " + END,
    "hook with threads": "@broker.on_message_received(threads=2)\ndef end(msg): " + END,
    "transform": "@broker.transform\ndef end(msg): " + END,
    "async transform": "@broker.transform\nasync def end(msg): " + END,
    "on_deliver": "@broker.on_deliver\ndef end(msg): " + END,
    "page": "@broker.route('/')\ndef end(): " + END,
    "stream": "@broker.route('/')\ndef end():\n    yield 'x'\n    " + END,
    "async stream": "@broker.route('/')\nasync def end():\n    yield 'x'\n    " + END,
    "websocket": "@broker.websocket('/live').on_message\ndef end(message): " + END,
    "async websocket": "@broker.websocket('/live').on_message\nasync def end(message): " + END,
    "application": "async def app(scope, receive, send):\n"
    "    if scope['type'] == 'lifespan': raise NotImplementedError\n"
    "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
    "    await send({'type': 'http.response.body', 'body': b''})\n"
    f"    {END}broker.mount('/', app)\n",
    "thread": "def end():\n    while not broker.running: time.sleep(0.01)\n    "
    + END
    + "threading.Thread(target=end).start()\n",
}


TRIGGERS = {
    "page": "ask(broker)",
    "stream": "ask(broker)",
    "application": "ask(broker)",
    "websocket": "open_page(broker)",
    "on_deliver": "(listen(broker), send(broker))",
}
"""What makes them be called, where it is not a message."""

BY_ITSELF = {"on_startup", "job", "async job", "thread"}
"""What is called without a trigger."""


def test_run_ends_by_stop_from_anywhere(tmp_path):
    def once(item: tuple[str, str]) -> tuple[str, tuple[int, set[str], str], bool]:
        name, body = item
        trigger = None if name in BY_ITSELF else TRIGGERS.get(name.removeprefix("async "), "send(broker)")
        path = program(
            tmp_path,
            f"broker = Broker(port=0, http_port=0)\n{CLIENT}\n{body}\n"
            "def trigger():\n    while not broker.running: time.sleep(0.01)\n"
            f"    kept.append({trigger})\nkept = []\n"
            + ("threading.Thread(target=trigger).start()\n" if trigger else "")
            + "broker.run()\nsys.stdout.write(f'after {broker.running}\\n')",
            f"{name.replace(' ', '_')}.py",
        )
        started = time.monotonic()
        code, output, errors = ended(launch(path), 30)
        took = time.monotonic() - started
        # The hook may be called before the banner is printed, and go on after the stop.
        told = {line for line in output.splitlines() if line in ("called", "after False")}
        return name, (code, told, "" if only_logs(errors) else errors), took < 5

    with ThreadPoolExecutor(4) as pool:
        for name, result, soon in pool.map(once, STOPS.items()):
            assert (name, result, soon) == (name, (0, {"called", "after False"}, ""), True)


def test_ctrl_c_during_load(tmp_path):
    path = program(
        tmp_path,
        """
        broker = Broker(port=0, http_port=None)

        @broker.on_message_received
        def observe(msg):
            broker.publish("copy", msg.payload)

        @broker.on_message_received
        async def later(msg):
            await asyncio.sleep(0)

        @broker.schedule(every(1).seconds)
        def job():
            broker.history().count()

        threading.Timer(0.3, lambda: print("port", broker.port, flush=True)).start()
        broker.run()
        """,
    )
    process = launch(path)

    class At:
        port = int(read_until(process, "port").split()[1])

    with Device(At, "flood") as device, Device(At, "reader") as reader:
        reader.subscribe("#", 0)
        for number in range(60_000):
            device.client.publish("a", bytes(100))
            if number == 30_000:
                process.send_signal(signal.SIGINT)
                started = time.monotonic()
            if process.poll() is not None or not device.ended.empty():
                break
        code, _, errors = ended(process, 10)
        assert time.monotonic() - started < 10
    assert code == 0
    assert only_logs(errors), errors


def test_two_ctrl_c_end_it_as_well(tmp_path):
    path = program(
        tmp_path,
        CLIENT
        + """
broker = Broker(port=0, http_port=None, hooks={"stop_grace": 2})

@broker.on_message_received
def stuck(msg):
    print("hangs now", flush=True)
    time.sleep(3600)

def trigger():
    while not broker.running: time.sleep(0.01)
    time.sleep(0.4)
    kept.append(send(broker))

kept = []
threading.Thread(target=trigger).start()
broker.run()
""",
    )
    process = launch(path)
    read_until(process, "hangs now")  # the banner names the hook
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    code, _, errors = ended(process, 10)
    assert (code, "Traceback" in errors, "Fatal" in errors) == (0, False, False), errors


def test_an_iterator_in_the_main_thread_hears_ctrl_c(tmp_path):
    path = program(
        tmp_path,
        """
        broker = Broker(port=0, http_port=None).start()
        broker.publish("a", "ready", retain=True)
        try:
            for msg in broker.subscribe("a"):
                print(msg.text, flush=True)
        except KeyboardInterrupt:
            print("interrupted")
        """,
    )
    process = launch(path)
    read_until(process, "ready")
    process.send_signal(signal.SIGINT)
    assert ended(process, 5) == (0, "interrupted\n", "")


def test_an_error_of_the_start_ends_run_with_its_code(tmp_path):
    with_port = free_port()
    body = f"""
        broker = Broker(port={with_port}, http_port=None).start()
        Broker(port={with_port}, http_port=None).run()
    """
    code, output, errors = run_program(tmp_path, body)
    assert (code, output) == (5, "")
    assert errors.startswith(f"error[E101]: port {with_port} is already in use\n  help: ")
    assert "Traceback" not in errors


def test_a_closed_terminal_is_no_reason_to_hang(tmp_path):
    path = program(tmp_path, "Broker(port=0, http_port=None).run()")
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    assert reader.stdin is not None
    with reader.stdin:
        process = launch(path, stdout=reader.stdin)
    time.sleep(0.6)
    process.send_signal(signal.SIGTERM)
    code, _, errors = ended(process, 8)
    assert (code, "Fatal" in errors) in [(0, False), (1, False), (120, False)]


# The end of the program ----------------------------------------------------------------------------------

HOOK = "@broker.on_message_received\n"
BUSY = {
    "a hook that is busy": HOOK + "def hook(msg): ready(); sum(range(2000))",
    "a hook that sleeps": HOOK + "def hook(msg): ready(); time.sleep(3600)",
    "an async hook that waits": HOOK + "async def hook(msg): ready(); await asyncio.sleep(3600)",
    "an async hook that sleeps": HOOK + "async def hook(msg): ready(); time.sleep(3600)",
    "a hook in an infinite loop": HOOK + "def hook(msg):\n    ready()\n    while True: pass",
    "a hook that publishes for ever": HOOK + "def hook(msg):\n    ready()\n    while True:\n"
    "        try: broker.publish('b', 'x')\n        except Exception: pass",
    "an async hook in an infinite loop": HOOK + "async def hook(msg):\n    ready()\n    while True: pass",
    "a job that runs": "@broker.schedule(every(1).seconds)\ndef job():\n"
    "    ready()\n    while True: time.sleep(0.01)",
    "a decider and a page that sleep": "@broker.authorize\ndef may(client): ready(); time.sleep(3600)\n"
    "@broker.route('/')\ndef page(): time.sleep(3600)\nasks = '/'",
    "threads of the program's own": "def work():\n    while True:\n        try: broker.publish('b', 'x')\n"
    "        except Exception: time.sleep(0)\n"
    "def read():\n    for msg in broker.subscribe('b'): pass\n    ready()\n    time.sleep(3600)\n"
    "for target in (work, work, read): threading.Thread(target=target, daemon=True).start()\nready()",
}


LOOP = "\n    ready()\n    while True: pass"
SLEEP = ": ready(); time.sleep(3600)"
WAIT = ": ready(); await asyncio.sleep(3600)"
MORE = {
    "a batch hook in an infinite loop": "@broker.on_batch('#', max_delay=0)\ndef hook(rows):" + LOOP,
    "a batch hook that keeps and sleeps": "@broker.on_batch('#', max_delay=0, ack='after_hook')\n"
    "def hook(rows)" + SLEEP,
    "transforms": "@broker.transform\ndef hook(msg):" + LOOP,
    "async transforms": "@broker.transform\nasync def hook(msg)" + WAIT,
    "deliveries": "@broker.on_deliver\ndef hook(msg):" + LOOP + "\nlistens = True",
    "async deliveries": "@broker.on_deliver\nasync def hook(msg)" + WAIT + "\nlistens = True",
    "threads of a hook's own": "@broker.on_message_received(threads=4)\ndef hook(msg)" + SLEEP,
    "another process": "import work\n"
    "broker.on_message_received('#', executor='process', workers=2)(work.compute)\n"
    "def look():\n    while not os.path.exists('computing'): time.sleep(0.01)\n    ready()\n"
    "threading.Thread(target=look, daemon=True).start()",
    "a page that never ends": "@broker.route('/')\ndef page():\n    ready()\n"
    "    while True: yield 'x' * 1000\nasks = '/'",
    "a page that waits between pieces": "@broker.route('/')\ndef page():\n    yield 'x'\n    ready()\n"
    "    time.sleep(3600)\nasks = '/'",
    "an async page that never ends": "@broker.route('/')\nasync def page():\n    ready()\n"
    "    while True: yield 'x' * 1000\nasks = '/'",
    "a websocket that is busy": "live = broker.websocket('/live')\n@live.on_message\ndef message(message):"
    + LOOP
    + "\nopens = '/live'",
    "an async websocket that waits": "live = broker.websocket('/live')\n@live.on_message\n"
    "async def message(message)" + WAIT + "\nopens = '/live'",
    "an application that waits": "async def app(scope, receive, send)"
    + WAIT
    + "\nbroker.mount('/app', app)\nasks = '/app'",
    "an application in an infinite loop": "async def app(scope, receive, send):\n"
    "    if scope['type'] == 'lifespan': raise NotImplementedError"
    + LOOP
    + "\nbroker.mount('/app', app)\nasks = '/app'",
    "a websocket of an application": "async def app(scope, receive, send):\n"
    "    if scope['type'] == 'lifespan': raise NotImplementedError\n"
    "    await send({'type': 'websocket.accept'})\n    ready()\n    await asyncio.sleep(3600)\n"
    "broker.mount('/app', app)\nopens = '/app'",
    "what is done at the end": HOOK
    + "def hook(msg): ready()\n@broker.on_shutdown\ndef hook(): time.sleep(3600)",
}
"""Kinds of hooks that came later."""

WORK = """
import time

def compute(msg):
    open("computing", "w").close()
    while True: pass
"""


def busy_program(folder: Path, name: str, body: str) -> Path:
    (folder / "work.py").write_text(WORK)
    return program(
        folder,
        # Should it hang, it says where.
        "import faulthandler\nfaulthandler.dump_traceback_later(12)\n"
        f"broker = Broker(port=0, http_port=0, hooks={{'stop_grace': 0.2}})\n{CLIENT}\n"
        "is_ready = threading.Event()\nready = is_ready.set\n"
        "listens, asks, opens = False, None, None\nbroker.start()\n"
        f"{body}\nkept = [listen(broker)] if listens else []\nkept.append(send(broker, 20))\n"
        "if asks: kept.append(ask(broker, asks))\nif opens: kept.append(open_page(broker, opens))\n"
        "assert is_ready.wait(10)\nprint('end', flush=True)",
        f"{name.replace(' ', '_')}.py",
    )


@pytest.mark.parametrize(("programs", "times"), [(BUSY, 5), (MORE, 3)], ids=["first kinds", "later kinds"])
def test_fifty_exits_without_a_stop(tmp_path, capsys, programs, times):
    paths = [busy_program(tmp_path, name.replace("'", ""), body) for name, body in programs.items()]
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda path: (path.stem, *ended(launch(path), 30)), paths * times))
    bad = [result for result in results if result[1:3] != (0, "end\n") or "Fatal" in result[3]]
    with capsys.disabled():
        print(f"\n{len(results)} exits, {len(bad)} aborts")
    assert bad == []
    assert len(results) >= 50


def test_a_hook_that_will_not_end_does_not_abort_the_exit(tmp_path):
    body = HOOK + (
        "def hook(msg):\n    ready()\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass"
    )
    path = busy_program(tmp_path, "stubborn", body)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: ended(launch(path), 30), range(4)))
    assert {(code, output) for code, output, _ in results} == {(0, "end\n")}
    assert not any("Fatal" in errors for _, _, errors in results)


# Fork ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["exit", "os._exit", "multiprocessing"])
def test_a_forked_child_must_not_touch_the_broker(tmp_path, way):
    body = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        broker = Broker(port=0, http_port=0).start()
        seen = []

        @broker.on_message_received
        def observe(msg): seen.append(msg.topic)

        @broker.on_message_received
        async def later(msg): seen.append(msg.topic)

        messages = broker.subscribe("#")
        broker.publish("a", "1")

        def child():
            from hookmq import HookMQError
            codes = []
            for use in (lambda: broker.publish("a"), broker.start, lambda: broker.history(),
                        lambda: broker.statistics, lambda: broker.subscribe("a")):
                try: use()
                except HookMQError as error: codes.append(error.code)
            broker.stop()
            print(codes, broker.running, flush=True)

        WAY
        broker.publish("a", "2")
        assert broker.running and [messages.get(timeout=2).text for _ in range(2)] == ["1", "2"]
        broker.stop()
        print("parent", status)
        """
    forks = """pid = os.fork()
        if pid == 0:
            child()
            EXIT
        status = os.waitpid(pid, 0)[1]"""
    ways = {
        "exit": forks.replace("EXIT", "sys.exit(0)"),
        "os._exit": forks.replace("EXIT", "os._exit(0)"),
        "multiprocessing": """import multiprocessing
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start(); process.join(); status = process.exitcode""",
    }
    code, output, errors = run_program(tmp_path, body.replace("WAY", ways[way]))
    assert (code, errors) == (0, "")
    assert output == "['E504', 'E504', 'E504', 'E504', 'E504'] False\nparent 0\n"


def test_what_a_stop_leaves_is_nothing(tmp_path):
    """Neither threads nor file descriptors."""
    body = f"""
import gc
{CLIENT}

def open_files(): return len(os.listdir("/proc/self/fd"))

def live():
    broker = Broker(port=0, http_port=0, data_dir="data")
    broker.on_message_received(lambda msg: None)
    with broker:
        kept = [send(broker, 3), ask(broker)]
        iterators = [broker.subscribe("#") for _ in range(5)]
        broker.wait_for_hooks()
        broker.history().count()

live()
gc.collect()
first = open_files()
for _ in range(5): live()
gc.collect()
print(open_files() - first, threading.active_count(), len(os.listdir("/proc/self/task")))
"""
    code, output, errors = run_program(tmp_path, body)
    assert (code, output, errors) == (0, "0 1 1\n", "")


def test_a_program_may_end_while_it_starts(tmp_path):
    def once(milliseconds: int) -> tuple[int, str]:
        body = (
            "def start():\n    global broker\n    broker = Broker(port=0, http_port=0).start()\n"
            "threading.Thread(target=start, daemon=True).start()\n"
            f"time.sleep({milliseconds / 1000})"
        )
        path = program(tmp_path, body, f"ends{milliseconds}.py")
        code, _, errors = ended(launch(path))
        return code, errors

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(once, range(0, 40, 4))) == {(0, "")}


def test_the_page_of_a_program_answers_until_it_ends(tmp_path):
    path = program(
        tmp_path,
        "broker = Broker(port=0, http_port=0)\n"
        "@broker.route('/')\ndef page(): return 'here'\n"
        "broker.start(); print('port', broker.http_port, flush=True); sys.stdin.read()",
    )
    process = launch(path, stdin=subprocess.PIPE)

    class At:
        http_port = int(read_until(process, "port").split()[1])

    assert get(At, "/").text == "here"
    assert ended(process) == (0, "", "")
