"""What the evidence says of planted incidents, held against what is true of them.

*Wrong* is what is claimed and not so: an outcome that is proved or violated and is not, a credential in the scope by
exact links that does not descend from the target, one that is called over while it lives, an answer whose verdict its
incident does not bear out. What is true and not claimed is *not known*.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from accuracy import checks, conduct, grants, lacks, uses
from accuracy.counted import LOUD, Counted, Truly, truly
from accuracy.planted_incidents import NEVER, Case, cases, over
from accuracy.saying import MINUTE
from custody.chains.credentials import PROPAGATION
from custody.incidents.judging import answers, exposure, surviving
from custody.incidents.judging import conduct as conducts
from custody.incidents.scope.reaching import scope
from custody.incidents.seen import Scope
from custody.model.incidents import ActionKind, Seed, SeedKind
from custody.model.verdicts import State
from custody.pipeline.incidents.judging import Evidence, grounds_of, judged_in
from custody.pipeline.tables import Answers
from custody.simulation.truth import Credential, Session, Truth
from custody.simulation.world import THIEF

FROM_THIEF = ("stolen-key", "break-glass-used")
"""Faults that use credentials from the thief's address: all keys of the first, one role of the second."""
OUTCOME, BELOW, LIVING = "incident: outcome", "incident: descendants", "incident: alive"


def count(truth: Truth, tables: Answers, counted: Counted) -> None:
    """Plant the incidents of an estate, ask for the evidence of each, and count."""
    true = truly(truth, tables)
    for number, case in enumerate(cases(truth)):
        evidence = judged_in(tables, case.incident(), truth.until + 60 * MINUTE)
        counted.incidents += 1
        where = f"seed {truth.seed}: {case.target.kind} {case.target.key}"
        _outcome(case, evidence, _states(case, case.shown, true), where, counted)
        _descendants(case, evidence.scope, true.names, where, counted)
        _alive(case, evidence.scope, true.names, where, counted)
        _answers(case, evidence, true, where, counted)
        _points(case, evidence, true, where, counted)
        _touched(case, evidence, true, where, counted)
        uses.count(case, evidence, true, where, counted)
        lacks.count(case, evidence, true, where, counted)
        if number % 3 == 0:
            checks.count(case, _ends(case, true), tables, true, where, counted)
    grants.count(truth, tables, counted)
    conduct.count(truth, tables, counted)
    _from_addresses(truth, tables, true, counted)


def _states(case: Case, keys: frozenset[str], truly: Truly) -> frozenset[State]:
    """The states that are true of ``keys``: proved where all ended and nothing outlived that, violated else."""
    family = [each for each in case.family if each.key in keys]
    late = max((each.uses.last - case.done for each in family if each.uses is not None), default=0)
    gaps = [_gap(family, each) for each in case.sessions if each.credential in keys]
    found = set()
    if late > 0 or max(gaps, default=0) > 0 or keys & truly.in_vain:
        found.add(State.VIOLATED)
    ended = all((over(each) or NEVER) <= truly.until for each in family) and not any(map(_outlived, family))
    if ended and late <= PROPAGATION + MINUTE and max(gaps, default=0) <= MINUTE and not keys & truly.in_vain:
        found.add(State.PROVED)
    return frozenset(found)


def _outlived(credential: Credential) -> bool:
    """Whether it truly worked after its end, in whosever hands."""
    return _worked(credential) > PROPAGATION + MINUTE


def _by_the_server(credential: Credential) -> bool:
    """Whether its end is one that the database itself records: the broker's roles are locked and dropped there."""
    of_broker = credential.key.startswith("db_role:postgresql:cc_")
    return of_broker and credential.ended_by in ("credential.revoke", "credential.drop")


def _surviving(case: Case, keys: frozenset[str], truly: Truly) -> frozenset[State]:
    """The same of what survives: what outlived its end, and is over by now, does not.

    Of an end that was in vain only the server's own word counts: a role that is locked opens no new session, one that
    only its broker thinks gone does.
    """
    found = _states(case, keys, truly)
    ended = all((over(each) or NEVER) <= truly.until for each in case.family)
    closed = all((each.closed or NEVER) <= truly.until for each in case.sessions)
    vain = any(each.key in truly.in_vain and not _by_the_server(each) for each in case.family)
    return found | {State.PROVED} if ended and closed and not vain else found


def _ends(case: Case, truly: Truly) -> frozenset[State]:
    """What is true of the end of all that exactly descends from the target, whenever it came and whoever did it."""
    family = [each for each in case.family if each.key in case.shown or each.key == case.target.key]
    late = max((_worked(each) for each in family), default=0)
    gaps = [_gap(family, each) for each in case.sessions if each.credential in {one.key for one in family}]
    vain = {each.key for each in family} & truly.in_vain
    found = set()
    if late > 0 or max(gaps, default=0) > 0 or vain:
        found.add(State.VIOLATED)
    if all((over(each) or NEVER) <= truly.until for each in family) and max(late, *gaps, 0) <= MINUTE and not vain:
        found.add(State.PROVED)
    return frozenset(found)


def _worked(credential: Credential) -> int:
    """For how long it worked after its end (µs)."""
    end = over(credential)
    return 0 if end is None or credential.uses is None else credential.uses.last - end


def _gap(family: Sequence[Credential], session: Session) -> int:
    """For how long a session truly outlived its credential (µs)."""
    end = next((over(each) for each in family if each.key == session.credential), None)
    return 0 if end is None else (NEVER if session.closed is None else session.closed) - end


