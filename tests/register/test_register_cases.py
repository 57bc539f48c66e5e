"""Every case under ``tests/cases/register``: records and sealed documents in, and what the register must say.

A case is a folder with ``sealed.json`` (the versions of documents in order: file, ``at``, ``signers``, and the ``leaf``
where it is after the records, whose first is 1001), the YAML files
that it names, ``expected.json`` and optionally ``contract.yaml`` and ``input*`` (records; those in ``input.ndjson``
beside the cases where it has none). ``expected.json`` may hold what ``Expected`` says: verdicts and texts by the last
letters of a key and the question, the findings of the rules about the register as rule, severity and subject, rows of
tables (only the columns given are compared), entries by any name that leads to them, and ``why`` in words.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from custody.model.contracts import EMPTY
from custody.model.register import SealedDocument, Signature
from custody.model.times import microseconds
from custody.model.verdicts import Finding
from custody.register import build as register
from custody.register.documents import parse_document
from custody.register.entries import entry
from custody.rules import judging
from custody.rules.registry import load
from custody.settings.contract import read_contract
from tests.chains.running import Derived, derived

CASES = Path(__file__).resolve().parents[1] / "cases" / "register"
COLLECTED = sorted(path.parent for path in CASES.glob("*/expected.json"))
ALONE = [folder for folder in COLLECTED if list(folder.glob("input*"))]
SHARED = [folder for folder in COLLECTED if folder not in ALONE]
RULES = ("register-incomplete", "contradicting-claims", "claim-expired", "name-of-two-identities")
OWN_RULES = [rule for rule in load() if rule.id in (*RULES, "owner", "purpose")]
ARRIVED = 1001
"""The leaf of the first record: documents are sealed before."""

Cell = str | int | bool | None


class Version(msgspec.Struct, frozen=True):
    """One sealed version: the file, when it was sealed, whose names its signature bears, and where it stands."""

    file: str
    at: str
    signers: tuple[str, ...] = ()
    leaf: int | None = None


class Expected(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What ``expected.json`` may hold; what it leaves out is not checked, but for findings: all are told."""

    why: str
    verdicts: dict[str, dict[str, str]] = {}
    texts: dict[str, dict[str, list[str]]] = {}
    findings: list[list[str]] = []
    finding_texts: dict[str, list[str]] = {}
    tables: dict[str, list[dict[str, Cell]]] = {}
    entries: dict[str, dict[str, object]] = {}


def sealed(folder: Path) -> tuple[SealedDocument, ...]:
    """The documents of a case, each at a leaf of its own."""
    told = msgspec.json.decode((folder / "sealed.json").read_bytes(), type=list[Version])
    return tuple(
        SealedDocument(
            document=parse_document((folder / each.file).read_bytes(), each.file),
            leaf=leaf if each.leaf is None else each.leaf,
            at=microseconds(each.at) or 0,
            by="ann",
            signature=Signature(method="ssh", principals=each.signers, key="SHA256:k", anchor="0" * 64)
            if each.signers
            else None,
        )
        for leaf, each in enumerate(told, 1)
    )


def _verdicts(case: Derived, expected: Expected) -> None:
    if not expected.verdicts and not expected.texts:
        return
    found = case.verdicts()
    for tail, asked in expected.verdicts.items():
        (key,) = [each for each in found if each.endswith(tail)]
        told = {name: found[key][name] for name in asked}
        rests = {name: each.basis or each.best for name, each in told.items()}
        assert {name: f"{told[name].state.value} {rests[name]}" for name in asked} == asked, (tail, told)
    for tail, asked_texts in expected.texts.items():
        (key,) = [each for each in found if each.endswith(tail)]
        for name, words in asked_texts.items():
            assert all(word in found[key][name].text for word in words), found[key][name].text


def _findings(findings: Sequence[Finding], expected: Expected) -> None:
    found = [one for one in findings if one.rule in RULES]
    assert sorted([one.rule, one.severity.value, one.subject] for one in found) == sorted(expected.findings)
    for rule, words in expected.finding_texts.items():
        text = " | ".join(one.text for one in found if one.rule == rule)
        assert all(word in text for word in words), text


def _tables(case: Derived, expected: Mapping[str, Sequence[Mapping[str, Cell]]]) -> None:
    for table, rows in expected.items():
        columns = list(rows[0])
        found = case.rows(f'SELECT DISTINCT {", ".join(columns)} FROM "{table}"')
        assert sorted(map(str, found)) == sorted(str(dict(row)) for row in rows), table


def _entries(case: Derived, expected: Mapping[str, Mapping[str, object]]) -> None:
    for name, fields in expected.items():
        found = entry(case.engine, name)
        assert found is not None, name
        plain: dict[str, object] = msgspec.to_builtins(found)
        plain["missing"] = list(found.missing)
        plain["owners"] = [
            f"{one.value} {one.said_by} {one.state.value}{' !' * one.contradicted}" for one in found.owner
        ]
        assert {field: plain[field] for field in fields} == fields, name


def _check(case: Derived, findings: Sequence[Finding], expected: Expected) -> None:
    _verdicts(case, expected)
    _findings(findings, expected)
    _tables(case, expected.tables)
    _entries(case, expected.entries)


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    """The chains of the records that most cases have in common."""
    with derived(
        tmp_path_factory.mktemp("common"), [(CASES / "input.ndjson").read_bytes()], first_leaf=ARRIVED
    ) as case:
        yield case


@pytest.mark.parametrize("folder", SHARED, ids=lambda folder: folder.name)
def test_case_of_the_common_records(folder: Path, common: Derived) -> None:
    expected = msgspec.json.decode((folder / "expected.json").read_bytes(), type=Expected)
    as_of = microseconds(common.report.as_of)
    register.build(common.engine, sealed(folder), EMPTY, as_of)
    judging.prepare(common.engine, OWN_RULES, as_of or 0)
    judged = judging.judge_all(common.engine, OWN_RULES, common.versions, as_of)
    _check(common, judged.findings, expected)


@pytest.mark.parametrize("folder", ALONE, ids=lambda folder: folder.name)
def test_case(folder: Path, tmp_path: Path) -> None:
    expected = msgspec.json.decode((folder / "expected.json").read_bytes(), type=Expected)
    contract = read_contract(folder / "contract.yaml") if (folder / "contract.yaml").exists() else EMPTY
    records = [path.read_bytes() for path in sorted(folder.glob("input*"))]
    with derived(tmp_path, records, contract, documents=sealed(folder), first_leaf=ARRIVED) as case:
        _check(case, case.report.findings, expected)


def test_every_case_says_what_it_shows() -> None:
    assert len(COLLECTED) >= 15
    assert {path for path in CASES.iterdir() if path.is_dir()} == set(COLLECTED)
