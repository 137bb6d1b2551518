"""Rules of `hookmq.toml` and of a folder of files: read at the start, read again while the broker runs."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq.errors import HookMQError

from ..api.helpers import Device, eventually

RULE = """
[[rules]]
name = "hot"
sql = 'SELECT payload.temp AS t FROM "sensors/+/temp" WHERE payload.temp > {limit}'
{more}
actions = [{{ kind = "republish", topic = "alarm" }}]
"""

FILE = """\
-- Too hot.
-- [[actions]]
-- kind = "republish"
-- topic = "alarm"
SELECT payload.temp AS t
FROM "sensors/+/temp"
WHERE payload.temp > {limit}
"""


@pytest.fixture
def alarms() -> Iterator[Callable[[Any], Device]]:
    """`alarms(broker)` gives a client that receives them."""
    devices: list[Device] = []

    def listen(broker: Any) -> Device:
        devices.append(Device(broker, f"listener{len(devices)}"))
        devices[-1].subscribe("alarm")
        return devices[-1]

    yield listen
    for device in devices:
        device.close()


def publish(broker: Any, temp: float) -> None:
    with Device(broker, "pump") as pump:
        pump.publish("sensors/a/temp", json.dumps({"temp": temp}))


def alarm(device: Device) -> Any:
    return json.loads(device.receive().payload)["t"]


# hookmq.toml ------------------------------------------------------------------------------------------------


def test_rules_of_the_settings(
    broker_factory: Callable[..., Any], write: Callable[[str], Path], alarms: Callable[..., Device]
) -> None:
    broker = broker_factory(config=write(RULE.format(limit=30, more='description = "too hot"')))
    device = alarms(broker)
    publish(broker, 31)
    assert alarm(device) == 31
    info = broker.rules["hot"].info()
    assert (info.source, info.description, info.enabled, info.version) == ("toml", "too hot", True, None)
    assert info.where.startswith(str(broker.settings.origin("rules"))) and info.where.endswith("rule 1")
    assert info.reads == ("sensors/+/temp",)


def test_a_rule_that_begins_disabled(
    broker_factory: Callable[..., Any], write: Callable[[str], Path]
) -> None:
    broker = broker_factory(config=write(RULE.format(limit=30, more="enabled = false")))
    publish(broker, 31)
    info = eventually(lambda: (i := broker.rules["hot"].info()).skipped and i)
    assert (info.enabled, info.matched, info.skipped) == (False, 0, 1)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (RULE.format(limit="avrage(1)", more=""), "E710", "there is no function `avrage`"),
        (RULE.format(limit=30, more="enabeld = false"), "E301", "did you mean `enabled`?"),
        (RULE.format(limit=30, more="") * 2, "E711", "there is a rule `hot` already"),
        ("rules = 7", "E303", "a list of tables"),
        ('rules_folder = "nowhere"', "E711", "no such file"),
    ],
)
def test_what_is_wrong_keeps_it_from_starting(
    broker_factory: Callable[..., Any], write: Callable[[str], Path], text: str, code: str, words: str
) -> None:
    broker = broker_factory(start=False, config=write(text))
    with pytest.raises(HookMQError) as caught:
        broker.start()
    assert caught.value.code == code and words in str(caught.value) and caught.value.exit_code == 3
    assert not broker.running
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hookmq")]


def test_a_reload_reads_them_again(
    broker_factory: Callable[..., Any], write: Callable[[str], Path], alarms: Callable[..., Device]
) -> None:
    broker = broker_factory(config=write(RULE.format(limit=30, more="")))
    device = alarms(broker)
    publish(broker, 31)
    assert alarm(device) == 31
    write(RULE.format(limit=10, more="") + RULE.format(limit=50, more="").replace("hot", "hotter"))
    broker.reload()
    assert sorted(broker.rules) == ["hot", "hotter"]
    publish(broker, 11)
    assert alarm(device) == 11
    assert broker.rules["hot"].info().matched == 2, "its counters go on"
    write(RULE.format(limit="nonsense(", more=""))
    with pytest.raises(HookMQError):
        broker.reload()
    publish(broker, 12)
    assert alarm(device) == 12, "the rules of before run on"
    write("")
    broker.reload()
    assert not broker.rules


def test_rules_of_python_and_of_settings_share_their_names(
    broker_factory: Callable[..., Any], write: Callable[[str], Path]
) -> None:
    broker = broker_factory(start=False, config=write(RULE.format(limit=30, more="")))
    broker.add_rule("hot", 'SELECT 1 AS x FROM "t"')
    with pytest.raises(HookMQError, match=r"there is a rule `hot` already, from .*test_files\.py"):
        broker.start()


def test_no_message_is_lost_or_told_twice_while_a_rule_is_exchanged(
    broker_factory: Callable[..., Any], write: Callable[[str], Path], alarms: Callable[..., Device]
) -> None:
    broker = broker_factory(config=write(RULE.format(limit=-1, more="")))
    device = alarms(broker)
    thread = threading.Thread(target=lambda: [publish_all(broker)])
    thread.start()
    for n in range(20):
        write(RULE.format(limit=-1, more=f"max_keys = {n + 1}"))
        broker.reload()
    thread.join()
    assert [alarm(device) for _ in range(500)] == list(range(500))
    assert broker.rules["hot"].info().results == 500


def publish_all(broker: Any) -> None:
    with Device(broker, "pump") as pump:
        for n in range(500):
            pump.publish("sensors/a/temp", json.dumps({"temp": n}))


# A folder ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    return made


def test_files_are_read_at_the_start(
    broker_factory: Callable[..., Any], folder: Path, alarms: Callable[..., Device]
) -> None:
    (folder / "hot.sql").write_text(FILE.format(limit=30))
    (folder / "notes.md").write_text("no rule")
    broker = broker_factory(rules_folder=folder)
    device = alarms(broker)
    publish(broker, 31)
    assert alarm(device) == 31
    info = broker.rules["hot"].info()
    assert (info.source, info.description, info.where) == ("file", "Too hot.", str(folder / "hot.sql"))


def test_a_file_that_is_saved_takes_effect_at_once(
    broker_factory: Callable[..., Any], folder: Path, alarms: Callable[..., Device]
) -> None:
    broker = broker_factory(rules_folder=folder)
    device = alarms(broker)
    (folder / "hot.sql").write_text(FILE.format(limit=30))
    eventually(lambda: "hot" in broker.rules)
    publish(broker, 31)
    assert alarm(device) == 31
    (folder / "hot.sql").write_text(FILE.format(limit=10))
    eventually(lambda: "> 10" in broker.rules["hot"].sql)
    publish(broker, 11)
    assert alarm(device) == 11
    (folder / "hot.sql").rename(folder / "warm.sql")
    eventually(lambda: list(broker.rules) == ["warm"])
    (folder / "warm.sql").unlink()
    eventually(lambda: not broker.rules)


def test_a_file_with_an_error_keeps_the_rule_that_ran(
    broker_factory: Callable[..., Any],
    folder: Path,
    alarms: Callable[..., Device],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "hookmq")
    (folder / "hot.sql").write_text(FILE.format(limit=30))
    broker = broker_factory(rules_folder=folder)
    device = alarms(broker)
    (folder / "hot.sql").write_text(FILE.format(limit="averge(1)"))
    eventually(lambda: "averge" in caplog.text)
    assert f"{folder / 'hot.sql'}, line 7, column 22: there is no function `averge`" in caplog.text
    assert "^^^^^^ did you mean `average`?" in caplog.text and "the rule of before runs on" in caplog.text
    assert "averge" in broker.rules["hot"].info().problem
    publish(broker, 31)
    assert alarm(device) == 31
    (folder / "hot.sql").write_text(FILE.format(limit=10))
    eventually(lambda: broker.rules["hot"].info().problem is None)
    publish(broker, 11)
    assert alarm(device) == 11


def test_a_wrong_file_does_not_keep_the_broker_from_starting(
    broker_factory: Callable[..., Any], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "hot.sql").write_text("SELECT")
    (folder / "good.sql").write_text('SELECT * FROM "t"')
    broker = broker_factory(rules_folder=folder)
    assert list(broker.rules) == ["good"]
    assert "hot.sql" in caplog.text and "there is no rule of it yet" in caplog.text
    assert [problem.code for problem in broker.check_rules()][:1] == ["E710"]


def test_two_files_of_one_name(
    broker_factory: Callable[..., Any], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "a.sql").write_text('-- name = "same"\nSELECT 1 AS x FROM "t"')
    (folder / "b.sql").write_text('-- name = "same"\nSELECT 2 AS x FROM "t"')
    broker = broker_factory(rules_folder=folder)
    assert list(broker.rules) == ["same"] and "SELECT 1" in broker.rules["same"].sql
    assert "there is a rule `same` already, from " in caplog.text


def test_a_folder_that_goes_away_and_comes_back(
    broker_factory: Callable[..., Any], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "hot.sql").write_text(FILE.format(limit=30))
    broker = broker_factory(rules_folder=folder)
    folder.rename(folder.with_name("away"))
    eventually(lambda: "its rules run on" in caplog.text)
    assert list(broker.rules) == ["hot"]
    folder.with_name("away").rename(folder)
    (folder / "cold.sql").write_text(FILE.format(limit=30))
    eventually(lambda: list(broker.rules) == ["cold", "hot"])


def test_the_variable(
    broker_factory: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "hot.sql").write_text(FILE.format(limit=30))
    monkeypatch.setenv("HOOKMQ_RULES_FOLDER", str(folder))
    assert list(broker_factory().rules) == ["hot"]


# Switched ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["toml", "file", "python"])
def test_what_was_switched_is_remembered(
    broker_factory: Callable[..., Any],
    write: Callable[[str], Path],
    folder: Path,
    tmp_path: Path,
    source: str,
) -> None:
    options: dict[str, Any] = {"data_dir": tmp_path / "data", "history": {"enabled": False}}
    if source == "toml":
        options["config"] = write(RULE.format(limit=30, more=""))
    elif source == "file":
        (folder / "hot.sql").write_text(FILE.format(limit=30))
        options["rules_folder"] = folder

    def start() -> Any:
        broker = broker_factory(start=False, **options)
        if source == "python":
            broker.add_rule("hot", 'SELECT payload FROM "sensors/+/temp"')
        return broker.start()

    first = start()
    first.rules["hot"].disable()
    publish(first, 31)
    assert eventually(lambda: first.rules["hot"].info().skipped) == 1
    first.stop()
    second = start()
    assert not second.rules["hot"].enabled
    publish(second, 31)
    assert eventually(lambda: second.rules["hot"].info().skipped) == 1
    second.rules["hot"].enable()
    second.stop()
    third = start()
    assert third.rules["hot"].enabled
    publish(third, 31)
    assert eventually(lambda: third.rules["hot"].info().matched) == 1


def test_a_rule_that_is_switched_before_the_start(broker_factory: Callable[..., Any]) -> None:
    broker = broker_factory(start=False)
    broker.add_rule("hot", 'SELECT payload FROM "sensors/+/temp"')
    broker.rules["hot"].disable()
    with broker:
        publish(broker, 31)
        assert eventually(lambda: broker.rules["hot"].info().skipped) == 1


def test_what_was_switched_without_a_data_directory(broker_factory: Callable[..., Any]) -> None:
    broker = broker_factory(data_dir=None)
    broker.add_rule("hot", 'SELECT payload FROM "sensors/+/temp"')
    broker.rules["hot"].disable()
    assert not broker.rules["hot"].enabled and not broker.rules["hot"].info().enabled
    broker.rules["hot"].enable()
    publish(broker, 31)
    assert eventually(lambda: broker.rules["hot"].info().matched) == 1
