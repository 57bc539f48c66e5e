"""The three coverage numbers, and the change that would settle most."""

from collections import Counter

from custody.model.contracts import Contract
from custody.model.report import Coverage, FixRef, QuestionCounts, Ratio
from custody.model.verdicts import Best, Question, State
from custody.rules.judging import Judged
from custody.rules.settling import FIXES, Fix

UNLISTED = Fix(())
_ROWS: dict[str, Fix] = {settles.value: fix for settles, fix in FIXES.items()}


def coverage(judged: Judged, contract: Contract, answered: frozenset[Question]) -> Coverage:
    """Put the counts together; violations never enter a percentage."""
    fixes = _fixes(judged)
    best = next((each for each in fixes if each.available), None)
    return Coverage(
        population=_population(judged),
        chains=Ratio(count=judged.complete, of=judged.machines, why=_why(judged, contract, answered)),
        identities=Ratio(count=judged.complete_identities, of=judged.identities, why=_why(judged, contract, answered)),
        questions=tuple(_counts(judged, question, question in answered) for question in Question),
        cheapest_fix=None if best is None else best.settles,
        cheapest_fix_settles=0 if best is None else best.questions,
        contract=contract.digest,
        fixes=fixes,
        exempt=judged.exempt,
    )


def _fixes(judged: Judged) -> tuple[FixRef, ...]:
    """Every change that would settle something: what can be done first, then what settles most, then by name."""
    found = [_fix(text, count, judged.concerned[text]) for text, count in judged.settles.items()]
    return tuple(sorted(found, key=lambda each: (not each.available, -each.questions, each.settles)))


def _fix(text: str, questions: int, credentials: int) -> FixRef:
    row = _ROWS.get(text, UNLISTED)
    return FixRef(
        settles=text,
        source=", ".join(row.sources) or None,
        setting=row.setting,
        questions=questions,
        credentials=credentials,
        available=row.available,
    )


def _population(judged: Judged) -> Ratio:
    if not judged.runs:
        return Ratio(count=None, of=None, why="no orchestrator was read")
    why = "" if judged.runs_with_chain else "no credential is bound to a run that an orchestrator recorded"
    return Ratio(count=judged.runs_with_chain, of=judged.runs, why=why)


def _counts(judged: Judged, question: Question, is_judged: bool) -> QuestionCounts:
    counts: Counter[str] = judged.counts.get(question.value, Counter())
    return QuestionCounts(
        question=question.value,
        proved=counts.get(State.PROVED.value, 0),
        violated=counts.get(State.VIOLATED.value, 0),
        unproven=counts.get(State.UNPROVEN.value, 0),
        open=counts.get(State.OPEN.value, 0),
        not_applicable=counts.get(State.NOT_APPLICABLE.value, 0),
        indicated=counts.get(Best.INDICATED.value, 0),
        claimed=counts.get(Best.CLAIMED.value, 0),
        judged=is_judged,
    )


def _why(judged: Judged, contract: Contract, answered: frozenset[Question]) -> str:
    if not judged.machines:
        return "no machine credential was seen"
    if judged.complete:
        return ""
    waiting = [question.value for question in Question if question not in answered]
    reasons = []
    if contract.digest is None:
        reasons += _unnamed(judged)
    if waiting:
        reasons.append(f"not judged yet: {', '.join(waiting)}")
    return "; ".join(reasons) or "every chain has a question that is not proved"


def _unnamed(judged: Judged) -> list[str]:
    """Who owns what and what for, where some of it is not proved: claimed by somebody, or said by nobody."""
    counts = {question: judged.counts.get(question.value, Counter()) for question in (Question.OWNER, Question.PURPOSE)}
    missing = {question: found for question, found in counts.items() if _settled(found) < judged.machines}
    claimed = [question.value for question, found in missing.items() if found.get(Best.CLAIMED.value, 0)]
    silent = [question.value for question in missing if question.value not in claimed]
    told = [f"{', '.join(claimed)}: claimed, not proved"] if claimed else []
    return [*told, *([f"{', '.join(silent)}: no contract or register yet"] if silent else [])]


def _settled(counts: Counter[str]) -> int:
    return counts.get(State.PROVED.value, 0) + counts.get(State.NOT_APPLICABLE.value, 0)
