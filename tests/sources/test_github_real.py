"""The published sample events of the audit log, against what was counted by hand."""

from collections import Counter
from pathlib import Path

import pytest

from custody.model.events import Event, Part, Skip, Stage
from custody.sources.github_audit import SOURCE
from custody.sources.github_workflow import SOURCE as WORKFLOW
from custody.sources.masking import mask

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/samples/github"


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    files = sorted(SAMPLES.glob("*.ndjson"))
    if not files:
        pytest.skip("needs the sample events in ../shared/data/samples/github")
    return [line for file in files for line in file.read_bytes().splitlines() if line.strip()]


@pytest.fixture(scope="module")
def read(lines: list[bytes]) -> list[tuple[Event, ...] | Skip]:
    kept = [mask(line, known.secrets) for line in lines if (known := SOURCE.identify(line)) is not None]
    return [SOURCE.read(line, "lines") for line in kept]


@pytest.fixture(scope="module")
def parts(read: list[tuple[Event, ...] | Skip]) -> list[Part]:
    return [part for result in read if not isinstance(result, Skip) for event in result for part in event.parts]


def test_all_are_recognised_by_this_source_alone(lines: list[bytes]) -> None:
    assert len(lines) == 40
    assert all(SOURCE.recognise(line) and SOURCE.identify(line) for line in lines)
    assert not any(WORKFLOW.identify(line) for line in lines)


def test_seven_lines_stand_in_both_files(lines: list[bytes]) -> None:
    assert len({known.id for line in lines if (known := SOURCE.identify(line))}) == 33


def test_what_has_a_time_is_understood(read: list[tuple[Event, ...] | Skip]) -> None:
    skips = [result for result in read if isinstance(result, Skip)]
    events = [event for result in read if not isinstance(result, Skip) for event in result]
    assert len(skips) == 26
    assert {skip.detail.partition(" (")[0] for skip in skips} == {"$.@timestamp: an event without a time"}
    assert len(read) - len(skips) == 14
    assert len(events) == 17


def test_stages(parts: list[Part]) -> None:
    assert Counter((part.stage, part.effect) for part in parts) == {
        (Stage.USE, None): 4,
        (Stage.START, "run.start"): 3,
        (Stage.END, "run.end"): 1,
        (Stage.CHANGE, "integration_installation.create"): 1,
    }


def test_tokens_and_runs(parts: list[Part]) -> None:
    used = Counter(part.key for part in parts if part.stage is Stage.USE)
    runs = {part.key for part in parts if part.stage in (Stage.START, Stage.END)}
    assert used == {"github_token_id:github:0123456789": 2, "github_token_id:github:1111111111111": 2}
    assert runs == {"github_run:github:5555555555/3", "github_run:github:123456789/1"}


def test_times_of_the_run_in_its_third_attempt(read: list[tuple[Event, ...] | Skip]) -> None:
    third = "github_run:github:5555555555/3"
    events = [event for result in read if not isinstance(result, Skip) for event in result]
    found = [(event.time, part.stage) for event in events for part in event.parts if part.key == third]
    assert found == [(1_675_191_484_000_000, Stage.START), (1_675_191_507_000_000, Stage.END)]


def test_a_hash_that_is_none_is_not_kept(lines: list[bytes]) -> None:
    fake = b"0771cae4d170dc02a6ff393d9946cd684d6145c1="
    having = [line for line in lines if fake in line]
    assert len(having) == 2
    for line in having:
        identity = SOURCE.identify(line)
        assert identity is not None
        assert fake not in mask(line, identity.secrets)
        assert SOURCE.read(line, "lines") == SOURCE.read(mask(line, identity.secrets), "lines")
