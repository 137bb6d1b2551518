"""How extensions are loaded: where they work, what they find, and what is said when they cannot be loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from hookmq import Broker, HookMQError
from hookmq.crystalmq import WorkingDirectory, working_directory

from ..api.helpers import Device, eventually, get
from .homes import HomeFolder
from .test_store import WRITE, seen

HOOK = "\n    def on_message_received_hook(data):\n        pass\n"


# What cannot be loaded -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "reason", "remedy"),
    [
        ('x = 1\nprint "stored"\n', 2, "syntax error", "this is Python 2; write print(…) with parentheses"),
        (
            "try:\n    pass\nexcept IOError, error:\n    pass\n",
            3,
            "syntax error",
            "this is Python 2; write `except",
        ),
        ("def f(:\n", 1, "syntax error", "python -m py_compile"),
        ("import nothing_like_this\n", 1, "no module `nothing_like_this`", "pip install nothing_like_this"),
        ("\nimport MySQLdb\n", 2, "no module `MySQLdb`", "pip install mysqlclient"),
        ("import ConfigParser\n", 1, "no module `ConfigParser`", "the module is called configparser now"),
        (
            "import sys\nsys.exit('the database is away')\n",
            2,
            "SystemExit: the database is away",
            "hookmq doctor",
        ),
        ("for n in xrange(3):\n    pass\n", 1, "NameError", "this is Python 2; write range"),
        ("import helper\n", 3, "ZeroDivisionError: division by zero", "hookmq doctor"),
        ("def setclientobj(obj):\n    obj['client']\n", 2, "KeyError: 'client'", "hookmq doctor"),
    ],
)
def test_what_is_said(home, run_home, text, where, reason, remedy):
    home.write("extensions/helper.py", "\n\n1 / 0\n")
    home.store(text)
    with pytest.raises(HookMQError) as failure:
        run_home(home)
    error = failure.value
    name = "helper.py" if "helper" in text else "custom_store.py"
    assert (error.code, error.exit_code) == ("E803", 4)
    assert error.message.startswith(f"{home.path}/extensions/{name}:{where}  ")
    assert reason in error.message and remedy in error.help


def test_hooks_of_a_wrong_name(home, run_home):
    home.store("def on_message_recieved_hook(data): pass")
    with pytest.raises(HookMQError, match="neither on_message_received_hook nor on_message_sent_hook"):
        run_home(home)
    home.store("async def on_message_received_hook(data): pass")
    with pytest.raises(HookMQError, match="on_message_received_hook is a coroutine"):
        run_home(home)


def test_nothing_stays_of_what_could_not_be_loaded(home, run_home):
    home.store("import threading\nthreading.Thread(target=print).start()\n1 / 0\n")
    before = threading.active_count()
    with pytest.raises(HookMQError):
        run_home(home)
    assert "custom_store" not in sys.modules or "home" not in str(sys.modules["custom_store"].__file__)
    eventually(lambda: threading.active_count() <= before)


# Where they work -------------------------------------------------------------------------------------------


def test_the_directory_is_that_of_extensions_alone(home, run_home, tmp_path, monkeypatch):
    """While hooks, pages and threads of extensions work in bin, everybody else stays where they were."""
    monkeypatch.chdir(tmp_path)
    home.store(
        WRITE
        + """
    import os, subprocess, threading, time

    def background():
        while not os.path.exists("../data/go"):
            time.sleep(0.01)
        note("thread", os.getcwd())

    threading.Thread(target=background).start()

    def on_message_received_hook(data):
        def work():
            note("thread of the hook", os.getcwd())
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        note("child", subprocess.check_output(["pwd"], text=True).strip())
        os.chdir("/")
        note("moved", os.getcwd())
        os.chdir(WHERE)

    WHERE = os.getcwd()
    def note(kind, data, path=os.path.join(WHERE, "../data/seen.jsonl")):
        with open(path, "a") as file:
            file.write(json.dumps([kind, data]) + "\\n")
    """
    )
    broker = run_home(home)
    elsewhere = []
    broker.on_message_received("#")(lambda message: elsewhere.append(os.getcwd()))
    broker.route("/own")(lambda: os.getcwd())
    with Device(broker) as device:
        device.publish("a")
        eventually(lambda: elsewhere)
        assert get(broker, "/own").text == str(tmp_path)
        (home.path / "data/go").touch()
        found = dict(seen(home, 4))
    here = str(home.path / "bin")
    assert found == {"thread of the hook": here, "child": here, "moved": "/", "thread": here}
    assert (elsewhere, os.getcwd()) == ([str(tmp_path)], str(tmp_path))


def test_a_system_that_refuses(home, run_home, monkeypatch, caplog):
    """Without directories of threads the whole process goes to bin, and says so once."""
    monkeypatch.setattr(working_directory, "_unshare", lambda: False)
    home.store(WRITE + "\n    def on_message_received_hook(data):\n        note('cwd', 1)\n")
    before = os.getcwd()
    try:
        broker = run_home(home)
        assert os.getcwd() == str(home.path / "bin")
        with Device(broker) as device:
            device.publish("a")
            seen(home, 1)
        broker.stop()
    finally:
        os.chdir(before)
    assert caplog.text.count("gives no thread a working directory of its own") == 1


def test_threads_enter_for_themselves(tmp_path):
    before = os.getcwd()
    directory = WorkingDirectory(tmp_path)
    assert directory.run(os.getcwd) == str(tmp_path)
    with pytest.raises(ZeroDivisionError):
        directory.run(lambda: 1 / 0)
    with pytest.raises(FileNotFoundError):
        WorkingDirectory(tmp_path / "none").run(os.getcwd)
    assert os.getcwd() == before


def test_two_homes_with_helpers_of_one_name(tmp_path, run_home):
    brokers = []
    for name in ("one", "two"):
        home = HomeFolder(tmp_path / name)
        home.write("extensions/helper.py", f"NAME = '{name}'\n")
        home.store(
            WRITE
            + """
    from helper import NAME

    def on_message_received_hook(data):
        note("is", NAME)
    """
        )
        brokers.append((run_home(home), home))
    for broker, home in brokers:
        with Device(broker) as device:
            device.publish("a")
        assert seen(home, 1) == [["is", home.path.name]]


# Life ------------------------------------------------------------------------------------------------------


def test_it_can_be_started_again(home, run_home):
    home.store(WRITE + "\n    def on_message_received_hook(data):\n        note('got', data['message'])\n")
    home.extension(
        "custom_ui_server.py",
        "def page():\n    return 'here'\ndef custom_urls():\n    return {'urls': [{'/page': page}]}\n",
    )
    broker = run_home(home)
    for number in range(2):
        broker.start()
        with Device(broker) as device:
            device.publish("a", str(number))
            assert get(broker, "/page").text == "here"
            assert seen(home, number + 1)[-1] == ["got", str(number)]
        broker.stop()
    assert not [one for one in threading.enumerate() if one.name.startswith("hookmq")]


def test_the_log_is_rotated(home, run_home):
    home.broker(
        "[CONFIG]\nPORT_NO = 0\nWS_PORT_NO = OFF\n[UI]\nUI_Http_Port = OFF\n"
        "[LOG_HANDLER]\nLOG_FILE_PATH = ../log/own/mine.log\nLOG_LEVEL = 3\n"
        "MAX_FILE_SIZE = 0.01\nBACKUP_FILE_COUNT = 2\n"
    )
    home.store(
        """
    logger_p.info("not written")
    for number in range(1000):
        logger_p.error("line %d", number)
    """
        + HOOK
    )
    run_home(home)
    logs = sorted(path.name for path in (home.path / "log/own").iterdir())
    assert logs == ["mine.log", "mine.log.1", "mine.log.2"]
    text = "".join((home.path / "log/own" / name).read_text() for name in reversed(logs))
    assert "line 999" in text and "line 1\n" not in text and "not written" not in text
    assert all((home.path / "log/own" / name).stat().st_size <= 0.01 * 2**20 for name in logs)


def test_run_on_the_command_line(home):
    """`hookmq run --crystalmq HOME`: a plugin with a thread that never ends does not keep it from ending."""
    home.store(
        WRITE
        + "\n    import threading, time\n    threading.Thread(target=lambda: time.sleep(600)).start()"
        + HOOK
    )
    command = [sys.executable, "-m", "hookmq", "run", "--crystalmq", str(home.path), "--http-port", "off"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home.path
    ) as process:
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if "on_message_received_hook" in line:
                break
        process.terminate()
        output += process.stdout.read()
    assert process.returncode == 0, output
    assert "custom_store.py" in output


def test_errors_on_the_command_line(home):
    home.store('print "x"')
    command = [sys.executable, "-m", "hookmq", "run", "--crystalmq", str(home.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 4
    assert done.stderr.startswith(f"error[E803]: {home.path}/extensions/custom_store.py:1  ")
    assert "help: this is Python 2" in done.stderr


def test_it_is_a_broker(home):
    class Own(Broker):
        """A class of the user's."""

    assert type(Own.from_crystalmq(home.path, http_ports=[])) is Own
