"""Incidents planted in a generated estate, each with what is true of it: what the answers are held against.

An incident is about one credential. It is opened when the thing that ends the credential is about to happen in the
estate; one person asks for the revocation, signed, another approves it, and the first says that it is done at the time
at which it really happened, or where it never happened all the same. What becomes of it then is in ``truth.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import msgspec

from accuracy.saying import MINUTE, Script, about
from custody.incidents.record.folding import Incident
from custody.model.incidents import ActionKind
from custody.simulation.truth import Credential, Session, Truth

NEVER = 2**62
MOST = 40
"""Incidents of an estate, planted faults first."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An incident about ``target``. Times are in µs; ``asked`` and ``done`` are when people say so.

    ``family`` are the target and all that truly descends from it, ``living`` those that could be used when it was asked
    or later; ``shown`` are those of the living whose descent the files show exactly, and ``sessions`` what the family
    opened. ``signed`` says whether who asked signed, ``separate`` whether another person approved,
    ``renewed`` whether the same identity truly got another credential after it was asked. ``early``: it was ended in
    truth before it was approved, and who did it says that it was afterwards.
    """

    name: str
    target: Credential
    asked: int
    done: int
    family: tuple[Credential, ...]
    living: frozenset[str]
    shown: frozenset[str]
    sessions: tuple[Session, ...]
    signed: bool
    separate: bool
    kind: ActionKind
    renewed: bool
    early: bool

    def incident(self) -> Incident:
        """As it would be folded from its sealed steps."""
        return told(self).incident()


def cases(truth: Truth) -> Iterator[Case]:
    """At most ``MOST`` incidents of an estate: about the credentials of every planted fault, and others in turn."""
    known = {each.key: each for each in truth.credentials}
    faults: dict[str, list[str]] = {}
    for planted in truth.planted:
        faults.setdefault(planted.fault, []).extend(key for key in (planted.subject, *planted.keys) if key in known)
    in_turn = [key for row in zip_longest(*faults.values()) for key in row if key is not None]
    ended = [each.key for each in truth.credentials if each.ended_by not in (None, "expiry")]
    machines = [each.key for each in truth.credentials if each.population == "machine"]
    parents = sorted({each.parent for each in truth.credentials if each.parent in known})
    third = MOST // 4
    some = [*in_turn[: MOST // 2], *_spread(ended, third), *_spread(parents, third), *_spread(machines, third)]
    children: dict[str, list[str]] = {}
    for each in truth.credentials:
        if each.parent is not None:
            children.setdefault(each.parent, []).append(each.key)
    for number, key in enumerate(list(dict.fromkeys(some))[:MOST]):
        case = _case(truth, known, children, key, number)
        if not any(_unclear(each) for each in case.family):
            yield case


def _case(truth: Truth, known: dict[str, Credential], children: dict[str, list[str]], key: str, number: int) -> Case:
    target = known[key]
    begun = target.issued_at if target.issued_at is not None else truth.since
    by_record = target.ended_at is not None and target.ended_by != "expiry"
    done = target.ended_at if by_record and target.ended_at is not None else begun + (truth.until - begun) // 2
    asked = done - (4 if number % 4 < 2 else 1) * MINUTE  # longer, and shorter, than clocks are taken to differ
    family = [target, *(known[each] for each in sorted(_below(children, key)))]
    living = {each.key for each in family if each is target or (over(each) or NEVER) > asked}
    exact = {parent: [one for one in each if known[one].parent_visible == "exact"] for parent, each in children.items()}
    return Case(
        name=f"IN-{truth.seed}-{number}",
        target=target,
        asked=asked,
        done=done,
        family=tuple(family),
        living=frozenset(living),
        shown=frozenset({key, *_below(exact, key)} & living),
        sessions=tuple(each for each in truth.sessions if each.credential in {one.key for one in family}),
        signed=number % 3 != 2,
        separate=number % 2 == 0,
        kind=ActionKind.ROTATE if number % 4 == 3 else ActionKind.REVOKE,
        early=by_record and number % 5 == 4,
        renewed=any(_follows(truth, each, target, asked) for each in truth.credentials),
    )


def _follows(truth: Truth, other: Credential, target: Credential, asked: int) -> bool:
    """Whether ``other`` was issued to the identity of ``target`` after it was asked to rotate it."""
    if other.issued_at is None or other.issued_at <= asked:
        return False
    if target.subject is not None and other.subject == target.subject:
        return True
    workloads = {each.key: each.workload for each in truth.runs}
    mine = workloads.get(target.run or "")
    return mine is not None and workloads.get(other.run or "") == mine


def over(credential: Credential) -> int | None:
    """When a credential could truly not be used any more (µs), None: never. A renewed one outlives its first expiry."""
    times = [credential.ended_at, None if credential.records.get("refresh") else credential.not_after]
    return min((each for each in times if each is not None), default=None)


def _unclear(credential: Credential) -> bool:
    """Renewed and ended by time alone: when that was is not in the truth."""
    return bool(credential.records.get("refresh")) and credential.ended_at is None


def _below(children: dict[str, list[str]], key: str) -> set[str]:
    found: set[str] = set()
    level = [key]
    while level:
        level = [child for each in level for child in children.get(each, ()) if child not in found]
        found.update(level)
    return found - {key}


def _spread(keys: Sequence[str], most: int) -> list[str]:
    """So many of them, from all over."""
    step = max(1, len(keys) // most)
    return list(keys[::step][:most])


def told(case: Case, kind: ActionKind | None = None) -> Script:
    """The incident of a case as people tell it; another ``kind`` is asked for than the case's own."""
    by = "ann" if case.signed else None
    script = Script(case.name, about(case.target.key), case.asked - MINUTE, by)
    action = script.asked(case.asked, kind or case.kind, case.target.key)
    if case.separate:
        script.decided(case.done + 3 * MINUTE if case.early else case.asked + MINUTE // 2, action, "bob")
    script.done(case.done + 4 * MINUTE if case.early else case.done, action)
    return script
