"""Every case under ``tests/cases/chains``: records in, and what must be said of them.

A case is a folder with ``input.ndjson`` (more files that start with ``input`` are read after it, in order of name, in
whatever wrapping), ``expected.json``, and optionally ``contract.yaml`` and ``damaged.json`` (files that are not whole:
name and problem). What ``expected.json`` may hold is in ``Expected``: keys are given by their last letters, questions
by their names in ``Question``, verdicts as ``state`` or ``state basis`` or ``state best``, derived tables row by row
(``tables.Tables``). A case of several systems has a file of each (``input_vault.ndjson``, ``input_postgresql.csv``);
``why`` says in words what the case is to show.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from custody.model.contracts import EMPTY
from custody.model.verdicts import Question, Verdict
from custody.settings.contract import read_contract
from tests.chains import tables
from tests.chains.running import Derived, Settled, derived
from tests.chains.tables import Tables

CASES = Path(__file__).resolve().parents[1] / "cases" / "chains"
COLLECTED = sorted(path.parent for path in CASES.glob("*/expected.json"))
COLUMNS = {
    "population": "populations",
    "identity_class": "classes",
    "parent": "parents",
    "root": "roots",
    "end_effect": "ends",
}
"""Columns of a credential, and the fields of ``Expected`` that tell their values' last letters; null for none."""

Texts = Mapping[str, str]


def _of(found: Mapping[str, object], tail: str) -> str:
    matching = [key for key in found if key.endswith(tail)]
    assert len(matching) == 1, f"{tail} names {matching} among {sorted(found)}"
    return matching[0]


def _column(case: Derived, column: str, expected: Mapping[str, str | None]) -> None:
    rows = case.credentials()
    found = {tail: rows[_of(rows, tail)][column] for tail in expected}
    short = {tail: None if value is None else str(value) for tail, value in found.items()}
    assert all(
        (value is None) == (expected[tail] is None) and (value or "").endswith(expected[tail] or "")
        for tail, value in short.items()
    ), (column, short)


def numbers(case: Derived, expected: Mapping[str, Mapping[str, int | bool | None]]) -> None:
    """Columns of a credential that are numbers or flags."""
    rows = case.credentials()
    for tail, columns in expected.items():
        row = rows[_of(rows, tail)]
        assert {name: row[name] for name in columns} == columns, tail


def unissued(case: Derived, expected: Texts) -> None:
    """The class of every key that was used without a known issuance: all of them."""
    found = {str(row["key"]): row["class"] for row in case.rows("SELECT key, class FROM unissued")}
    assert {tail: found[_of(found, tail)] for tail in expected} == expected
    assert len(found) == len(expected)


def candidates(case: Derived, expected: Mapping[str, Sequence[str]]) -> None:
    """The candidate parents of a forward access session: all of them."""
    rows = case.rows("SELECT from_key, to_key FROM join_forward_session ORDER BY from_key, to_key")
    for tail, wanted in expected.items():
        found = [str(row["to_key"]) for row in rows if str(row["from_key"]).endswith(tail)]
        assert len(found) == len(wanted), (tail, found)
        assert all(any(key.endswith(one) for key in found) for one in wanted), (tail, found)


def verdicts(case: Derived, expected: Mapping[str, Texts]) -> None:
    """By credential and question."""
    found = case.verdicts()
    told = {
        tail: {name: _told(found[_of(found, tail)][Question[name.upper()].value], want) for name, want in each.items()}
        for tail, each in expected.items()
    }
    assert told == expected


def _told(verdict: Verdict, wanted: str) -> str:
    """The verdict in as many words as are asked for."""
    rests = verdict.basis or verdict.best
    return f"{verdict.state.value} {rests.value}" if " " in wanted and rests is not None else verdict.state.value


