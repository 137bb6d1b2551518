"""The table of operations in docs/http-api.md; HOOKMQ_TEST_WRITE=1 writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

from hookmq.web.operations.operation import Operation

from .site import Site

PAGE = Path(__file__).parents[3] / "docs" / "http-api.md"
BEGIN, END = "<!-- operations: written by tests/web/api/test_docs.py -->\n", "<!-- end -->"
WHO = {"anyone": "anyone", "viewer": "v", "operator": "o", "admin": "a"}


def row(operation: Operation) -> str:
    return f"| `{operation.method} {operation.template}` | {WHO[operation.role]} | {operation.summary} |"


def test_the_page_lists_every_operation(site: Site) -> None:
    operations = sorted(site.broker._console.api.operations, key=lambda one: one.tag)
    rows = "\n".join(["| What | Who | |", "|---|---|---|", *map(row, operations)])
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page = f"{before}{BEGIN}\n{rows}\n\n{END}{after}"
    if os.environ.get("HOOKMQ_TEST_WRITE"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page


def test_every_operation_is_told_apart_and_described(site: Site) -> None:
    operations = site.broker._console.api.operations
    names = [one.id for one in operations]
    assert len(set(names)) == len(names)
    for one in operations:
        assert one.summary and one.summary[0].isupper() and not one.summary.endswith(".")
        if one.tag != "shared":  # what a shared chart answers is told where charts are
            assert one.answer is not None or one.streams or one.status == 204, one.id
        assert (one.method == "GET") <= (one.body is None)
        for field in one.query:
            assert field.doc or field.name in ("topic", "by", "value", "order", "format"), (
                one.id,
                field.name,
            )
