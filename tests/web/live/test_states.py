"""What browsers are told, however slow they are: a random history against what a browser makes of it."""

from __future__ import annotations

import json
import random

import pytest

from hookmq.web.json_text import encode
from hookmq.web.live import states
from hookmq.web.live.states import FORGOTTEN, NOTHING, Keyed, Stream, Whole


class Page:
    """A browser: it takes frames as the dashboard's script does."""

    def __init__(self) -> None:
        self.mark = NOTHING
        self.items: dict[str, object] = {}
        self.lists: dict[str, list[int]] = {}
        self.wholes = 0
        self.largest = 0

    def take(self, state: Keyed) -> bool:
        """Ask once; say whether there was news."""
        told = state.news(self.mark)
        if told is None:
            return False
        text, self.mark = told
        self.largest = max(self.largest, len(text))
        frame = json.loads(f"{{{text}}}")
        if "whole" in frame:
            self.wholes += 1
            self.items, self.lists = {}, {}
            self._set(frame["whole"]["items"])
        self._set(frame.get("set", {}))
        for key in frame.get("gone", []):
            self.items.pop(key, None)
        return True

    def _set(self, items: dict[str, object]) -> None:
        for key, item in items.items():
            if isinstance(item, dict) and "points" in item:
                self.lists.setdefault(key, []).extend(item["points"])
            else:
                self.items[key] = item


@pytest.mark.parametrize("piece", [60, 400, 1 << 18], ids=["small pieces", "some pieces", "whole"])
def test_every_page_comes_to_the_same(monkeypatch, seed, piece):
    monkeypatch.setattr(states, "PIECE", piece)
    monkeypatch.setattr(states, "FORGOTTEN", 5)
    chance = random.Random(seed)
    print("seed", seed)
    state, model = Keyed(), {}
    lists: dict[str, list[int]] = {}
    pages = [Page() for _ in range(6)]
    for step in range(3000):
        key = f"k{chance.randrange(30)}"
        match chance.randrange(12):
            case 0 | 1:
                state.remove(key)
                model.pop(key, None)
            case 2:
                name = f"list{chance.randrange(3)}"
                state.append(name, "points", step, keep=10_000)
                lists.setdefault(name, []).append(step)
            case _:
                value = chance.randrange(5)
                state.put(key, value)
                model[key] = value
        # One page asks all the time, the others the more seldom the later they are in the list.
        for number, page in enumerate(pages):
            if chance.randrange(4**number) == 0:
                page.take(state)
    for page in pages:
        while page.take(state):
            pass
        assert (page.items, page.lists) == (model, lists)
        assert page.take(state) is False


def test_no_frame_is_much_larger_than_a_piece(monkeypatch):
    monkeypatch.setattr(states, "PIECE", 1000)
    state, page = Keyed(), Page()
    for number in range(500):
        state.put(f"topic/{number}", {"value": number})
    frames = 0
    while page.take(state):
        frames += 1
    assert len(page.items) == 500 and frames > 10 and page.largest < 2500


def test_a_list_keeps_its_newest():
    state, page = Keyed(), Page()
    for number in range(1000):
        state.append("chart", "points", number, keep=20)
    page.take(state)
    assert page.lists["chart"] == list(range(980, 1000))


def test_who_missed_too_much_begins_anew():
    state, slow, quick = Keyed(), Page(), Page()
    state.put("stays", 1)
    for page in (slow, quick):
        page.take(state)
    for number in range(FORGOTTEN + 10):
        state.put(f"k{number}", 1)
        quick.take(state)
        state.remove(f"k{number}")
        quick.take(state)
    slow.take(state)
    assert (slow.items, slow.wholes, quick.items, quick.wholes) == ({"stays": 1}, 2, {"stays": 1}, 1)


def test_a_restart_is_told_to_everybody():
    state, page = Keyed(), Page()
    state.put("a", 1)
    page.take(state)
    state.restart('"version":2,')
    state.put("b", 2)
    text, _ = state.news(page.mark) or ("", None)
    assert json.loads(f"{{{text}}}") == {"whole": {"version": 2, "items": {"b": 2}}}


def test_a_stream_counts_what_is_lost(seed):
    chance = random.Random(seed)
    print("seed", seed)
    state = Stream(keep=50)
    marks = [NOTHING] * 4
    seen, lost = [0] * 4, [0] * 4
    for index in range(4):
        _, marks[index] = state.news(marks[index]) or ("", NOTHING)
    last = [-1] * 4
    total = 0
    for _ in range(500):
        for _ in range(chance.randrange(40)):
            state.add(total)
            total += 1
        if chance.randrange(10) == 0:
            away = chance.randrange(100)
            state.lose(away)
            total += away
        for index in range(4):
            if chance.randrange(3**index) == 0 and (told := state.news(marks[index])):
                frame = json.loads(f"{{{told[0]}}}")
                assert frame["add"] == sorted(frame["add"]) and all(one > last[index] for one in frame["add"])
                last[index] = max([last[index], *frame["add"]])
                seen[index] += len(frame["add"])
                lost[index] += frame.get("lost", 0)
                marks[index] = told[1]
    for index in range(4):
        if told := state.news(marks[index]):
            frame = json.loads(f"{{{told[0]}}}")
            seen[index] += len(frame["add"])
            lost[index] += frame.get("lost", 0)
        assert seen[index] + lost[index] == total


def test_a_whole_is_told_when_it_changes():
    state = Whole()
    assert state.news(NOTHING) is None
    state.put([1])
    text, mark = state.news(NOTHING) or ("", NOTHING)
    state.put([1])
    assert (text, state.news(mark)) == ('"whole":[1]', None)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1.5, None, True, "ü\n\u2028"]},
        [float("nan"), {"b": (float("inf"), -float("inf"))}],
        "\ud800 half a pair",
        {"\udfff": 10**400},
    ],
    ids=repr,
)
def test_every_value_becomes_json_that_browsers_take(value):
    text = encode(value)
    text.encode()
    assert "NaN" not in text and "Infinity" not in text
    json.loads(text)
