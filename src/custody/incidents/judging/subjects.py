"""Whom the checklist is about: an identity that is to work again, and what people say of its items."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.incidents.judging import saying
from custody.incidents.judging.asked import done_at
from custody.incidents.record.folding import Heard, Incident
from custody.incidents.scope.grounds import Grounds, apart, credentials, identities
from custody.incidents.scope.seeds import of_name
from custody.incidents.seen import Outcome
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Claimed, Item
from custody.model.leaf import LeafRef
from custody.model.verdicts import Best

ENDING = (ActionKind.CONTAIN, ActionKind.REVOKE, ActionKind.ROTATE)
"""Actions that end access."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that is to work again: its credentials, its principals, and when access to it ended (µs).

    ``several`` says that its name means more than one identity of the register.
    ``sure`` says that the logs show that end; else it is when people say, or when it was asked for. ``unsure`` is by
    how much (µs) the clock that dates that end may differ from the one of another log, or of this machine.
    """

    name: str
    identity: str
    keys: tuple[str, ...]
    principals: tuple[str, ...]
    asked: int
    contained: int
    sure: bool
    several: bool = False
    unsure: int = 0
    one_clock: bool = False


def subject_of(grounds: Grounds, incident: Incident, outcomes: Sequence[Outcome], name: str) -> Subject:
    """What ``name`` means, and when it was contained."""
    keys = of_name(grounds, name)
    known = credentials(grounds.engine, keys)
    of_key = identities(grounds.engine, known)
    ends = [each for each in incident.actions if each.request.kind in ENDING and name in each.request.targets]
    asked = min((each.asked.at for each in ends), default=incident.opened.at)
    judged = {each.action: each for each in outcomes}
    seen = [judged[each.id].observed_at for each in ends if each.id in judged]
    times = [each for each in seen if each is not None]
    said = [each for action in ends if (each := done_at(action)) is not None]
    sure = bool(ends) and len(times) == len(ends)
    sources = {source for each in known.values() for source in (each.source, each.use_source) if source is not None}
    return Subject(
        name=name,
        identity=min(of_key.values(), default=name),
        keys=tuple(sorted(known)),
        principals=tuple(sorted({each.subject for each in known.values() if each.subject})),
        asked=asked,
        contained=max((*times, asked) if sure else (*times, *said, asked)),
        sure=sure,
        several=len(set(of_key.values())) > 1,
        unsure=apart(grounds, sources),
        one_clock=len(sources) == 1,
    )


def claims_of(incident: Incident, subject: Subject, item: Item) -> list[Heard]:
    """What people say of an item of it, in order."""
    return [
        each
        for each in incident.claims
        if isinstance(each.step, Claimed) and each.step.identity == subject.name and each.step.item is item
    ]


def said(incident: Incident, subject: Subject, item: Item, told: str, settles: str | None) -> Judged:
    """What people say of an item of it, else nothing."""
    claims = claims_of(incident, subject, item)
    if not claims:
        return saying.unproven(item, told, settles=settles)
    last = claims[-1]
    assert isinstance(last.step, Claimed)
    leaves = [leaf for each in claims for leaf in (each.leaf, *cites(each))]
    return saying.unproven(item, f"{last.author} says: {last.step.reason}; {told}", Best.CLAIMED, leaves, settles)


def cites(heard: Heard) -> tuple[LeafRef, ...]:
    """The records that a claim names."""
    return heard.step.cites if isinstance(heard.step, Claimed) else ()
