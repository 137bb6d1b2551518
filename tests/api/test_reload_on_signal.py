"""New code on SIGHUP, for an app that is the whole program: a script, or a module of a package."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from ..protocol.packets import Connect, Publish
from ..protocol.wire import Wire
from .helpers import DEADLINE, ended, read_until

SCRIPT = """
from hookmq import Broker
{imports}

broker = Broker(port=0, http_port=None)


@broker.on_message_received("ask")
def answer(msg):
    broker.publish("answer", words.MARK)


@broker.on_startup
def up():
    print("port", broker.port, flush=True)


{run}
"""


FORMS = {
    "run at the end": ("broker.run()", False),
    "if main": ("if __name__ == '__main__':\n    broker.run()", False),
    "run in a function": ("def main():\n    broker.run()\n\nmain()", False),
    "a module of a package": ("if __name__ == '__main__':\n    broker.run()", True),
}


@pytest.mark.parametrize("form", FORMS)
def test_sighup(tmp_path, form):
    run, is_package = FORMS[form]
    folder = tmp_path / "plant" if is_package else tmp_path
    folder.mkdir(exist_ok=True)
    imports = "from . import words" if is_package else "import words"
    (folder / "app.py").write_text(SCRIPT.format(run=run, imports=imports))
    (folder / "words.py").write_text("MARK = 'old'")
    command = ["-m", "plant.app"] if is_package else [str(folder / "app.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, *command], cwd=tmp_path, **pipes)
    wire: Wire | None = None
    try:
        port = int(read_until(process, "port").split()[1])
        wire = Wire("127.0.0.1", port)
        wire.connect(Connect("c"))
        wire.subscribe("answer")
        wire.publish("ask", b"")
        wire.expect(Publish("answer", b"old"))
        (folder / "words.py").write_text("MARK = 'never'\nraise ValueError('not yet')")
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert "E511" in next(line for line in process.stderr if "E511" in line)
        (folder / "words.py").write_text("MARK = 'new'")
        process.send_signal(signal.SIGHUP)
        answers: list[bytes] = []
        deadline = time.monotonic() + DEADLINE
        while b"new" not in answers and time.monotonic() < deadline:
            wire.send(Publish("ask", b""))
            answers.append(wire.read().payload)
        assert set(answers) <= {b"old", b"new"} and answers[-1] == b"new"
    finally:
        if wire is not None:
            wire.close()
        process.terminate()
        code, _, errors = ended(process)
    assert code == 0 and "Traceback" not in errors
