"""Closing and opening again, and the small steps between: notes, more to grow from, items of the checklist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from types import MappingProxyType

import msgspec

from custody.errors import PolicyDenied, UsageError
from custody.incidents.policy.deciding import decide, policies_of
from custody.incidents.record.acting import MOST_TEXT, Left, Who, check_allowed, left, one_line
from custody.incidents.record.ending import Proofs, cannot_end, ended
from custody.incidents.record.folding import Heard, Incident
from custody.incidents.record.rechecking import closing, who_of
from custody.model.incidents import Claimed, Closed, Item, Noted, Reopened, Seed, Widened
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.model.verdicts import State
from custody.pipeline.incidents import unfound
from custody.pipeline.incidents.judging import judged
from custody.pipeline.incidents.reading import Record, read
from custody.pipeline.incidents.saying import Saying, say
from custody.pipeline.incidents.sealing import Desk, Sealed, Signer
from custody.settings.catalog import Settings


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence says of an incident, as far as a close asks.

    ``proved`` are the actions (ids) whose effect the target's own log shows, with the records that show it; ``answers``
    the SHA-256 (hex) of the answers as they stand, ``as_of`` (RFC 3339) theirs.
    """

    proved: Proofs = MappingProxyType({})
    answers: str = sha256(b"").hexdigest()
    as_of: str | None = None


MOST_LEFT = 20
"""Actions that a refused close names."""

Judge = Callable[[Incident], Judgement]


def judge_of(settings: Settings) -> Judge:
    """What the derived tables of a store say, as those of the last audit or rebuild."""

    def judge(incident: Incident) -> Judgement:
        items = read(settings).response(incident).checklist
        found = judged(settings, incident, items=items)
        shown = ((each.action, each.judged) for each in found.outcomes if each.judged.state == State.PROVED.value)
        proved = {name: judged.leaves for name, judged in shown if judged.leaves}
        answers = sha256(msgspec.json.encode(found.answers, order="sorted")).hexdigest()
        return Judgement(proved=proved, answers=answers, as_of=text(found.as_of))

    return judge


def close(desk: Desk, name: str, reason: str, judge: Judge, signer: Signer | None) -> Sealed:
    """Seal the close, which says of every action how it was over.

    UsageError while an action is open, PolicyDenied where the policies do not allow it.
    """
    told: list[Judgement] = []

    def make(saying: Saying) -> Closed:
        _check_policies(saying.record, saying.incident, saying.who, saying.now)
        told.append(judge(saying.incident))
        found, why = told[-1], one_line(reason, "--reason")
        every = ended(saying.incident, found.proved, saying.now)
        return Closed(incident=name, reason=why, answers=found.answers, as_of=found.as_of, ended=every)

    def finished(record: Record, heard: Heard) -> None:
        if heard.signature is not None:  # as it will be read; before it is signed ``make`` has looked
            _check_policies(record, record.one(name), who_of(heard), heard.at)
        open_ones = left(record.one(name), frozenset(told[-1].proved), heard.at)
        if open_ones:
            raise UsageError(
                "not everything is over",
                where=name,
                found="; ".join(f"{each.action}: {each.why}" for each in open_ones[:MOST_LEFT]),
                expected="each action proved by the target's own log, or settled with a reason",
                advice="\n".join(_what_next(open_ones)),
            )
        why = cannot_end(record.one(name), heard)
        if why:
            raise UsageError("it would end nothing", where=name, found=why, advice="Run the command again.")

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
    found = say(desk, name, lambda _: step, signer)
    return msgspec.structs.replace(found, notes=(*found.notes, *unfound.seeds(desk.settings, seeds)))


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


def _what_next(open_ones: Sequence[Left]) -> Iterator[str]:
    """A line for each action that is open."""
    for each in open_ones[:MOST_LEFT]:
        yield f"{each.action}: {each.advice}"
    if len(open_ones) > MOST_LEFT:
        yield f"and {len(open_ones) - MOST_LEFT} more: `custody incident status`"


def _check_policies(record: Record, incident: Incident, who: Who, now: int) -> None:
    response = record.response(incident)
    policies = policies_of(tuple(sorted(response.policies.items())), response.extension)
    if policies is None:
        raise PolicyDenied("the policies that were sealed with the incident cannot decide", reason="no-policies")
    situation = closing(incident.opened, who, now, response)
    check_allowed(decide(situation, policies), "closing the incident")
