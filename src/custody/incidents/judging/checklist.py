"""What is asked for before an identity works again, item by item: proved by the logs and signatures, or claimed.

``Claimed`` steps are what somebody says, and where it can be seen; that alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from custody.incidents.judging import endings, giving, saying
from custody.incidents.judging.outcomes import descended, done_at, facts, moment_of
from custody.incidents.record.folding import Heard, Incident
from custody.incidents.scope.grounds import LOG, SKEW, Credential, Grounds, credentials, descendants, identities
from custody.incidents.scope.seeds import of_name
from custody.incidents.seen import Outcome, Scope
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Claimed, Item, Vouched
from custody.model.leaf import LeafRef
from custody.model.report import Certificate
from custody.model.times import microseconds, text
from custody.model.verdicts import Basis, Best, State
from custody.rules.settling import issuer_log

_ENDING = (ActionKind.CONTAIN, ActionKind.REVOKE, ActionKind.ROTATE)
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
_CHANGED = """
    SELECT p.time, p.effect, p.key, coalesce(p.object, '') FROM parts p
    WHERE p.leaf = ? AND p.outcome = 'success' AND NOT p.in_conflict AND p.effect IS NOT NULL
      AND p.stage IN ('change', 'revoke', 'end') AND p.key IN (SELECT unnest(?))
    ORDER BY p.time, p.effect, p.key
