"""`hookmq run` and `check`, each as a process of its own, with small apps."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Spawn = Callable[..., Any]

APP = """\
from hookmq import Broker

broker = Broker(port=0, http_port=None)


@broker.on_message_received("tank/{tank}/level")
def watch(msg, tank):
    print(f"tank {tank}: {msg.text}", flush=True)
"""

READY = b"mqtt://127.0.0.1:"


@pytest.fixture
def app(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str = APP, name: str = "app.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def error_of(done: subprocess.CompletedProcess[bytes]) -> str:
    text = done.stderr.decode()
    assert "Traceback" not in text
    return text


# run -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_plain_broker_runs_until_a_signal(spawn: Spawn, number: int) -> None:
    running = spawn("run", "--port", "0", "--http-port", "off")
    running.wait_for(READY)
    assert running.stop(number) == 0
    assert b"Traceback" not in running.output


def test_run_keeps_its_data_in_hookmq_data(spawn: Spawn, tmp_path: Path) -> None:
    running = spawn("run", "--port", "0", "--http-port", "off")
    running.wait_for(READY)
    assert running.stop() == 0
    assert (tmp_path / "hookmq-data").is_dir()


@pytest.mark.parametrize("reference", ["app.py", "app:broker", "app.py:broker", "app", "./app.py"])
def test_every_way_to_name_an_app(spawn: Spawn, app: Callable[..., Path], reference: str) -> None:
    app()
    running = spawn("run", reference)
    running.wait_for(READY)
    assert running.stop(signal.SIGINT) == 0


def test_an_app_in_a_package(spawn: Spawn, app: Callable[..., Path]) -> None:
    app("", "shop/__init__.py")
    app("PORT = 0", "shop/ports.py")
    app(
        "from hookmq import Broker\nfrom .ports import PORT\nhub = Broker(port=PORT, http_port=None)\n",
        "shop/hub.py",
    )
    running = spawn("run", "shop.hub:hub")
    running.wait_for(READY)
    assert running.stop() == 0


def test_a_script_that_runs_the_broker_itself(spawn: Spawn, app: Callable[..., Path]) -> None:
    guarded = "\n\nbroker.run()\n\nif __name__ == '__main__':\n    raise SystemExit('guarded')\n"
    app(APP + guarded + "\nprint('name:', __name__, flush=True)\n")
    running = spawn("run", "app.py", "--data-dir", "here")
    running.wait_for(READY)
    running.wait_for(b"name: app\n")
    assert running.stop() == 0


def test_a_neighbour_of_the_app_can_be_imported(hookmq: Run, app: Callable[..., Path]) -> None:
    app("LEVEL = 20", "apps/limits_of_tanks.py")
    app("import limits_of_tanks\n" + APP, "apps/app.py")
    assert hookmq("check", "apps/app.py").returncode == 0


def test_an_app_named_like_a_module_of_python(hookmq: Run, app: Callable[..., Path]) -> None:
    app(APP, "queue.py")
    assert hookmq("check", "queue.py").returncode == 0


def test_the_flag_beats_the_app(hookmq: Run, app: Callable[..., Path], busy_port: int) -> None:
    app()
    done = hookmq("run", "app.py", "--port", str(busy_port))
    assert f"port {busy_port} is already in use" in error_of(done)


def test_a_port_that_is_taken(hookmq: Run, busy_port: int) -> None:
    done = hookmq("run", "--port", str(busy_port), "--http-port", "off")
    assert done.returncode == 5
    assert done.stdout == b"", "the banner comes only after every bind"
    assert error_of(done) == (
        f"error[E101]: port {busy_port} is already in use\n"
        f"  help: stop the other program, or use another port:   hookmq run --port {busy_port + 1}\n"
    )


def test_open_without_authentication_is_refused(hookmq: Run, app: Callable[..., Path]) -> None:
    app()
    for arguments in (["run"], ["run", "app.py"]):
        done = hookmq(*arguments, "--host", "0.0.0.0", "--port", "0", "--http-port", "off")
        assert done.returncode == 3
        assert error_of(done).startswith("error[E302]: 0.0.0.0 is open to other machines")


def test_open_to_everyone_if_asked_for(spawn: Spawn) -> None:
    running = spawn("run", "--host", "0.0.0.0", "--port", "0", "--http-port", "off", "--allow-anonymous")
    running.wait_for(b"MQTT")
    assert running.stop() == 0


def test_an_unknown_key(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "hookmq.toml").write_text("port = 0\n[limits]\nmax_pakcet_size = 5\n")
    done = hookmq("run")
    assert done.returncode == 3
    assert error_of(done) == (
        "error[E301]: hookmq.toml:3  unknown key `limits.max_pakcet_size`\n"
        "  help: did you mean `limits.max_packet_size`?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--port", "abc"], {}, "error[E303]: flag --port  `port` is 'abc'; expected a port number"),
        ([], {"HOOKMQ_PORT": "-5"}, "error[E303]: environment HOOKMQ_PORT  `port` is '-5'; expected"),
        (
            ["--log-level", "loud"],
            {},
            "error[E303]: flag --log-level  `log.level` is 'loud'; expected one of",
        ),
        (["--config", "no.toml"], {}, "error[E304]: no.toml  no such file or directory"),
    ],
)
def test_a_value_that_does_not_fit(
    hookmq: Run, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    done = hookmq("run", *arguments, environment=environment)
    assert done.returncode == 3
    assert error_of(done).startswith(message)


IMPORT_ERRORS = [
    # the app, the reference, the whole error
    (
        "import hookmq\n\n\ndef f():\n    return unknown\n\n\nf()\n",
        "app.py",
        "error[E202]: app.py:5  NameError: name 'unknown' is not defined\n"
        "  help: correct the app, or look closer:   python app.py\n",
    ),
    (
        "import json\n\njson.loads('{')\n",
        "app.py",
        "error[E202]: app.py:3  JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)\n  help: correct the app, or look closer:   python app.py\n",
    ),
    (
        "import a_package_that_is_not_there.part\n",
        "app:broker",
        "error[E202]: app.py:1  ModuleNotFoundError: No module named 'a_package_that_is_not_there'\n"
        "  help: if it is a package, install it for this Python:   "
        "python -m pip install a_package_that_is_not_there\n",
    ),
    ("raise SystemExit(3)\n", "app", "error[E202]: app.py:1  SystemExit: 3\n"),
    (
        "x = (\n",
        "app.py",
        "error[E206]: app.py:1  syntax error: '(' was never closed\n  help: the line is:   x = (\n",
    ),
    (
        "x = 1\n",
        "app.py",
        "error[E203]: app.py has no Broker\n"
        "  help: create one at the top level of the module:   broker = Broker()\n",
    ),
    ("hub = 5\n", "app.py:hub", "error[E203]: `hub` in app.py is of type int, not a Broker\n"),
    ("hub = 5\n", "app:broker", "error[E203]: `broker` in app is nothing\n"),
    (
        "from hookmq import Broker\na = Broker()\nb = Broker()\n",
        "app.py",
        "error[E204]: app.py has several brokers: a, b\n  help: name the one to run:   hookmq run app.py:a\n",
    ),
    (
        "",
        "nosuch.py",
        "error[E205]: there is no file `nosuch.py`\n"
        "  help: name the app's file:   hookmq run path/to/app.py\n",
    ),
    (
        "",
        "nosuch.module:broker",
        "error[E201]: there is no module `nosuch.module`\n"
        "  help: run the command in the app's directory, or name its file:   hookmq run path/to/app.py\n",
    ),
    (
        "",
        "not-a-module",
        "error[E201]: there is no module `not-a-module`\n"
        "  help: run the command in the app's directory, or name its file:   hookmq run path/to/app.py\n",
    ),
]


@pytest.mark.parametrize(("text", "reference", "message"), IMPORT_ERRORS)
def test_an_app_that_cannot_be_imported(
    hookmq: Run, app: Callable[..., Path], text: str, reference: str, message: str
) -> None:
    app(text)
    done = hookmq("run", reference)
    assert (done.returncode, error_of(done)) == (4, message)


def test_the_line_is_the_innermost_one_of_the_user(hookmq: Run, app: Callable[..., Path]) -> None:
    app("def fail():\n    raise ValueError('deep')\n", "helper_of_app.py")
    app("import helper_of_app\nhelper_of_app.fail()\n")
    assert "error[E202]: helper_of_app.py:2  ValueError: deep" in error_of(hookmq("run", "app.py"))


def test_a_syntax_error_in_a_module_of_the_app(hookmq: Run, app: Callable[..., Path]) -> None:
    app("x = = 1\n", "helper_of_app.py")
    app("import helper_of_app\n")
    done = hookmq("run", "app.py")
    assert done.returncode == 4
    assert error_of(done).startswith("error[E206]: helper_of_app.py:1  syntax error: invalid syntax")


def test_a_hook_that_does_not_fit(hookmq: Run, app: Callable[..., Path]) -> None:
    app(APP.replace('"tank/{tank}/level"', '"tank/#/level"'))
    done = hookmq("run", "app.py")
    assert done.returncode == 4
    assert "app.py:" in error_of(done)
    assert error_of(done).startswith("error[E5")


def test_two_names_of_one_broker_are_one_broker(hookmq: Run, app: Callable[..., Path]) -> None:
    app(APP + "\nsame = broker\n")
    assert hookmq("check", "app.py").returncode == 0


# check ---------------------------------------------------------------------------------------------------


FULL_APP = """\
from hookmq import Broker, every

