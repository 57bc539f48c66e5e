"""What the evidence says of a planted theft, held against what is true of it.

*Wrong* is what is claimed and not so: an answer that is proved or violated and is not, a credential that belongs to the
theft by exact links and does not. What is true and not claimed is *not known*.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import msgspec

from custody.incidents.judging import answers, conduct, exposure, surviving
from custody.model.incident_view import IncidentView, Judged
from custody.model.times import microseconds
from custody.model.verdicts import Best, State
from custody.pipeline.drills.scoring import Answered, Held, Measured, Targets
from custody.pipeline.drills.theft import Theft

SECOND = 1_000_000
LOUD = (State.PROVED, State.VIOLATED)
TOLERANCE = 60 * SECOND
"""How far a proved point in time may lie from the true one (µs) and be called right."""
BORNE_OUT = (State.PROVED.value, Best.INDICATED.value)
"""Grades of a point in time that is more than somebody's word."""
_POINT = re.compile(r"(exposure|first abuse|detection|containment): (\S+) \((\w+)\)")


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of the incident as it was played. ``states`` are those that are right, by question.

    ``points`` are the true times (µs) from exposure to containment, ``records`` how many records each key of the family
    has in the files. A question that is not in ``states`` is one of which the truth does not know the answer.
    """

    family: frozenset[str]
    states: Mapping[str, frozenset[State]]
    points: Mapping[str, int]
    records: Mapping[str, int]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. ``answers`` are question, what was told, and how that is; ``points`` seconds apart, by name.

    ``missed`` and ``strange`` are keys that the exact scope lacks, and that do not belong in it. ``whole`` is by how
    many seconds the time from exposure to containment is off, None where one of them was not told.
    """

    answers: tuple[Answered, ...]
    missed: tuple[str, ...]
    strange: tuple[str, ...]
    recall: float
    points: Mapping[str, float | None]
    whole: float | None

    @property
    def counts(self) -> Counter[str]:
        """How many answers are right, not known and wrong."""
        return Counter(held for _, _, held in self.answers)

    def measures(self, targets: Targets) -> tuple[Measured, ...]:
        """The figures beside their targets."""
        counts, told = self.counts, [each for each in self.points.values() if each is not None]
        wrong = [f"{question} is said to be {state}" for question, state, held in self.answers if held == "wrong"]
        unknown = [question for question, _, held in self.answers if held == "not known"]
        silent = [name for name, each in self.points.items() if each is None]
        apart = max(told, default=None) if not silent else None
        found: tuple[tuple[str, float | None, str], ...] = (
            ("scope-recall", self.recall, f"not in the scope: {_few(self.missed)}" if self.missed else ""),
            ("scope-wrong", float(len(self.strange)), f"not of the theft: {_few(self.strange)}"),
            ("answers-wrong", float(counts["wrong"]), "; ".join(wrong)),
            ("answers-not-known", counts["not known"] / max(len(self.answers), 1), f"not known: {'; '.join(unknown)}"),
            ("times-apart", apart, f"not told: {', '.join(silent)}" if silent else _apart(self.points)),
            ("exposure-to-containment", self.whole, "" if self.whole is None else f"off by {self.whole:g} s"),
        )
        return tuple(Measured(name=name, value=value, target=targets[name], told=why) for name, value, why in found)


def truth_of(theft: Theft, records: Mapping[str, int]) -> Truth:
    """What is true at the end: everything is over, and it was not when people first said so.

    Both actions were asked, approved by another person, and done, in this order and all signed.
    """
    at = theft.at
    return Truth(
        family=theft.family,
        states={
            conduct.WHO: frozenset({State.PROVED}),
            answers.CHANGED: frozenset(),  # the first changed nothing, and access was never given again
            conduct.INSIDE: frozenset({State.PROVED}),
            answers.VERIFIED: frozenset({State.VIOLATED}),
            surviving.SURVIVES: frozenset({State.PROVED}),
            answers.TOUCHED: frozenset({State.PROVED}),
            exposure.QUESTION: frozenset({State.PROVED}),
            answers.LACKS: frozenset(),  # that nothing is missing can never be said
        },
        points={
            "exposure": at.exposed,
            "first abuse": at.abused,
            "detection": at.opened,
            "containment": max(theft.ends.values()),
        },
        records=records,
    )


def compared(truth: Truth, view: IncidentView) -> Compared:
    """Hold the view of the incident against the truth."""
    mine = {each.key for each in view.scope.credentials if each.join == "exact" and not each.apart}
    told = _points(view)
    apart = {name: abs(told[name] - at) / SECOND if name in told else None for name, at in truth.points.items()}
    held = tuple((each.question, each.state, _held(truth, view, each, apart)) for each in view.answers)
    return Compared(
        answers=held,
        missed=tuple(sorted(truth.family - mine)),
        strange=tuple(sorted(mine - truth.family)),
        recall=len(truth.family & mine) / len(truth.family),
        points=apart,
        whole=_whole(truth.points, told),
    )


def _whole(true: Mapping[str, int], told: Mapping[str, int]) -> float | None:
    if "exposure" not in told or "containment" not in told:
        return None
    return abs((told["containment"] - told["exposure"]) - (true["containment"] - true["exposure"])) / SECOND


def _held(truth: Truth, view: IncidentView, each: Judged, apart: Mapping[str, float | None]) -> Held:
    right = truth.states.get(each.question)
    state = State(each.state)
    if right is None or state not in LOUD:
        return "not known"
    if state not in right:
        return "wrong"
    if each.question == answers.TOUCHED:
        return "right" if _touched(truth, view) else "wrong"
    if each.question == exposure.QUESTION:
        near = all(one is not None and one * SECOND <= TOLERANCE for one in apart.values())
        return "right" if near else "wrong"
    return "right"


def _touched(truth: Truth, view: IncidentView) -> bool:
    """Whether all that is listed was done by the family, something by each, and not more often than it did anything."""
    counts: Counter[str] = Counter()
    for each in view.scope.touched:
        counts[each.by] += each.count
    return set(counts) == truth.family and all(times <= truth.records.get(key, 0) for key, times in counts.items())


def _points(view: IncidentView) -> dict[str, int]:
    """The points in time (µs) that records bear out, as the answer has them. What people only claim is none."""
    found = [each for each in view.answers if each.question == exposure.QUESTION]
    every = (each.groups() for one in found for part in one.parts if (each := _POINT.match(part)))
    return {
        name: moment
        for name, at, grade in every
        if grade in BORNE_OUT and at != exposure.UNKNOWN and (moment := microseconds(at)) is not None
    }


def _apart(points: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} by {each:g} s" for name, each in points.items())


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
