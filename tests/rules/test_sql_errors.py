"""Fifty ways to write a rule wrongly: each names the column, and what may have been meant."""

from __future__ import annotations

import pytest

from hookmq.errors import HookMQError
from hookmq.rules.definition import Rule

# The SQL with a caret line below it, as people see it, and words of the message and the suggestion.
WRONG: list[tuple[str, str, str]] = [
    ('SELECT averge(payload.t), tumbling FROM "t"', "there is no function `averge`", "`average`"),
    ('SELECT uper(payload.t) FROM "t"', "there is no function `uper`", "`upper`"),
    ('SELECT xyzzyxyz(1) FROM "t"', "there is no function `xyzzyxyz`", "hookmq rules functions"),
    ('SELCT * FROM "t"', "SELECT", "SELECT"),
    ('SELECT * FORM "t"', "FROM", "FROM"),
    ('SELECT * FROM "t" WERE payload > 1', "clause", "WHERE"),
    ('SELECT * FROM "t" WHERE payload > 1 GRUP BY topic', "clause", "GROUP"),
    ("SELECT * FROM \"t\" WHERE payload > 1 THROTLE '1m'", "clause", "THROTTLE"),
    ("SELECT", "", ""),
    ("", "the rule is empty", "SELECT"),
    ("   ", "the rule is empty", "SELECT"),
    ("SELECT *", "FROM is missing", "FROM"),
    ('SELECT a, FROM "t"', "a column was expected", "comma too many"),
    ('SELECT FROM "t"', "", ""),
    ("SELECT * FROM", "a topic filter, an event or TIMER was expected", "FROM"),
    ("SELECT * FROM sensors/roof", "a topic filter was expected", "double quotes"),
    ("SELECT * FROM sensors", "a topic filter was expected", "double quotes"),
    ('SELECT * FROM ""', "the topic filter is empty", '"#"'),
    ('SELECT * FROM "a/#/b"', "# stands alone", "sensors/#"),
    ('SELECT * FROM "a/b#"', "# stands alone", "sensors/#"),
    ('SELECT * FROM "a/b+"', "+ stands alone", "sensors/+/temp"),
    ('SELECT * FROM "$share/g/a"', "nothing is shared", "leave out"),
    ('SELECT * FROM "$events/client_conected"', "there is no event", "client_connected"),
    ('SELECT * FROM "$events/nothing_like_it"', "there is no event", "client_connected"),
    ("SELECT * FROM TIMER", "the times were expected", "every 10m"),
    ("SELECT * FROM TIMER 'sometimes'", "these are no times", "every 10m"),
    ("SELECT * FROM TIMER 'every 5'", "no length of time", "every 30s"),
    ("SELECT * FROM TIMER 'daily at 25:00'", "no time of the day", ""),
    ("SELECT * FROM TIMER 'cron 61 7 * * *'", "no field of cron", "cron"),
    ("SELECT * FROM TIMER 'every 1h on someday'", "no weekday", ""),
    ("SELECT * FROM TIMER 'every 1h in Nowhere/City'", "time zone", ""),
    ('SELECT * FROM "t" WHERE', "", ""),
    ('SELECT * FROM "t" WHERE payload >', "", ""),
    ('SELECT * FROM "t" WHERE payload = NULL', "nothing is equal to NULL", "IS NULL"),
    ('SELECT * FROM "t" WHERE 1 < payload < 3', "", "AND"),
    ("SELECT * FROM \"t\" WHERE 'text'", "a condition was expected", "compare it"),
    ('SELECT * FROM "t" WHERE payload > 30 extra', "", "clauses are"),
    ('SELECT temp FROM "t"', "there is no field `temp`", "payload.temp"),
    ('SELECT payloda FROM "t"', "there is no field `payloda`", "`payload`"),
    ('SELECT clientId FROM "t"', "there is no field", "`clientid`"),
    ('SELECT (1 + 2 FROM "t"', "to close the parenthesis", ""),
    ('SELECT upper(payload FROM "t"', "", ""),
    ('SELECT upper() FROM "t"', "`upper` does not take 0 arguments", "upper("),
    ('SELECT \'open FROM "t"', "a text is not closed", "'"),
    ('SELECT * FROM "t', "a text is not closed", '"'),
    ("SELECT `x FROM 't'", "a name is not closed", "`"),
    ("SELECT * /* all FROM 't'", "a comment is not closed", "*/"),
    ("SELECT “x” FROM 't'", "means nothing here", "straight quotes"),
    ("SELECT * FROM #", "means nothing here", "double quotes"),
    ('SELECT 1 AS a, 2 AS a FROM "t"', "two columns are called `a`", "AS"),
    ('SELECT avg(payload.t) FROM "t"', "there is no window", "tumbling"),
    ("SELECT topic FROM \"t\" GROUP BY topic, tumbling('soon')", "", ""),
    ('SELECT topic FROM "t" GROUP BY topic, tumbling(10)', "", ""),
    ("SELECT * FROM \"t\" GROUP BY topic, tumbling('10s')", "* is one message", "name the columns"),
    ("SELECT topic FROM \"t\" WHERE tumbling('10s')", "a window stands in GROUP BY", ""),
    ("SELECT sum(avg(payload)) AS x FROM \"t\" GROUP BY tumbling('10s')", "inside another", ""),
    ('SELECT topic FROM "t" HAVING payload > 1', "HAVING", "WHERE"),
    ('SELECT * FROM "t" ABSENT FOR 5m', "", ""),
    ("SELECT * FROM \"t\" ABSENT FOR 'soon'", "a time was expected", "'10s'"),
    ("SELECT * FROM \"t\" THROTTLE '0s'", "a time was expected", "'10s'"),
    ('SELECT payload FROM "$events/client_connected"', "has no `payload`", "it has"),
    ('SELECT ${payload} FROM "t"', "", "templates"),
    ('SELECT 99999999999999999999999e999 FROM "t"', "too large a number", ""),
    ('SELECT 1x FROM "t"', "1x is no number", ""),
    ('SELECT payload LIKE FROM "t"', "", ""),
    ('SELECT CASE WHEN 1 THEN 2 FROM "t"', "", ""),
    ('SELECT * FROM "t" WHERE a IN (1, 2', "", ""),
]


