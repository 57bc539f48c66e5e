"""custody itself on a clean estate: nothing is found, nothing is skipped, every digest that can be checked is right."""

from pathlib import Path

import pytest

from custody.model.report import Report
from custody.pipeline.audit import audit
from custody.settings.options import resolve
from tests.simulation.conftest import Made


@pytest.fixture(scope="module")
def report(clean: Made, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder: Path = tmp_path_factory.mktemp("store")
    flags: dict[str, object] = {
        "store": str(folder / "store"),
        "keys": str(folder / "keys"),
        "contract": str(clean.folder / clean.truth.contract),
        "jobs": "1",
    }
    settings = resolve(flags, {}, None, home=folder, cwd=folder, cores=2)
    return audit(settings, [clean.logs], lambda progress: None)


def test_nothing_is_found(report: Report) -> None:
    assert [(each.rule, each.subject, each.text) for each in report.findings] == []


def test_nothing_is_skipped_or_in_conflict(report: Report, clean: Made) -> None:
    assert (report.skips, report.duplicates, report.conflicts) == (0, 0, 0)
    digests = len(clean.lines("aws/AWSLogs/*/CloudTrail-Digest/**/*.gz"))
    assert report.understood == sum(clean.truth.records.values()) + digests + 1


def test_credentials_are_counted_by_population(report: Report, clean: Made) -> None:
    """Names of the database that nobody translated have a chain of their own beside their role's."""
    wanted = [each for each in clean.truth.credentials if each.records and each.population == "machine"]

    assert report.credentials["machine"] == len(wanted)
