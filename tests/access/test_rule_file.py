"""The rule file: when it is read again, and what happens while it cannot be read."""

from __future__ import annotations

import logging
import os

import pytest

from hookmq.errors import HookMQError

from ..api.helpers import eventually
from .deciding import enter, may_publish, may_subscribe, topics
from .test_users import unusable

ALL = "allow any all #\n"

# What stands in the file, and on which line the mistake is.
BAD = {
    "an unknown verdict": ("allow any all #\npermit any all #", 2),
    "no action": ("# rules\n\nallow user tank a/#", 3),
    "an unknown action": ("allow any write a/#", 1),
    "an action that is not complete": ("allow any publish, a/#", 1),
    "no filter": ("allow any publish", 1),
    "only a verdict": ("allow", 1),
    "a filter that is none": ("allow any publish a/#/b", 1),
    "a wildcard within a level": ("allow any all #\nallow any publish a+", 2),
    "no user name": ("allow user", 1),
    "a quote that is not closed": ('allow user "tank publish a', 1),
    "an address that is none": ("allow address 10.0.0.256 publish a", 1),
    "a network that is none": ("allow address 10.0.0.0/33 publish a", 1),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_keeps_the_broker_from_starting(broker_factory, access, case):
    text, line = BAD[case]
    access.acl.write_text(text)
    with pytest.raises(HookMQError) as caught:
        broker_factory({"access.acl_file": str(access.acl)})
    assert caught.value.code == "E305"
    assert caught.value.exit_code == 3
    assert f"{access.acl}:{line}" in caught.value.message


def unreadable(path) -> None:
    """Makes a file one that cannot be read, also for root."""
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize("how", ["missing", "a directory", "not UTF-8"])
def test_a_file_that_cannot_be_read_keeps_the_broker_from_starting(broker_factory, access, how):
    if how == "a directory":
        unreadable(access.acl)
    elif how == "not UTF-8":
        access.acl.write_bytes(b"allow any all a\n\xff\xfe")
    with pytest.raises(HookMQError) as caught:
        broker_factory({"access.acl_file": str(access.acl)})
    assert caught.value.code == "E305"
    assert str(access.acl) in caught.value.message


def test_nothing_is_left_behind_by_a_start_that_failed(broker_factory, access):
    broker = broker_factory({"access.acl_file": str(access.acl)}, start=False)
    with pytest.raises(HookMQError):
        broker.start()
    assert not broker.running
    access.rules(ALL)
    assert broker.start().running


@pytest.mark.parametrize("how", ["gone", "a directory", "bad"])
def test_while_it_cannot_be_read_nothing_is_allowed(ruled, dial, access, how):
    broker = ruled(ALL)
    wire, other = enter(dial, to=broker), enter(dial, "c2", to=broker)
    wire.subscribe("a/#")
    assert may_publish(other, "a/1")
    assert topics(wire) == ["a/1"]
    if how == "gone":
        access.acl.unlink()
    elif how == "a directory":
        unreadable(access.acl)
    else:
        access.acl.write_text(ALL + "alow any all #\n")
    unusable(broker, access.acl)
    assert not may_publish(other, "a/2")
    assert not may_subscribe(other, "a/2")
    broker.publish("a/3", "x")
    assert topics(wire) == []
    # The connections live, and others can still be made.
    enter(dial, "c3", to=broker).ping()
    if how == "a directory":
        access.acl.rmdir()
    access.rules(ALL)
    broker.reload()
    assert may_publish(other, "a/4")
    assert topics(wire) == ["a/4"]


def test_a_file_that_changed_is_read_by_itself(ruled, dial, access, caplog):
    caplog.set_level(logging.INFO)
    broker = ruled(ALL)
    wire = enter(dial, to=broker)
    wire.subscribe("a")
    access.rules("deny user tank all #")
    eventually(lambda: not may_publish(wire, "b"), 6)
    broker.publish("a", "x")
    assert topics(wire) == []
    access.acl.unlink()
    eventually(lambda: "lets nobody in" in caplog.text and str(access.acl) in caplog.text, 6)
    access.rules(ALL)
    eventually(lambda: may_publish(wire, "b"), 6)
    broker.publish("a", "x")
    assert topics(wire) == ["a"]


def test_a_file_that_was_replaced_is_read_by_itself(ruled, dial, access, tmp_path):
    """As editors and deployments do it: another file under the same name, here of the same size and time."""
    broker = ruled("allow any all a\n")
    wire = enter(dial, to=broker)
    assert may_publish(wire, "a")
    new = tmp_path / "new"
    new.write_text("allow any all b\n")
    stamp = access.acl.stat().st_mtime_ns
    os.utime(new, ns=(stamp, stamp))
    new.replace(access.acl)
    eventually(lambda: may_publish(wire, "b"), 6)
    assert not may_publish(wire, "a")


def test_reload_is_complete_when_it_returns(ruled, dial, access):
    broker = ruled("deny any all #")
    wire = enter(dial, to=broker)
    for number in range(30):
        access.rules(f"allow any publish topic/{number}")
        broker.reload()
        assert may_publish(wire, f"topic/{number}")
        assert not may_publish(wire, f"topic/{number - 1}")


def test_reload_needs_a_broker_that_runs(broker_factory):
    broker = broker_factory(start=False)
    with pytest.raises(HookMQError) as caught:
        broker.reload()
    assert caught.value.code == "E503"


def test_a_path_is_looked_for_beside_the_configuration(broker_factory, dial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acl").write_text("allow any all a\n")
    (tmp_path / "hookmq.toml").write_text('[access]\nacl_file = "acl"\n')
    broker = broker_factory()
    wire = enter(dial, to=broker)
    assert may_publish(wire, "a")
    assert not may_publish(wire, "b")