"""
_BY = "SELECT DISTINCT p.key FROM parts p WHERE p.leaf = ? AND p.stage = 'use' AND p.key IS NOT NULL"
GIVES = (".create", ".attach", ".add", ".activate", ".enable")
"""What gives something to somebody removes no cause."""
TAKES = (".delete", ".detach", ".remove", ".deactivate", ".revoke", ".drop", ".terminate", ".disable")
"""What surely takes something away. Whether a text that was written anew (policy, trust) does, is not judged."""
LATE = 2 * 3_600 * 1_000_000
"""How far behind the rest a source may be that watches (µs): digests come an hour late."""


Change = tuple[int, str, str, str]
"""Time (µs), effect, key and object of a change."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the checklist of one identity."""

    identity: str
    item: Item
    judged: Judged


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that is to work again: its credentials, its principals, and when access to it ended (µs).

    ``several`` says that its name means more than one identity of the register.
    ``sure`` says that the logs show that end; else it is when people say, or when it was asked for.
    """

    name: str
    identity: str
    keys: tuple[str, ...]
    principals: tuple[str, ...]
    asked: int
    contained: int
    sure: bool
    several: bool = False


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
        subject = _subject(grounds, incident, outcomes, name)
        for item in wanted:
            judged = _JUDGES[item](grounds, incident, scope, subject)
            found.append(Listed(identity=name, item=item, judged=judged))
    return tuple(found)


def of_targets(listed: Iterable[Listed], targets: Iterable[str]) -> list[Judged]:
    """The items of some identities."""
    names = set(targets)
    return [each.judged for each in listed if each.identity in names]


def _names(incident: Incident) -> list[str]:
    names: list[str] = []
    for action in incident.actions:
        if action.request.kind in (*_ENDING, ActionKind.ENABLE):
            names += action.request.targets
    names += [each.step.identity for each in incident.claims if isinstance(each.step, Claimed)]
    names += [each.step.identity for each in incident.vouched if isinstance(each.step, Vouched)]
    return sorted(set(names))


def _subject(grounds: Grounds, incident: Incident, outcomes: Sequence[Outcome], name: str) -> Subject:
    keys = of_name(grounds, name)
    known = credentials(grounds.engine, keys)
    of_key = identities(grounds.engine, known)
    ends = [each for each in incident.actions if each.request.kind in _ENDING and name in each.request.targets]
    asked = min((each.asked.at for each in ends), default=incident.opened.at)
    judged = {each.action: each for each in outcomes}
    seen = [judged[each.id].observed_at for each in ends if each.id in judged]
    times = [each for each in seen if each is not None]
    said = [each for action in ends if (each := done_at(action)) is not None]
    sure = bool(ends) and len(times) == len(ends)
    return Subject(
        name=name,
        identity=min(of_key.values(), default=name),
        keys=tuple(sorted(known)),
        principals=tuple(sorted({each.subject for each in known.values() if each.subject})),
        asked=asked,
        contained=max((*times, asked) if sure else (*times, *said, asked)),
        sure=sure,
        several=len(set(of_key.values())) > 1,
    )


def _new_credential(grounds: Grounds, incident: Incident, scope: Scope, subject: Subject) -> Judged:
    times = giving.Times(asked=subject.contained, done=subject.contained)
    of = {subject.name: subject.keys}
    (found,) = giving.renewed(grounds, Item.NEW_CREDENTIAL, of, times, descended(scope))
    if found.state == State.PROVED and not subject.sure:
        told = f"{found.text}; that the old access had ended by then is not proved"
        return saying.unproven(Item.NEW_CREDENTIAL, told, Best.INDICATED, found.leaves)
    if found.state == State.PROVED:
        return found
    return _said(incident, subject, Item.NEW_CREDENTIAL, "no new credential was recorded since", found.settles)


def _old_ended(grounds: Grounds, incident: Incident, scope: Scope, subject: Subject) -> Judged:
    """All that it had when it was contained, and what descends from that; not what its issuer issued to it since."""
    own, tainted = credentials(grounds.engine, subject.keys), descended(scope)
    old = [key for key, each in own.items() if key in tainted or _had(each, subject.contained)]
    if not old:
        return _said(incident, subject, Item.OLD_ENDED, "no credential of it was read", None)
    known = facts(grounds, descendants(grounds.engine, old))
    each = []
    for key in sorted(known.credentials):
        found, verdict = known.credentials[key], known.verdicts[key]
        alive = found.alive and verdict.state is not State.VIOLATED
        if alive:
            each.append(saying.still_open(Item.OLD_ENDED, f"{key}: alive"))
        else:
            each.append(saying.of_verdict(Item.OLD_ENDED, verdict, f"{key}: {verdict.text}"))
    ended = sum(one.state == State.PROVED for one in each)
    for key in sorted(own.keys() - known.credentials.keys()):
        if own[key].issued_at is None or own[key].issue_disputed:
            told = f"{key}: first read at {text(own[key].since)}; when it was issued was not read"
            each.append(saying.unproven(Item.OLD_ENDED, told, Best.INDICATED, settles=str(issuer_log(key))))
    left = endings.surviving(known)
    worst = saying.together(Item.OLD_ENDED, each)
    told = f"{ended} of {len(each)} ended" + (f"; {worst.text}"[:400] if worst.state != State.PROVED else "")
    lines = [f"{one.state}: {one.text}" for one in each if one.state != State.PROVED][:100]
    return saying.together(Item.OLD_ENDED, each, told, [*lines, *(f"session: {name}" for name in left)] or [told])


def _had(each: Credential, contained: int) -> bool:
    return each.since is None or each.since <= contained + SKEW


def _cause_removed(grounds: Grounds, incident: Incident, scope: Scope, subject: Subject) -> Judged:
    """A record that somebody cites shows a change at the target since people knew, by nobody of the scope."""
    aware = moment_of(incident.opening.aware)
    since = incident.opened.at if aware is None else min(aware, incident.opened.at)
    inside = {each.key for each in scope.credentials if not each.apart}
    about = sorted({*subject.principals, *subject.keys, subject.name})
    written: list[Judged] = []
    for heard in _claims(incident, subject, Item.CAUSE_REMOVED):
        assert isinstance(heard.step, Claimed)
        for leaf in heard.step.cites:
            if leaf.log != LOG:
                continue
            grounds.attach(None)
            found = _change(grounds, leaf.index, about, since)
            if found is not None and not inside & {str(key) for (key,) in grounds.engine.rows(_BY, [leaf.index])}:
                time, effect, key, _ = found
                told = f"{effect} of {key} at {text(time)}, which {heard.author} names as its removal"
                if _takes(found):
                    return saying.proved(Item.CAUSE_REMOVED, told, Basis.OBSERVED, [leaf, heard.leaf])
                told = f"{told}; that it takes something away is not judged"
                written.append(saying.unproven(Item.CAUSE_REMOVED, told, Best.INDICATED, [leaf, heard.leaf]))
    if written:
        return written[0]
    settles = "a record of the change at the target, cited with --cite"
    return _said(incident, subject, Item.CAUSE_REMOVED, "nothing that was cited shows a change of it", settles)


def _change(grounds: Grounds, leaf: int, about: Sequence[str], since: int) -> Change | None:
    """The first change that a record shows of one of ``about`` at ``since`` (µs) or later and that gives nothing."""
    rows = msgspec.convert(grounds.engine.rows(_CHANGED, [leaf, list(about)]), list[Change])
    return next((each for each in rows if each[0] >= since and not each[1].endswith(GIVES)), None)


def _takes(change: Change) -> bool:
    """To take away what refuses or limits takes nothing."""
    _, effect, _, what = change
    limits = effect.startswith("boundary.") or any(word in what.casefold() for word in giving.REFUSING)
    return effect.endswith(TAKES) and not limits


def _owner_signs(grounds: Grounds, incident: Incident, scope: Scope, subject: Subject) -> Judged:
    """Signed since it was contained, by whom the register named as its owner before: the same text or party.

    Who is written into a party after the opening signs for nobody.
    """
    del scope
    owners = [str(name) for (name,) in grounds.engine.rows(_OWNERS, [subject.identity, incident.opened.at])]
    allowed = set(owners)
    for owner in owners:
        allowed |= {str(member) for (member,) in grounds.engine.rows(_MEMBERS, [owner, incident.opened.leaf.index])}
    mine = [each for each in incident.vouched if isinstance(each.step, Vouched) and each.step.identity == subject.name]
    for each in mine:
        signed = each.signature.principals if each.signature is not None else ()
        late = each.at >= subject.contained - SKEW
        if (
            late
            and not subject.several
            and len(owners) == 1
            and any(name in allowed or f"person:ssh:{name}" in allowed for name in signed)
        ):
            told = f"{each.author} signed, owner by the register: {owners[0]}"
            return saying.proved(Item.OWNER_SIGNS, told, Basis.OBSERVED, [each.leaf])
    if subject.several:
        what = f"{subject.name} means several identities of the register, which may have several owners"
        return saying.unproven(Item.OWNER_SIGNS, what, Best.CLAIMED if mine else Best.NOTHING, settles="its identity")
    if mine:
        told = f"{mine[-1].author} signed; {_owner(owners)}"
        leaves = [each.leaf for each in mine]
        return saying.unproven(Item.OWNER_SIGNS, told, Best.CLAIMED, leaves, "a signature of its owner")
    return _said(incident, subject, Item.OWNER_SIGNS, f"nobody signed; {_owner(owners)}", "a signature of its owner")


def _owner(owners: Sequence[str]) -> str:
    if len(owners) == 1:
        return f"by the register {owners[0]} owns it, and signs after it was contained"
    return "the register has no owner of it" if not owners else f"the register has {len(owners)} owners of it"


def _monitoring(grounds: Grounds, incident: Incident, scope: Scope, subject: Subject) -> Judged:
    """Every source that its credentials are seen by is expected by the contract, and proved whole since."""
    del scope
    known = credentials(grounds.engine, subject.keys).values()
    expected = {each.source for each in grounds.contract.sources}
    seen = {name for each in known for name in (each.source, each.use_source) if name is not None}
    settles = "certificates of its sources that are whole since it was contained"
    if not seen or not seen <= expected:
        told = "the contract does not expect the sources that see it"
        return _said(incident, subject, Item.MONITORING, told, "the contract's sources")
    whole = [_whole(grounds.report.certificates, name, known, subject.contained) for name in sorted(seen)]
    ends = [end for end in whole if end is not None and end + LATE >= (grounds.as_of or 0)]
    if len(ends) == len(whole):
        end = min(ends)
        told = f"{', '.join(sorted(seen))}: whole from before it was contained until {text(end)}"
        return saying.proved(Item.MONITORING, told, Basis.CLOSED_WORLD, [])
    return _said(incident, subject, Item.MONITORING, "what sees it is not proved whole since", settles)


def _whole(certificates: Iterable[Certificate], source: str, known: Iterable[Credential], since: int) -> int | None:
    """Until when a source is whole from ``since`` (µs) on, in every region of the accounts of these credentials."""
    accounts = {each.account for each in known if each.account is not None}
    mine = [
        each for each in certificates if each.source == source and (each.account is None or each.account in accounts)
    ]
    named = {each.account for each in mine if each.account is not None}
    if not mine or any(each.problems_total for each in mine) or (named and not accounts <= named):
        return None
    ends: list[int] = []
    for each in mine:
        good = [(microseconds(start) or 0, microseconds(end) or 0) for start, end in each.whole]
        ends += [end for start, end in good if start <= since < end][:1] or [0]
    return min(ends) if ends and min(ends) > since else None


def _claims(incident: Incident, subject: Subject, item: Item) -> list[Heard]:
    return [
        each
        for each in incident.claims
        if isinstance(each.step, Claimed) and each.step.identity == subject.name and each.step.item is item
    ]


def _said(incident: Incident, subject: Subject, item: Item, told: str, settles: str | None) -> Judged:
    """What people say of it, else nothing."""
    claims = _claims(incident, subject, item)
    if not claims:
        return saying.unproven(item, told, settles=settles)
    last = claims[-1]
    assert isinstance(last.step, Claimed)
    leaves = [leaf for each in claims for leaf in (each.leaf, *_cites(each))]
    return saying.unproven(item, f"{last.author} says: {last.step.reason}; {told}", Best.CLAIMED, leaves, settles)


def _cites(heard: Heard) -> tuple[LeafRef, ...]:
    return heard.step.cites if isinstance(heard.step, Claimed) else ()


_JUDGES: Mapping[Item, Callable[[Grounds, Incident, Scope, Subject], Judged]] = {
    Item.NEW_CREDENTIAL: _new_credential,
    Item.CAUSE_REMOVED: _cause_removed,
    Item.OWNER_SIGNS: _owner_signs,
    Item.MONITORING: _monitoring,
    Item.OLD_ENDED: _old_ended,
}
