"""Targets, what is met, and what is kept of a drill."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.errors import UsageError
from custody.pipeline.drills.scoring import (
    GLASS,
    INCIDENT,
    MEASURES,
    STEPS,
    Drill,
    Kind,
    Measured,
    Played,
    said_of,
    targets_of,
)

FILE = """
detect = 3
[break-glass]
review = 4
[incident]
detect = 2
times-apart = 5
answers-not-known = 0.9
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "targets.toml").write_text(FILE)
    return tmp_path / "targets.toml"


def test_without_a_file_the_usual_ones_hold() -> None:
    assert targets_of(None) == GLASS == STEPS["break-glass"]
    assert targets_of(None, "incident") == {**INCIDENT, **MEASURES}


def test_names_outside_of_a_table_are_of_a_break_glass(file: Path) -> None:
    assert targets_of(file) == {**GLASS, "detect": 3.0, "review": 4.0}
    changed = {"detect": 2.0, "times-apart": 5.0, "answers-not-known": 0.9}
    assert targets_of(file, "incident") == {**INCIDENT, **MEASURES, **changed}


@pytest.mark.parametrize("kind", ["break-glass", "incident"])
@pytest.mark.parametrize(
    "text",
    [
        "detcet = 3",
        "detect = 0",
        "detect = -1",
        "detect = true",
        'detect = "3"',
        "detect = 1e9",
        "detect = nan",
        "scope = 3",
        "incident = 3",
        "[incident]\nprepare = 3",
        "[incident]\nscope = -1",
        "[incident]\nscope-recall = 1.1",
        "[incident]\nscope-wrong = 1",
        "[incident]\nanswers-wrong = 1",
        "[break-glass]\nscope = 3",
        "[[incident]]\nscope = 3",
        "[other]\nscope = 3",
    ],
)
def test_what_is_no_target_is_refused_whatever_is_played(tmp_path: Path, text: str, kind: Kind) -> None:
    (tmp_path / "targets.toml").write_text(text + "\n")

    with pytest.raises(UsageError):
        targets_of(tmp_path / "targets.toml", kind)


@pytest.mark.parametrize(
    ("name", "value", "target", "met", "told"),
    [
        ("scope-recall", 1.0, 1.0, True, "1, at least 1: met"),
        ("scope-recall", 0.99, 1.0, False, "0.99, at least 1: not met"),
        ("scope-wrong", 0.0, 0.0, True, "0, at most 0: met"),
        ("scope-wrong", 1.0, 0.0, False, "1, at most 0: not met"),
        ("times-apart", 60.0, 60.0, True, "60, at most 60: met"),
        ("times-apart", None, 60.0, False, "not known, at most 60: not met"),
        ("scope-recall", None, 1.0, False, "not known, at least 1: not met"),
    ],
)
def test_a_figure_is_met_or_not(name: str, value: float | None, target: float, met: bool, told: str) -> None:
    figure = Measured(name=name, value=value, target=target)

    assert figure.met is met
    assert said_of(figure) == told


def drilled(*steps: Played, measures: tuple[Measured, ...] = ()) -> Drill:
    return Drill(kind="incident", drill="drill-1", target="estate", steps=steps, size=0, root="", measures=measures)


def test_why_it_was_not_met_is_said_once_each() -> None:
    good = Played(step="open", seconds=1, target=2, done=True, told="done")
    slow = Played(step="scope", seconds=3, target=2, done=True, told="done")
    failed = Played(step="ask", seconds=1, target=2, done=False, told="refused")
    after = Played(step="done", seconds=0, target=2, done=False, told="not played")
    off = Measured(name="scope-wrong", value=1, target=0, told="somebody else's")

    assert drilled(good).met
    assert drilled(good).misses == ()
    assert not drilled(good, slow).met
    assert not drilled(good, measures=(off,)).met
    found = drilled(good, slow, failed, after, measures=(off,))
    assert found.misses == ("ask: refused", "scope took 3.000 s", "scope-wrong: somebody else's")
