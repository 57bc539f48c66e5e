"""What the evidence says of narrowed and lent access, held against what the principals truly could do."""

from __future__ import annotations

from accuracy.counted import LOUD, RIGHT, UNKNOWN, WRONG, Counted
from accuracy.planted_grants import GrantCase, cases
from accuracy.saying import MINUTE
from custody.incidents.judging import answers, conduct
from custody.model.incidents import Item
from custody.model.verdicts import State
from custody.pipeline.incidents.judging import Evidence, judged_in
from custody.pipeline.tables import Answers
from custody.simulation.truth import Truth

SECOND = 1_000_000
_CHANGES = """
    SELECT g.leaf FROM grants g WHERE g.principal = ? AND g.since BETWEEN ? AND ? AND g.since_how = 'observed'
    UNION
    SELECT g.end_leaf FROM grants g WHERE g.principal = ? AND g.until BETWEEN ? AND ?
    ORDER BY 1
"""


def count(truth: Truth, tables: Answers, counted: Counted) -> None:
    """Play every incident about grants of an estate, and count."""
    for case in cases(truth):
        near = (case.changed - SECOND, case.changed + SECOND + max((each.ahead for each in truth.skews), default=0))
        rows = tables.engine.rows(_CHANGES, [case.principal, *near] * 2)
        cites = [leaf for (leaf,) in rows if isinstance(leaf, int)]
        evidence = judged_in(tables, case.incident(cites), truth.until + 60 * MINUTE)
        counted.incidents += 1
        where = f"seed {truth.seed}: {case.kind.value} of {case.principal} at {case.changed}"
        _verdicts(case, evidence, where, counted)
        _cause(case, evidence, where, counted)


def _verdicts(case: GrantCase, evidence: Evidence, where: str, counted: Counted) -> None:
    (outcome,) = evidence.outcomes
    found = {each.question: each for each in evidence.answers}
    loud = f"{where}: {outcome.judged.text[:200]}"
    counted.judged(f"incident: outcome of {case.kind.value}", State(outcome.judged.state), case.outcome, loud)
    true = {
        answers.CHANGED: case.outcome - {State.VIOLATED},
        conduct.WHO: frozenset({State.PROVED} if case.signed else ()),
        conduct.INSIDE: case.inside,
    }
    for question, states in true.items():
        judged = found[question]
        counted.judged(f"incident: {question}", State(judged.state), states, f"{where}: {judged.text[:200]}")


def _cause(case: GrantCase, evidence: Evidence, where: str, counted: Counted) -> None:
    """The record of the change is cited as the removal of the cause: it is one where something was taken away."""
    for each in evidence.checklist:
        if each.item is Item.CAUSE_REMOVED:
            state = State(each.judged.state)
            right = state is State.PROVED and case.removed
            kind = UNKNOWN if state not in LOUD else RIGHT if right else WRONG
            counted.add(f"incident: {Item.CAUSE_REMOVED.value}", kind, f"{where}: {state}: {each.judged.text[:200]}")
