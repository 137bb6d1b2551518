"""`hookmq rules`, and what `hookmq check` and the banner say of rules."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

from ..api.helpers import Device
from ..cli.conftest import hookmq as hookmq
from ..cli.conftest import spawn as spawn

Run = Callable[..., subprocess.CompletedProcess[bytes]]
SQL = 'SELECT payload.temp AS t, clientid FROM "sensors/+/temp" WHERE payload.temp > 30'


@pytest.fixture
def site(broker_factory: Callable[..., Any]) -> Broker:
    broker: Broker = broker_factory(http_port=0, data_dir=None, history={"enabled": True})
    broker.add_rule("python", SQL, [{"kind": "log"}], description="too hot")
    return broker


@pytest.fixture
def rules(hookmq: Run, site: Broker) -> Callable[..., str]:
    """`rules("ls", code=0)` runs `hookmq rules ls` for the broker, and returns what it printed."""

    def run(*arguments: str, code: int = 0) -> str:
        done = hookmq("rules", *arguments, "--url", f"http://127.0.0.1:{site.http_port}")
        assert done.returncode == code, (done.stdout + done.stderr).decode()
        return (done.stdout if code in (0, 1) and done.stdout else done.stderr).decode()

    return run


def publish(broker: Any, *temps: float) -> None:
    with Device(broker, "pump") as pump:
        for temp in temps:
            pump.publish("sensors/a/temp", json.dumps({"temp": temp}))


def test_list_and_show(site: Broker, rules: Callable[..., str]) -> None:
    publish(site, 31, 29)
    assert site.wait_for_hooks()
    head, row = rules().splitlines()
    assert head.split() == ["name", "reads", "actions", "from", "matched", "passed", "results", "failed"]
    assert row.split()[:3] == ["python", "sensors/+/temp", "log"] and row.split()[-4:] == ["2", "1", "1", "0"]
    shown = rules("show", "python")
    assert shown.startswith("python   ") and "too hot" in shown and SQL in shown
    assert "matched 2   passed 1   results 1   failed 0" in shown
    assert 'last result:\n{"t": 31, "clientid": "pump"}' in shown
    assert json.loads(rules("ls", "--json"))["items"][0]["name"] == "python"
    assert json.loads(rules("show", "python", "--json"))["rule"]["sql"] == SQL
    assert "there is no rule `none`" in rules("show", "none", code=1)


def test_add_change_versions_restore_remove(site: Broker, rules: Callable[..., str]) -> None:
    assert (
        rules("add", "hot", SQL, "--do", '{"kind": "log"}', "--description", "x")
        == "hot is added: version 1\n"
    )
    assert rules("add", "hot", SQL.replace("30", "40")) == "hot is changed: version 2\n"
    assert rules("disable", "hot") == "hot is disabled\n"
    assert "hot (disabled)" in rules("ls")
    assert rules("enable", "hot") == "hot is enabled\n"
    assert rules("restore", "hot", "1") == "hot is as in version 1; this is version 5\n"
    lines = rules("versions", "hot").splitlines()
    assert [line.split()[0] for line in lines] == ["version", "5", "4", "3", "2", "1"]
    assert " at 127.0.0.1" in lines[1]
    assert "is removed" in rules("remove", "hot")
    assert "hot" not in site.rules
    assert "it comes from" in rules("remove", "python", code=1)
    assert "^" in rules("add", "hot", "SELECT averge(1) FROM 't'", code=3)


def test_add_from_a_file(site: Broker, rules: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "hot.sql").write_text(f"-- Hot.\n-- [[actions]]\n-- kind = 'log'\n{SQL}")
    assert "added" in rules("add", "hot", "hot.sql", "--do", '{"kind": "disconnect"}')
    rule = site.rules["hot"].rule
    assert (rule.description, [action.kind for action in rule.actions]) == ("Hot.", ["log", "disconnect"])


# Trying -----------------------------------------------------------------------------------------------------


def test_sql_is_tried_without_a_broker(hookmq: Run) -> None:
    done = hookmq(
        "rules", "test", SQL, "--topic", "sensors/roof/temp", "--payload", '{"temp": 31}', "--client", "c1"
    )
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "FROM" in text and "WHERE" in text and "payload.temp > 30" in text
    assert 'result  {"t": 31, "clientid": "c1"}' in text
    done = hookmq("rules", "test", SQL, "--topic", "sensors/roof/temp", "--payload", '{"temp": 29}')
    assert done.returncode == 1 and b"nothing is selected" in done.stdout


def test_several_payloads_are_several_samples(hookmq: Run) -> None:
    sql = 'SELECT payload.v AS v FROM "t" WHERE changed(payload.v)'
    payloads = [part for v in (1, 1, 2) for part in ("--payload", json.dumps({"v": v}))]
    done = hookmq("rules", "test", sql, "--topic", "t", *payloads, "--json")
    tried = json.loads(done.stdout)
    assert [len(trial["results"]) for trial in tried["trials"]] == [1, 0, 1]


def test_events_and_whole_samples(hookmq: Run) -> None:
    sql = 'SELECT clientid FROM "$events/client_connected"'
    assert hookmq("rules", "test", sql, "--event", "client_connected", "--client", "c1").returncode == 0
    sample = json.dumps({"event": "client_connected", "clientid": "c1"})
    assert hookmq("rules", "test", sql, "--sample", sample).returncode == 0


def test_a_file_is_tried_with_its_actions(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "hot.sql").write_text(
        f'-- [[actions]]\n-- kind = "republish"\n-- topic = "alarm/${{t}}"\n{SQL}'
    )
    done = hookmq("rules", "test", "hot.sql", "--topic", "sensors/a/temp", "--payload", '{"temp": 31}')
    assert b'action 1, republish, would  {"topic": "alarm/31"' in done.stdout


def test_a_rule_of_the_broker_is_tried(site: Broker, rules: Callable[..., str]) -> None:
    text = rules("test", "python", "--topic", "sensors/a/temp", "--payload", '{"temp": 31}')
    assert '"t": 31' in text and "action 1, log, would" in text
    publish(site, 33)
    assert '"t": 33' in rules("test", "python")
    assert '"t": 33' in rules("test", SQL, "--last")
    assert "there is no rule `none`" in rules("test", "none", code=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["test", SQL], "give a sample"),
        (["test", SQL, "--payload", "1"], "a sample has a topic"),
        (["test", SQL, "--topic", "t", "--last"], "--last takes the newest message"),
        (["test", SQL, "--sample", "{"], "--sample is no JSON"),
        (["add", "hot", SQL, "--do", "{"], "--do is no JSON"),
    ],
)
def test_usage(hookmq: Run, arguments: list[str], words: str) -> None:
    done = hookmq("rules", *arguments)
    assert done.returncode == 2 and words in done.stderr.decode()


def test_wrong_sql(hookmq: Run) -> None:
    done = hookmq("rules", "test", "SELECT averge(1) FROM 't'", "--topic", "t")
    assert done.returncode == 3
    assert done.stderr.decode().splitlines() == [
        "error[E710]: the SQL, line 1, column 8: there is no function `averge`",
        "           1 | SELECT averge(1) FROM 't'",
        "             |        ^^^^^^ did you mean `average`?",
    ]


# Checking ---------------------------------------------------------------------------------------------------


def test_check_files(hookmq: Run, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "good.sql").write_text(SQL)
    assert hookmq("rules", "check", "rules").stdout == b"1 rule, no problems found.\n"
    (folder / "bad.sql").write_text("-- words\nSELECT averge(1)\nFROM 't'")
    done = hookmq("rules", "check", "rules")
    assert done.returncode == 3 and b"bad.sql, line 2, column 8" in done.stdout
    report = json.loads(hookmq("rules", "check", "rules/bad.sql", "--json").stdout)
    assert (report["ok"], report["rules"], report["problems"][0]["code"]) == (False, 1, "E710")
    (tmp_path / "hookmq.toml").write_text(
        'rules_folder = "rules"\n[[rules]]\nname = "x"\nsql = \'SELECT 1 FROM "t"\'\n'
    )
    done = hookmq("rules", "check")
    assert done.returncode == 3 and done.stdout.count(b"E710") == 1


def test_hookmq_check_finds_wrong_rules(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        'from hookmq import Broker\nbroker = Broker()\nbroker.add_rule("p", \'SELECT averge(1) FROM "t"\')\n'
    )
    (tmp_path / "hookmq.toml").write_text(
        '[[rules]]\nname = "x"\nsql = \'SELECT 1 FROM "t\'\n'
        '[[rules]]\nname = "y"\nsql = \'SELECT 1 FROM "t"\'\n'
    )
    done = hookmq("check", "app.py")
    assert done.returncode == 3
    assert done.stderr.count(b"E710") == 2 and b"app.py:3" in done.stderr and b"rule 1" in done.stderr
    assert [p["code"] for p in json.loads(hookmq("check", "app.py", "--json").stdout)["problems"]] == [
        "E710"
    ] * 2


def test_run_refuses_wrong_rules_and_says_which_there_are(hookmq: Run, spawn: Any, tmp_path: Path) -> None:
    (tmp_path / "hookmq.toml").write_text('[[rules]]\nname = "x"\nsql = "SELECT"\n')
    done = hookmq("run", "--port", "0", "--http-port", "off")
    assert done.returncode == 3 and b"error[E710]: hookmq.toml" in done.stderr
    (tmp_path / "hookmq.toml").write_text('[[rules]]\nname = "hot"\nsql = \'SELECT 1 AS x FROM "t"\'\n')
    running = spawn("run", "--port", "0", "--http-port", "off")
    running.wait_for(b"Rules")
    assert b"1: hot" in running.output
    assert running.stop() == 0


# Functions --------------------------------------------------------------------------------------------------


def test_functions(hookmq: Run) -> None:
    listed = hookmq("rules", "functions").stdout.decode()
    assert len(listed.splitlines()) > 150
    one = hookmq("rules", "functions", "UPPER").stdout.decode()
    assert one.startswith("upper(") and "→" in one
    assert len(json.loads(hookmq("rules", "functions", "--json").stdout)["functions"]) > 150
    done = hookmq("rules", "functions", "uper")
    assert done.returncode == 1 and b"did you mean `upper`?" in done.stderr
