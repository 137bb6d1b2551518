"""Who may connect: nobody is asked, the broker's users, or a file of the home's."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from urllib.parse import parse_qs

import pytest

from hookmq import HookMQError
from hookmq.crystalmq.authentication import admits, bound

from ..api.helpers import Device, refused

GIVEN = {"username": "tank", "password": "secret", "clientid": "sensor7", "ipaddress": "127.0.0.1"}


def may(broker, name="sensor7", **login):
    return refused(broker, name, **login)[0] == 0


# Modes -----------------------------------------------------------------------------------------------------


def test_disabled_needs_no_credentials(any_home, run_home):
    if any_home.old:
        any_home.add_to_broker("[AUTHENTICATION]\nAUTHENTICATION_ENABLED = NO\n")
    else:
        any_home.add_to_broker("[DEVICE_AUTHENTICATION]\nAUTHENTICATION = DISABLED\n")
    broker = run_home(any_home)
    assert may(broker) and may(broker, login=("anybody", "x"))


def test_disabled_is_for_this_machine(home, run_home):
    """Nobody is let in from other machines unasked, unless somebody says so."""
    with pytest.raises(HookMQError, match="nobody has to authenticate"):
        run_home(home, host="0.0.0.0")
    assert run_home(home, host="0.0.0.0", allow_anonymous=True).running


def test_default_asks_for_users_of_the_broker(any_home, run_home, caplog):
    if any_home.old:
        any_home.add_to_broker("[AUTHENTICATION]\nAUTHENTICATION_ENABLED = YES\n")
    else:
        any_home.add_to_broker("[DEVICE_AUTHENTICATION]\nAUTHENTICATION = DEFAULT\n")
    broker = run_home(any_home)
    assert not may(broker) and not may(broker, login=("tank", "secret"))
    assert "nobody can connect yet" in caplog.text
    command = ["users", "add", "tank", "--file", str(any_home.path / "data/users"), "--password-stdin"]
    subprocess.run([sys.executable, "-m", "hookmq", *command], input=b"secret", check=True, timeout=30)
    broker.reload(code=False)
    assert may(broker, login=("tank", "secret"))
    assert not may(broker, login=("tank", "wrong")) and not may(broker)


def test_custom_of_both_generations(any_home, run_home):
    function = "handle_Device_Auth" if any_home.old else "custom_authenticate"
    any_home.authentication(
        f"""
    import os
    from pathlib import Path

    known = Path("../extensions/known.txt").read_text().split()

    def {function}(username, password, clientid, ipaddress):
        Path("../data/asked.txt").write_text(os.getcwd())
        if username == "raise":
            raise RuntimeError("no database, password was " + password)
        if username == "nothing":
            return None
        return [username, password, clientid, ipaddress] == known
    """
    )
    any_home.write("extensions/known.txt", "tank secret sensor7 127.0.0.1")
    broker = run_home(any_home)
    assert may(broker, login=("tank", "secret"))
    assert (any_home.path / "data/asked.txt").read_text() == str(any_home.path / "bin")
    assert not may(broker, login=("tank", "wrong"))
    assert not may(broker, "other", login=("tank", "secret"))
    assert not may(broker)
    assert not may(broker, login=("raise", "swordfish"))
    assert not may(broker, login=("nothing", "secret"))
    (hook,) = [hook for hook in broker.hooks if hook.kind == "authenticate"]
    assert hook.name == function and "extensions/custom_auth" in hook.where
    broker.stop()
    assert f"{function} raised RuntimeError in " in any_home.log and "swordfish" not in any_home.log


def test_who_gives_nothing_is_not_let_in_by_none_equals_none(home, run_home):
    home.authentication(
        """
    known = {"tank": "secret"}

    def custom_authenticate(user, pwd):
        return known.get(user) == pwd
    """
    )
    broker = run_home(home)
    assert not may(broker) and may(broker, login=("tank", "secret"))


def test_an_answer_that_does_not_come_refuses(home, run_home):
    home.authentication(
        """
    import threading
    release = threading.Event()

    def custom_authenticate(username):
        if username == "slow":
            release.wait(20)
        return True
    """
    )
    broker = run_home(home, hooks={"decision_timeout": 0.3, "stop_grace": 1.0})
    assert not may(broker, login=("slow", "x"))
    assert may(broker, login=("quick", "x"))
    import custom_authentication

    custom_authentication.release.set()


def test_a_broken_file_keeps_the_broker_from_starting(home, run_home):
    home.authentication("def custom_authenticate(username, password)\n    return True\n")
    with pytest.raises(HookMQError, match=r"custom_authentication.py:1  .*syntax error") as failure:
        run_home(home)
    assert (failure.value.code, failure.value.exit_code) == ("E803", 4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "[DEVICE_AUTHENTICATION]\nAUTHENTICATION = PERHAPS\n",
            "AUTHENTICATION is `PERHAPS`, not DISABLED, DEFAULT, CUSTOM",
        ),
        ("[DEVICE_AUTHENTICATION]\n", "does not say AUTHENTICATION"),
        ("[DEVICE_AUTHENTICATION]\nAUTHENTICATION =\n", "AUTHENTICATION is ``, not DISABLED"),
        ("[AUTHENTICATION]\n", "does not say AUTHENTICATION_ENABLED"),
        ("[REMOTEAUTH]\nINTERCEPT_FILEPATH = x.py\n", "does not say REMOTEAUTH_ENABLED"),
        ("[REMOTEAUTH]\nREMOTEAUTH_ENABLED = oui\n", "REMOTEAUTH_ENABLED is `oui`"),
        (
            "[DEVICE_AUTHENTICATION]\nAUTHENTICATION = DISABLED\n[REMOTEAUTH]\nREMOTEAUTH_ENABLED = YES\n",
            r"\[REMOTEAUTH\] asks for authentication, \[DEVICE_AUTHENTICATION\] switches it off",
        ),
    ],
)
def test_what_cannot_be_read_lets_nobody_in(home, run_home, text, reason):
    home.add_to_broker(text)
    with pytest.raises(HookMQError, match=reason) as failure:
        run_home(home)
    assert failure.value.code == "E802" and "conf/mqtt.conf" in failure.value.message


def test_a_file_that_is_not_there(home, run_home):
    home.add_to_broker("[DEVICE_AUTHENTICATION]\nAUTHENTICATION = CUSTOM\n")
    with pytest.raises(
        HookMQError, match=r"conf/mqtt.conf:\d+  .*there is no file .*custom_authentication.py"
    ):
        run_home(home)
    home.extension("custom_authentication.py", "x = 1")
    with pytest.raises(HookMQError, match="neither custom_authenticate nor handle_Device_Auth"):
        run_home(home)


# Arguments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "lambda username, password, clientid, ipaddress: (username, password, clientid, ipaddress)",
            "tank secret sensor7 127.0.0.1",
        ),
        ("lambda client_id, pwd, user_name: (client_id, pwd, user_name)", "sensor7 secret tank"),
        ("lambda ip, user: (ip, user)", "127.0.0.1 tank"),
        ("lambda a, b: (a, b)", "tank secret"),
        ("lambda a, b, c, d: (a, b, c, d)", "tank secret sensor7 127.0.0.1"),
        ("lambda UserName, Password, extra=1: (UserName, Password)", "tank secret"),
        ("lambda username: (username,)", "tank"),
        ("lambda data: (data['username'], data['client_id'])", "tank sensor7"),
        ("lambda *given: given", "tank secret sensor7 127.0.0.1"),
        ("lambda **given: (given['ipaddress'],)", "127.0.0.1"),
        ("lambda username, /, password: (username, password)", "tank secret"),
        ("lambda *, password, username: (username, password)", "tank secret"),
    ],
)
def test_arguments(source, expected):
    assert list(bound(eval(source))(dict(GIVEN))) == expected.split()


@pytest.mark.parametrize(
    "source", ["lambda: 1", "lambda a, b, c, d, e: 1", "lambda a, username: 1", "lambda a, *, b: 1"]
)
def test_arguments_that_cannot_be_guessed(source):
    with pytest.raises(HookMQError, match="but is given username, password, clientid, ipaddress"):
        bound(eval(source))


async def _later():
    return True


@pytest.mark.parametrize(
    ("answer", "admitted"),
    [
        *((answer, True) for answer in (True, 1, [1])),
        *((answer, False) for answer in (False, 0, None, [], "True", "denied", b"x", _later())),
    ],
    ids=repr,
)
def test_answers(answer, admitted):
    assert admits("f", answer) is admitted


# The file that asks a service ------------------------------------------------------------------------------


class _Service(http.server.BaseHTTPRequestHandler):
    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        query = self.path.partition("?")[2]
        asked = {name: values[0] for name, values in parse_qs(body or query).items()}
        self.server.asked.append((self.command, asked))
        self.send_response(200 if asked.get("password") == "secret" else 403)
        self.end_headers()

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


FUNCTION = """
    def handle_Device_Auth(username, password, clientid, ipaddress):
        payload = {"username": username, "password": password, "clientid": clientid, "ipaddress": ipaddress}
        try:
            ask = getattr(requests, request_auth_method.lower())
            place = "params" if request_auth_method == "GET" else "data"
            answer = ask(url, timeout=request_timeout, **{place: payload})
            return answer.status_code == 200
        except Exception as error:
            logger_p.error("authentication: %s", type(error).__name__)
            return False
"""


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
@pytest.mark.parametrize("function", [FUNCTION, ""], ids=["with a function", "settings only"])
def test_the_file_that_asks_a_service(home, run_home, service, method, function):
    home.authentication(
        f"""
    import requests
    requests.adapters.DEFAULT_RETRIES = 3
    url = "http://127.0.0.1:{service.server_port}/auth"
    request_timeout = 2
    request_auth_method = "{method}"
    """
        + function
    )
    broker = run_home(home)
    assert may(broker, login=("tank", "secret")) and not may(broker, login=("tank", "wrong"))
    assert service.asked[0] == (method, GIVEN)
    with Device(broker, "sensor7", login=("tank", "secret")):
        pass


def test_a_service_that_is_away_refuses(home, run_home, service):
    service.shutdown()
    service.server_close()
    home.authentication(
        f"""
    import requests
    requests.adapters.DEFAULT_RETRIES = 3
    url = "http://127.0.0.1:{service.server_port}/auth"
    request_timeout = 0.1
    request_auth_method = "POST"
    """
        + FUNCTION
    )
    broker = run_home(home)
    assert not may(broker, login=("tank", "secret"))
    broker.stop()
    assert "authentication: ConnectionError" in home.log and "secret" not in home.log
