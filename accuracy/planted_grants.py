"""Incidents about what a principal may do: it is narrowed, or lent for a while. What is true follows from the grants.

One is played of every change: where something is taken away or limited, access was to be narrowed; where something is
given, it was to be lent for an hour. It is asked for shortly before the change; each fourth time, in another incident,
after it: then it was done before it was asked for. Whatever became of it, who asked says that it was done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from accuracy.saying import MINUTE, Script
from custody.chains.credentials import PROPAGATION
from custody.incidents.record.folding import Incident
from custody.model.incidents import ActionKind, Item, Seed, SeedKind
from custody.model.verdicts import State
from custody.simulation.truth import Grant, Truth

LENT = 60 * MINUTE
SLACK = PROPAGATION + MINUTE
"""How much later (µs) than its time an end counts as in time: what the service may take, and clocks."""


class GrantCase(msgspec.Struct, frozen=True, kw_only=True):
    """An incident about the grants of one principal (``held``: all that it ever had). Times are µs.

    ``changed`` is when it was done. ``signed`` and ``separate`` are as in ``planted_incidents.Case``;
    ``early``: it was asked for after the change, which is when it was done, as who did it says.
    """

    name: str
    principal: str
    held: tuple[Grant, ...]
    kind: ActionKind
    changed: int
    asked: int
    until: int
    end: int
    signed: bool
    separate: bool
    early: bool

    def incident(self, cites: Sequence[int] = ()) -> Incident:
        """As it would be folded from its steps; the cause is said to be removed by the records that are cited."""
        by = "ann" if self.signed else None
        seed = Seed(kind=SeedKind.IDENTITY, value=self.principal)
        script = Script(self.name, seed, min(self.asked, self.changed) - 5 * MINUTE, by)
        until = self.until if self.kind is ActionKind.EMERGENCY else None
        action = script.asked(self.asked, self.kind, self.principal, until=until)
        if self.separate:
            script.decided(self.asked + MINUTE // 2, action, "bob")
        script.done(self.changed, action, max(self.asked, self.changed) + 2 * MINUTE)
        script.claimed(max(self.asked, self.changed) + 3 * MINUTE, self.principal, Item.CAUSE_REMOVED, *cites)
        return script.incident()

    @property
    def outcome(self) -> frozenset[State]:
        """The states that are true of what was asked for."""
        return self._narrowed() if self.kind is ActionKind.NARROW else self._lent()

    def _narrowed(self) -> frozenset[State]:
        """Proved where it can do less since than when it was asked; violated where it can do all of that again."""
        before, now = able(self.held, self.asked), able(self.held, self.end)
        return frozenset({State.PROVED} if before - now else {State.VIOLATED})

    def _lent(self) -> frozenset[State]:
        """Proved where it could do more since, and nothing of that after the time; violated where it could then."""
        before = able(self.held, self.asked)
        moments = [each for one in self.held for each in (one.since, one.until) if each is not None]
        gained = frozenset().union(*(able(self.held, moment) for moment in moments if moment >= self.asked)) - before
        if not gained:
            return frozenset()
        late = self.until + SLACK
        after = [late, *(each for each in moments if each >= late)]
        kept = any(able(self.held, each) & gained for each in after)
        return frozenset({State.VIOLATED} if kept else {State.PROVED})

    @property
    def inside(self) -> frozenset[State]:
        """What is true of how people went about it."""
        outcome = self.outcome if self.kind is ActionKind.EMERGENCY else frozenset({State.PROVED})
        if self.early or not self.separate:
            return frozenset({State.VIOLATED})
        return outcome if self.signed else outcome - {State.PROVED}

    @property
    def removed(self) -> bool:
        """Whether the change took something away."""
        return bool(able(self.held, self.changed - 1) - able(self.held, self.changed))


def able(held: Sequence[Grant], moment: int) -> frozenset[str]:
    """What a principal can do at a moment (µs): what is allowed and not refused, within its boundary."""
    now = [each for each in held if (each.since or 0) <= moment and (each.until is None or each.until > moment)]
    limits = [frozenset(each.allows) for each in now if each.kind == "boundary"]
    allowed = frozenset().union(*(each.allows for each in now if each.kind != "boundary"))
    refused = frozenset().union(*(each.refuses for each in now))
    return (allowed - refused).intersection(*limits)


def cases(truth: Truth) -> Iterator[GrantCase]:
    """An incident of every change of a principal: what is taken away or limited is narrowed, what is given is lent."""
    principals: dict[str, list[Grant]] = {}
    for each in truth.grants:
        principals.setdefault(each.principal, []).append(each)
    number = 0
    for principal, held in sorted(principals.items()):
        for changed in sorted({each for one in held for each in (one.since, one.until) if each is not None}):
            for kind in _kinds(held, changed):
                number += 1
                yield _case(truth, number, principal, held, changed, kind)
                if number % 4 == 1:
                    yield _case(truth, number, principal, held, changed, kind, early=True)


def _case(
    truth: Truth,
    number: int,
    principal: str,
    held: Sequence[Grant],
    changed: int,
    kind: ActionKind,
    *,
    early: bool = False,
) -> GrantCase:
    return GrantCase(
        name=f"IN-{truth.seed}-grants-{number}{'-early' if early else ''}",
        principal=principal,
        held=tuple(held),
        kind=kind,
        changed=changed,
        asked=changed + 10 * MINUTE if early else changed - (4 if number % 2 else 1) * MINUTE,
        until=changed + LENT,
        end=truth.until,
        signed=number % 4 != 3,
        separate=number % 7 != 6,
        early=early,
    )


def _kinds(held: Sequence[Grant], changed: int) -> Iterator[ActionKind]:
    """What is asked for where something changes at that moment."""
    less = able(held, changed - 1) - able(held, changed)
    if less or any(each.until == changed for each in held):
        yield ActionKind.NARROW
    if any(each.since == changed and each.kind != "boundary" for each in held):
        yield ActionKind.EMERGENCY
