"""Any order, split, duplication or number of runs of the same records gives the same canonical report."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.model.report import Report
from custody.pipeline.rebuild import rebuild
from custody.pipeline.tables import canonical
from custody.settings.catalog import Settings
from tests.end_to_end.conftest import delivered, run, settings_for


def shuffled(folder: Path, records: list[bytes]) -> Report:
    mixed = records[:]
    random.Random(1).shuffle(mixed)
    return run(folder, [delivered(folder / "one.json.gz", mixed)])


def split(folder: Path, records: list[bytes]) -> Report:
    (folder / "logs").mkdir()
    for number in range(0, len(records), 97):
        delivered(folder / "logs" / f"{number:05}.json.gz", records[number : number + 97])
    return run(folder, [folder / "logs"], jobs="2")


def duplicated(folder: Path, records: list[bytes]) -> Report:
    some = records[::3]
    return run(folder, [delivered(folder / "a.json.gz", records), delivered(folder / "b.json.gz", some[::-1])])


def newest_first_in_several_runs(folder: Path, records: list[bytes]) -> Report:
    newest = sorted(records, key=lambda record: record[record.index(b'"eventTime"') :][:40], reverse=True)
    for number, part in enumerate((newest[:500], newest[500:1800], newest[1800:])):
        report = run(folder, [delivered(folder / f"{number}.json.gz", part)])
    return report


def as_lines(folder: Path, records: list[bytes]) -> Report:
    path = folder / "x.ndjson"
    path.write_bytes(b"\n".join(records) + b"\n")
    return run(folder, [path])


@pytest.mark.parametrize(
    "way", [shuffled, split, duplicated, newest_first_in_several_runs], ids=lambda way: way.__name__
)
def test_the_canonical_report_is_the_same(
    way: Callable[[Path, list[bytes]], Report],
    real_records: list[bytes],
    real_store: tuple[Settings, Report],
    tmp_path: Path,
) -> None:
    _, expected = real_store

    assert canonical(way(tmp_path, real_records)) == canonical(expected)


def test_duplicates_are_counted_and_add_nothing(real_records: list[bytes], tmp_path: Path) -> None:
    report = duplicated(tmp_path, real_records)

    assert (report.records, report.understood, report.duplicates) == (2900 + 967, 2900, 967)


def test_the_same_records_in_another_wrapping_are_duplicates(real_records: list[bytes], tmp_path: Path) -> None:
    run(tmp_path, [delivered(tmp_path / "a.json.gz", real_records[:300])])
    report = as_lines(tmp_path, real_records[:300])

    assert (report.records, report.understood, report.duplicates, report.conflicts) == (600, 300, 300, 0)


def test_a_rebuild_gives_the_same_report(real_store: tuple[Settings, Report], tmp_path: Path) -> None:
    settings, first = real_store
    shutil.copytree(settings.store.parent, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "store" / "derived")
    again = rebuild(settings_for(tmp_path / "copy"), lambda progress: None)

    assert canonical(again) == canonical(first)
