"""Steps of a chain put together for showing: neighbouring uses that differ in nothing but the call are one group."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import msgspec

from custody.model.report import Answer, Step
from custody.reports.words import counted

SHOWN_CALLS = 4


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One or more neighbouring steps. ``first`` and ``last`` are the times (RFC 3339) of its ends.

    ``text`` is the headline, ``detail`` what may stand on a line of its own below it.
    """

    stage: str
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
    """The steps in their order; only uses are put together."""
    return tuple(_group(list(some)) for _, some in groupby(enumerate(steps), key=_alike))


def _alike(numbered: tuple[int, Step]) -> tuple[object, ...]:
    position, step = numbered
    alone = None if step.stage == "use" else position
    return (step.stage, alone, step.origin, step.outcome, step.join, step.asserter, step.leaf.log)


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
    text, detail = _calls(steps) if first.stage == "use" else _split(first)
    return Group(
        stage=first.stage,
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


def _split(step: Step) -> tuple[str, str]:
    """An issue says by whom, and below it until when."""
    by, comma, until = step.text.partition(", until ")
    return (by, f"until {until}") if comma and step.stage == "issue" else (step.text, "")


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
