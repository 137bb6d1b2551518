"""`hookmq doctor`: what it finds, without importing or running anything."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path

import pytest

from hookmq.cli import doctor
from hookmq.crystalmq.doctor import examine

GOOD_STORE = "def on_message_received_hook(data):\n    pass\n"


def found(target, severity=None):
    return [
        (finding.severity, finding.where, finding.text, finding.remedy)
        for finding in examine(Path(target))
        if severity in (None, finding.severity)
    ]


def run(*arguments):
    parser = argparse.ArgumentParser()
    doctor.configure(parser)
    return doctor.main(parser.parse_args(list(arguments)))


@pytest.fixture
def sound(home):
    """A home in which there is nothing to find."""
    home.broker(
        "[CONFIG]\nPORT_NO = 0\nWS_PORT_NO = OFF\n[UI]\nUI_Http_Port = 0\n[WEBSOCKET]\nWEBSOCKET_PORT = 0\n"
        "[WEB_LOGIN_PAGE]\nWEB_LOGIN = DISABLED\n"
    )
    home.store(GOOD_STORE)
    return home


def test_a_sound_home(sound, capsys):
    assert found(sound.path) == []
    assert run(str(sound.path)) == 0
    assert capsys.readouterr().out == f"{sound.path}: no problems found\n"


# What is in a file of Python, where it is found, and what is to be done.
FILES = [
    ('import os\nprint "x"\n', "error", 2, "syntax error", "this is Python 2; write print(…)"),
    ('print "x"\nif 1 <> 2:\n    pass\n', "error", 2, "old syntax: if 1 <> 2:", "write != for <>"),
    ("try:\n  pass\nexcept IOError, e:\n  pass\n", "error", 3, "syntax error", "except Error as name"),
    ("password = 'hunter2\n", "error", 1, "syntax error: unterminated string", "python -m py_compile"),
    ("def f(:\n", "error", 1, "syntax error", "python -m py_compile"),
    (
        "import nothing_like_this.at_all\n",
        "error",
        1,
        "no module `nothing_like_this`",
        "pip install nothing_like_this",
    ),
    ("from MySQLdb import cursors\n", "error", 1, "no module `MySQLdb`", "pip install mysqlclient"),
    ("import ConfigParser\n", "error", 1, "no module `ConfigParser`", "is called configparser now"),
    (
        "try:\n    import nothing_like_this\nexcept ImportError:\n    pass\n",
        "note",
        2,
        "no module",
        "pip install",
    ),
    ("text = unicode('x')\n", "error", 1, "there is no `unicode`", "write str"),
    ("if {}.has_key(1):\n    pass\n", "warning", 1, "dicts have no `has_key`", "`key in table`"),
    ("\npassword = 'hunter2'\n", "warning", 2, "`password` is written in clear text", "os.environ"),
    ("connect(user='u', passwd='hunter2')\n", "warning", 1, "`passwd` is written", "os.environ"),
    ("conf = {'api_key': 'hunter2'}\n", "warning", 1, "`api_key` is written", "os.environ"),
    ("conf['DB_PASSWORD'] = 'hunter2'\n", "warning", 1, "`DB_PASSWORD` is written", "os.environ"),
    ("url = 'mysql://u:hunter2@db/x'\n", "warning", 1, "a URL has its password in clear text", "os.environ"),
    (
        "def on_message_recieved_hook(data): pass\n",
        "error",
        1,
        "never called",
        "call it on_message_received_hook",
    ),
    (
        "def handle_received_payload(data): pass\n",
        "error",
        1,
        "never called",
        "call it handle_Received_Payload",
    ),
    ("async def on_message_sent_hook(data): pass\n", "error", 1, "is a coroutine", "write `def`"),
    (
        "import time\ndef on_message_received_hook(data):\n    time.sleep(1)\n",
        "note",
        3,
        "waits in time.sleep",
        "work in another thread",
    ),
    (
        "def on_message_received_hook(data): pass\ndef handle_Received_Payload(data): pass\n",
        "note",
        2,
        "handle_Received_Payload is not called",
        "remove one",
    ),
]


@pytest.mark.parametrize(("text", "severity", "line", "says", "remedy"), FILES, ids=[one[3] for one in FILES])
def test_what_is_in_a_file(tmp_path, text, severity, line, says, remedy):
    app = tmp_path / "app.py"
    app.write_text(text)
    hits = [
        one
        for one in found(app, severity)
        if one[1] == f"{app}:{line}" and says in one[2] and remedy in one[3]
    ]
    assert len(hits) == 1, found(app)
    assert not any("hunter2" in part for one in found(app) for part in one)


@pytest.mark.parametrize(
    "text",
    [
        "import os\npassword = os.environ['P']\npassword_field = 'name'\ntoken_url = 'x'\n",
        "url = 'mysql://u:{password}@db/x'\nmore = 'mysql://u:%s@db'\nplain = 'http://h:80/a@b'\n",
        "password = ''\nimport sys, json, hookmq, custom_helper\n",
        "def custom_authenticate(username, password='x'): pass\n",
        "from json import loads as unicode\nprint(unicode)\n",
        "import time\ndef later():\n    time.sleep(1)\n",
    ],
)
def test_what_is_no_finding(tmp_path, text):
    (tmp_path / "custom_helper.py").touch()
    app = tmp_path / "app.py"
    app.write_text(text)
    assert found(app) == []


def test_nothing_is_run(sound):
    sound.store("raise SystemExit('run')\n" + GOOD_STORE)
    sound.write("extensions/helper.py", "import nothing_like_this\n1 / 0\n")
    assert [one[1:3] for one in found(sound.path)] == [
        ("extensions/helper.py:1", "there is no module `nothing_like_this`")
    ]


def test_passwords_in_configuration_files(sound):
    path = sound.write(
        "extensions/plugin.conf", "[AUTHENTICATION]\nUSERNAME = u\nPASSWORD = hunter2\nPASSWORD_ENV = X\n"
    )
    path.chmod(0o600)
    assert found(sound.path) == [
        (
            "warning",
            "extensions/plugin.conf:3",
            "PASSWORD of [AUTHENTICATION] is written in clear text",
            "`hookmq migrate crystalmq` makes an app that reads it from the environment",
        )
    ]
    path.chmod(0o644)
    assert (
        "warning",
        "extensions/plugin.conf",
        "everybody can read the passwords in it",
        f"chmod 600 {path}",
    ) in found(sound.path)


def test_doors(sound, monkeypatch):
    """What is a warning on this machine is an error where others can connect."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sound.broker(
            f"[CONFIG]\nPORT_NO = {port}\nWS_PORT_NO = {port}\n"
            "[UI]\nUI_Http_Port = 0\n[WEBSOCKET]\nWEBSOCKET_PORT = 0\n"
        )
        hits = {one[2]: one[0] for one in found(sound.path)}
    assert hits[f"port {port} of PORT_NO is in use"] == "warning"
    assert hits[f"WS_PORT_NO and PORT_NO are both {port}"] == "error"
    assert hits["the web login has a password that everybody knows"] == "warning"
    monkeypatch.setenv("HOOKMQ_HOST", "0.0.0.0")
    hits = {one[2]: one[0] for one in found(sound.path)}
    assert hits["the web login has a password that everybody knows"] == "error"
    assert hits["0.0.0.0 is open to other machines, and nobody has to authenticate"] == "error"
    assert (
        hits["0.0.0.0 is open to other machines, and passwords cross the network in clear text"] == "warning"
    )


