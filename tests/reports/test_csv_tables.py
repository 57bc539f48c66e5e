"""Tables as CSV: read back by a reader that is not ours, and never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings

from custody.engine.duck import Engine
from custody.model.verdicts import Borne, Question, Severity
from custody.reports import csv_tables
from custody.reports.safe import csv_cell
from tests.reports.hostile import HIDDEN, poisoned, text
from tests.reports.sample import empty_report, finding, sample_report
from tests.reports.sample_chains import sample_chains

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def read(chunks: Iterable[bytes]) -> list[dict[str, str]]:
    whole = b"".join(chunks).decode("utf-8")
    assert whole.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(whole, newline=""), strict=True))


def test_findings_stand_in_the_order_of_the_report() -> None:
    report = sample_report()
    rows = read(csv_tables.findings(report))

    assert [row["finding"] for row in rows] == [each.id for each in report.findings]
    assert rows[0]["controls"] == "NHI2:2025; NHI9:2025; ASI03; AC-2(12); DE.CM-03; CC7.2"
    assert rows[0]["leaves"].split()[:2] == ["operations:810", "operations:812"]
    assert (rows[0]["records"], rows[0]["severity"], rows[0]["suppressed_by"]) == ("12", "high", "")
    assert read(csv_tables.findings(empty_report())) == []


def test_a_suppressed_finding_says_by_whom() -> None:
    borne = Borne(owner="team:finance-it", reason="legacy", until="2027-03-31T00:00:00Z")
    hidden = finding("f-1", Severity.LOW, "a", "b", "c", suppressed=borne)
    (row,) = read(csv_tables.findings(msgspec.structs.replace(empty_report(), suppressed=(hidden,))))

    assert (row["suppressed_by"], row["suppressed_until"]) == ("team:finance-it", "2027-03-31T00:00:00Z")


def test_credentials_have_an_answer_to_every_question() -> None:
    chains = sample_chains()
    rows = read(csv_tables.credentials(chains))

    assert [row["credential"] for row in rows] == [chain.credential for chain in chains]
    assert {question.value for question in Question} <= rows[0].keys()
    for row, chain in zip(rows, chains, strict=True):
        for verdict in chain.verdicts:
            shown = (
                verdict.best
                if verdict.state == "unproven" and verdict.best in ("claimed", "indicated")
                else verdict.state
            )
            assert row[verdict.question] == shown


def test_identities_have_their_names_and_times() -> None:
    with Engine(threads=1) as engine:
        engine.run(
            "CREATE TABLE identities AS SELECT * FROM (VALUES ('b', 'role', 'machine', TRUE, '111122223333', "
            "1772431300000000, NULL, CAST(6 AS HUGEINT), 279), ('a', 'user', NULL, FALSE, NULL, NULL, NULL, 0, NULL)) "
            "v(identity, kind, population, declared, account, first_seen, last_seen, credentials, leaf)"
        )
        engine.run("CREATE TABLE identity_names AS SELECT * FROM (VALUES ('y', 'b'), ('x', 'b')) v(name, identity)")
        first, second = read(csv_tables.identities(engine))

    assert (first["identity"], first["declared"], first["credentials"], first["names"]) == ("a", "false", "0", "")
    assert (second["first_seen"], second["last_seen"]) == ("2026-03-02T06:01:40Z", "")
    assert (second["credentials"], second["leaf"], second["names"]) == ("6", "279", "x y")


def test_the_counts_of_a_population_add_up() -> None:
    rows = read(csv_tables.population(sample_report()))
    found = {(row["about"], row["name"]): row for row in rows}

    assert found[("records", "records")]["count"] == "2943"
    assert (found[("credentials", "machine")]["count"], found[("credentials", "machine")]["of"]) == ("6", "64")
    assert (found[("coverage", "population")]["count"], found[("coverage", "complete chains")]["of"]) == ("", "6")
    states = ("proved", "violated", "unproven", "open", "n/a")
    for question in Question:
        counts = [int(found[(question.value, state)]["count"]) for state in states]
        assert sum(counts) == int(found[(question.value, "proved")]["of"])


def test_lines_end_as_rfc_4180_has_them_and_texts_are_quoted() -> None:
    whole = b"".join(csv_tables.findings(sample_report()))

    assert whole.count(b"\n") == whole.count(b"\r\n") == len(sample_report().findings) + 1
    assert whole.startswith(b'"finding","severity"')


@pytest.mark.parametrize(
    ("hostile", "cell"),
    [
        ("=1+1", '"\'=1+1"'),
        ("@SUM(A1)", '"\'@SUM(A1)"'),
        ("  =1", '"  \'=1"'),
        ("＝1", '"\'＝1"'),
        ("-", '"\'-"'),
        ("\t=1", '"\\x09=1"'),
        ('a";=1', '"a"";\'=1"'),
        ("a,+1", '"a,\'+1"'),
        ("a|-1", '"a|\'-1"'),
        ("\r\n=1", '"\\x0d\\x0a=1"'),
        ("a-b=c", '"a-b=c"'),
        ("\x1b[31m", '"\\x1b[31m"'),
        ("", '""'),
    ],
)
def test_no_text_begins_a_formula(hostile: str, cell: str) -> None:
    assert csv_cell(hostile) == cell


@settings(max_examples=40, deadline=None)
@given(text)
def test_hostile_text_stays_in_its_cell(poison: str) -> None:
    report = poisoned(sample_report(), poison)
    chains = [poisoned(chain, poison) for chain in sample_chains()]
    tables = [csv_tables.findings(report), csv_tables.credentials(chains), csv_tables.population(report)]
    for table, count in zip(tables, (len(report.findings), len(chains), None), strict=True):
        rows = read(table)
        assert count is None or len(rows) == count
        for row in rows:
            for cell in row.values():
                assert not cell.lstrip().startswith(FORMULA)
                assert not HIDDEN.search(cell)
                assert "\n" not in cell