broker = Broker(port=0, http_port=None)


@broker.on_message_received("tank/+/level")
def watch(msg):
    pass


@broker.schedule(every(10).seconds)
def remind():
    pass


@broker.route("/hello")
def hello(request):
    return "hello"


broker.run()
"""


def test_check_lists_what_is_registered(hookmq: Run, app: Callable[..., Path], tmp_path: Path) -> None:
    app(FULL_APP)
    done = hookmq("check", "app.py")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert lines[0] == "app.py: 1 hook, 1 job, 1 route"
    assert lines[1].split()[:4] == ["Hooks", "watch", "on_message_received", "tank/+/level"]
    assert lines[1].split()[-1].startswith("app.py:")
    assert lines[2].startswith("  Jobs    remind   every 10 seconds")
    assert lines[3].split()[:3] == ["Routes", "hello", "/hello"]
    assert lines[1].index("app.py:") == lines[2].index("app.py:") == lines[3].index("app.py:")
    assert lines[-1] == "No problems found."
    assert not (tmp_path / "hookmq-data").exists(), "nothing was started"


LIVE_APP = """
from hookmq import Broker

broker = Broker()
live = broker.websocket("/live")

@live.on_message
def heard(message, socket):
    socket.send(message)

@broker.widget("Pump", every=2)
def pump():
    return 42

