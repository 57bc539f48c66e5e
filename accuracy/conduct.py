"""Break-glass, played in every way: a second person and a review in time, late, never, or by whom it must not be.

What is true of each follows from how it is played; whether access ended is another question.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import msgspec

from accuracy.counted import Counted
from accuracy.saying import MINUTE, Glass, Script, about
from custody.incidents.judging import conduct
from custody.incidents.record.folding import Incident
from custody.model.incidents import ActionKind
from custody.model.verdicts import State
from custody.pipeline.incidents.judging import judged_in
from custody.pipeline.tables import Answers
from custody.simulation.truth import Truth

QUESTION = "incident: break-glass inside the contract"
SECOND, REVIEW = 30 * MINUTE, 120 * MINUTE
"""How long after it was asked for a second person and a review are due."""
SECONDS = ("in time", "late", "never", "by who asked")
REVIEWS = ("in time", "late", "never", "by who granted", "not due yet", "before more was done")
EVERY = tuple(product(SECONDS, REVIEWS))
AT_ONCE = 6
"""Ways that are played in one estate; the next has the next."""


class Way(msgspec.Struct, frozen=True):
    """One way to go about a break-glass that is done three minutes after ``asked`` (µs)."""

    second: str
    review: str
    asked: int

    def incident(self, name: str, key: str, now: int) -> Incident:
        """As it would be folded from its steps."""
        script = Script(name, about(key), self.asked - MINUTE, "ann")
        due = now + MINUTE if self.review == "not due yet" else self.asked + REVIEW
        action = script.asked(
            self.asked, ActionKind.REVOKE, key, glass=Glass(second_by=self.asked + SECOND, review_by=due)
        )
        script.done(self.asked + 3 * MINUTE, action)
        if self.second != "never":
            late = self.asked + SECOND + (20 * MINUTE if self.second == "late" else -10 * MINUTE)
            script.decided(late, action, "ann" if self.second == "by who asked" else "bob")
        if self.review not in ("never", "not due yet"):
            at = self.asked + REVIEW + (30 * MINUTE if self.review == "late" else -30 * MINUTE)
            script.reviewed(at, action, "bob" if self.review == "by who granted" else "cyn")
        if self.review == "before more was done":
            script.done(self.asked + 40 * MINUTE, action, self.asked + REVIEW - 10 * MINUTE)
        return script.incident()

    @property
    def true(self) -> frozenset[State]:
        """Who granted reviews only where their grant counts: one that came too late is none."""
        granted = self.second == "in time"
        own = self.review == "by who granted" and granted
        good = self.review == "in time" or (self.review == "by who granted" and not granted)
        if not granted or own or self.review in ("late", "never", "before more was done"):
            return frozenset({State.VIOLATED})
        return frozenset({State.PROVED} if good else ())


def count(truth: Truth, tables: Answers, counted: Counted) -> None:
    """Play some of the ways in an estate; the seed says which."""
    now = truth.until + 60 * MINUTE
    for way, key in ways(truth):
        name = f"IN-{truth.seed}-{way.second}-{way.review}".replace(" ", "-")
        evidence = judged_in(tables, way.incident(name, key, now), now)
        counted.incidents += 1
        (found,) = (each for each in evidence.answers if each.question == conduct.INSIDE)
        words = f"seed {truth.seed}: second person {way.second}, review {way.review}: {found.text[:200]}"
        counted.judged(QUESTION, State(found.state), way.true, words)


def ways(truth: Truth) -> Iterator[tuple[Way, str]]:
    """Some ways, each about a credential that a record truly ended: it was asked for shortly before."""
    ended = [each for each in truth.credentials if each.ended_at is not None and each.ended_by != "expiry"]
    first = truth.seed * AT_ONCE
    for turn in range(min(AT_ONCE, len(ended))):
        second, review = EVERY[(first + turn) % len(EVERY)]
        target = ended[turn * len(ended) // AT_ONCE]
        at = min(target.ended_at or truth.until, truth.until - REVIEW - 40 * MINUTE)
        yield Way(second, review, at - 3 * MINUTE), target.key
