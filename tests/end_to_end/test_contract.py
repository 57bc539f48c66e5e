"""A contract is sealed whole and stays in force until another one is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from custody.errors import ContractError
from custody.model.report import Report
from custody.pipeline.rebuild import rebuild
from custody.pipeline.tables import canonical
from custody.pipeline.verify import verify
from tests.end_to_end.conftest import every_file, run, settings_for

CLASSES = """\
classes:
  exports: {match: {subject: "aws:role/*"}, owner: team:data, purpose: "exports, nightly", ttl: 15m, hours: "Mon-Fri"}
retention: 400d
"""


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "contract.yaml"
    path.write_text(CLASSES)
    return path


def audited(folder: Path, logs: Path, **flags: object) -> Report:
    return run(folder, [logs], **flags)


def test_it_stays_in_force_without_the_flag(sample_logs: Path, contract: Path, tmp_path: Path) -> None:
    first = audited(tmp_path, sample_logs, contract=str(contract))
    second = audited(tmp_path, sample_logs)

    assert first.contract.digest is not None
    assert canonical(second) == canonical(first)
    assert second.run is not None
    assert "in force" in second.run.notes[0]


def test_a_rebuild_gives_the_same_report_from_the_log_alone(sample_logs: Path, contract: Path, tmp_path: Path) -> None:
    first = audited(tmp_path, sample_logs, contract=str(contract))
    contract.unlink()
    shutil.rmtree(tmp_path / "store" / "derived")

    assert canonical(rebuild(settings_for(tmp_path), lambda progress: None)) == canonical(first)


def test_an_audit_makes_missing_tables_again(sample_logs: Path, contract: Path, tmp_path: Path) -> None:
    first = audited(tmp_path, sample_logs, contract=str(contract))
    shutil.rmtree(tmp_path / "store" / "derived")
    again = audited(tmp_path, sample_logs)

    assert canonical(again) == canonical(first)
    assert again.run is not None
    assert again.run.derived == "rebuilt"
    assert verify(settings_for(tmp_path), None, None, None).status == "ok"


def test_an_empty_contract_ends_it(sample_logs: Path, contract: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    bare = audited(tmp_path / "bare", sample_logs)
    audited(tmp_path, sample_logs, contract=str(contract))
    contract.write_text("classes: {}\n")
    ended = audited(tmp_path, sample_logs, contract=str(contract))

    assert [found.id for found in ended.findings] == [found.id for found in bare.findings]


def test_a_long_contract_is_sealed_in_pieces(sample_logs: Path, contract: Path, tmp_path: Path) -> None:
    contract.write_text(CLASSES + "# é" * 40_000)
    first = audited(tmp_path, sample_logs, contract=str(contract))

    assert canonical(audited(tmp_path, sample_logs)) == canonical(first)


def test_what_is_declared_and_not_judged_is_told(sample_logs: Path, contract: Path, tmp_path: Path) -> None:
    report = audited(tmp_path, sample_logs, contract=str(contract))

    assert set(report.contract.not_judged) == {"retention", "exports: hours"}


def test_a_wrong_contract_stops_before_anything_is_done(sample_logs: Path, contract: Path, tmp_path: Path) -> None:
    contract.write_text("classes: {a: {owner: 1}}\n")

    with pytest.raises(ContractError, match=r"contract.yaml:1:"):
        audited(tmp_path, sample_logs, contract=str(contract))
    assert every_file(tmp_path / "store") == []