def texts(case: Derived, expected: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Words that a verdict's sentence must hold."""
    found = case.verdicts()
    for tail, each in expected.items():
        for name, words in each.items():
            text = found[_of(found, tail)][Question[name.upper()].value].text
            assert all(word in text for word in words), text


def findings(case: Derived, expected: Sequence[Sequence[str]]) -> None:
    """All findings as rule, severity and the last letters of what they are about."""
    found = sorted((one.rule, one.severity.value, one.subject) for one in case.report.findings)
    wanted = sorted(tuple(one) for one in expected)
    assert [one[:2] for one in found] == [one[:2] for one in wanted], found
    assert all(one[2].endswith(want[2]) for one, want in zip(found, wanted, strict=True)), found


def report(case: Derived, expected: Mapping[str, object]) -> None:
    """Fields of the report object."""
    plain = msgspec.to_builtins(case.report)
    for name, value in expected.items():
        given = plain[name]
        assert ({key: given[key] for key in value} if isinstance(value, dict) else given) == value, name


class Expected(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What ``expected.json`` may hold; what it leaves out is not checked."""

    populations: dict[str, str | None] = {}
    classes: dict[str, str | None] = {}
    parents: dict[str, str | None] = {}
    roots: dict[str, str | None] = {}
    ends: dict[str, str | None] = {}
    numbers: dict[str, dict[str, int | bool | None]] = {}
    unissued: dict[str, str] | None = None
    candidates: dict[str, list[str]] = {}
    verdicts: dict[str, dict[str, str]] = {}
    texts: dict[str, dict[str, list[str]]] = {}
    findings: list[list[str]] | None = None
    report: dict[str, int | str | dict[str, int]] = {}
    tables: Tables = Tables()
    why: str = ""


def _check(case: Derived, expected: Expected) -> None:
    for column, wanted in COLUMNS.items():
        _column(case, column, getattr(expected, wanted))
    numbers(case, expected.numbers)
    candidates(case, expected.candidates)
    verdicts(case, expected.verdicts)
    texts(case, expected.texts)
    report(case, expected.report)
    tables.check(case, expected.tables)
    if expected.unissued is not None:
        unissued(case, expected.unissued)
    if expected.findings is not None:
        findings(case, expected.findings)


@pytest.mark.parametrize("folder", COLLECTED, ids=lambda folder: folder.name)
def test_case(folder: Path, tmp_path: Path) -> None:
    expected = msgspec.json.decode((folder / "expected.json").read_bytes(), type=Expected)
    contract = read_contract(folder / "contract.yaml") if (folder / "contract.yaml").exists() else EMPTY
    harm = folder / "damaged.json"
    told = msgspec.json.decode(harm.read_bytes(), type=list[tuple[str, str]]) if harm.exists() else []
    damaged = tuple((number, name, f"{number:064x}", problem) for number, (name, problem) in enumerate(told))
    with derived(tmp_path, [path.read_bytes() for path in sorted(folder.glob("input*"))], contract, damaged) as found:
        case = Settled(found.engine, found.report, found.versions)
        _check(case, expected)
        _claims_no_more_than_evidence_bears(case)


def _claims_no_more_than_evidence_bears(case: Derived) -> None:
    """What holds in every case: verdicts cite, numbers fit, and nothing is called never used."""
    rows = case.credentials()
    disputed = {row["leaf"] for row in case.rows("SELECT leaf FROM conflicted")}
    for key, answers in case.verdicts().items():
        assert list(answers) == [question.value for question in Question]
        for question, verdict in answers.items():
            assert not re.search(r"never used|was not used", verdict.text), (key, question)
            if verdict.state in ("proved", "violated"):
                assert verdict.basis not in (None, "closed-world"), (key, question)
                assert verdict.leaves, (key, question, verdict)
                assert verdict.count >= len(verdict.leaves)
                assert not disputed.intersection(verdict.leaves), (key, question)
    for name in ("high", "critical"):
        assert all(found.state == "violated" for found in case.report.findings if found.severity == name)
    _numbers_fit(case, len(rows))


def _numbers_fit(case: Derived, credentials: int) -> None:
    report = case.report
    assert report.records == report.understood + report.skips + report.duplicates
    assert report.skips == sum(report.skipped.values())
    assert sum(report.credentials.values()) == credentials
    for counts in report.coverage.questions:
        told = counts.proved + counts.violated + counts.unproven + counts.open + counts.not_applicable
        assert told == report.credentials["machine"], counts


def test_every_case_has_records() -> None:
    assert COLLECTED
    assert {path.parent for path in CASES.glob("*/input*")} == set(COLLECTED) == {*CASES.iterdir()}