def test_files_that_are_not_there(sound):
    (sound.path / "extensions/custom_store.py").unlink()
    sound.add_to_broker("[DEVICE_AUTHENTICATION]\nAUTHENTICATION = CUSTOM\n")
    sound.broker(
        (sound.path / "conf/mqtt.conf").read_text().replace("[CONFIG]", "[CONFIG]\nTLS_ENABLED = TRUE")
    )
    sound.extension(
        "custom_ui_server.py", "def page():\n    return 'none.html'\ndef custom_urls():\n    return {}\n"
    )
    texts = "\n".join(one[2] for one in found(sound.path))
    for words in (
        f"there is no file {sound.path}/extensions/custom_store.py",
        f"there is no file {sound.path}/extensions/custom_authentication.py",
        "TLS is switched on without SERVER_CERTIFICATE",
        "there is no template none.html in ui",
    ):
        assert words in texts


def test_what_is_switched_off_and_what_does_nothing(sound):
    sound.datastore("[CUSTOM]\nDATA_INTEGRATION = FALSE\n")
    sound.extension("custom_scheduler.py", "x = 1\n")
    hits = found(sound.path)
    assert ("note", "custom_store.py is there, and switched off") in [(one[0], one[2]) for one in hits]
    assert "it defines no function that the broker looks for" in [one[2] for one in hits]


def test_what_is_no_home(tmp_path, capsys):
    assert run(str(tmp_path / "none")) == 1
    assert "there is no such folder" in capsys.readouterr().out


def test_what_is_printed(sound, capsys, monkeypatch):
    sound.store("import nothing_like_this\npassword = 'hunter2'\n" + GOOD_STORE)
    assert run(str(sound.path)) == 1
    output = capsys.readouterr().out.splitlines()
    assert output[0] == "error: extensions/custom_store.py:1  there is no module `nothing_like_this`"
    assert output[1] == "  help: install it:   pip install nothing_like_this"
    assert output[-1] == f"{sound.path}: 1 error, 1 warning, 0 notes"
    monkeypatch.chdir(sound.path)
    assert run("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["target"]) == (False, ".")
    assert report["findings"][0] == {
        "severity": "error",
        "where": "extensions/custom_store.py:1",
        "text": "there is no module `nothing_like_this`",
        "remedy": "install it:   pip install nothing_like_this",
    }