def _outcome(case: Case, evidence: Evidence, true: frozenset[State], where: str, counted: Counted) -> None:
    (outcome,) = evidence.outcomes
    if case.kind is ActionKind.ROTATE and not case.renewed:
        true -= {State.PROVED}
    words = f"{where}: {outcome.judged.text[:300]}"
    counted.judged(f"{OUTCOME} of {case.kind.value}", State(outcome.judged.state), true, words)


def _descendants(case: Case, scope: Scope, names: Mapping[str, str], where: str, counted: Counted) -> None:
    true = {each.key for each in case.family}
    told = {names.get(each.key, each.key) for each in scope.credentials if each.join == "exact" and not each.apart}
    for key in sorted(told | true):
        kind = "right" if key in told & true else "not known" if key in true else "wrong"
        counted.add(BELOW, kind, f"{where}: {key} is in the scope by exact links")


def _alive(case: Case, scope: Scope, names: Mapping[str, str], where: str, counted: Counted) -> None:
    """Whether what is called over is over: that something lives on is never more than nothing known of its end."""
    known = {each.key: each for each in case.family}
    for each in scope.credentials:
        truly = known.get(names.get(each.key, each.key))
        if truly is None or scope.as_of is None:
            continue
        lives = (over(truly) or NEVER) > scope.as_of
        kind = "right" if each.alive == lives else "not known" if each.alive else "wrong"
        counted.add(LIVING, kind, f"{where}: {each.key} is called over and lives")


def _answers(case: Case, evidence: Evidence, truly: Truly, where: str, counted: Counted) -> None:
    """Each of the answers whose truth follows from how the incident was planted."""
    everything = frozenset(each.key for each in case.family)
    true: dict[str, frozenset[State]] = {
        answers.VERIFIED: _states(case, case.shown, truly),
        surviving.SURVIVES: _surviving(case, everything, truly),
        answers.CHANGED: _states(case, case.shown, truly) - {State.VIOLATED},
        answers.LACKS: frozenset(),
        conducts.WHO: frozenset({State.PROVED} if case.signed else ()),
        conducts.INSIDE: _inside(case),
    }
    for each in evidence.answers:
        if each.question in true:
            words = f"{where}: {each.text[:300]}"
            counted.judged(f"incident: {each.question}", State(each.state), true[each.question], words)


def _inside(case: Case) -> frozenset[State]:
    """What is true of how people went about it: approved by another before it was done, and who asked signed."""
    if case.early or not case.separate:
        return frozenset({State.VIOLATED})
    return frozenset({State.PROVED} if case.signed else ())


_POINT = re.compile(r"(exposure|first abuse|detection|containment): (\S+) \((\w+)\)")


def _points(case: Case, evidence: Evidence, truly: Truly, where: str, counted: Counted) -> None:
    """What is proved of the way from exposure to containment: the planted exposure and theft, the opening, the end."""
    everything = frozenset(each.key for each in case.family)
    true = {
        "exposure": case.target.key in truly.exposed,
        "first abuse": case.target.key in truly.abused,
        "detection": True,
        "containment": State.PROVED in _states(case, everything, truly),
    }
    (found,) = (each for each in evidence.answers if each.question == exposure.QUESTION)
    for name, at, grade in (each.groups() for part in found.parts if (each := _POINT.match(part))):
        kind = "not known" if grade != "proved" else "right" if true[name] else "wrong"
        counted.add(f"incident: {name}", kind, f"{where}: {at} is {grade}")


def _touched(case: Case, evidence: Evidence, truly: Truly, where: str, counted: Counted) -> None:
    """What is called touched, for sure, was used by the target or what descends from it, and not more often."""
    known = {each.key: each for each in case.family}
    (found,) = (each for each in evidence.answers if each.question == answers.TOUCHED)
    counts: Counter[str] = Counter()
    for each in evidence.scope.touched:
        if each.what in ("resource", "secret"):
            counts[truly.names.get(each.by, each.by)] += each.count
    for key, times in counts.items():
        right = key in known and times <= sum(known[key].records.values())
        kind = "not known" if found.state not in LOUD else "right" if right else "wrong"
        counted.add(f"incident: {answers.TOUCHED}", kind, f"{where}: {times} records of {key}")


def _from_addresses(truth: Truth, tables: Answers, truly: Truly, counted: Counted) -> None:
    """An incident that starts with the thief's address reaches what is used from there by faults, and no other."""
    grounds = grounds_of(tables, truth.until + 60 * MINUTE)
    planted = [each for each in truth.planted if each.fault in FROM_THIEF]
    if not planted:
        return
    true = {key for each in planted for key in (each.subject, *each.keys) if not key.startswith("aws_instance:")}
    stolen = {key for each in planted if each.fault == "stolen-key" for key in (each.subject, *each.keys)} & true
    found = scope(grounds, [Seed(kind=SeedKind.ADDRESS, value=THIEF)])
    told = {truly.names.get(each.key, each.key) for each in found.credentials if each.depth == 0 and not each.apart}
    for key in sorted(told | stolen):
        kind = "right" if key in told & true else "not known" if key in stolen else "wrong"
        counted.add("incident: from an address", kind, f"seed {truth.seed}: {key} is reached from {THIEF}")
    for each in found.credentials:
        kind = "wrong" if each.join == "exact" else "right"
        counted.add("incident: grade from an address", kind, f"seed {truth.seed}: {each.key} is exact")
