"""The pages of docs/: their code compiles and runs, what they link to and name exists."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

from hookmq._hookmq import check_acl
from hookmq.cli import main
from hookmq.hooks.registry import HOOKS
from hookmq.settings.config import CONFIG_FILE, SETTINGS, resolve

from .pages import DOCS, PAGES, ROOT, Block, anchors, blocks, files, links, name
from .script import Client, Script

PYTHON = [block for page in PAGES for block in blocks(page, "python")]
SCRIPTS = [block for block in PYTHON if "broker.run()" in block.code]
OPTION = r"(?<![\w-])--?[A-Za-z][\w-]*"
SESSIONS = [block for page in PAGES for block in blocks(page, "pycon")]
CONFIGURATIONS = [block for page in PAGES for block in blocks(page, "toml")]
ACCESS_LISTS = [block for page in PAGES for block in blocks(page, "acl")]
COMMANDS = ["run", "dev", "check", "pub", "sub"]
COMMANDS += [f"users {action}" for action in ("add", "rm", "ls", "check", "import")]
COMMANDS += [f"acl {action}" for action in ("check", "test", "import")]
COMMANDS += ["rules", "rules test", "rules add", "rules check"]
COMMANDS += ["replay", "jobs", "bench", *(f"hooks {action}" for action in ("ls", "pause", "resume"))]
COMMANDS += ["clients ls", "clients ban", "clients unban", "topics ls", "topics show", "retained ls"]
COMMANDS += ["history"]


def where(block: Block) -> str:
    return block.where


def test_there_are_pages_and_scripts() -> None:
    assert len(PAGES) >= 12
    assert len(SCRIPTS) >= 5
    assert SESSIONS


@pytest.mark.parametrize("block", PYTHON, ids=where)
def test_python_compiles(block: Block) -> None:
    # A notebook's cell may await.
    compile(block.code, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@pytest.mark.parametrize("block", SCRIPTS, ids=where)
def test_complete_scripts_run(block: Block, tmp_path: Path) -> None:
    with Script(block.code, tmp_path) as script, Client(script.port) as client:
        assert client.accepted == ("@broker.authenticate" not in block.code)


@pytest.mark.parametrize("block", SESSIONS, ids=where)
def test_sessions_print_what_they_show(block: Block) -> None:
    test = doctest.DocTestParser().get_doctest(block.code, {}, block.where, block.where, 0)
    assert test.examples
    printed: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=printed.append)
    assert result.failed == 0, "".join(printed)


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=where)
def test_configurations_are_read(block: Block, tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(block.code, encoding="utf-8")
    settings = resolve(arguments={}, environ={}, directory=tmp_path)
    changed = [key for key in settings if settings.origin(key).startswith(CONFIG_FILE)]
    assert changed


@pytest.mark.parametrize("block", ACCESS_LISTS, ids=where)
def test_access_lists_are_read(block: Block) -> None:
    rules = [line for line in block.code.splitlines() if not line.startswith("#")]
    assert check_acl(block.code) == len(rules) > 0


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        # MkDocs publishes docs/ alone: a link may not leave it.
        if not (file.is_relative_to(DOCS) and file.is_file()) or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page: Path) -> None:
    assert [file for file in files(page) if not (ROOT / file).exists()] == []


def test_the_navigation_has_every_page_and_no_other() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    entries = re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)
    assert sorted(entries) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "index.md"
    assert set(links(index)) == {page.relative_to(DOCS).as_posix() for page in PAGES} - {"index.md"}


def test_settings_that_are_named_exist() -> None:
    known = {setting.key for setting in SETTINGS}
    sections = {key.partition(".")[0] for key in known if "." in key}
    named = {
        (name(page), key)
        for page in PAGES
        for key in re.findall(rf"`((?:{'|'.join(sections)})\.[a-z_]+)`", page.read_text(encoding="utf-8"))
        if not key.endswith(".db")
    }
    assert len(named) > 20
    assert {(page, key) for page, key in named if key not in known} == set()


def test_every_limit_is_explained() -> None:
    page = (DOCS / "limits.md").read_text(encoding="utf-8")
    limits = [setting.key for setting in SETTINGS if setting.key.startswith("limits.")]
    assert [key for key in limits if f"`{key}`" not in page] == []


def test_the_defaults_of_limits_are_those_in_force() -> None:
    page = (DOCS / "limits.md").read_text(encoding="utf-8")
    settings = {setting.key: setting for setting in SETTINGS}
    rows = re.findall(r"^\| ((?:`\w+\.\w+`(?:, )?)+) \| ([^|]+) \|", page, re.MULTILINE)
    stated = {
        key: default.replace(",", "")
        for keys, defaults in rows
        for key, default in zip(re.findall(r"`(.+?)`", keys), defaults.split(" and "), strict=True)
    }
    words = {"no limit": "0", "for ever": "4294967295"}
    values = {key: settings[key].read(words.get(text, text), where=key) for key, text in stated.items()}
    assert values == {key: settings[key].default for key in stated}
    assert set(stated) >= {key for key in settings if key.startswith("limits.")}


def test_every_hook_is_explained() -> None:
    page = (DOCS / "hooks.md").read_text(encoding="utf-8")
    for hook in HOOKS.values():
        (row,) = re.findall(rf"^\| `{hook.name}` .*$", page, re.MULTILINE)
        assert ("decider" in row) == hook.decides
        assert [one for one in hook.arguments if f"`{one}`" not in row] == []


def options_of(command: str, capsys: pytest.CaptureFixture[str]) -> list[set[str]]:
    """The options of a command as its help lists them; each with all its names."""
    assert main([*command.split(), "--help"]) == 0
    listed = re.findall(r"^  (-.+?)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    names = [set(re.findall(OPTION, entry)) for entry in listed if not entry.startswith("-D ")]
    assert len(names) >= 3
    return names


def test_every_command_and_option_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert main(["--help"]) == 0
    commands = re.findall(r"^    ([a-z]+) ", capsys.readouterr().out, re.MULTILINE)
    assert len(commands) >= 6
    assert [command for command in commands if f"`hookmq {command}" not in page] == []
    words = set(re.findall(OPTION, page))
    options = [names for command in COMMANDS for names in options_of(command, capsys)]
    assert [names for names in options if not words & names] == []
    assert words - set().union(*options) == set()
