"""What is wrong with a rule, as people read it."""

from __future__ import annotations

import pytest

from hookmq._hookmq import RuleError
from hookmq.rules.problem import Place, excerpt, place_of, wrong_sql

SQL = 'SELECT averge(payload.t)\nFROM "t/#"\nWHERE x > 1'


@pytest.mark.parametrize(
    ("text", "start", "end", "place"),
    [
        (SQL, 7, 13, Place(1, 8, 6)),
        (SQL, 25, 29, Place(2, 1, 4)),
        (SQL, 42, 43, Place(3, 7, 1)),
        (SQL, 7, 30, Place(1, 8, 17)),  # to the end of its line
        (SQL, len(SQL), len(SQL), Place(3, 12, 1)),
        (SQL, 10_000, 10_001, Place(3, 12, 1)),
        ("", 0, 0, Place(1, 1, 1)),
        ("\n\n", 1, 1, Place(2, 1, 1)),
    ],
)
def test_places(text: str, start: int, end: int, place: Place) -> None:
    assert place_of(text, start, end) == place


def test_the_caret_is_below_what_is_wrong() -> None:
    assert excerpt(SQL, 7, 13, "did you mean `average`?") == (
        "   1 | SELECT averge(payload.t)\n     |        ^^^^^^ did you mean `average`?"
    )


def test_lines_of_a_file_are_counted_from_its_beginning() -> None:
    assert excerpt(SQL, 42, 43, above=4).splitlines() == ["   7 | WHERE x > 1", "     |       ^"]


def test_tabs_and_wide_letters_take_the_place_that_a_terminal_gives_them() -> None:
    assert excerpt("\tSELECT 温度 x", 8, 10).splitlines()[1] == "     |         ^^^^"
    assert excerpt("SELECT '温度', x", 13, 14).splitlines()[1] == "     |                ^"


def test_of_a_long_line_the_part_is_shown_that_is_wrong() -> None:
    text = "SELECT " + ", ".join(f"column{n}" for n in range(100)) + " FRM 't'"
    line, carets = excerpt(text, text.index("FRM"), text.index("FRM") + 3).splitlines()
    assert len(line) < 130
    at = carets.index("^")
    assert (line[at : at + 3], carets[at:]) == ("FRM", "^^^")


def test_a_very_long_word_is_cut() -> None:
    text = "SELECT " + "x" * 5000
    assert all(len(line) < 250 for line in excerpt(text, 7, len(text)).splitlines())


def test_an_error_knows_its_place() -> None:
    error = wrong_sql(
        RuleError("there is no function `averge`", 7, 13, "did you mean `average`?"), SQL, "hot.sql", above=2
    )
    assert error.code == "E710" and error.exit_code == 3
    assert str(error).splitlines() == [
        "error[E710]: hot.sql, line 3, column 8: there is no function `averge`",
        "           3 | SELECT averge(payload.t)",
        "             |        ^^^^^^ did you mean `average`?",
    ]
    assert {key: error.fields[key] for key in ("line", "column", "length", "hint")} == {
        "line": 3,
        "column": 8,
        "length": 6,
        "hint": "did you mean `average`?",
    }
