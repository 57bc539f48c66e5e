"""Answers about an incident: how they are made, and how several make one.

Several answers are together no better than the worst of them: one that is violated makes the whole violated, then open,
then unproven. The basis of a proof is the weakest of its parts, and so is the best of what is unproven.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from custody.incidents.scope.grounds import LOG
from custody.model.incident_view import Judged
from custody.model.leaf import LeafRef
from custody.model.verdicts import MAX_EXEMPLARS, Basis, Best, State, Verdict

_WORST = (State.VIOLATED, State.OPEN, State.UNPROVEN, State.PROVED, State.NOT_APPLICABLE)
_WEAKEST = (Best.NOTHING, Best.CLAIMED, Best.INDICATED)
_BASES = (Basis.ISSUER_ENFORCED, Basis.CLOSED_WORLD, Basis.OBSERVED)

TOLD = 4
"""Parts that the text of an answer tells, at most."""

Leaves = Iterable[LeafRef]


def number(count: int, one: str, many: str = "") -> str:
    """``1 credential``, ``3 credentials``; ``many`` is the plural where it is more than one letter away."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def proved(question: str, text: str, basis: Basis, leaves: Leaves = (), parts: Sequence[str] = ()) -> Judged:
    """Proved, resting on ``basis``."""
    return _made(Judged(question=question, state=State.PROVED, text=text, basis=basis, parts=tuple(parts)), leaves)


def violated(question: str, text: str, leaves: Leaves = (), parts: Sequence[str] = ()) -> Judged:
    """Violated: a record says so."""
    found = Judged(question=question, state=State.VIOLATED, text=text, basis=Basis.OBSERVED, parts=tuple(parts))
    return _made(found, leaves)


def unproven(
    question: str,
    text: str,
    best: Best = Best.NOTHING,
    leaves: Leaves = (),
    settles: str | None = None,
    parts: Sequence[str] = (),
) -> Judged:
    """Unproven, with the best there is and what would settle it."""
    found = Judged(
        question=question, state=State.UNPROVEN, text=text, best=best, settles=settles or None, parts=tuple(parts)
    )
    return _made(found, leaves)


def still_open(question: str, text: str, leaves: Leaves = (), parts: Sequence[str] = ()) -> Judged:
    """Open: alive, not done yet, or not due yet."""
    return _made(Judged(question=question, state=State.OPEN, text=text, parts=tuple(parts)), leaves)


def not_applicable(question: str, text: str) -> Judged:
    """It does not apply, and why."""
    return Judged(question=question, state=State.NOT_APPLICABLE, text=text)


def of_verdict(question: str, verdict: Verdict, text: str | None = None) -> Judged:
    """The verdict of a rule as an answer, told by ``text`` where that is given."""
    found = Judged(
        question=question,
        state=verdict.state,
        text=verdict.text if text is None else text,
        basis=verdict.basis,
        best=verdict.best,
        settles=None if verdict.settles is None else str(verdict.settles),
    )
    made = _made(found, (LeafRef(LOG, leaf) for leaf in verdict.leaves))
    return msgspec.structs.replace(made, count=max(verdict.count, made.count))


def together(question: str, each: Sequence[Judged], text: str | None = None, parts: Sequence[str] = ()) -> Judged:
    """Several answers as one: the worst of them, in words the worst's own, with all of their leaves."""
    asked = [one for one in each if one.state != State.NOT_APPLICABLE]
    if not asked:
        return not_applicable(
            question, text or "; ".join(dict.fromkeys(one.text for one in each)) or "nothing is asked"
        )
    state = worst(one.state for one in asked)
    like = [one for one in asked if one.state == state]
    told = text if text is not None else _listed(one.text for one in like)
    found = Judged(
        question=question,
        state=state,
        text=told,
        basis=_weakest((one.basis for one in like), _BASES),
        best=_weakest((one.best for one in like), _WEAKEST),
        settles=next((one.settles for one in like if one.settles), None),
        parts=tuple(parts) or tuple(part for one in asked for part in one.parts),
    )
    every = {leaf for one in (like if state == State.VIOLATED else asked) for leaf in one.leaves}
    return msgspec.structs.replace(_made(found, every), count=sum(one.count for one in asked))


def _listed(texts: Iterable[str]) -> str:
    """The first texts, and how many more there are: the parts of an answer have them all."""
    every = list(dict.fromkeys(texts))
    more = f"; and {len(every) - TOLD} more" if len(every) > TOLD else ""
    return "; ".join(every[:TOLD]) + more


def worst(states: Iterable[str]) -> State:
    """The worst of some states; ``n/a`` where there is none."""
    found = {State(each) for each in states}
    return next((each for each in _WORST if each in found), State.NOT_APPLICABLE)


def _weakest(given: Iterable[str | None], order: Sequence[Basis] | Sequence[Best]) -> str | None:
    found = {each for each in given if each is not None}
    return next((each.value for each in order if each.value in found), None)


def _made(found: Judged, leaves: Leaves) -> Judged:
    every = sorted(set(leaves), key=lambda leaf: (leaf.log != LOG, leaf.log, leaf.index))
    plain = {name: _text(getattr(found, name)) for name in ("state", "basis", "best")}
    return msgspec.structs.replace(found, leaves=tuple(every[:MAX_EXEMPLARS]), count=len(every), **plain)


def _text(value: str | None) -> str | None:
    """The plain word: an answer is compared and written as text."""
    return None if value is None else str(value)
