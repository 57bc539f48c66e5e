"""A small theft that nobody generated, and a view of an incident that says exactly what is true of it."""

from __future__ import annotations

import msgspec

from custody.incidents.judging import answers, conduct, exposure, surviving
from custody.model.incident_view import IncidentView, Judged, ReachedView, ScopeView, Told, TouchedView
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.pipeline.drills.comparing import Truth, truth_of
from custody.pipeline.drills.theft import Moments, Theft
from custody.simulation.chance import Chance
from custody.simulation.times import START

LEAF = LeafRef("operations", 7)
KEYS = ("aws_akid:aws:AKIASTOLEN", "aws_akid:aws:ASIASESSION", "aws_akid:aws:AKIAHIDDEN")
THEFT = Theft(
    stolen=KEYS[0],
    session=KEYS[1],
    hidden=KEYS[2],
    identity="aws_arn:1:user",
    thief="203.0.113.66",
    at=Moments.of(START, Chance("a test")),
)
TRUTH = truth_of(THEFT, dict.fromkeys(KEYS, 5))
POINTS = {
    "exposure": THEFT.at.exposed,
    "first abuse": THEFT.at.abused,
    "detection": THEFT.at.opened,
    "containment": THEFT.at.hidden_ended,
}
STATES = {
    conduct.WHO: "proved",
    answers.CHANGED: "unproven",
    conduct.INSIDE: "proved",
    answers.VERIFIED: "violated",
    surviving.SURVIVES: "proved",
    answers.TOUCHED: "proved",
    exposure.QUESTION: "proved",
    answers.LACKS: "unproven",
}
"""What is right, or as near to it as can be."""


def truth(**changed: object) -> Truth:
    """The truth, or what somebody made of it."""
    return msgspec.structs.replace(TRUTH, **changed)


def reached(key: str, join: str = "exact", *, apart: bool = False) -> ReachedView:
    return ReachedView(credential=key, key=key, who="", why="", join=join, depth=0, alive=False, apart=apart)


def touched(by: str, count: int = 5) -> TouchedView:
    time = text(THEFT.at.abused) or ""
    return TouchedView(
        what="resource",
        name="s3",
        by=by,
        event="List",
        first=time,
        last=time,
        count=count,
        outcome="success",
        leaf=LEAF,
    )


def parts(points: dict[str, int], grade: str = "proved") -> tuple[str, ...]:
    """The points as the answer words them."""
    return tuple(f"{name}: {text(at)} ({grade}): as a record says" for name, at in points.items())


REACHED = tuple(map(reached, KEYS))
TOUCHED = tuple(map(touched, KEYS))


def view(
    *,
    states: dict[str, str] | None = None,
    credentials: tuple[ReachedView, ...] = REACHED,
    things: tuple[TouchedView, ...] = TOUCHED,
    points: tuple[str, ...] | None = None,
) -> IncidentView:
    """The incident as somebody is told of it."""
    lines = parts(POINTS) if points is None else points
    return IncidentView(
        incident="in-1",
        title="a theft",
        severity="high",
        state="open",
        version="1",
        opened=Told(who="ann", at=text(THEFT.at.opened) or "", what="opened", leaf=LEAF),
        aware=text(THEFT.at.opened) or "",
        seeds=(),
        scope=ScopeView(credentials=credentials, touched=things),
        answers=tuple(
            Judged(question=name, state=state, text="", parts=lines if name == exposure.QUESTION else ())
            for name, state in {**STATES, **(states or {})}.items()
        ),
    )
