"""The contract over time: every case under ``tests/rules/contracts``.

A case is a folder with ``input*.ndjson``, the versions of the contract as ``1.yaml``, ``2.yaml``, … and
``expected.json``. ``sealed`` are the times of sealing of the versions. ``findings`` are all findings of the rules named
in RULES: by rule the end of the subject, severity, words of the text, and optionally whether it is excepted;
``suppressed`` the rules of the findings that are; ``credentials`` say by the last letters of their key the class and
the version (counted from 1, 0 is none) by which each is judged; ``exempt`` and ``unmatched`` are those of the report.
"""

from pathlib import Path

import msgspec
import pytest

from custody.chains import agreed
from custody.engine.duck import Engine
from custody.model.contracts import EMPTY, Contract, IdentityClass, SealedContract, Versions
from custody.model.times import microseconds
from custody.model.verdicts import Basis, Finding, Severity, State
from custody.rules import contract_weakened, exception_expired
from custody.settings.contract import read_contract
from tests.chains.running import Derived, derived
from tests.rules.test_judges import of

CASES = sorted(path.parent for path in (Path(__file__).parent / "contracts").glob("*/expected.json"))
RULES = ("bound-at-issue", "contract-weakened", "exception-expired", "lifetime")


class Wanted(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One finding."""

    subject: str
    severity: str
    words: list[str]
    excepted: bool = False
    ran_out: bool = False


class Expected(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What ``expected.json`` holds."""

    sealed: list[str]
    findings: dict[str, list[Wanted]] = {}
    suppressed: list[str] = []
    credentials: dict[str, tuple[str | None, int]] = {}
    exempt: int = 0
    unmatched: list[str] = []


def versions_of(folder: Path, expected: Expected) -> Versions:
    """The versions of a case, each sealed at a leaf of its own."""
    sealed = [
        SealedContract(contract=read_contract(folder / f"{number}.yaml"), leaf=100 + number, at=microseconds(at) or 0)
        for number, at in enumerate(expected.sealed, start=1)
    ]
    return Versions(sealed=tuple(sealed))


def _is(found: Finding, wanted: Wanted) -> None:
    assert found.subject.endswith(wanted.subject)
    assert found.severity == wanted.severity
    assert all(words in found.text for words in wanted.words), found.text
    assert found.state is State.VIOLATED
    assert found.leaves
    assert (found.excepted is not None) is wanted.excepted
    assert (found.suppressed is not None) is wanted.ran_out


def _credentials(case: Derived) -> dict[str, tuple[object, object]]:
    rows = case.rows("SELECT key, identity_class, contract_version + 1 AS version FROM credentials")
    return {str(row["key"])[-3:]: (row["identity_class"], row["version"]) for row in rows}


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case(folder: Path, tmp_path: Path) -> None:
    expected = msgspec.json.decode((folder / "expected.json").read_bytes(), type=Expected)
    files = [path.read_bytes() for path in sorted(folder.glob("input*"))]
    with derived(tmp_path, files, versions_of(folder, expected)) as case:
        report = case.report
        for rule in RULES:
            found = sorted((each for each in report.findings if each.rule == rule), key=lambda each: each.subject[-3:])
            wanted = expected.findings.get(rule, [])
            assert len(found) == len(wanted), (rule, found)
            for one, want in zip(found, wanted, strict=True):
                _is(one, want)
        assert [each.rule for each in report.suppressed] == expected.suppressed
        assert report.coverage.exempt == expected.exempt
        assert list(report.contract.unmatched) == expected.unmatched
        known = _credentials(case)
        assert {key: known[key] for key in expected.credentials} == expected.credentials


def test_a_weakened_contract_names_five_demands_and_counts_the_rest() -> None:
    row = of(contract_weakened.Row, leaf=7, sealed_at=0, weaker="\n".join(f"demand {number}" for number in range(8)))
    verdict = contract_weakened.judge(row, EMPTY)

    assert "demand 4; and 3 more" in verdict.text
    assert "holds for everything before" in verdict.text
    assert (verdict.state, verdict.basis, verdict.leaves) == (State.VIOLATED, Basis.OBSERVED, (7,))
    assert verdict.severity is None


def test_suppressions_alone_are_a_low_finding() -> None:
    row = of(contract_weakened.Row, leaf=7, sealed_at=0, since=0, weaker="suppresses f-01234567", excused=True)

    assert contract_weakened.judge(row, EMPTY).severity is Severity.LOW


@pytest.mark.parametrize(
    ("credentials", "issued", "words"),
    [
        (1, 0, "1 credential of the class was issued or used after that, the last"),
        (1, 1, "after that (it was issued then), the last time at 1970-01-05T00:00:00Z"),
        (3, 2, "3 credentials were issued or used after that (2 issued then)"),
    ],
)
def test_an_expired_exception_says_what_goes_on(credentials: int, issued: int, words: str) -> None:
    known = {"until": 86_400_000_000, "owner": "team:a", "last": 4 * 86_400_000_000, "leaves": [3, 9]}
    verdict = exception_expired.judge(of(exception_expired.Row, **known, credentials=credentials, issued=issued), EMPTY)

    assert words in verdict.text
    assert "ended on 1970-01-01, team:a answers for it" in verdict.text
    assert (verdict.count, verdict.leaves) == (credentials, (3, 9))


def test_a_version_that_was_sealed_twice_is_two() -> None:
    strict = Contract(digest="a", classes=(IdentityClass(name="x", match=(("workload", "w"),), ttl=1),))
    loose = Contract(digest="b")
    sealed = [
        SealedContract(contract=each, leaf=number, at=1 + number)
        for number, each in enumerate((strict, loose, strict, loose))
    ]
    with Engine(threads=1) as engine:
        agreed.build(engine, Versions(sealed=tuple(sealed)), 9)
        found = engine.rows(f"SELECT subject, leaf FROM ({contract_weakened.FACTS}) facts ORDER BY leaf")

    assert found == [("contract:b", 1), ("contract:b:2", 3)]
