"""`hookmq migrate crystalmq`: an app that does what a home did."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from hookmq import HookMQError
from hookmq.cli import migrate as command
from hookmq.crystalmq.migration import migrate
from hookmq.settings import config

from ..api.helpers import Device, get, refused, request
from .test_store import WRITE, seen

STORE = (
    WRITE
    + """
    def on_message_received_hook(data):
        note("received", data["message"])

    def on_message_sent_hook(data):
        note("sent", data["qos"])
"""
)
SCHEDULER = (
    WRITE
    + """
    import schedule

    def tick():
        note("tick", 1)

    def custom_schedules():
        return True, [{"time": schedule.every(1).seconds, "job": tick},
                      {"time": schedule.every().day.at("14:30"), "job": tick}]
"""
)
SERVER = """
    def page(data):
        return {"name": data.get("name")}

    def custom_urls():
        return {"URL_REDIRECT": "/page", "AUTHENTICATION": "ENABLE", "urls": [{"/page": page}]}
"""
AUTHENTICATION = "def custom_authenticate(username, password):\n    return password == 'secret'\n"


class Site:
    """Where a program's broker is."""

    def __init__(self, port, http_port):
        self.port, self.http_port = port, http_port


@contextlib.contextmanager
def running(folder, **environment):
    """`hookmq run app.py` in a folder."""
    arguments = [sys.executable, "-m", "hookmq", "run", "app.py"]
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        output = ""
        try:
            while "Only this machine" not in output:
                line = process.stdout.readline()
                assert line, output
                output += line
            mqtt, http = (re.search(rf"{scheme}://127.0.0.1:(\d+)", output) for scheme in ("mqtt", "http"))
            yield Site(int(mqtt[1]), int(http[1]))
        finally:
            process.terminate()
            output += process.stdout.read()
    assert process.returncode == 0, output


@pytest.fixture
def whole(any_home):
    """A home with everything."""
    any_home.broker(
        (any_home.path / "conf" / ("broker.conf" if any_home.old else "mqtt.conf"))
        .read_text()
        .replace("8081", "0")
    )
    any_home.store(STORE)
    any_home.extension("custom_scheduler.py", SCHEDULER)
    any_home.extension("custom_ui_server.py", SERVER)
    any_home.authentication(AUTHENTICATION)
    return any_home


def test_the_app_does_what_the_home_did(whole, tmp_path):
    out = tmp_path / "out"
    done = migrate(whole.path, out)
    assert done.files == (out / "hookmq.toml", out / "app.py")
    text = (out / "app.py").read_text()
    assert "@broker.schedule(every(1).seconds)\n@home.inside\ndef tick():" in text
    assert "@broker.schedule(every().day.at('14:30'))" in text
    assert '@broker.route("/page", methods=("GET", "POST", "DELETE"))' in text
    settings = tomllib.loads((out / "hookmq.toml").read_text())
    assert settings["port"] == 0
    assert "correct horse" not in text + (out / "hookmq.toml").read_text()
    (finding,) = [one for one in done.findings if "web login" in one.text]
    assert "WEB_PASSWORD" in finding.remedy
    with running(out, WEB_PASSWORD="correct horse") as site:
        assert refused(site, "thief", login=("u", "wrong"))[0] != 0
        with Device(site, "pump", login=("u", "secret")) as device:
            device.subscribe("a", 1)
            device.publish("a", "text")
            device.receive()
        found = {kind: value for kind, value in seen(whole, 4)}
        assert found == {"received": "text", "sent": 1, "tick": 1}
        assert get(site, "/page").status == 401
        reply = request(
            site,
            "POST",
            "/login",
            "username=operator&password=correct+horse",
            Content_Type="application/x-www-form-urlencoded",
        )
        cookie = reply.headers["Set-Cookie"].partition(";")[0]
        assert request(site, "GET", "/page?name=x", Cookie=cookie).body == b'{"name": "x"}'
        assert get(site, "/").headers["Location"] == "/page"


