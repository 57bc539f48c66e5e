"""Rules about time and runs across systems: every case under ``tests/rules/cases``.

A case is a folder with ``input*.ndjson``, one file a system, ``expected.json`` and optionally ``contract.yaml``.
``findings`` are all findings of the rules named in RULES: by rule the end of the subject, severity, words of the text,
and optionally title and count; ``provable`` are by the last letters of a key all sources, each with the date until
which it can be proved there.
"""

from pathlib import Path

import msgspec
import pytest

from custody.model.contracts import EMPTY
from custody.model.times import text
from custody.model.verdicts import Finding
from custody.settings.contract import read_contract
from tests.chains.running import Derived, derived

CASES = sorted(path.parent for path in (Path(__file__).parent / "cases").glob("*/expected.json"))
RULES = ("outlives-run", "retention-too-short", "runs-without-telemetry", "shorter-than-delivery", "used-by-holder")
MIXED = ("runs_behind_a_shared_exit_and_elsewhere", "runs_without_any_credential", "shorter_than_delivery")


class Wanted(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One finding."""

    subject: str
    severity: str
    words: list[str]
    title: str | None = None
    count: int | None = None


class Expected(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What ``expected.json`` holds."""

    findings: dict[str, list[Wanted]]
    provable: dict[str, dict[str, str]] | None = None


def _is(found: Finding, wanted: Wanted) -> None:
    assert found.subject.endswith(wanted.subject)
    assert found.severity == wanted.severity
    assert all(words in found.text for words in wanted.words), found.text
    assert found.state == "unproven", "an absence and a declaration prove nothing"
    assert found.leaves
    assert found.count >= len(found.leaves)
    assert wanted.title in (None, found.title)
    assert wanted.count in (None, found.count)


def _provable(case: Derived) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in case.rows("SELECT key, source, until FROM provable"):
        moment = row["until"]
        assert isinstance(moment, int)
        found.setdefault(str(row["key"])[-3:], {})[str(row["source"])] = text(moment) or ""
    return found


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case(folder: Path, tmp_path: Path) -> None:
    expected = msgspec.json.decode((folder / "expected.json").read_bytes(), type=Expected)
    contract = read_contract(folder / "contract.yaml") if (folder / "contract.yaml").exists() else EMPTY
    files = [path.read_bytes() for path in sorted(folder.glob("input*"))]
    with derived(tmp_path, files, contract) as case:
        assert case.report.skips == 0
        for rule in RULES:
            found = sorted((each for each in case.report.findings if each.rule == rule), key=lambda each: each.subject)
            wanted = sorted(expected.findings.get(rule, []), key=lambda each: each.subject)
            assert len(found) == len(wanted), (rule, found)
            for one, want in zip(found, wanted, strict=True):
                _is(one, want)
        assert expected.provable is None or _provable(case) == expected.provable


@pytest.mark.parametrize("folder", [each for each in CASES if each.name in MIXED], ids=lambda folder: folder.name)
def test_the_order_of_files_and_records_changes_nothing(folder: Path, tmp_path: Path) -> None:
    files = [path.read_bytes() for path in sorted(folder.glob("input*"))]
    mixed = [b"\n".join(reversed(data.splitlines())) + b"\n" for data in reversed(files)]
    told = []
    for place, given in (("one", files), ("two", mixed)):
        with derived(tmp_path / place, given) as case:
            told.append([(each.id, each.text, each.count) for each in case.report.findings])

    assert told[0] == told[1]
