"""Closing and opening again, and the small steps between: notes, more to grow from, items of the checklist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from custody.errors import PolicyDenied, UsageError
from custody.incidents.acting import MOST_TEXT, check_allowed, left, one_line
from custody.incidents.policy.asking import CLOSE, Situation
from custody.incidents.policy.deciding import decide, policies_of
from custody.incidents.record import Heard, Incident
from custody.model.incidents import Claimed, Closed, Item, Noted, Reopened, Seed, Widened
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.model.verdicts import State
from custody.pipeline.incidents.judging import judged
from custody.pipeline.incidents.reading import Record, read
from custody.pipeline.incidents.saying import Saying, say
from custody.pipeline.incidents.sealing import Desk, Sealed, Signer
from custody.settings.catalog import Settings


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence says of an incident, as far as a close asks.

    ``proved`` are the ids of the actions whose effect the target's own log shows; ``answers`` the SHA-256 (hex) of the
    answers as they stand, ``as_of`` (RFC 3339) theirs.
    """

    proved: frozenset[str] = frozenset()
    answers: str = sha256(b"").hexdigest()
    as_of: str | None = None


Judge = Callable[[Incident], Judgement]


def judge_of(settings: Settings) -> Judge:
    """What the derived tables of a store say, as those of the last audit or rebuild."""

    def judge(incident: Incident) -> Judgement:
        items = read(settings).response(incident).checklist
        found = judged(settings, incident, items=items)
        proved = (each.action for each in found.outcomes if each.judged.state == State.PROVED.value)
        answers = sha256(msgspec.json.encode(found.answers, order="sorted")).hexdigest()
        return Judgement(proved=frozenset(proved), answers=answers, as_of=text(found.as_of))

    return judge


def close(desk: Desk, name: str, reason: str, judge: Judge, signer: Signer | None) -> Sealed:
    """Seal the close. UsageError while an action is open, PolicyDenied where the policies do not allow it."""
    told: list[Judgement] = []

    def make(saying: Saying) -> Closed:
        _check_policies(saying)
        told.append(judge(saying.incident))
        found = told[-1]
        return Closed(incident=name, reason=one_line(reason, "--reason"), answers=found.answers, as_of=found.as_of)

    def finished(record: Record, heard: Heard) -> None:
        open_ones = left(record.one(name), told[-1].proved, heard.at)
        if open_ones:
            raise UsageError(
                "not everything is over",
                where=name,
                found="; ".join(f"{each.action}: {each.why}" for each in open_ones[:20]),
                expected="each action proved by the target's own log, or settled with a reason",
                advice="`custody incident settle ACTION --how accepted --reason TEXT` accepts one as it is.",
            )

    return say(desk, name, make, signer, finished)


def reopen(desk: Desk, name: str, reason: str, signer: Signer | None) -> Sealed:
    """Seal that it was not over."""
    step = Reopened(incident=name, reason=one_line(reason, "--reason"))
    return say(desk, name, lambda _: step, signer)


def widen(desk: Desk, name: str, seeds: tuple[Seed, ...], reason: str, signer: Signer | None) -> Sealed:
    """Seal more that the scope grows from."""
    if not seeds:
        raise UsageError("nothing to grow from", expected="--key, --identity, --address, --finding or --alert")
    step = Widened(incident=name, seeds=seeds, reason=one_line(reason, "--reason"))
    return say(desk, name, lambda _: step, signer)


def note(desk: Desk, name: str, told: str, cites: Sequence[LeafRef], signer: Signer | None) -> Sealed:
    """Seal something that somebody wants to have said."""
    step = Noted(incident=name, text=one_line(told, "TEXT", MOST_TEXT), cites=tuple(cites))
    return say(desk, name, lambda _: step, signer)


def claim(
    desk: Desk, name: str, item: Item, identity: str, reason: str, cites: Sequence[LeafRef], signer: Signer | None
) -> Sealed:
    """Seal that an item of the checklist of an identity is done, as somebody says."""

    def make(saying: Saying) -> Claimed:
        asked = saying.record.response(saying.incident).checklist
        if item not in asked:
            raise UsageError("not on the checklist", found=item.value, expected=", ".join(asked) or "nothing is")
        who = one_line(identity, "--identity")
        return Claimed(incident=name, identity=who, item=item, reason=one_line(reason, "--reason"), cites=tuple(cites))

    return say(desk, name, make, signer)


def _check_policies(saying: Saying) -> None:
    response, incident = saying.record.response(saying.incident), saying.incident
    policies = policies_of(tuple(sorted(response.policies.items())), response.extension)
    if policies is None:
        raise PolicyDenied("the policies that were sealed with the incident cannot decide", reason="no-policies")
    situation = Situation(
        kind=CLOSE,
        now=saying.now,
        opened=incident.opened.at,
        severity=incident.opening.severity,
        author=saying.who.author,
        signed=saying.who.signed,
        groups=response.groups_of(saying.who.principals),
        targets=(incident.id,),
    )
    check_allowed(decide(situation, policies), "closing the incident")
