"""Every version of a contract is sealed whole and stays; what it asks holds from the time that it says."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from custody.cli import main
from custody.errors import ContractError, StoreError
from custody.model.report import Report
from custody.pipeline import contracts
from custody.pipeline.audit import now
from custody.pipeline.rebuild import rebuild
from custody.pipeline.tables import canonical
from custody.pipeline.verify import verify
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.end_to_end.conftest import ROOT, every_file, run, settings_for

CLASSES = """\
classes:
  exports: {match: {subject: "aws:role/*"}, owner: team:data, purpose: "exports, nightly", ttl: 15m}
retention: 400d
"""
LOOSE = CLASSES.replace("15m", "12h")


@pytest.fixture
def few_logs() -> Path:
    """Two credentials of one role, two days apart, an hour each."""
    return ROOT / "tests" / "rules" / "contracts" / "less_is_asked_after_the_fact" / "input_aws.ndjson"


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "contract.yaml"
    path.write_text(CLASSES)
    return path


def audited(folder: Path, logs: Path, **flags: object) -> Report:
    return run(folder, [logs], **flags)


def test_it_stays_in_force_without_the_flag(few_logs: Path, contract: Path, tmp_path: Path) -> None:
    first = audited(tmp_path, few_logs, contract=str(contract))
    second = audited(tmp_path, few_logs)

    assert first.contract.digest is not None
    assert canonical(second) == canonical(first)
    assert second.run is not None
    assert "in force" in second.run.notes[0]


def test_a_rebuild_gives_the_same_report_from_the_log_alone(few_logs: Path, contract: Path, tmp_path: Path) -> None:
    first = audited(tmp_path, few_logs, contract=str(contract))
    contract.unlink()
    shutil.rmtree(tmp_path / "store" / "derived")

    assert canonical(rebuild(settings_for(tmp_path), lambda progress: None)) == canonical(first)


def test_an_audit_makes_missing_tables_again(few_logs: Path, contract: Path, tmp_path: Path) -> None:
    first = audited(tmp_path, few_logs, contract=str(contract))
    shutil.rmtree(tmp_path / "store" / "derived")
    again = audited(tmp_path, few_logs)

    assert canonical(again) == canonical(first)
    assert again.run is not None
    assert again.run.derived == "rebuilt"
    assert verify(settings_for(tmp_path), None, None, None).status == "ok"


def test_an_empty_contract_ends_it(few_logs: Path, contract: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    bare = audited(tmp_path / "bare", few_logs)
    audited(tmp_path, few_logs, contract=str(contract))
    contract.write_text("classes: {}\n")
    ended = audited(tmp_path, few_logs, contract=str(contract))

    (weakened,) = (found for found in ended.findings if found.rule == "contract-weakened")
    assert "class exports is gone" in weakened.text
    assert [found.id for found in ended.findings if found is not weakened] == [found.id for found in bare.findings]


def test_a_long_contract_is_sealed_in_pieces(few_logs: Path, contract: Path, tmp_path: Path) -> None:
    contract.write_text(CLASSES + "# é" * 40_000)
    first = audited(tmp_path, few_logs, contract=str(contract))

    assert canonical(audited(tmp_path, few_logs)) == canonical(first)


def long_lives(report: Report) -> int:
    return sum(found.rule == "lifetime" for found in report.findings)


def test_a_version_holds_from_its_time_on(few_logs: Path, contract: Path, tmp_path: Path) -> None:
    strict = audited(tmp_path, few_logs, contract=str(contract))
    assert strict.as_of is not None
    contract.write_text(f"since: {strict.as_of[:10]}T00:00:00Z\n{LOOSE}")
    both = audited(tmp_path, few_logs, contract=str(contract))
    contract.write_text(f"since: 2999-01-01\n{CLASSES}")
    later = audited(tmp_path, few_logs, contract=str(contract))

    assert long_lives(strict) > long_lives(both)
    assert [each.holds for each in later.contract.versions] == [True, True, True]
    assert [each.since for each in later.contract.versions] == [
        None,
        f"{strict.as_of[:10]}T00:00:00Z",
        "2999-01-01T00:00:00Z",
    ]
    assert later.contract.digest == both.contract.digest
    assert [found.id for found in later.findings] == [found.id for found in both.findings]
    assert later.run is not None
    assert later.run.derived == "built", "a version that changes nothing today is one all the same"
    assert canonical(rebuild(settings_for(tmp_path), lambda progress: None)) == canonical(later)


def test_less_asked_of_the_past_is_a_finding_with_the_sealed_statement(
    few_logs: Path, contract: Path, tmp_path: Path
) -> None:
    audited(tmp_path, few_logs, contract=str(contract))
    contract.write_text(LOOSE)
    report = audited(tmp_path, few_logs, contract=str(contract))
    (found,) = (each for each in report.findings if each.rule == "contract-weakened")

    assert long_lives(report) == 0
    assert "class exports: ttl 15 m became 12 h" in found.text
    with Reader.open(tmp_path / "store") as reader:
        (leaf,) = found.leaves
        said = reader.statements("contract")[-1]
        assert (said.leaf, said.entry.fields["sha256"]) == (leaf, report.contract.digest)


def test_a_suppressed_finding_is_counted_apart_and_fails_nothing(
    few_logs: Path, contract: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = audited(tmp_path, few_logs, contract=str(contract))
    lines = "".join(
        f'  - {{finding: {found.id}, owner: team:data, reason: "known", until: 2999-01-01}}\n'
        for found in first.findings
    )
    contract.write_text(f"{CLASSES}suppressions:\n{lines}")
    report = audited(tmp_path, few_logs, contract=str(contract))
    store = ["--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys")]
    assert main(["findings", "--fail-on", "medium", *store]) == 0
    listed = capsys.readouterr().out
    assert main(["findings", "--suppressed", "--fail-on", "low", *store]) == 0
    apart = capsys.readouterr().out
    main(["findings", "--suppressed", "--json", *store])
    told = json.loads(capsys.readouterr().out)

    assert {each.rule for each in report.findings} == {"contract-weakened"}
    assert {each.id for each in report.suppressed} == {each.id for each in first.findings}
    assert report.coverage.questions == first.coverage.questions
    assert f"and {len(first.findings)} that the contract suppresses" in listed
    assert "team:data: known" in apart
    assert {each["suppressed"]["owner"] for each in told["findings"]} == {"team:data"}


def test_a_sealed_version_of_another_custody_stops_only_while_it_would_judge(
    few_logs: Path, contract: Path, tmp_path: Path
) -> None:
    audited(tmp_path, few_logs)
    settings = settings_for(tmp_path)
    text = "classes: {}\nfuture: {}\n"
    with Writer.open(settings.store, settings.keys, now=now(), version="9") as writer:
        contracts._seal(writer, text, sha256(text.encode()).hexdigest(), now())  # as it would

    with pytest.raises(StoreError, match="cannot read the sealed contract"):
        audited(tmp_path, few_logs)
    report = audited(tmp_path, few_logs, contract=str(contract))
    assert [each.holds for each in report.contract.versions] == [False, True]


def test_a_wrong_contract_stops_before_anything_is_done(few_logs: Path, contract: Path, tmp_path: Path) -> None:
    contract.write_text("classes: {a: {owner: 1}}\n")

    with pytest.raises(ContractError, match=r"contract.yaml:1:"):
        audited(tmp_path, few_logs, contract=str(contract))
    assert every_file(tmp_path / "store") == []
