"""Records of every kind in one folder: nothing stops the rest, and nothing is lost."""

import shutil
from pathlib import Path

import msgspec
import pytest

from custody.model.report import Report
from tests.end_to_end.conftest import run

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Report]:
    folder = tmp_path_factory.mktemp("mixed")
    logs = folder / "logs"
    logs.mkdir()
    records = [
        path
        for path in sorted(CASES.glob("*/*"))
        if path.suffix in (".json", ".txt", ".csv") and not path.name.endswith(".expected.json")
    ]
    for path in records:
        shutil.copyfile(path, logs / f"{path.parent.name}-{path.name}")
    return len(records), run(folder, [logs])


def test_every_kind_is_read_beside_every_other(mixed: tuple[int, Report]) -> None:
    files, report = mixed

    assert files > 700
    assert report.records >= files * 0.95
    assert report.records == report.understood + report.skips + report.duplicates
    assert len({part.source for part in report.scope.read}) >= 20


def test_a_line_number_past_all_reason_stops_nothing(tmp_path: Path) -> None:
    record = {
        "timestamp": "2026-01-05 12:00:00.000 UTC", "user": "app", "dbname": "d", "pid": 1, "session_id": "6b02e2fc.1",
        "line_num": 9999999999999999999, "error_severity": "FATAL", "state_code": "28P01",
        "backend_type": "client backend",
        "message": 'password authentication failed for user "app"',
    }  # fmt: skip
    log = tmp_path / "postgresql.json"
    numbers = (1, 2, record["line_num"])
    log.write_bytes(b"".join(msgspec.json.encode({**record, "line_num": number}) + b"\n" for number in numbers))
    report = run(tmp_path, [log])

    assert report.records == 3
    assert report.records == report.understood + report.skips
