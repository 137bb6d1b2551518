"""Leaves out the foreign tests that tools/foreign.sh has not downloaded."""

from __future__ import annotations

from .suite import PLACE

MISSING = [name for name in ("gmqtt", "aiomqtt") if not (PLACE / name / "names").exists()]
collect_ignore = [f"test_{name}.py" for name in MISSING]


def pytest_report_collectionfinish() -> list[str]:
    return [f"{name}'s own tests are left out: tools/foreign.sh gets them" for name in MISSING]