broker.run()
"""


def test_check_lists_websockets_and_widgets(hookmq: Run, app: Callable[..., Path]) -> None:
    app(LIVE_APP)
    lines = hookmq("check", "app.py").stdout.decode().splitlines()
    assert lines[0] == "app.py: 0 hooks, 0 jobs, 1 route, 1 widget"
    assert lines[1].split() == ["Routes", "heard", "/live", "websocket", "app.py:7"]
    assert lines[2].split() == ["Widgets", "pump", "Pump", "every", "2", "s", "app.py:11"]
    report = json.loads(hookmq("check", "app.py", "--json").stdout)
    assert [(one["path"], one["kind"]) for one in report["routes"]] == [("/live", "websocket")]
    assert [(one["name"], one["every"]) for one in report["widgets"]] == [("pump", 2)]


def test_the_banner_tells_websockets_and_widgets(spawn: Callable[..., Any], app: Callable[..., Path]) -> None:
    app(LIVE_APP.replace("Broker()", "Broker(port=0, http_port=0)"))
    running = spawn("run", "app.py")
    running.wait_for(b"Only this machine can connect")
    assert re.search(rb"Pages .*/live", running.output)
    assert re.search(rb"pump +\S+ widget, every 2 s +app.py:11", running.output)


def test_check_as_json(hookmq: Run, app: Callable[..., Path]) -> None:
    app(FULL_APP)
    done = hookmq("check", "app.py", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["problems"]) == (0, True, [])
    assert [(hook["name"], hook["kind"], hook["filter"]) for hook in report["hooks"]] == [
        ("watch", "on_message_received", "tank/+/level")
    ]
    assert [(job["name"], job["description"]) for job in report["jobs"]] == [("remind", "every 10 seconds")]
    assert [(route["name"], route["path"]) for route in report["routes"]] == [("hello", "/hello")]
    for entry in report["hooks"] + report["jobs"] + report["routes"]:
        assert entry["where"].startswith("app.py:")


def test_check_finds_problems_of_the_configuration(
    hookmq: Run, app: Callable[..., Path], tmp_path: Path
) -> None:
    app()
    (tmp_path / "hookmq.toml").write_text('host = "0.0.0.0"\n')
    done = hookmq("check", "app.py")
    assert done.returncode == 3
    assert done.stdout.startswith(b"app.py: 1 hook")
    assert error_of(done).startswith("error[E302]: 0.0.0.0 is open")
    report = json.loads(hookmq("check", "app.py", "--json").stdout)
    assert (report["ok"], [problem["code"] for problem in report["problems"]]) == (False, ["E302"])
    assert hookmq("check", "app.py", "--host", "127.0.0.1").returncode == 0


def test_check_of_an_app_that_cannot_be_imported(hookmq: Run, app: Callable[..., Path]) -> None:
    app("x = 1\n")
    assert hookmq("check", "app.py").returncode == 4
    done = hookmq("check", "app.py", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr, report["ok"]) == (4, b"", False)
    assert report["problems"][0]["code"] == "E203"