def test_what_is_computed_is_asked_for(home, tmp_path):
    home.broker((home.path / "conf/mqtt.conf").read_text().replace("8081", "0"))
    home.extension(
        "custom_scheduler.py",
        WRITE
        + """
    import schedule

    def tick():
        note("tick", 1)

    def custom_schedules():
        return True, [{"time": schedule.every(n).seconds, "job": tick} for n in (1, 2)]
    """,
    )
    home.extension(
        "custom_ui_server.py",
        """
        def page():
            return "here"

        def custom_urls():
            return {"urls": [{f"/{n}": page} for n in "ab"]}
        """,
    )
    out = tmp_path / "out"
    done = migrate(home.path, out)
    assert sum("is computed" in finding.text for finding in done.findings) == 2
    assert "register_schedules(broker, custom_scheduler" in (out / "app.py").read_text()
    with running(out, WEB_PASSWORD="correct horse") as site:
        seen(home, 1)
        assert request(site, "GET", "/a", Accept="text/html").status == 303


def test_a_plain_home(home, tmp_path, capsys):
    home.broker((home.path / "conf/mqtt.conf").read_text().replace("8081", "0"))
    parser = argparse.ArgumentParser()
    command.configure(parser)
    out = tmp_path / "out"
    assert command.main(parser.parse_args(["crystalmq", str(home.path), "--out", str(out)])) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[:2] == [f"wrote {out}/hookmq.toml", f"wrote {out}/app.py"]
    assert output.endswith(f"Run it:   cd {out} && hookmq run app.py\n")
    with running(out) as site, Device(site, "any"):
        pass
    with pytest.raises(HookMQError, match="is there already") as failure:
        migrate(home.path, out)
    assert failure.value.code == "E708" and "--replace" in failure.value.help
    assert (
        command.main(
            parser.parse_args(["crystalmq", str(home.path), "--out", str(out), "--replace", "--json"])
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["files"] == [f"{out}/hookmq.toml", f"{out}/app.py"]


def test_passwords_stay_where_they_are(home, tmp_path):
    home.datastore(
        "[CONFIG]\nDB_SERVER = MYSQL\n[MYSQL]\nMYSQL_DB = mqtt\nMYSQL_USER = u\nMYSQL_PASSWORD = hunter2\n"
    )
    out = tmp_path / "out"
    done = migrate(home.path, out)
    (finding,) = [one for one in done.findings if "database" in one.text]
    assert finding.remedy.startswith("export HOOKMQ__STORAGE__URL=mysql://u:PASSWORD@127.0.0.1:3306/mqtt")
    text = (out / "hookmq.toml").read_text()
    assert "hunter2" not in text and "url" not in tomllib.loads(text)["storage"]


def test_everything_in_the_configuration(home, tmp_path):
    """The file is understood as the home's own settings are."""
    home.broker(
        "[CONFIG]\nPORT_NO = 1884\nTLS_ENABLED = TRUE\nSERVER_CERTIFICATE = a.pem\nSERVER_KEY = b.pem\n"
        "[DEVICE_AUTHENTICATION]\nAUTHENTICATION = DEFAULT\n[MQTT]\nCLIENTID_PREFIX = x\n[HASERVER]\nIP = 1\n"
    )
    home.datastore("[DATASTORE]\nCUSTOMSTORAGE = ENABLED\nDATASTORE = ELASTIC\n")
    out = tmp_path / "out"
    done = migrate(home.path, out)
    settings = config.resolve(arguments={"config": out / "hookmq.toml"}, environ={})
    assert (settings["port"], settings["tls.port"], settings["http_ports"]) == (1884, 8883, (8081,))
    assert settings["access.users_file"] == str(home.path / "data/users")
    assert (home.path / "data/users").read_text() == ""
    assert settings["storage.url"] == f"sqlite:///{home.path}/data/hookmq.db"
    assert settings["connectors"][0]["kind"] == "elasticsearch"
    assert len(settings.listeners) == 4
    texts = " ".join(finding.text for finding in done.findings)
    for words in ("[HASERVER] has no effect", "CLIENTID_PREFIX has no effect", "users of the original"):
        assert words in texts


def test_what_cannot_be_migrated(home, tmp_path):
    home.store('print "x"\n')
    with pytest.raises(HookMQError, match=r"custom_store.py:1 .*syntax error") as failure:
        migrate(home.path, tmp_path / "out")
    assert failure.value.code == "E803" and "hookmq doctor" in failure.value.help
    assert not (tmp_path / "out").exists()
