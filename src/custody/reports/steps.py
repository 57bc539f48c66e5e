"""Steps of a chain put together for showing: neighbouring ones that differ in nothing but the call are one group."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import msgspec

from custody.model.events import Asserter
from custody.model.report import Answer, Step
from custody.reports.words import counted

SHOWN_CALLS = 4
ENDS = ("end", "revoke", "expire")

TOLD = {
    Asserter.SELF_REPORTED.value: "self-reported",
    Asserter.CLIENT.value: "the client's word",
    Asserter.DECLARED.value: "declared",
}
"""Asserters whose word proves nothing, as a step says it."""

RUN = {"run starts: ": "starts", "run ends: ": "ends"}
SESSION = {"start": "opened", "end": "closed"}


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One or more neighbouring steps. ``first`` and ``last`` are the times (RFC 3339) of its ends.

    ``sort`` is the stage, or ``run``, ``session`` or ``told`` where the step is of those. ``text`` is the headline,
    ``detail`` what may stand on a line of its own below it.
    """

    stage: str
    sort: str
    first: str
    last: str
    text: str
    detail: str
    join: str
    asserter: str
    outcome: str
    count: int
    leaves: tuple[int, ...]
    log: str


def groups(steps: Sequence[Step]) -> tuple[Group, ...]:
    """The steps in their order; uses are put together, and ends that several logs tell alike in one second."""
    return tuple(_group(list(some)) for _, some in groupby(enumerate(steps), key=_alike))


def sort(step: Step) -> str:
    """What a step is a step of: ``told``, ``session``, ``run``, else its stage."""
    if step.asserter in TOLD:
        return "told"
    if step.rule == "session":
        return "session"
    return "run" if step.stage in ("start", "end") and step.text.startswith(tuple(RUN)) else step.stage


def _alike(numbered: tuple[int, Step]) -> tuple[object, ...]:
    position, step = numbered
    kind = sort(step)
    alone: object = position
    if kind == "use":
        alone = None
    elif kind in ENDS:
        alone = (step.text, step.time[:19])
    return (kind, step.stage, alone, step.origin, step.outcome, step.join, step.asserter, step.leaf.log)


def violations(shown: Sequence[Group], answers: Sequence[Answer]) -> dict[int, list[Answer]]:
    """Where each violated answer is marked: at the first use that it cites, else at the first step that it cites."""
    marked: dict[int, list[Answer]] = {}
    for answer in answers:
        if answer.state != "violated":
            continue
        cited = {leaf.index for leaf in answer.leaves}
        places = [place for place, group in enumerate(shown) if cited & set(group.leaves)]
        places.sort(key=lambda place: (shown[place].stage != "use", place))
        if places:
            marked.setdefault(places[0], []).append(answer)
    return marked


def _group(numbered: list[tuple[int, Step]]) -> Group:
    steps = [step for _, step in numbered]
    first = steps[0]
    text, detail = _words(steps)
    return Group(
        stage=first.stage,
        sort=sort(first),
        first=first.time,
        last=steps[-1].time,
        text=text,
        detail=detail,
        join=first.join,
        asserter=first.asserter,
        outcome=first.outcome,
        count=sum(step.count for step in steps),
        leaves=tuple(step.leaf.index for step in steps),
        log=first.leaf.log,
    )


def _words(steps: list[Step]) -> tuple[str, str]:
    """The headline, and what stands below it."""
    first = steps[0]
    match sort(first):
        case "use":
            return _calls(steps)
        case "session":
            return f"{SESSION.get(first.stage, first.stage)} {first.text.partition(': ')[2] or first.text}", ""
        case "run":
            head, _, rest = first.text.partition(": ")
            return f"{RUN[head + ': ']}: {rest}", ""
        case "told":
            return f"{first.stage}: {first.text}", ""
        case "issue":
            by, comma, until = first.text.partition(", until ")
            return (by, f"until {until}") if comma else (first.text, "")
    return first.text, ""


def _calls(steps: list[Step]) -> tuple[str, str]:
    """``2 denied calls from 192.0.2.1`` and ``s3:ListBuckets, sts:GetCallerIdentity (3)``."""
    outcome = "" if steps[0].outcome == "success" else f"{steps[0].outcome} "
    origin = f" from {steps[0].origin}" if steps[0].origin else ""
    names: Counter[str] = Counter()
    for step in steps:
        names[step.text] += step.count
    listed = [name if times == 1 else f"{name} ({times})" for name, times in names.most_common(SHOWN_CALLS)]
    more = f", {len(names) - SHOWN_CALLS} more" if len(names) > SHOWN_CALLS else ""
    return f"{counted(sum(names.values()), f'{outcome}call')}{origin}", f"{', '.join(listed)}{more}"
