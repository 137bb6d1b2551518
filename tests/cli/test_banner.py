"""The banner: its columns, its colour, and what it leaves out."""

from __future__ import annotations

import io
import re

import pytest

from hookmq.banner import MAX_HOOKS, BannerHook, BannerInfo, render, wants_colour, write

INFO = BannerInfo(
    version="0.1.0",
    python="3.12.4",
    platform="Linux x86_64",
    mqtt=("mqtt://127.0.0.1:1883",),
    http="http://127.0.0.1:8080/",
    dashboard="http://127.0.0.1:8080/?token=kQ3",
    pages=("/hello", "/flow"),
    storage="hookmq-data/history.db (SQLite, 0 messages)",
    hooks=(
        BannerHook("watch", "tank/+/level", "app.py:7"),
        BannerHook("remind", "every 10 seconds", "app.py:13", scheduled=True),
    ),
)

TEXT = """\
  HookMQ 0.1.0   Python 3.12.4 · Linux x86_64
  ➜  Dashboard   http://127.0.0.1:8080/?token=kQ3
  ➜  MQTT        mqtt://127.0.0.1:1883                    3.1 · 3.1.1 · 5.0
  ➜  Pages       http://127.0.0.1:8080/   /hello  /flow
  ➜  Storage     hookmq-data/history.db (SQLite, 0 messages)
  Hooks  watch    ← tank/+/level           app.py:7
         remind   ⏱ every 10 seconds       app.py:13
  Only this machine can connect. To open it:  hookmq run --host 0.0.0.0"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def changed(**fields: object) -> BannerInfo:
    values = {name: getattr(INFO, name) for name in BannerInfo.__dataclass_fields__}
    return BannerInfo(**{**values, **fields})


def test_the_whole_banner() -> None:
    assert render(INFO, colour=False) == TEXT


def test_colour_changes_nothing_but_the_colour() -> None:
    coloured = render(INFO, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == TEXT


def test_what_is_not_there_is_not_mentioned() -> None:
    nothing = changed(http=None, dashboard=None, pages=(), storage=None, hooks=(), loopback_only=False)
    text = render(nothing, colour=False)
    first, _, mqtt, *_ = TEXT.splitlines()
    assert text.splitlines() == [first, mqtt]
    for word in ("Dashboard", "WebSocket", "Pages", "Storage", "Hooks", "Only"):
        assert word not in text


def test_pages_without_routes() -> None:
    assert "  ➜  Pages       http://127.0.0.1:8080/\n" in render(
        changed(pages=(), dashboard=None), colour=False
    )
    assert "Pages" not in render(changed(pages=()), colour=False)


def test_several_addresses_stand_below_each_other() -> None:
    lines = render(changed(mqtt=("mqtt://127.0.0.1:1883", "mqtt://[::1]:1883")), colour=False).splitlines()
    assert lines[2].index("mqtt://") == lines[3].index("mqtt://")
    assert lines[3] == "                 mqtt://[::1]:1883"


def test_a_long_address_keeps_its_distance() -> None:
    url = "mqtt://a-rather-long-name-of-a-machine.example.org:1883"
    assert f"{url}   3.1 · 3.1.1 · 5.0" in render(changed(mqtt=(url,)), colour=False)


def test_long_names_and_filters_widen_their_columns() -> None:
    hooks = (
        BannerHook("a_hook_with_a_long_name", "x", "app.py:1"),
        BannerHook("b", "a/very/long/topic/filter/of/many/levels/#", "app.py:2"),
    )
    first, second = render(changed(hooks=hooks), colour=False).splitlines()[5:7]
    assert first.index("←") == second.index("←")
    assert first.index("app.py:1") == second.index("app.py:2")


def test_wide_characters_take_two_columns() -> None:
    hooks = (BannerHook("水位", "タンク/+", "app.py:1"), BannerHook("watch", "tank/+", "app.py:2"))
    first, second = render(changed(hooks=hooks), colour=False).splitlines()[5:7]
    assert first.index("←") == second.index("←") - 2
    assert first.index("app.py") == second.index("app.py") - 5


def test_a_long_list_of_hooks_is_cut() -> None:
    hooks = tuple(BannerHook(f"hook{n}", "#", f"app.py:{n}") for n in range(MAX_HOOKS + 5))
    text = render(changed(hooks=hooks), colour=False)
    assert f"hook{MAX_HOOKS - 1} " in text
    assert f"hook{MAX_HOOKS} " not in text
    assert "… and 5 more:   hookmq check lists them all" in text


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "")
    assert wants_colour(Terminal()), "an empty NO_COLOR says nothing"
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal())


def test_write_to_a_stream_without_these_characters() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write(changed(hooks=(BannerHook("水", "a/+", "app.py:1"),)), stream)
    text = raw.getvalue().decode("ascii")
    assert "  >  MQTT        mqtt://127.0.0.1:1883                    3.1 - 3.1.1 - 5.0\n" in text
    assert "\\u6c34" in text


def test_write_ends_with_a_line_end() -> None:
    stream = io.StringIO()
    stream_with_encoding = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write(INFO, stream_with_encoding)
    stream_with_encoding.seek(0)
    stream.write(stream_with_encoding.read())
    assert stream.getvalue() == TEXT + "\n"
