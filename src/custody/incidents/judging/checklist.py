"""What is asked for before an identity works again, item by item: proved by the logs and signatures, or claimed.

``Claimed`` steps are what somebody says, and where it can be seen; that alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from custody.incidents.judging import causes, endings, giving, monitoring, saying
from custody.incidents.judging.outcomes import descended, facts
from custody.incidents.judging.subjects import ENDING, Subject, said, subject_of
from custody.incidents.record.folding import Heard, Incident
from custody.incidents.scope.grounds import MOST, SKEW, Credential, Grounds, credentials, descendants
from custody.incidents.seen import Outcome, Scope
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Claimed, Item, Vouched
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Best, State
from custody.rules.settling import issuer_log

_OWNERS = """
    SELECT DISTINCT c.value FROM claims c
    WHERE c.identity = ? AND c.field = 'owner' AND c.state = 'held' AND c.said_by LIKE 'register:%'
      AND c.known_at <= ?
      AND NOT EXISTS (SELECT 1 FROM parties p WHERE p.party = c.value AND p.ended IS NOT NULL)
    ORDER BY c.value
"""
_MEMBERS = """
    SELECT DISTINCT p.member FROM parties p
    WHERE p.party = ? AND p.member IS NOT NULL AND p.ended IS NULL AND p.leaf < ?
"""


class Asked(NamedTuple):
    """What an item is judged from: the identity, its incident, and what was found of both."""

    grounds: Grounds
    incident: Incident
    scope: Scope
    subject: Subject
    outcomes: Sequence[Outcome]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the checklist of one identity."""

    identity: str
    item: Item
    judged: Judged


def checklist(
    grounds: Grounds,
    incident: Incident,
    scope: Scope,
    outcomes: Sequence[Outcome],
    items: Iterable[Item] = tuple(Item),
) -> tuple[Listed, ...]:
    """Every item of every identity that was contained, is to be enabled, or of which something is said."""
    wanted = [item for item in Item if item in set(items)]
    found: list[Listed] = []
    for name in _names(incident):
        subject = subject_of(grounds, incident, outcomes, name)
        for item in wanted:
            judged = _JUDGES[item](Asked(grounds, incident, scope, subject, outcomes))
            found.append(Listed(identity=name, item=item, judged=judged))
    return tuple(found)


def of_targets(listed: Iterable[Listed], targets: Iterable[str]) -> list[Judged]:
    """The items of some identities."""
    names = set(targets)
    return [each.judged for each in listed if each.identity in names]


def _names(incident: Incident) -> list[str]:
    names: list[str] = []
    for action in incident.actions:
        if action.request.kind in (*ENDING, ActionKind.ENABLE):
            names += action.request.targets
    names += [each.step.identity for each in incident.claims if isinstance(each.step, Claimed)]
    names += [each.step.identity for each in incident.vouched if isinstance(each.step, Vouched)]
    return sorted(set(names))


def _new_credential(asked: Asked) -> Judged:
    """Issued after the old access had ended: where two logs date the two, by more than their clocks may differ."""
    subject = asked.subject
    since = subject.contained + (0 if subject.one_clock else subject.unsure)
    times = giving.Times(asked=since, done=since)
    of = {subject.name: subject.keys}
    (found,) = giving.renewed(asked.grounds, Item.NEW_CREDENTIAL, of, times, descended(asked.scope))
    if found.state == State.PROVED and not subject.sure:
        told = f"{found.text}; that the old access had ended by then is not proved"
        return saying.unproven(Item.NEW_CREDENTIAL, told, Best.INDICATED, found.leaves)
    if found.state == State.PROVED or found.best == Best.INDICATED:
        return found
    told = "no new credential was recorded since"
    return said(asked.incident, subject, Item.NEW_CREDENTIAL, told, found.settles)


def _old_ended(asked: Asked) -> Judged:
    """All that it had when it was contained, and what descends from that; not what its issuer issued to it since.

    What outlived its end and is over now has ended, late: that it was late stays with the action.
    """
    grounds, subject = asked.grounds, asked.subject
    own, tainted = credentials(grounds.engine, subject.keys), descended(asked.scope)
    old = [key for key, each in own.items() if key in tainted or _had(each, subject.contained)]
    if not old:
        return said(asked.incident, subject, Item.OLD_ENDED, "no credential of it was read", None)
    below = descendants(grounds.engine, old)
    known = facts(grounds, below)
    each = [endings.over_now(Item.OLD_ENDED, known, key) for key in sorted(known.credentials)]
    ended = sum(one.state == State.PROVED for one in each)
    every = saying.number(len(each), "credential")
    each += _undated(own, known.credentials.keys())
    if len(below) >= MOST:
        each.append(saying.unproven(Item.OLD_ENDED, f"there are more than {MOST} credentials to look at"))
    worst = saying.together(Item.OLD_ENDED, each)
    told = f"{ended} of {every} ended"
    late = [key for key in known.credentials if known.verdicts[key].state is State.VIOLATED]
    if worst.state != State.PROVED:
        told = f"{told}; {worst.text}"[:400]
    elif not late and (bad := _violated(asked)):
        told = f"{told}; over by now, violated before: {', '.join(bad)}"
    elif late:
        told = f"{told}, {'one' if len(late) == 1 else len(late)} of them late: {_first(each, late[0])}"
    left = endings.surviving(known) if worst.state != State.PROVED else ()
    lines = [f"{one.state}: {one.text}" for one in each if one.state != State.PROVED][:100]
    return saying.together(Item.OLD_ENDED, each, told, [*lines, *(f"session: {name}" for name in left)] or [told])


