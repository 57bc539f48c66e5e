"""Whether one credential ended when it was asked to: from the log of the system that checks it, and from nothing else.

What somebody says they did is claimed. A success after the end, a session that outlived it, or a success well after
the time at which it is said to have been done, violates it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from custody.chains.credentials import AT_ONCE, PROPAGATION
from custody.engine.duck import Engine
from custody.incidents.judging import saying
from custody.incidents.scope.grounds import SKEW, Credential, Grounds, Session, apart, chosen, refs
from custody.model.contracts import EMPTY
from custody.model.effects import said
from custody.model.incident_view import Judged
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Best, Question, State, Verdict
from custody.rules import judging
from custody.rules.registry import load
from custody.rules.settling import issuer_log

_LAST = """
    SELECT key, time, leaf FROM (
        SELECT p.key, p.time, p.leaf, row_number() OVER (PARTITION BY p.key ORDER BY p.time DESC, p.leaf) AS place
        FROM parts p
        WHERE p.key IN (SELECT unnest(?)) AND p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL
          AND coalesce(p.effect, '') <> 'stream.open' AND NOT p.in_conflict
          AND NOT (p.service = 'sts.amazonaws.com' AND p.action = 'GetCallerIdentity')
    ) ranked WHERE place = 1 ORDER BY key
"""
"""The last success of each key that says something: a key that was denied everything is still told whose it is."""
_TOLD_BY = """
    SELECT p.key, list(DISTINCT p.source) FROM parts p
    WHERE p.key IN (SELECT unnest(?)) AND p.source IS NOT NULL AND p.stage <> 'issue' GROUP BY p.key ORDER BY p.key
"""
_SOURCES = (
    "SELECT p.leaf, min(p.source) FROM parts p WHERE p.leaf IN (SELECT unnest(?)) GROUP BY p.leaf ORDER BY p.leaf"
)
EXPIRED = "credential.expire"
EXPIRES = ("aws_akid:", "k8s_cred:")
"""Keys that carry their expiry, so that whoever checks one refuses it from then on."""
_ACTORS = """
    SELECT DISTINCT p.leaf, p.key FROM parts p
    WHERE p.leaf IN (SELECT unnest(?)) AND p.stage = 'use' AND p.key IS NOT NULL ORDER BY p.leaf, p.key
"""
_AGAIN = """
    SELECT a.key, a.time, a.leaf FROM activations a WHERE a.key IN (SELECT unnest(?)) ORDER BY a.key, a.time, a.leaf
"""


Window = tuple[int, int]
"""From when until when (µs) something might be done."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """When it was asked for, when it is said to have been done, when access was granted again (µs; None: never).

    ``again`` are the times in which each credential might be enabled again. ``earlier``: who ended it before said so
    before this was asked; ``others``: of which credentials somebody says that they did another action. What one of
    ``tainted`` did is nobody's answer.
    """

    asked: int
    done: int | None = None
    again: Mapping[str, tuple[Window, ...]] = {}
    earlier: bool = False
    others: frozenset[str] = frozenset()
    tainted: frozenset[str] = frozenset()

    def excuses(self, key: str, moment: int, unsure: int) -> bool:
        """Whether ``key`` was to work again at ``moment`` (µs), give or take ``unsure``.

        Below 0, ``unsure`` asks whether that is sure: that much inside of the time.
        """
        return any(since - unsure <= moment <= until + unsure for since, until in self.again.get(key, ()))


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the records tell of the ends of some credentials, by key."""

    credentials: Mapping[str, Credential]
    verdicts: Mapping[str, Verdict]
    last: Mapping[str, tuple[int, int]]
    activations: Mapping[str, tuple[tuple[int, int], ...]]
    sessions: tuple[Session, ...]
    sources: Mapping[int, str | None] = {}
    """The kind of log of the records that end a credential or close a session, by leaf."""
    actors: Mapping[int, frozenset[str]] = {}
    """The credentials with which a credential was made active again, by leaf."""
    apart: Mapping[str, int] = {}
    """By how much (µs) the clocks of the logs that tell of a key may differ from this machine's."""


def verdicts(engine: Engine, keys: Iterable[str]) -> dict[str, Verdict]:
    """What the rule ``end effective`` says of each credential, people's too."""
    rule = next(each for each in load() if each.question is Question.END_EFFECTIVE)
    sql = judging.credentials_sql(rule, "c.key IN (SELECT unnest(?))")
    width = len(judging.Subject.__struct_fields__)
    rows = ((str(row[0]), msgspec.convert(row[width:], rule.row)) for row in chosen(engine, sql, keys))
    return {key: rule.judge(row, EMPTY) or judging.NOT_JUDGED for key, row in rows}


