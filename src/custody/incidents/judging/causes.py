"""Whether the cause of an incident was removed, as far as a record that people cite shows it at the target.

That access was stopped removes no cause: who can have the key again, stolen the same way, is where they were. So what
ends a credential, and what an action of the incident did, only indicates; as does what was given again, what was done
before the incident was opened, and what somebody did who may belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from custody.incidents.judging import giving, saying
from custody.incidents.judging.asked import moment_of
from custody.incidents.judging.subjects import Subject, claims_of, said
from custody.incidents.record.folding import Action, Incident
from custody.incidents.scope.grounds import LOG, Grounds, chosen, credentials, descendants
from custody.incidents.seen import Outcome, Scope
from custody.model.effects import EFFECTS, Kind
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Claimed, Done, Item
from custody.model.times import text
from custody.model.verdicts import Basis, Best, State

_CHANGED = """
    SELECT p.time, p.effect, p.key, coalesce(p.object, ''), coalesce(p.action, '') FROM parts p
    WHERE p.leaf = ? AND p.outcome = 'success' AND NOT p.in_conflict AND p.effect IS NOT NULL
      AND p.stage IN ('change', 'revoke', 'end') AND p.key IN (SELECT unnest(?))
    ORDER BY p.time, p.effect, p.key
"""
_BY = "SELECT DISTINCT p.key, p.principal FROM parts p WHERE p.leaf = ? AND p.stage = 'use' AND p.key IS NOT NULL"
_ENDS = "SELECT DISTINCT e.leaf FROM ends e WHERE e.key IN (SELECT unnest(?))"
GIVES = (".create", ".attach", ".add", ".activate", ".enable")
"""What gives something to somebody removes no cause."""
TAKES = (".delete", ".detach", ".remove")
"""What surely takes something away. Whether a text that was written anew (policy, trust) does, is not judged."""
STOPS = (Kind.KEY_END, Kind.KEY_PAUSE, Kind.PRINCIPAL_END, Kind.SESSIONS_END, Kind.RUN_END)
"""What ends access contains."""
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A change that a record shows: when (µs), what it did, to which key, with what, and the call."""

    time: int
    effect: str
    key: str
    what: str
    call: str


def cause_removed(
    grounds: Grounds, incident: Incident, scope: Scope, subject: Subject, outcomes: Sequence[Outcome]
) -> Judged:
    """A record that somebody cites shows that something was taken from it for good, by nobody of the scope."""
    found = list(_cited(grounds, incident, scope, subject, outcomes))
    proved = [each for each in found if each.state == State.PROVED]
    if found:
        return (proved or found)[0]
    settles = "a record of the change at the target, cited with --cite"
    return said(incident, subject, Item.CAUSE_REMOVED, "nothing that was cited shows a change of it", settles)


def _cited(
    grounds: Grounds, incident: Incident, scope: Scope, subject: Subject, outcomes: Sequence[Outcome]
) -> Iterator[Judged]:
    """What each cited record that shows such a change says."""
    claims = claims_of(incident, subject, Item.CAUSE_REMOVED)
    deeds = _deeds(grounds, incident, subject, outcomes) if claims else frozenset()
    for heard in claims:
        assert isinstance(heard.step, Claimed)
        for leaf in (each for each in heard.step.cites if each.log == LOG):
            grounds.attach(None)
            change = _change(grounds, leaf.index, subject, incident)
            by = _who(grounds, leaf.index)
            inside = {each.key for each in scope.credentials if not each.apart}
            if change is None or any(key in inside for key, _ in by):
                continue
            told = f"{change.effect} of {change.key} at {text(change.time)}, which {heard.author} names as its removal"
            why = (
                _strangers(grounds, scope, subject, by)
                or _contains(incident, subject, change, leaf.index in deeds)
                or _lasts(grounds, incident, change, leaf.index)
                or _known(incident, change)
            )
            if why is None:
                yield saying.proved(Item.CAUSE_REMOVED, told, Basis.OBSERVED, [leaf, heard.leaf])
            else:
                yield saying.unproven(Item.CAUSE_REMOVED, f"{told}; {why}", Best.INDICATED, [leaf, heard.leaf])


