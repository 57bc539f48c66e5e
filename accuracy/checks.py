"""The checklist before an identity works again, and re-enabling it, held against what truly became of it."""

from __future__ import annotations

from accuracy.counted import LOUD, RIGHT, UNKNOWN, WRONG, Counted, Truly
from accuracy.planted_incidents import NEVER, Case, over, told
from accuracy.saying import MINUTE
from custody.incidents.record.folding import Incident
from custody.model.incidents import ActionKind, Item
from custody.model.verdicts import State
from custody.pipeline.incidents.judging import Evidence, judged_in
from custody.pipeline.tables import Answers

DAMAGES = ("tampered-log", "truncated-log", "stopped-log", "dropped-broker-lines")
"""Faults by which a source's own certificate is not whole."""


def count(case: Case, ends: frozenset[State], tables: Answers, truly: Truly, where: str, counted: Counted) -> None:
    """Play the incident of a case on: its owner is said to sign, and the identity is to work again.

    ``ends`` are the states that are true of the end of the target with all that descends from it.
    """
    evidence = judged_in(tables, _enabling(case), truly.until + 60 * MINUTE)
    counted.incidents += 1
    true = {
        Item.NEW_CREDENTIAL: frozenset({State.PROVED} if _new(case, truly) else ()),
        Item.OLD_ENDED: ends,
        Item.OWNER_SIGNS: frozenset[State](),
        Item.CAUSE_REMOVED: frozenset[State](),
        Item.MONITORING: frozenset({State.PROVED} if _whole(truly) else ()),
    }
    for each in evidence.checklist:
        words = f"{where}: {each.judged.text[:200]}"
        counted.judged(f"incident: {each.item.value}", State(each.judged.state), true[each.item], words)
    _outcome(evidence, ends, where, counted)


def _enabling(case: Case) -> Incident:
    script = told(case)
    said = case.done + (4 * MINUTE if case.early else 0)
    script.claimed(said + 5 * MINUTE, case.target.key, Item.NEW_CREDENTIAL)
    again = script.asked(said + 10 * MINUTE, ActionKind.ENABLE, case.target.key)
    script.vouched(said + 12 * MINUTE, case.target.key, "dan")
    script.decided(said + 11 * MINUTE, again, "bob")
    script.done(said + 20 * MINUTE, again)
    return script.incident()


def _outcome(evidence: Evidence, ends: frozenset[State], where: str, counted: Counted) -> None:
    """Nobody's register names an owner: it is never proved, and violated where the old credentials' end is."""
    (found,) = (each for each in evidence.outcomes if each.action == "a2")
    state = State(found.judged.state)
    right = state is State.VIOLATED and State.VIOLATED in ends
    kind = UNKNOWN if state not in LOUD else RIGHT if right else WRONG
    counted.add("incident: outcome of re-enable", kind, f"{where} is {state}: {found.judged.text[:200]}")


def _new(case: Case, truly: Truly) -> bool:
    """Whether the same identity truly got a credential after the last of the old ones had ended."""
    ended = max(over(each) or NEVER for each in case.family if each.key in case.shown)
    family = {each.key for each in case.family}
    workloads = {each.key: each.workload for each in truly.truth.runs}
    mine = workloads.get(case.target.run or "")
    return any(
        each.key not in family
        and (each.issued_at or 0) > ended
        and (
            (case.target.subject is not None and each.subject == case.target.subject)
            or (mine is not None and workloads.get(each.run or "") == mine)
        )
        for each in truly.truth.credentials
    )


def _whole(truly: Truly) -> bool:
    """Whether nothing was done to a log that certifies itself."""
    return not any(each.fault in DAMAGES for each in truly.truth.planted)
