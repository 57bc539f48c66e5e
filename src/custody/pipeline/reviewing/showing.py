"""Reviews as somebody asks for them: how far each is, by today's clock, and what became of what was decided."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from custody.errors import NotFound
from custody.model.reviews import Choice, Member, Review, Standing, standing, undecided
from custody.model.times import microseconds, text
from custody.pipeline import approvals
from custody.pipeline.audit import now
from custody.pipeline.reviewing import reviews
from custody.pipeline.tables import answers
from custody.register.carried import Action, actions
from custody.register.reviews import rebuild
from custody.settings.catalog import Settings
from custody.store.reader import Reader

Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]


class State(StrEnum):
    """How far a review is: ``decided`` is every decision there, ``signed`` each by the reviewer who was named."""

    OPEN = "open"
    OVERDUE = "overdue"
    DECIDED = "decided"
    SIGNED = "signed"
    CLOSED = "closed"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A review as it stands. ``actions`` are None where nothing is derived; ``as_of`` (RFC 3339) is their time."""

    review: Review
    state: State
    decided: dict[str, Standing]
    signed: int
    actions: dict[str, Action] | None = None
    as_of: str | None = None

    @property
    def late(self) -> bool:
        """Whether the last decision that completed it came after it was due."""
        times = [each.given.at for each in self.decided.values()]
        return bool(times) and max(times) >= self.review.opening.due


def every(settings: Settings) -> tuple[Shown, ...]:
    """Every review, in order of its opening."""
    moment = microseconds(now()) or 0
    return tuple(_shown(one, moment) for one in found(settings))


def one(settings: Settings, name: str) -> Shown:
    """One review, with what became of its decisions as the derived tables show it. NotFound where there is none."""
    review = reviews.named(found(settings), name)
    shown = _shown(review, microseconds(now()) or 0)
    try:
        told, as_of = carried(settings, review)
    except NotFound:
        return shown
    return msgspec.structs.replace(shown, actions={each.identity: each for each in told}, as_of=as_of)


def found(settings: Settings) -> tuple[Review, ...]:
    """Every review with all that was said of it so far, in either log."""
    with Reader.open(settings.store) as reader:
        return reviews.sealed(reader, approvals.everything(settings.store))


def carried(settings: Settings, review: Review) -> tuple[tuple[Action, ...], str | None]:
    """What became of the decisions of a review, and as of when. NotFound where nothing was derived."""
    with answers(settings) as derived:
        as_of = derived.report.as_of
        rebuild(derived.engine, [review], microseconds(as_of))
        return tuple(actions(derived.engine, review.opening.name, microseconds(as_of))), as_of


def _shown(review: Review, moment: int) -> Shown:
    decided = standing(review)
    signed = sum(each.signed_by(review.opening.reviewer) for each in decided.values())
    return Shown(review=review, state=_state(review, decided, signed, moment), decided=decided, signed=signed)


def _state(review: Review, decided: dict[str, Standing], signed: int, moment: int) -> State:
    if review.closing is not None:
        return State.CLOSED
    if undecided(review):
        return State.OVERDUE if moment >= review.opening.due else State.OPEN
    return State.SIGNED if signed == len(decided) else State.DECIDED


def summary(shown: Shown) -> dict[str, Plain]:
    """A review without its identities, as docs/json.md describes it."""
    opening, closing = shown.review.opening, shown.review.closing
    counts = {choice.value: sum(each.decision.choice is choice for each in shown.decided.values()) for choice in Choice}
    return {
        "review": opening.name,
        "state": shown.state.value,
        "reviewer": opening.reviewer,
        "opened": text(opening.at),
        "by": opening.by,
        "due": text(opening.due),
        "as_of": text(opening.as_of),
        "population": opening.digest,
        "identities": len(opening.members),
        "chosen": dict(opening.chosen),
        "sampled": None if opening.sampled is None else msgspec.to_builtins(opening.sampled),
        "decided": len(shown.decided),
        "signed": shown.signed,
        "decisions": dict(counts),
        "leaf": _leaf("operations", opening.leaf),
        "closed": None
        if closing is None
        else {
            "at": text(closing.at),
            "by": closing.by,
            "accepted": closing.accepted,
            "unfinished": list(closing.unfinished),
            "leaf": _leaf(approvals.LOG, closing.leaf),
        },
    }


def full(shown: Shown) -> dict[str, Plain]:
    """A review with every identity: what was shown, what was decided, what became of it."""
    identities: list[Plain] = [_member(shown, each) for each in shown.review.opening.members]
    return {**summary(shown), "carried_as_of": shown.as_of, "population_shown": identities}


def _member(shown: Shown, member: Member) -> dict[str, Plain]:
    given = shown.decided.get(member.identity)
    action = (shown.actions or {}).get(member.identity)
    decision: dict[str, Plain] | None = None
    if given is not None:
        decision = {
            "decision": given.decision.choice.value,
            "to": list(given.decision.to),
            "reason": given.decision.reason,
            "at": text(given.given.at),
            "by": given.given.by,
            "signed_by": list(given.given.signature.principals) if given.given.signature is not None else None,
            "by_reviewer": given.signed_by(shown.review.opening.reviewer),
            "leaf": _leaf(approvals.LOG, given.given.leaf),
        }
    carried_out: dict[str, Plain] | None = None
    if action is not None:
        carried_out = {"state": action.state.value, "text": action.text}
    facts: dict[str, Plain] = msgspec.to_builtins(member)
    return {**facts, "decided": decision, "carried_out": carried_out}


def _leaf(log: str, index: int) -> dict[str, Plain]:
    return {"log": log, "index": index}


def ordered(shown: Shown) -> Iterator[Member]:
    """The identities in the order in which they matter: undecided, to be removed, to be narrowed, kept."""
    order = {None: 0, Choice.REMOVE: 1, Choice.NARROW: 2, Choice.KEEP: 3}

    def place(member: Member) -> tuple[int, str]:
        given = shown.decided.get(member.identity)
        return order[given.decision.choice if given is not None else None], member.identity

    yield from sorted(shown.review.opening.members, key=place)