def _change(grounds: Grounds, leaf: int, subject: Subject, incident: Incident) -> Change | None:
    """The first change that a record shows of it since people say that they knew, and that gives nothing."""
    aware = moment_of(incident.opening.aware)
    since = incident.opened.at if aware is None else min(aware, incident.opened.at)
    about = sorted({*subject.principals, *subject.keys, subject.name})
    rows = msgspec.convert(grounds.engine.rows(_CHANGED, [leaf, about]), list[Change])
    return next((each for each in rows if each.time >= since and not each.effect.endswith(GIVES)), None)


def _who(grounds: Grounds, leaf: int) -> list[tuple[str, str | None]]:
    """The credentials, with their principals, by which a record was made."""
    return msgspec.convert(grounds.engine.rows(_BY, [leaf]), list[tuple[str, str | None]])


def _about(incident: Incident, subject: Subject) -> list[Action]:
    names = {subject.name, *subject.keys, *subject.principals}
    return [
        each
        for each in incident.actions
        if each.request.kind is not ActionKind.ENABLE and names & set(each.request.targets)
    ]


def _deeds(grounds: Grounds, incident: Incident, subject: Subject, outcomes: Sequence[Outcome]) -> frozenset[int]:
    """The records of what ended its access, and of what the actions of the incident rest on."""
    ended = chosen(grounds.engine, _ENDS, descendants(grounds.engine, subject.keys))
    found = {leaf for (leaf,) in ended if isinstance(leaf, int)}
    found |= {leaf.index for each in outcomes for leaf in each.judged.leaves if leaf.log == LOG}
    asked = [each.asked.at for each in _about(incident, subject) if each.request.kind is ActionKind.NARROW]
    taken = giving.grants(grounds, subject.principals) if asked else []
    found |= {each.end_leaf for each in taken if each.end_leaf is not None and (each.until or 0) >= min(asked)}
    return frozenset(found)


def _contains(incident: Incident, subject: Subject, change: Change, deed: bool) -> str | None:
    known = EFFECTS.get(change.effect)
    if known is not None and known.kind in STOPS:
        return "that stops access, and removes no cause"
    if deed or any(_command(change.call) in line for line in _commands(_about(incident, subject))):
        return "an action of this incident did that: it stops access, and removes no cause"
    return None


def _commands(actions: Iterable[Action]) -> Iterator[str]:
    """What was asked for and is said to have been done, line by line."""
    for each in actions:
        yield from each.request.content
        yield from (line for done in each.done if isinstance(done.step, Done) for line in done.step.did)


def _command(call: str) -> str:
    """``DetachUserPolicy`` as it is typed: ``detach-user-policy``; what is no name of a call stands in no line."""
    return _CAPITAL.sub("-", call).lower() if _CAPITAL.search(call) else "\0"


def _strangers(grounds: Grounds, scope: Scope, subject: Subject, by: Sequence[tuple[str, str | None]]) -> str | None:
    """Who did it may be whom it was done against."""
    if not by:
        return "by whom is not recorded"
    apart = {each.key for each in scope.credentials if each.apart}
    members = credentials(grounds.engine, (each.key for each in scope.credentials if not each.apart))
    own = {*subject.principals, *(each.subject for each in members.values() if each.subject)}
    if any(key in apart or key in subject.keys or principal in own for key, principal in by):
        return "it was made with a credential that may belong to the incident"
    return None


def _lasts(grounds: Grounds, incident: Incident, change: Change, leaf: int) -> str | None:
    """To take away what refuses or limits takes nothing; nor does what was given again, or given in another way."""
    limits = change.effect.startswith("boundary.") or any(word in change.what.casefold() for word in giving.REFUSING)
    every = giving.grants(grounds, [change.key])
    since = min(change.time, incident.opened.at)
    gone = [each for each in every if each.end_leaf == leaf and each.until is not None and not each.may_refuse]
    if limits or not change.effect.endswith(TAKES) or not gone:
        return "that it takes something away is not judged"
    given = (each for each in every if (each.since or 0) >= since and each.until is None)
    wider = [each for each in given if each.kind not in giving.LIMITS] + giving.behind(grounds, every, since)
    return f"{wider[0].told} was given since" if wider else None


def _known(incident: Incident, change: Change) -> str | None:
    if change.time < incident.opened.at:
        return "that was before the incident was opened: that they knew by then is what people say"
    return None
