"""What ``python -m accuracy`` counts can be wrong: answers that do not fit the truth are counted as such."""

from __future__ import annotations

import msgspec
import pytest
from accuracy.conduct import EVERY, Way
from accuracy.counted import RIGHT, UNKNOWN, WRONG, Counted
from accuracy.planted_grants import GrantCase, able
from accuracy.uses import SECOND, held_against

from custody.incidents.record.folding import Where
from custody.incidents.record.weighing import overdue, reviewed, seconded, unapproved, where
from custody.model.incidents import ActionKind
from custody.model.verdicts import State
from custody.simulation.truth import Grant

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NOON = 12 * HOUR
READ = Grant(principal="p", kind="inline", what="work", allows=("read",))
WRITE = Grant(principal="p", kind="managed", what="arn:write", allows=("write",))


def given(grant: Grant, since: int | None, until: int | None) -> Grant:
    return msgspec.structs.replace(grant, since=since, until=until)


def case(kind: ActionKind, *held: Grant, asked: int = NOON, separate: bool = True) -> GrantCase:
    return GrantCase(
        name="IN-1",
        principal="p",
        held=held,
        kind=kind,
        changed=NOON + MINUTE,
        asked=asked,
        until=NOON + HOUR,
        end=NOON + 6 * HOUR,
        signed=True,
        separate=separate,
        early=asked > NOON + MINUTE,
    )


@pytest.mark.parametrize(
    ("held", "state"),
    [
        ((READ, given(WRITE, None, NOON + MINUTE)), State.PROVED),
        ((READ, WRITE), State.VIOLATED),
        ((given(READ, None, NOON + MINUTE), given(READ, NOON + HOUR, None)), State.VIOLATED),
        ((READ, given(msgspec.structs.replace(READ, what="same"), None, NOON + MINUTE)), State.VIOLATED),
        ((READ, Grant(principal="p", kind="boundary", what="b", allows=(), since=NOON + MINUTE)), State.PROVED),
        ((given(Grant(principal="p", kind="inline", what="no", refuses=("x",)), None, NOON + 1), READ), State.VIOLATED),
    ],
)
def test_what_is_true_of_narrowed_access(held: tuple[Grant, ...], state: State) -> None:
    assert case(ActionKind.NARROW, *held).outcome == {state}


@pytest.mark.parametrize(
    ("held", "states"),
    [
        ((READ, given(WRITE, NOON + MINUTE, NOON + HOUR)), {State.PROVED}),
        ((READ, given(WRITE, NOON + MINUTE, NOON + HOUR + 2 * MINUTE)), {State.PROVED}),
        ((READ, given(WRITE, NOON + MINUTE, NOON + 2 * HOUR)), {State.VIOLATED}),
        ((READ, given(WRITE, NOON + MINUTE, None)), {State.VIOLATED}),
        ((READ, given(msgspec.structs.replace(READ, what="same"), NOON + MINUTE, None)), set()),
        ((READ,), set()),
    ],
)
def test_what_is_true_of_lent_access(held: tuple[Grant, ...], states: set[State]) -> None:
    assert case(ActionKind.EMERGENCY, *held).outcome == states


def test_what_was_done_before_it_was_asked_or_by_one_person_is_never_inside() -> None:
    lent = (READ, given(WRITE, NOON + MINUTE, NOON + HOUR))

    assert case(ActionKind.EMERGENCY, *lent).inside == {State.PROVED}
    assert case(ActionKind.EMERGENCY, *lent, asked=NOON + 10 * MINUTE).inside == {State.VIOLATED}
    assert case(ActionKind.EMERGENCY, *lent, separate=False).inside == {State.VIOLATED}


def test_what_is_refused_is_not_allowed() -> None:
    no = Grant(principal="p", kind="inline", what="no", refuses=("read",), since=10, until=20)

    assert [able((READ, no), moment) for moment in (9, 10, 20)] == [{"read"}, set(), {"read"}]


@pytest.mark.parametrize(
    ("said", "true", "sign", "kind"),
    [
        (None, None, 1, RIGHT),
        (None, 5 * SECOND, 1, UNKNOWN),
        (5 * SECOND, None, 1, WRONG),
        (9 * SECOND, 5 * SECOND, 1, WRONG),
        (5 * SECOND, 9 * SECOND, 1, UNKNOWN),
        (5 * SECOND, 9 * SECOND, -1, WRONG),
        (9 * SECOND, 5 * SECOND, -1, UNKNOWN),
        (5 * SECOND, 6 * SECOND, 1, RIGHT),
    ],
)
def test_a_success_that_never_was_is_wrong(said: int | None, true: int | None, sign: int, kind: str) -> None:
    assert held_against(said, true, sign, SECOND) == kind


def test_a_verdict_that_is_not_true_is_counted_as_wrong() -> None:
    counted = Counted()
    for state in (State.PROVED, State.VIOLATED, State.UNPROVEN, State.OPEN):
        counted.judged("question", state, frozenset({State.PROVED}), "in words")

    assert counted.questions["question"] == {RIGHT: 1, WRONG: 1, UNKNOWN: 2}
    assert counted.wrong == ["question: in words: violated, not proved"]


@pytest.mark.parametrize(("second", "review"), EVERY)
def test_every_way_of_a_break_glass_is_as_it_is_called(second: str, review: str) -> None:
    """What is true of a way is what custody's own weighing makes of its steps."""
    now = NOON + 24 * HOUR
    way = Way(second, review, NOON)
    (action,) = way.incident("IN-1", "aws_akid:aws:AKIA0", now).actions

    there = seconded(action)
    assert (there is not None) == (second == "in time")
    seen = reviewed(action)
    assert where(action, now) is Where.UNAPPROVED
    assert unapproved(action, action.done[0]) == "it was done as break-glass"
    in_time = seen is not None and seen.at <= NOON + 2 * HOUR
    good = there is not None and in_time
    assert (State.PROVED in way.true) == good
    open_still = there is not None and review == "not due yet"
    assert (State.VIOLATED in way.true) == (not good and not open_still)
    if review == "never" and second == "never":
        assert overdue(action, now) == ("second person", "review")
