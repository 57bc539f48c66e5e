"""A generated organisation of many systems, from its files to the answers: what was planted is found, and sealed."""

import shutil
from pathlib import Path

import msgspec
import pytest

from custody.model.report import Report
from custody.pipeline.rebuild import rebuild
from custody.pipeline.simulate import simulate
from custody.pipeline.tables import canonical
from custody.pipeline.verify import verify
from custody.simulation.truth import Truth
from custody.store.reader import Reader
from tests.end_to_end.conftest import every_file, run, settings_for

FAULTS = ("stolen-key", "surviving-session", "self-approval", "tampered-log")


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report, Truth]:
    folder = tmp_path_factory.mktemp("estate")
    simulate(folder / "estate", seed=7, hours=4, workloads=8, names=FAULTS)
    truth = msgspec.json.decode((folder / "estate" / "truth.json").read_bytes(), type=Truth)
    return folder, audited(folder), truth


def audited(folder: Path) -> Report:
    return run(folder, [folder / "estate" / "logs"], contract=str(folder / "estate" / "contract.yaml"))


def statements(folder: Path, what: str) -> int:
    with Reader.open(settings_for(folder).store) as reader:
        return len(reader.statements(what))


def test_every_record_is_understood_by_its_own_source(estate: tuple[Path, Report, Truth]) -> None:
    _, report, truth = estate
    read = {part.source for part in report.scope.read}

    assert (report.skips, report.conflicts, report.duplicates) == (0, 0, 0)
    assert len(read) >= 10
    assert set(truth.records) - {"spire.server"} <= read | {"spire"}


def test_populations_are_those_of_the_truth(estate: tuple[Path, Report, Truth]) -> None:
    _, report, truth = estate
    machines = sum(each.population == "machine" and each.issued_at is not None for each in truth.credentials)

    assert report.credentials["machine"] >= machines * 0.95
    assert report.coverage.population.of is not None
    assert report.coverage.population.count is not None


def test_what_was_planted_is_found_and_nothing_else(estate: tuple[Path, Report, Truth]) -> None:
    _, report, truth = estate
    planted = [each for each in truth.planted if each.rules and each.required]
    keys = {key for each in truth.planted for key in (each.subject, *each.keys)}

    assert {each.fault for each in planted} == set(FAULTS)
    for each in planted:
        hits = [f for f in report.findings if f.rule in each.rules and each.subject in f.subject]
        assert hits, each
    for finding in report.findings:
        assert any(key in finding.subject for key in keys), finding


def test_a_changed_file_is_named_and_the_certificate_sealed_once(estate: tuple[Path, Report, Truth]) -> None:
    folder, report, _ = estate
    changed = [each for each in report.findings if each.title == "log was changed"]
    trail = [each for each in report.certificates if each.source == "aws.cloudtrail"]

    assert len(changed) == 1
    assert changed[0].severity == "high"
    assert changed[0].leaves
    assert trail
    assert all(each.whole for each in trail)
    assert all(set(each.signatures) <= {"verified", "not checked"} for each in trail)
    assert statements(folder, "coverage-certificate") == 1

    again = audited(folder)

    assert again.run is not None
    assert again.run.new == 0
    assert canonical(again) == canonical(report)
    assert statements(folder, "coverage-certificate") == 1


def test_ends_rest_on_the_log_where_digests_prove_it_whole(estate: tuple[Path, Report, Truth]) -> None:
    folder, report, _ = estate
    without = folder / "without"
    shutil.copytree(folder / "estate", without / "estate")
    for path in every_file(without / "estate" / "logs"):
        if "Digest" in path.name:
            path.unlink()
    bare = audited(without)

    assert {each.source for each in bare.certificates} == {each.source for each in report.certificates} - {
        "aws.cloudtrail"
    }
    assert not [each for each in bare.findings if each.title == "log was changed"]


def test_it_verifies_and_is_rebuilt_alike(estate: tuple[Path, Report, Truth]) -> None:
    folder, report, _ = estate
    settings = settings_for(folder)

    assert verify(settings, None, None, None).status == "ok"
    assert canonical(rebuild(settings, lambda _: None)) == canonical(report)
