"""The judge of the malformed packets says what the tables of the protocol tests say."""

from __future__ import annotations

from types import ModuleType

import pytest

from ..protocol import malformed, strangers
from ..protocol.cases import Case
from ..protocol.packets import V5
from .judge import CLOSED, REFUSED, STRANGER, judge
from .mutation import cases
from .shape import hello, is_of_servers, shapes


def rows(module: ModuleType) -> list[Case]:
    """Every case in the tables of a module."""
    tables = [table for table in vars(module).values() if isinstance(table, list)]
    return [row for table in tables for row in table if isinstance(row, Case)]


@pytest.mark.parametrize(
    ("module", "least", "ends"),
    [(malformed, 100, {CLOSED}), (strangers, 40, {REFUSED, STRANGER})],
    ids=["after the CONNECT", "the CONNECT itself"],
)
def test_the_judge_agrees_with_the_table(module: ModuleType, least: int, ends: set[str]) -> None:
    found = rows(module)
    assert len(found) >= least
    for row in found:
        for version in row.versions:
            before = hello(version).encode() if module is malformed else b""
            verdict = judge(before + row.make(version))
            assert verdict.end in ends, (row.name, version, verdict)
            if version == V5 and verdict.end != STRANGER:
                assert verdict.codes & row.codes, (row.name, verdict)


def test_the_judge_finds_nothing_wrong_with_what_the_cases_are_made_from() -> None:
    for shape in shapes():
        before = hello(shape.version, session_expiry_interval=1).encode() if shape.kind != 1 else b""
        if not is_of_servers(shape) and shape.kind != 15:  # nobody may send AUTH here
            verdict = judge(before + shape.encode())
            assert not verdict.codes, (shape, verdict)


def test_a_seed_gives_the_same_cases_again() -> None:
    first = cases(1, 0)
    assert first == cases(1, 0)
    assert first != cases(2, 0)