def _violated(asked: Asked) -> list[str]:
    """The actions on it that are violated, as a session that ran out since had a success after them."""
    ends = [each for each in asked.incident.actions if each.request.kind in ENDING]
    own = {each.id for each in ends if asked.subject.name in each.request.targets}
    return [one.action for one in asked.outcomes if one.action in own and one.judged.state == State.VIOLATED]


def _first(each: Iterable[Judged], key: str) -> str:
    return next(one.text for one in each if one.text.startswith(f"{key}: "))


def _undated(own: Mapping[str, Credential], known: Iterable[str]) -> list[Judged]:
    """Credentials of which nobody read when they were issued: they may be old ones."""
    found = []
    for key in sorted(own.keys() - set(known)):
        if own[key].issued_at is None or own[key].issue_disputed:
            told = f"{key}: first read at {text(own[key].since)}; when it was issued was not read"
            found.append(saying.unproven(Item.OLD_ENDED, told, Best.INDICATED, settles=str(issuer_log(key))))
    return found


def _had(each: Credential, contained: int) -> bool:
    return each.since is None or each.since <= contained + SKEW


def _owner_signs(asked: Asked) -> Judged:
    """Signed since it was contained, by whom the register named as its owner before: the same text or party.

    Who is written into a party after the opening signs for nobody.
    """
    incident, subject = asked.incident, asked.subject
    mine = [each for each in incident.vouched if isinstance(each.step, Vouched) and each.step.identity == subject.name]
    if subject.several:
        what = f"{subject.name} means several identities of the register, which may have several owners"
        return saying.unproven(Item.OWNER_SIGNS, what, Best.CLAIMED if mine else Best.NOTHING, settles="its identity")
    owners, allowed = _owners(asked.grounds, incident, subject)
    late = [each for each in mine if _signed(each, allowed) and each.at >= subject.contained - SKEW]
    if late and len(owners) == 1:
        return _by_owner(subject, late[-1], owners[0])
    if mine:
        told = f"{mine[-1].author} signed; {_owner(owners)}"
        leaves = [each.leaf for each in mine]
        return saying.unproven(Item.OWNER_SIGNS, told, Best.CLAIMED, leaves, "a signature of its owner")
    return said(incident, subject, Item.OWNER_SIGNS, f"nobody signed; {_owner(owners)}", "a signature of its owner")


def _owners(grounds: Grounds, incident: Incident, subject: Subject) -> tuple[list[str], set[str]]:
    """The owners of the register when the incident was opened, and who may sign for them."""
    owners = [str(name) for (name,) in grounds.engine.rows(_OWNERS, [subject.identity, incident.opened.at])]
    allowed = set(owners)
    for owner in owners:
        allowed |= {str(member) for (member,) in grounds.engine.rows(_MEMBERS, [owner, incident.opened.leaf.index])}
    return owners, allowed


def _signed(heard: Heard, allowed: set[str]) -> bool:
    names = heard.signature.principals if heard.signature is not None else ()
    return any(name in allowed or f"person:ssh:{name}" in allowed for name in names)


def _by_owner(subject: Subject, heard: Heard, owner: str) -> Judged:
    """Proved where the logs show the containment, earlier than the signature by more than the clocks may differ."""
    told = f"{heard.author} signed, owner by the register: {owner}"
    if not subject.sure:
        why = f"{told}; that it was contained by then is not proved"
        return saying.unproven(Item.OWNER_SIGNS, why, Best.INDICATED, [heard.leaf])
    if heard.at < subject.contained + subject.unsure:
        why = f"{told}, at {text(heard.at)}; it was contained at {text(subject.contained)}"
        why += f", and the clocks may be {duration(subject.unsure)} apart"
        return saying.unproven(Item.OWNER_SIGNS, why, Best.INDICATED, [heard.leaf])
    return saying.proved(Item.OWNER_SIGNS, told, Basis.OBSERVED, [heard.leaf])


def _owner(owners: Sequence[str]) -> str:
    if len(owners) == 1:
        return f"by the register {owners[0]} owns it, and signs after it was contained"
    return "the register has no owner of it" if not owners else f"the register has {len(owners)} owners of it"


_JUDGES: Mapping[Item, Callable[[Asked], Judged]] = {
    Item.NEW_CREDENTIAL: _new_credential,
    Item.CAUSE_REMOVED: lambda asked: causes.cause_removed(
        asked.grounds, asked.incident, asked.scope, asked.subject, asked.outcomes
    ),
    Item.OWNER_SIGNS: _owner_signs,
    Item.MONITORING: lambda asked: monitoring.monitored(asked.grounds, asked.incident, asked.subject),
    Item.OLD_ENDED: _old_ended,
}
