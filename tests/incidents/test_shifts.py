"""One clock of several: what is added to the times of each source, and when nothing is."""

import pytest

from custody.incidents.timeline.known import Commit, Known
from custody.incidents.timeline.shifts import FAR, STEADY, Measured, Shifts, shifts

SECOND = 1_000_000
MADE, EARLY = "made in both", "used before issued"


def pair(source: str, other: str, apart: int, *, samples: int = 3, wide: int = 0, how: str = MADE) -> list[Measured]:
    """A measure as the table has it: from both sides."""
    widest = abs(apart) + wide
    return [
        Measured(source, other, samples, apart, widest, how),
        Measured(other, source, samples, -apart, widest, how),
    ]


def told(found: Shifts) -> dict[str, int | None]:
    return {each.source: each.shifted for each in found.each}


@pytest.mark.parametrize(
    ("rows", "sources", "reference", "expected"),
    [
        ([], ["a", "b"], None, {"a": None, "b": None}),
        (pair("a", "b", 2 * SECOND), ["a", "b"], "a", {"a": 0, "b": -2 * SECOND}),
        (pair("a", "b", 2 * SECOND), ["a", "b", "c"], "a", {"a": 0, "b": -2 * SECOND, "c": None}),
        (pair("a", "b", 2 * SECOND) + pair("b", "c", -5 * SECOND), ["a", "b", "c"], "b",
         {"a": 2 * SECOND, "b": 0, "c": 5 * SECOND}),
        (pair("a", "b", SECOND) + pair("b", "c", SECOND) + pair("c", "d", SECOND, samples=9), ["a", "b", "c", "d"], "c",
         {"a": 2 * SECOND, "b": SECOND, "c": 0, "d": -SECOND}),
        (pair("a", "b", SECOND, wide=STEADY + 1), ["a", "b"], None, {"a": None, "b": None}),
        (pair("a", "b", FAR + 1, samples=2), ["a", "b"], None, {"a": None, "b": None}),
        (pair("a", "b", FAR + 1, samples=3), ["a", "b"], "a", {"a": 0, "b": -FAR - 1}),
    ],
    ids=["nothing measured", "a pair", "one beside it", "the middle is the reference", "over two", "measures differ",
         "hours by few", "hours by enough"],
)  # fmt: skip
def test_each_source_is_brought_to_the_reference(
    rows: list[Measured], sources: list[str], reference: str | None, expected: dict[str, int | None]
) -> None:
    found = shifts(rows, sources)

    assert found.reference == reference
    assert told(found) == expected


def test_the_order_of_the_measures_changes_nothing() -> None:
    rows = pair("a", "b", SECOND) + pair("b", "c", 2 * SECOND) + pair("a", "d", 3 * SECOND)
    rows.sort(key=lambda row: (row.source, row.other))

    assert shifts(rows, ["d", "c", "b", "a", "a"]) == shifts(rows, ["a", "b", "c", "d"])


def test_what_is_unsure_adds_up_and_a_least_measure_has_no_bound() -> None:
    rows = pair("a", "b", SECOND, wide=100) + pair("b", "c", SECOND, wide=20) + pair("b", "d", SECOND, how=EARLY)
    found = shifts(sorted(rows, key=lambda row: (row.source, row.other)), ["a", "b", "c", "d"])
    unsure = {each.source: each.unsure for each in found.each}

    assert found.reference == "b"
    assert unsure == {"a": 100, "b": 0, "c": 20, "d": None}
    at_least = found.of("d")
    assert at_least is not None
    assert at_least.why == "at least: used before issued"


def test_a_strange_measure_says_why_it_is_not_believed() -> None:
    (first, second) = shifts(pair("a", "b", FAR + 1, samples=1), ["a", "b"]).each

    assert first.why == second.why == "its measures contradict each other, or one record alone tells of hours"


@pytest.mark.parametrize(("leaf", "at"), [(0, None), (1, 100), (4, 100), (5, None), (7, 300), (8, 300), (9, None)])
def test_a_record_is_known_when_its_commit_is(leaf: int, at: int | None) -> None:
    assert Known(commits=(Commit(1, 5, 100), Commit(7, 9, 300))).at(leaf) == at
