"""What is told of a planted theft, held against its truth: the score has to be able to fail, in every way there is."""

from __future__ import annotations

import pytest

from custody.incidents.judging import answers, conduct, exposure
from custody.model.incident_view import IncidentView
from custody.model.verdicts import State
from custody.pipeline.drills.comparing import TOLERANCE, Truth, compared
from custody.pipeline.drills.scoring import MEASURES, Measured
from tests.pipeline.drills.views import KEYS, POINTS, STATES, THEFT, TRUTH, parts, reached, touched, truth, view

PROVED = frozenset({State.PROVED})
OFF = {"containment": POINTS["containment"] + TOLERANCE + 1_000_000}


def figures(told: IncidentView, true: Truth = TRUTH) -> dict[str, Measured]:
    return {each.name: each for each in compared(true, told).measures(MEASURES)}


def held(told: IncidentView, question: str, true: Truth = TRUTH) -> str:
    (found,) = (each for name, _, each in compared(true, told).answers if name == question)
    return found


def test_what_is_told_as_it_is_meets_every_target() -> None:
    found = compared(TRUTH, view())

    assert [name for name, _, _ in found.answers] == list(answers.QUESTIONS)
    assert dict(found.counts) == {"right": 6, "not known": 2}
    assert (found.recall, found.missed, found.strange) == (1.0, (), ())
    assert found.points == dict.fromkeys(POINTS, 0.0)
    assert found.whole == 0.0
    assert [each.name for each in found.measures(MEASURES) if not each.met] == []
    assert set(MEASURES) == {each.name for each in found.measures(MEASURES)}


@pytest.mark.parametrize("question", [name for name, state in STATES.items() if state in ("proved", "violated")])
def test_an_answer_whose_truth_is_turned_round_is_wrong(question: str) -> None:
    right = TRUTH.states[question]
    turned = truth(states={**TRUTH.states, question: frozenset({State.PROVED, State.VIOLATED}) - right})
    figure = figures(view(), turned)["answers-wrong"]

    assert held(view(), question, turned) == "wrong"
    assert (figure.value, figure.met) == (1.0, False)
    assert question in figure.told


@pytest.mark.parametrize("question", list(answers.QUESTIONS))
@pytest.mark.parametrize("state", ["unproven", "open", "n/a"])
def test_what_claims_nothing_is_never_wrong_and_never_right(question: str, state: str) -> None:
    assert held(view(states={question: state}), question) == "not known"


@pytest.mark.parametrize("state", ["proved", "violated"])
@pytest.mark.parametrize("question", [answers.CHANGED, answers.LACKS])
def test_what_can_not_be_known_is_wrong_where_it_is_claimed(question: str, state: str) -> None:
    assert held(view(states={question: state}), question) == "wrong"


def test_too_much_that_is_not_known_misses_its_target() -> None:
    every = dict.fromkeys(STATES, "unproven")
    figure = figures(view(states=every))["answers-not-known"]

    assert (figure.value, figure.met) == (1.0, False)
    assert conduct.WHO in figure.told


@pytest.mark.parametrize(
    ("credentials", "recall", "strange"),
    [
        (tuple(map(reached, KEYS[:2])), 2 / 3, 0),
        ((), 0.0, 0),
        ((*map(reached, KEYS), reached("aws_akid:aws:AKIAINNOCENT")), 1.0, 1),
        ((*map(reached, KEYS), reached("aws_akid:aws:AKIAINNOCENT", "inferred")), 1.0, 0),
        ((*map(reached, KEYS), reached("aws_akid:aws:AKIAINNOCENT", apart=True)), 1.0, 0),
        ((*map(reached, KEYS[:2]), reached(KEYS[2], "bounded")), 2 / 3, 0),
    ],
    ids=["missed", "nothing", "strange", "inferred", "sibling", "not exact"],
)
def test_the_scope_is_held_against_exactly_the_theft(
    credentials: tuple[object, ...], recall: float, strange: int
) -> None:
    found = figures(view(credentials=credentials))  # type: ignore[arg-type]

    assert found["scope-recall"].value == pytest.approx(recall)
    assert found["scope-recall"].met is (recall == 1.0)
    assert found["scope-wrong"].value == strange
    assert found["scope-wrong"].met is (strange == 0)


@pytest.mark.parametrize(
    ("points", "apart", "whole"),
    [
        (parts({**POINTS, **OFF}), 61.0, 61.0),
        (parts({**POINTS, "detection": POINTS["detection"] - TOLERANCE - 2_000_000}), 62.0, 0.0),
        (parts({name: at for name, at in POINTS.items() if name != "containment"}), None, None),
        ((*parts(POINTS)[:3], "containment: unknown (unknown): 1 credential is alive"), None, None),
        (parts(POINTS, "claimed"), None, None),
        ((), None, None),
    ],
    ids=["late", "early", "left out", "unknown", "claimed", "nothing"],
)
def test_times_that_are_off_or_not_told_miss_their_target(
    points: tuple[str, ...], apart: float | None, whole: float | None
) -> None:
    found = figures(view(points=points))

    assert (found["times-apart"].value, found["times-apart"].met) == (apart, False)
    assert found["exposure-to-containment"].value == whole
    assert found["exposure-to-containment"].met is (whole == 0.0)
    assert held(view(points=points), exposure.QUESTION) == "wrong"


def test_a_time_that_is_only_indicated_counts_as_told() -> None:
    assert figures(view(points=parts(POINTS, "indicated")))["times-apart"].met


def test_an_end_that_the_truth_has_elsewhere_is_told() -> None:
    figure = figures(view(), truth(points={**POINTS, **OFF}))["exposure-to-containment"]

    assert (figure.value, figure.met) == (61.0, False)


@pytest.mark.parametrize(
    "things",
    [(touched("aws_akid:aws:AKIAINNOCENT"),), (touched(KEYS[0], 6),), (touched(KEYS[0], 3), touched(KEYS[0], 3))],
    ids=["somebody else's", "too often", "too often in all"],
)
def test_what_somebody_else_touched_makes_the_answer_wrong(things: tuple[object, ...]) -> None:
    assert held(view(things=things), answers.TOUCHED) == "wrong"  # type: ignore[arg-type]


def test_a_question_of_which_the_truth_knows_nothing_is_not_known() -> None:
    less = truth(states={name: states for name, states in TRUTH.states.items() if name != conduct.WHO})

    assert held(view(), conduct.WHO, less) == "not known"


def test_the_theft_says_who_is_alive_when() -> None:
    at = THEFT.at

    assert THEFT.alive(at.abused) == THEFT.family
    assert THEFT.alive(at.look) == {THEFT.stolen, THEFT.hidden}, "the session has run out"
    assert THEFT.alive(at.ended) == {THEFT.hidden}
    assert THEFT.alive(at.hidden_ended) == frozenset()
    assert list(vars_of(at)) == sorted(vars_of(at), key=lambda name: vars_of(at)[name])


def vars_of(at: object) -> dict[str, int]:
    """The moments in their order, without the one of the scanner, which may come before or after the first use."""
    return {name: getattr(at, name) for name in type(at).__struct_fields__ if name != "scanned"}  # type: ignore[attr-defined]
