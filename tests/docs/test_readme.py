"""What the README shows is what one gets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .pages import README, blocks, files, links
from .script import Client, Script

ROOT = README.parent


def example() -> str:
    """The one Python example of the README."""
    (block,) = blocks(README, "python")
    return block.code


def normalised(banner: str) -> list[str]:
    """The lines of a banner without what differs from machine to machine: ports, platform, token, widths."""
    text = re.sub(r"(127\.0\.0\.1):\d+", r"\1:PORT", banner)
    text = re.sub(r"token=\S+", "token=TOKEN", text)
    text = re.sub(r"Python \S+ · .*", "PLATFORM", text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def test_the_example_is_short() -> None:
    assert len([line for line in example().splitlines() if line]) == 10


def test_the_example_does_what_the_readme_says(tmp_path: Path) -> None:
    with Script(example(), tmp_path) as script:
        (shown,) = blocks(README, "text")
        assert normalised(script.banner) == normalised(shown.code)
        with Client(script.port, "tank/+/alert") as client:
            client.publish("tank/8/level", '{"level": 50}')
            client.publish("tank/7/level", '{"level": 12}')
            topic, payload = client.receive()
        assert (topic, payload) == ("tank/7/alert", '{"low":true}')
        assert json.loads(script.get("/tanks")) == {
            "tank/7/level": {"level": 12},
            "tank/8/level": {"level": 50},
        }


def test_what_the_readme_names_exists() -> None:
    targets = [link.partition("#")[0] for link in links(README) if not link.startswith("https://")]
    assert len(targets) > 10
    assert [target for target in [*targets, *files(README)] if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_make_targets_exist(target: str) -> None:
    assert f"`make {target}`" in README.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
