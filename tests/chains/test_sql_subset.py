"""The SQL of chains and rules stays in what DuckDB and Spark both run, or what a transpiler turns one into the other.

Known differences that this subset accepts:

- ``sha256(x)`` is ``sha2(x, 256)`` in Spark, ``read_parquet(…)`` a table; both are renamed when Spark comes.
- ``concat`` with a null gives null in Spark and leaves it out in DuckDB: the SQL gives it no null that matters.
- Nulls sort last in DuckDB and first in Spark: an order that decides something is over values that are never null.
- ``CREATE OR REPLACE TABLE`` and ``VIEW`` are the engine's business; only what they select is linted.
- ``chains/stored.py`` says how tables lie on disk for DuckDB, and ``chains/ways.py`` holds commands for other servers:
  both are left out.
- ``regexp_extract`` gives an empty text where nothing matches, in both; the group is always named.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.chains.join import load as joins
from custody.rules.judging import CREDENTIAL_COLUMNS, define, facts_table
from custody.rules.registry import load as rules
from tests.chains.running import derived

SOURCE = Path(__file__).resolve().parents[2] / "src" / "custody"
APART = ("stored.py", "ways.py")

FUNCTIONS = frozenset(
    "abs array_agg array_sort avg bool_and bool_or cast chr coalesce concat concat_ws count first_value floor greatest "
    "lag lead least length max min nullif rank regexp_extract regexp_replace right round row_number sha256 substr sum "
    "over filter read_parquet".split()
)
"""Functions with one name and meaning in both engines (``sha256`` and ``read_parquet``: see above)."""

WORDS = frozenset("in exists as join on and or not when then else select from where by partition union all".split())
"""Words that may stand before a bracket and are no functions."""

FORBIDDEN = {
    "ASOF join": r"\bASOF\b",
    "QUALIFY": r"\bQUALIFY\b",
    "star with EXCLUDE, REPLACE or COLUMNS": r"\*\s*(EXCLUDE|REPLACE)\b|\bCOLUMNS\s*\(",
    "lambda": r"->|\blambda\b",
    "cast by ::": r"::",
    "NOT IN with a subquery": r"\bNOT\s+IN\s*\(\s*SELECT\b",
    "aggregate with an order inside": r"\b(array_agg|list|string_agg)\s*\([^()]*ORDER\s+BY",
    "DISTINCT ON": r"\bDISTINCT\s+ON\b",
    "GROUP BY or ORDER BY ALL": r"\bBY\s+ALL\b",
    "time parsing": r"\b(strptime|strftime|to_timestamp|date_trunc|epoch_us)\b",
    "integer division": r"//",
    "list or struct literals": r"[\[{]",
    "regular expression operators": r"~|\bSIMILAR\b|\bGLOB\b",
    "ILIKE with a pattern from data": r"\bILIKE\b",
    "positional join, sample, pivot": r"\bPOSITIONAL\b|\bSAMPLE\b|\bPIVOT\b",
}


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) or " 1 " for value in node.values)
    return None


def _statements(path: Path) -> Iterator[tuple[str, str]]:
    """Every text of a file that is SQL, with its line; docstrings are not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and id(node) not in inner | prose:
            text = _text(node)
            if text is not None and re.search(r"\b(SELECT|CASE|JOIN|WHERE)\s", text):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", text


STATEMENTS = [
    pytest.param(text, id=place)
    for room in ("chains", "rules", "register")
    for path in sorted((SOURCE / room).rglob("*.py"))
    if path.name not in APART
    for place, text in _statements(path)
]


def complaints(sql: str) -> list[str]:
    """What a statement holds that one of the engines does not know."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", sql)
    bare = re.sub(r"(CREATE OR REPLACE (TABLE|VIEW) [\w\s]+ AS)", "", bare)
    bare = re.sub(r"\{[\w.]*\}|\{0\}", "x", bare)
    found = [name for name, pattern in FORBIDDEN.items() if re.search(pattern, bare, re.IGNORECASE)]
    called = {name.lower() for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", bare)}
    defined = {name.lower() for name in re.findall(r"\b(\w+)\s+AS\s*\(", bare)}
    return found + sorted(called - FUNCTIONS - WORDS - defined)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_sql_is_in_the_subset_that_both_engines_run(sql: str) -> None:
    assert complaints(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * EXCLUDE (a) FROM t",
        "SELECT a FROM t WHERE a NOT IN (SELECT b FROM u)",
        "SELECT array_agg(a ORDER BY b) FROM t",
        "SELECT list_transform(a, x -> x + 1) FROM t",
        "SELECT a::BIGINT FROM t",
        "SELECT * FROM t ASOF JOIN u USING (a)",
        "SELECT strptime(a, '%Y') FROM t",
        "SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1",
        "SELECT epoch_ms(a) FROM t",
    ],
)
def test_the_lint_finds_what_is_outside(sql: str) -> None:
    assert complaints(sql)


def test_every_join_and_rule_has_its_sql_linted() -> None:
    assert len(STATEMENTS) > 60
    for join in joins():
        assert complaints(join.sql) == [], join.id
    for rule in rules():
        assert complaints(rule.facts or "") == [], rule.id


def test_the_declared_columns_are_those_of_the_judged_view(tmp_path: Path) -> None:
    with derived(tmp_path, [b"{}\n"]) as case:
        made = [str(row["column_name"]) for row in case.rows("SELECT column_name FROM (DESCRIBE judged)")]
        case.engine.run("DROP TABLE judged")  # of so few it is a table
        define(case.engine, 0)
        columns = [str(row["column_name"]) for row in case.rows("SELECT column_name FROM (DESCRIBE judged)")]

        assert set(columns) == CREDENTIAL_COLUMNS
        assert made == columns
        for rule in rules():
            fields = set(rule.row.__struct_fields__)
            if rule.question is not None and rule.facts:
                told = {str(row["column_name"]) for row in case.rows(f"SELECT * FROM (DESCRIBE {facts_table(rule)})")}
                assert fields - CREDENTIAL_COLUMNS <= told, rule.id
                assert not (told - {"key"}) & CREDENTIAL_COLUMNS, rule.id
            elif rule.question is not None:
                assert fields <= CREDENTIAL_COLUMNS, rule.id
