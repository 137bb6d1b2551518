"""Dashboards are kept: in memory, or in files that survive and that nobody else reads."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading

import pytest

from hookmq import HookMQError
from hookmq.web.dashboards import Dashboards
from hookmq.web.dashboards.store import MOST
from hookmq.web.problem import Problem

TANK = {"title": "Tänks & more", "widgets": [{"id": "a", "kind": "tank", "topic": "tank/+", "path": "v[0]"}]}


def exactly(version):
    def check(there):
        if there != version:
            raise Problem(412, f"it has version {there}")

    return check


@pytest.fixture(params=["memory", "files"])
def directory(request, tmp_path):
    return None if request.param == "memory" else tmp_path


@pytest.fixture
def dashboards(directory):
    return Dashboards(directory)


def test_the_life_of_a_dashboard(dashboards):
    made = dashboards.add(TANK)
    assert made.id.startswith("tanks-more-") and made.version == 1 and made.title == TANK["title"]
    assert [one.id for one in dashboards.all()] == [made.id]
    changed = dashboards.change(made.id, made.plain() | {"title": "Tanks"}, exactly(1))
    assert (changed.version, changed.title, changed.widgets) == (2, "Tanks", made.widgets)
    with pytest.raises(Problem, match="it has version 2") as caught:
        dashboards.change(made.id, TANK, exactly(1))
    assert caught.value.status == 412 and dashboards.get(made.id) == changed
    with pytest.raises(Problem):
        dashboards.remove(made.id, exactly(1))
    dashboards.remove(made.id, exactly(2))
    assert dashboards.all() == [] and dashboards.find(made.id) is None
    for act in (dashboards.get, dashboards.remove, dashboards.share, dashboards.unshare):
        with pytest.raises(Problem, match="there is no dashboard"):
            act(made.id)


def test_an_export_is_imported_as_it_is(dashboards):
    made = dashboards.add(TANK)
    again = dashboards.add(json.loads(json.dumps(made.plain())))
    assert again.id != made.id and again.version == 1
    assert (again.title, again.columns, again.widgets) == (made.title, made.columns, made.widgets)


def test_a_link(dashboards):
    made = dashboards.add(TANK)
    token = dashboards.share(made.id)
    assert dashboards.share(made.id) == token and len(token) == 43
    assert dashboards.of_token(token) == dashboards.get(made.id) and dashboards.get(made.id).version == 1
    assert all(dashboards.of_token(wrong) is None for wrong in ("", token[:-1], token + "=", "\ud800"))
    assert token not in json.dumps(made.plain()) + json.dumps(dashboards.get(made.id).summary())
    changed = dashboards.change(made.id, {"title": "Other"})
    assert changed.share == token and dashboards.of_token(token) == changed
    dashboards.unshare(made.id)
    assert dashboards.of_token(token) is None
    assert dashboards.share(made.id) != token
    other = dashboards.get(made.id).share
    dashboards.remove(made.id)
    assert dashboards.of_token(other) is None


def test_what_cannot_be(dashboards):
    with pytest.raises(Problem) as caught:
        dashboards.add({"title": "T", "widgets": [{"id": "a", "kind": "tank", "w": 0}]})
    assert (caught.value.status, caught.value.more["member"]) == (400, "widgets[0].w")
    long = [{"id": f"w{n}", "kind": "button", "options": {"payload": "x" * 60_000}} for n in range(20)]
    with pytest.raises(Problem) as caught:
        dashboards.add({"title": "T", "widgets": long})
    assert caught.value.status == 413
    assert dashboards.all() == []


def test_there_is_a_bound():
    dashboards = Dashboards()
    for number in range(MOST):
        dashboards.add({"title": f"Nr. {number}"})
    with pytest.raises(Problem) as caught:
        dashboards.add({"title": "one more"})
    assert caught.value.status == 409


def test_of_several_changes_at_once_one_wins(dashboards):
    made = dashboards.add(TANK)
    won, lost, start = [], [], threading.Barrier(8)

    def change(number):
        start.wait()
        try:
            won.append(dashboards.change(made.id, {"title": f"by {number}"}, exactly(1)).title)
        except Problem:
            lost.append(number)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and len(lost) == 7
    assert (dashboards.get(made.id).title, dashboards.get(made.id).version) == (won[0], 2)


# Files ----------------------------------------------------------------------------------------------------


def test_they_survive(tmp_path):
    first = Dashboards(tmp_path)
    made = first.add(TANK | {"title": "半分 \ud83d"})
    token = first.share(made.id)
    second = Dashboards(tmp_path)
    assert second.all() == first.all() and second.of_token(token) == first.get(made.id)
    path = tmp_path / "dashboards" / f"{made.id}.json"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    second.remove(made.id)
    assert Dashboards(tmp_path).all() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": 2}',
        "null",
        "[" * 100_000,
        b"\xff\xfe",
        "{good} x",
        '{"format": 1, "id": "other", "title": "T", "version": 1, "updated_at": 1.0}',
        '{"format": 1, "id": "broken", "title": "T", "version": 1}',
        '{"format": 1, "id": "broken", "title": "T", "version": 1, "updated_at": 1.0, "share": "x"}',
        '{"format": 1, "id": "broken", "title": "T", "version": 1, "updated_at": 1.0, "extra": 1}',
        '{"format": 1, "id": "broken", "title": "T", "version": 1, "updated_at": 1.0, "widgets": [{}]}',
        " " * (3 << 20),
    ],
    ids=lambda text: repr(text[:50]),
)
def test_a_file_that_cannot_be_read_is_left_out_and_stays(tmp_path, text, caplog):
    good = Dashboards(tmp_path).add(TANK)
    path = tmp_path / "dashboards" / "broken.json"
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        dashboards = Dashboards(tmp_path)
        assert dashboards.all() == [good]
    assert f"{path} is left out" in caplog.text and "correct it, or remove it" in caplog.text
    dashboards.add({"title": "broken"})
    assert path.read_bytes() == data


def test_what_cannot_be_written_is_not_changed(tmp_path):
    dashboards = Dashboards(tmp_path)
    made = dashboards.add(TANK)
    folder = tmp_path / "dashboards"
    folder.rename(tmp_path / "away")
    folder.write_text("a file where the folder was")
    for act in (
        lambda: dashboards.change(made.id, {"title": "new"}),
        lambda: dashboards.add(TANK),
        lambda: dashboards.share(made.id),
        lambda: dashboards.remove(made.id),
    ):
        with pytest.raises(HookMQError) as caught:
            act()
        assert caught.value.code == "E703"
        assert dashboards.all() == [made]
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert Dashboards(tmp_path).all() == [made]
