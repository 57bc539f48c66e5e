"""The estate of a drill, and its logs as far as they were delivered at a moment."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from custody.model.verdicts import Question
from custody.pipeline.drills.staging import Stage, Staged
from custody.pipeline.drills.theft import RULE, Theft
from custody.simulation.times import HOUR, MINUTE, START, seconds

SEED = 11


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(SEED)


def delivered(stage: Stage, folder: Path, moment: int | None) -> dict[str, bytes]:
    """The files by path, uncompressed."""
    stage.deliver(folder, moment)
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        data = path.read_bytes()
        found[path.relative_to(folder).as_posix()] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


def short(key: str) -> bytes:
    return key.rpartition(":")[2].encode()


def test_what_came_later_is_in_no_file_and_what_came_before_is(stage: Stage, tmp_path: Path) -> None:
    theft = stage.theft
    first = delivered(stage, tmp_path / "alarm", theft.at.alarm)
    second = delivered(stage, tmp_path / "look", theft.at.look)
    last = delivered(stage, tmp_path / "all", None)

    assert holds(first, theft) == {theft.stolen, theft.session}
    assert holds(second, theft) == holds(last, theft) == theft.family
    assert "scans/leaks.sarif" in first
    deletion = b'"eventName":"DeleteAccessKey"'
    assert not any(deletion in data for data in (*first.values(), *second.values()))
    assert sum(data.count(deletion) for data in last.values()) == 2
    assert set(first) < set(second) < set(last)
    assert all(second[path].startswith(data) and last[path].startswith(data) for path, data in first.items())
    assert all(data.endswith((b"\n", b"}")) for data in first.values()), "no line is cut in two"


def holds(files: dict[str, bytes], theft: Theft) -> set[str]:
    return {key for key in theft.family if any(short(key) in data for data in files.values())}


def test_delivering_more_adds_to_what_is_there(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    delivered(stage, folder, stage.theft.at.alarm)
    after = delivered(stage, folder, None)

    assert after == delivered(stage, tmp_path / "fresh", None)
    assert len(after) == stage.truth.files


@pytest.mark.parametrize("moment", [START, START + HOUR, START + HOUR + 7 * MINUTE])
def test_no_record_is_delivered_before_it_happened(stage: Stage, tmp_path: Path, moment: int) -> None:
    found = delivered(stage, tmp_path / "logs", moment)
    times = [
        part[:20]
        for path, data in found.items()
        if "/CloudTrail/" in path
        for part in data.decode().split('"eventTime":"')[1:]
    ]

    assert all(each <= seconds(moment) for each in times)
    assert bool(times) is (moment > START)


def test_a_seed_says_all_of_it(stage: Stage) -> None:
    again, other = Staged(SEED), Staged(SEED + 1)

    assert again.theft == stage.theft
    assert other.theft != stage.theft
    assert other.theft.at != stage.theft.at


def test_the_truth_of_the_estate_agrees_with_that_of_the_theft(stage: Stage) -> None:
    theft, known = stage.theft, {each.key: each for each in stage.truth.credentials}
    expected = {each.key: each.states for each in stage.truth.expected if each.question == Question.HOLDER}

    assert {key: known[key].ended_at or known[key].not_after for key in theft.family} == theft.ends
    assert {known[each].parent for each in (theft.session, theft.hidden)} == {theft.stolen}
    assert all(known[key].records["use"] > 3 for key in theft.family)
    assert all("proved" not in expected[key] for key in theft.family), f"{RULE} is right"
    assert max(theft.ends.values()) < stage.truth.until - HOUR, "digests of it are signed"