def last_successes(engine: Engine, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The time (µs) and leaf of the last success of each key; ``parts`` must hold them."""
    rows = msgspec.convert(chosen(engine, _LAST, keys), list[tuple[str, int, int]])
    return {key: (time, leaf) for key, time, leaf in rows}


def sources(engine: Engine, leaves: Iterable[int | None]) -> dict[int, str | None]:
    """The kind of log of each record; ``parts`` must hold them."""
    given = sorted({each for each in leaves if each is not None})
    return dict(msgspec.convert(engine.rows(_SOURCES, [given]), list[tuple[int, str | None]])) if given else {}


def clocks(grounds: Grounds, keys: Iterable[str]) -> dict[str, int]:
    """By how much (µs) the clocks of the logs that tell of each key may differ; ``parts`` must hold them."""
    rows = msgspec.convert(chosen(grounds.engine, _TOLD_BY, keys), list[tuple[str, list[str]]])
    sources = dict(rows)
    return {key: apart(grounds, sources.get(key, ())) for key in keys}


def activations(engine: Engine, keys: Iterable[str]) -> dict[str, tuple[tuple[int, int], ...]]:
    """When each key was made active again (µs), and the leaf that says so."""
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for key, time, leaf in msgspec.convert(chosen(engine, _AGAIN, keys), list[tuple[str, int, int]]):
        found[key] = (*found.get(key, ()), (time, leaf))
    return found


def actors(engine: Engine, leaves: Iterable[int]) -> dict[int, frozenset[str]]:
    """The credentials with which each record was made; ``parts`` must hold them."""
    found: dict[int, frozenset[str]] = {}
    given = sorted(set(leaves))
    for leaf, key in msgspec.convert(engine.rows(_ACTORS, [given]), list[tuple[int, str]]) if given else []:
        found[leaf] = found.get(leaf, frozenset()) | {key}
    return found


def ending(question: str, facts: Facts, key: str, asking: Asking) -> Judged:
    """Whether the end of one credential is seen."""
    found, verdict = facts.credentials[key], facts.verdicts[key]
    if verdict.state is State.VIOLATED:
        before = _over_before(facts, key, asking)
        if asking.done is None and (before or key in asking.others):
            return _not_done(question, found, verdict)
        if before and quiet(facts, key, _by(facts, key, asking)):
            return _over_since(question, facts, found, verdict)
        return saying.of_verdict(question, verdict, f"{found.key}: {verdict.text}")
    if found.end_time is not None and found.end_until is not None:
        return _undone(question, facts, found, asking)
    if found.end_time is not None:
        return _recorded(question, facts, found, verdict, asking)
    if found.end_disputed:
        return saying.of_verdict(question, verdict, f"{found.key}: {verdict.text}")
    late = _success_after(question, facts, found, asking)
    if late is not None:
        return late
    return _expired(question, found, verdict, asking) if found.expired else _alive(question, found, asking)


def _not_done(question: str, found: Credential, verdict: Verdict) -> Judged:
    """What another action left over: nobody says that this one is done, so it cannot have failed."""
    told = f"{found.key}: {verdict.text}, of what was done before; nobody says that this is done"
    return saying.still_open(question, told, refs(*verdict.leaves))


def quiet(facts: Facts, key: str, by: int | None = None) -> bool:
    """Whether all that outlived the end of a credential is over, too: sessions that were open then, seen to close.

    By ``by`` (µs; None: whenever). The end has to be in the log of the system that had the sessions: that an issuer
    revoked it is no word of who checks it. A session that began after the end, and a success that came after the last
    of them closed, or where none was read, show that the end did not end it.
    """
    found = facts.credentials[key]
    own = [each for each in facts.sessions if each.key == key]
    disputed = found.end_disputed or found.use_disputed or found.issue_disputed
    if found.ended is None or disputed or any(each.opened > found.ended for each in own):
        return False
    closed = [each.closed for each in own if each.closed is not None]
    if not own or len(closed) < len(own) or (by is not None and max(closed) > by):
        return False
    logs = {
        None if leaf is None else facts.sources.get(leaf) for leaf in (found.end_leaf, *(x.close_leaf for x in own))
    }
    last = facts.last.get(key)
    return len(logs) == 1 and None not in logs and (last is None or last[0] <= max(closed))


def late_but_over(facts: Facts, key: str) -> bool:
    """Whether what outlived its end is over by now: its sessions closed, or whoever checks it sees that it expired."""
    found, last = facts.credentials[key], facts.last.get(key)
    if quiet(facts, key):
        return True
    if not found.expired or not key.startswith(EXPIRES) or any(each.key == key for each in facts.sessions):
        return False
    disputed = found.end_disputed or found.use_disputed or found.issue_disputed
    return not disputed and (last is None or last[0] <= (found.not_after or 0))


def over_now(question: str, facts: Facts, key: str) -> Judged:
    """Whether a credential is over as of the records, however late: what outlived its end may be over by now, too."""
    found, verdict = facts.credentials[key], facts.verdicts[key]
    judged = saying.of_verdict(question, verdict, f"{key}: {verdict.text}")
    if verdict.state is State.VIOLATED:
        if not late_but_over(facts, key):
            return judged
        how = "every session of it was seen to close" if quiet(facts, key) else f"it expired at {text(found.not_after)}"
        told = f"{judged.text}; {how}, and no success came since"
        return saying.proved(question, told, Basis.ISSUER_ENFORCED, judged.leaves)
    if found.alive:
        until = "" if found.not_after is None else f" until {text(found.not_after)}"
        return saying.still_open(question, f"{key}: alive{until}", judged.leaves)
    return judged


def _over_before(facts: Facts, key: str, asking: Asking) -> bool:
    """Whether the record that ended it is older than the asking: what was asked for is to end what outlived that."""
    ended, unsure = facts.credentials[key].ended, facts.apart.get(key, SKEW)
    return ended is not None and ended <= asking.asked + (unsure if asking.earlier else -unsure)


def _by(facts: Facts, key: str, asking: Asking) -> int:
    """By when (µs) what was to be ended has to be over; before everything, where nobody says that it is done."""
    return 0 if asking.done is None else asking.done + facts.apart.get(key, SKEW)


def _over_since(question: str, facts: Facts, found: Credential, verdict: Verdict) -> Judged:
    own = [each for each in facts.sessions if each.key == found.key]
    last = max((each.closed for each in own if each.closed is not None), default=None)
    told = f"{found.key}: {said(found.end_effect)} at {text(found.end_time)}, before it was asked; {verdict.text}"
    told += f"; the last session of it was closed at {text(last)}, and no success came since"
    leaves = refs(*verdict.leaves, *(each.close_leaf for each in own))
    return saying.proved(question, told, Basis.ISSUER_ENFORCED, leaves)


def surviving(facts: Facts, asking: Asking | None = None) -> tuple[str, ...]:
    """The sessions that outlived their credential, or that were not seen to close, by name.

    Of a credential that was over before it was asked: those that were not closed by when it is said to be done.
    """
    found = set()
    for each in facts.sessions:
        over = facts.credentials[each.key].over
        before = asking is not None and _over_before(facts, each.key, asking)
        if before and asking is not None and each.closed is not None and each.closed <= _by(facts, each.key, asking):
            continue
        if each.closed is None or (over is not None and each.closed > over + AT_ONCE):
            found.add(each.session)
    return tuple(sorted(found))


def _recorded(question: str, facts: Facts, found: Credential, verdict: Verdict, asking: Asking) -> Judged:
    """A record ended it for good: what the rule says of that end, with when."""
    assert found.end_time is not None
    late = _success_before(question, facts, found, asking) or _ran_out(question, found, verdict, asking)
    if late is not None:
        return late
    when = f"{said(found.end_effect)} at {text(found.end_time)}"
    gap = found.end_time - asking.asked
    side = f"{duration(gap)} after it was asked" if gap >= 0 else f"{duration(-gap)} before it was asked"
    told = f"{found.key}: {when}, {side}"
    rest = verdict.text.partition(", and ")[2] or ("" if verdict.state is State.PROVED else verdict.text)
    judged = saying.of_verdict(question, verdict, f"{told}; {rest}" if rest else told)
    if verdict.state is State.PROVED:
        return judged
    return judged if verdict.state is State.UNPROVEN else saying.unproven(question, told, Best.INDICATED, judged.leaves)


def _undone(question: str, facts: Facts, found: Credential, asking: Asking) -> Judged:
    """An end that was taken back: as was asked for, by nobody of the incident, or in spite of what was asked."""
    assert found.end_time is not None
    assert found.end_until is not None
    told = f"{found.key}: {said(found.end_effect)} at {text(found.end_time)}, and undone at {text(found.end_until)}"
    undone = tuple(leaf for time, leaf in facts.activations.get(found.key, ()) if time == found.end_until)
    leaves, unsure = refs(found.end_leaf, *undone), facts.apart.get(found.key, SKEW)
    by = frozenset().union(*(facts.actors.get(leaf, frozenset()) for leaf in undone)) & asking.tainted
    if found.end_until < asking.asked - SKEW:
        return _success_after(question, facts, found, asking) or _alive(question, found, asking)
    if asking.excuses(found.key, found.end_until, unsure) and not by and found.end_time >= asking.asked - SKEW:
        if undone and asking.excuses(found.key, found.end_until, -unsure):
            return saying.proved(question, f"{told}, after it was asked to work again", Basis.ISSUER_ENFORCED, leaves)
        why = f"{told}, about when it was asked to work again; the clocks may be {duration(unsure)} apart"
        return saying.unproven(question, why, Best.INDICATED, leaves)
    if asking.done is None and (found.key in asking.others or found.end_time < asking.asked - unsure):
        told = f"{told}; nobody says that this is done"
        return saying.still_open(question, told, leaves)
    return saying.violated(question, f"{told}, with {min(by)} of the incident" if by else told, leaves)


def _success_before(question: str, facts: Facts, found: Credential, asking: Asking) -> Judged | None:
    """A record ended it in the end, and well after it is said to have been done it still worked."""
    last = facts.last.get(found.key)
    if last is None or found.end_time is None or last[0] > found.end_time:
        return None
    late = _success_after(question, facts, found, asking)
    if late is None or last[0] <= _latest(facts, found.key, asking.done):
        return None
    told = f"{late.text}, and {said(found.end_effect)} at {text(found.end_time)} only"
    return saying.unproven(question, told, Best.INDICATED, (*late.leaves, *refs(found.end_leaf)))


def _ran_out(question: str, found: Credential, verdict: Verdict, asking: Asking) -> Judged | None:
    """The record of an end that came by itself after it was asked shows no revocation."""
    if found.end_effect != EXPIRED or (found.end_time or 0) <= asking.asked or verdict.state is not State.PROVED:
        return None
    told = f"{found.key}: expired at {text(found.end_time)}, and no record ended it before"
    return saying.unproven(question, told, Best.INDICATED, refs(*verdict.leaves), str(issuer_log(found.key)))


def _success_after(question: str, facts: Facts, found: Credential, asking: Asking) -> Judged | None:
    """A success well after it is said to have been done: then it was not, or not then.

    Where the clock of the log that tells of it may be so far ahead, that is indicated.
    """
    last = facts.last.get(found.key)
    if asking.done is None or last is None or last[0] <= asking.done + _travels(found.key) + SKEW:
        return None
    if any(last[0] >= since - SKEW for since, _ in asking.again.get(found.key, ())):
        return None
    after = duration(last[0] - asking.done)
    told = f"{found.key}: a call succeeded at {text(last[0])}, {after} after it is said to be done"
    if last[0] <= _latest(facts, found.key, asking.done):
        why = f"{told}; the clocks may be {duration(facts.apart[found.key])} apart"
        return saying.unproven(question, why, Best.INDICATED, refs(last[1]))
    if found.use_disputed:
        return saying.unproven(question, f"{told}; a record of a use is in conflict", Best.INDICATED, refs(last[1]))
    return saying.violated(question, told, refs(last[1]))


def _latest(facts: Facts, key: str, done: int | None) -> int:
    """Until when (µs) a success may be dated that came before it was done at ``done``."""
    return 0 if done is None else done + _travels(key) + facts.apart.get(key, SKEW)


def _travels(key: str) -> int:
    """How long (µs) an end takes to be known where it is checked: none where the server that checks it is told."""
    return 0 if key.startswith("db_role") else PROPAGATION


def _expired(question: str, found: Credential, verdict: Verdict, asking: Asking) -> Judged:
    assert found.not_after is not None
    told = f"{found.key}: expired at {text(found.not_after)}"
    if found.not_after <= asking.asked and verdict.state is State.PROVED:
        return saying.of_verdict(question, verdict, f"{told}, before it was asked")
    if verdict.state is not State.PROVED:
        return saying.of_verdict(question, verdict, f"{found.key}: {verdict.text}")
    told = f"{told}, and no record ended it before"
    return saying.unproven(question, told, Best.INDICATED, refs(*verdict.leaves), str(issuer_log(found.key)))


def _alive(question: str, found: Credential, asking: Asking) -> Judged:
    until = "" if found.not_after is None else f" until {text(found.not_after)}"
    if asking.done is None:
        told = f"{found.key}: alive{until}, and nobody says that it is done"
        return saying.still_open(question, told, refs(found.issue_leaf))
    read = "" if found.as_of >= asking.done else f"; the records end before that, at {text(found.as_of)}"
    told = f"{found.key}: said to be done at {text(asking.done)}, and no record ends it{read}"
    return saying.unproven(question, told, Best.CLAIMED, refs(found.issue_leaf), str(issuer_log(found.key)))