@pytest.mark.parametrize(("sql", "message", "hint"), WRONG, ids=[sql for sql, _, _ in WRONG])
def test_what_is_wrong_is_shown(sql: str, message: str, hint: str) -> None:
    with pytest.raises(HookMQError) as caught:
        # A rule that is not there at all is found before it is read.
        Rule.of({"name": "wrong", "sql": sql or "-- nothing"}, "api", "the rule").described()
    error = caught.value
    assert error.code == "E710"
    shown = str(error)
    assert message in error.fields["problem"], shown
    if hint:
        assert hint.lower() in str(error.fields["hint"]).lower(), shown
    head, source, carets = shown.split("\n")
    assert f"line {error.fields['line']}, column {error.fields['column']}: " in head
    assert carets.partition("|")[2].lstrip().startswith("^")
    # The caret stands below the column that is named.
    at = carets.index("^") - carets.index("|") - 2
    assert at == error.fields["column"] - 1, shown
    assert source.partition("| ")[2].rstrip() == sql.rstrip() or sql.strip() == ""


def test_the_place_is_that_of_the_word() -> None:
    with pytest.raises(HookMQError) as caught:
        Rule.of(
            {"name": "hot", "sql": 'SELECT payload.t\nFROM "t"\nWHERE averge(payload.t) > 3'}, "api", "x"
        ).described()
    fields = caught.value.fields
    assert (fields["line"], fields["column"], fields["length"]) == (3, 7, len("averge"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000 + ' FROM "t"',
        "SELECT " + "-" * 20_000 + '1 FROM "t"',
        "SELECT " + "NOT " * 20_000 + 'true FROM "t"',
        "SELECT " + "[" * 20_000,
        "SELECT " + " OR ".join(["1 = 1"] * 10_000) + ' FROM "t"',
        "SELECT " + "a." * 30_000 + 'b FROM "t"',
        "SELECT " + "'" + "x" * 90_000,
        "\x00" * 100,
        "SELECT * FROM \"t\" WHERE x = '\x00'",
        "💥" * 1000,
    ],
    ids=range(10),
)
def test_no_text_does_harm(sql: str) -> None:
    with pytest.raises(HookMQError) as caught:
        Rule.of({"name": "wrong", "sql": sql}, "api", "the rule").described()
    assert caught.value.code == "E710" and len(str(caught.value)) < 2000
