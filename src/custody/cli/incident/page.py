"""Incidents, 80 columns wide and for programs: how far each action is, who decided about it, what does not count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from custody.cli.approving.summary import LABEL, row
from custody.cli.incident.next_steps import commands, needs
from custody.incidents.record.folding import Action, Heard, Incident, Weighed
from custody.incidents.record.weighing import (
    WHY,
    by_other,
    decide_by,
    granted,
    needs_review,
    overdue,
    reviewed,
    unapproved,
    where,
)
from custody.model.incidents import Claimed, Closed, Decided, Done, Reopened, Reviewed, Vouched
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.pipeline.incidents.acting import Told
from custody.pipeline.incidents.sealing import Sealed, fields_of
from custody.reports.safe import plain
from custody.reports.terminal.layout import COLUMNS
from custody.reports.terminal.style import Style
from custody.reports.words import counted, stamp


def listing(every: Sequence[Incident], unread: Sequence[LeafRef], now: int, style: Style) -> Iterator[str]:
    """Every incident in a few lines, and how many sealed steps could not be read."""
    yield style.strong("INCIDENTS")
    for each in every:
        yield ""
        yield from _head(each, style)
        yield from row("opened", plain(f"{_when(each.opened.at)} by {_who(each.opened)}"))
        states = [where(action, now).value for action in each.actions]
        told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        yield from row("actions", told or "none was asked for")
    yield ""
    yield counted(len(every), "incident")
    if unread:
        places = ", ".join(f"{each.log}:{each.index}" for each in unread[:8]) + (", …" if len(unread) > 8 else "")
        yield f"{counted(len(unread), 'sealed step')} could not be read, and changes nothing: {places}"


def status(incident: Incident, now: int, style: Style) -> Iterator[str]:
    """One incident: each action with everything that was said of it, then what changes nothing, and why."""
    yield from _head(incident, style)
    opening = incident.opening
    yield from row("reason", plain(opening.reason))
    yield from row("opened", plain(_told(incident.opened)))
    yield from row("rules", plain(f"response file {opening.response or 'none'}"))
    for seed in incident.seeds:
        yield from row("from", plain(f"{seed.kind.value} {seed.value}"))
    for action in incident.actions:
        yield ""
        yield from _action(action, now, style)
    for label, heard in [("claimed", each) for each in incident.claims] + [
        ("vouched", each) for each in incident.vouched
    ]:
        said = heard.step
        item = f"{said.item.value}: " if hasattr(said, "item") else ""
        told = f"{getattr(said, 'identity', '')}: {item}{getattr(said, 'reason', '')}"
        yield from row(label, plain(f"{told}; {_who(heard)}, {leaf(heard.leaf)}"))
    for odd in incident.odd:
        yield from row("odd", plain(f"{type(odd.heard.step).__name__.lower()} {leaf(odd.heard.leaf)}: {odd.why}"))
    for each in incident.heard:
        if isinstance(each.step, Closed | Reopened):
            yield from row("closed" if isinstance(each.step, Closed) else "reopened", plain(_told(each)))


def action_fields(action: Action, now: int) -> dict[str, object]:
    """An action for programs."""
    request = action.request
    return {
        "action": action.id,
        "where": where(action, now).value,
        "request": msgspec.to_builtins(request),
        "digest": action.asked.digest,
        "asked": _fields(action.asked),
        "overruled": action.overruled,
        "decide_by": text(decide_by(action)),
        "granted": [each.author for each in granted(action, now)],
        "decisions": [_weighed(each) for each in action.decisions],
        "done": [
            {**_fields(each), "unapproved": unapproved(action, each), "by_other": by_other(action, each)}
            for each in action.done
        ],
        "settled": None if action.settled is None else _fields(action.settled),
        "reviews": [_weighed(each) for each in action.reviews],
        "needs_review": needs_review(action) and reviewed(action) is None,
        "overdue": list(overdue(action, now)),
    }


def fields(incident: Incident, now: int) -> dict[str, object]:
    """An incident for programs."""
    return {
        "incident": incident.id,
        "title": incident.opening.title,
        "severity": incident.opening.severity.value,
        "open": incident.closed is None,
        "opened": _fields(incident.opened),
        "closed": None if incident.closed is None else _fields(incident.closed),
        "seeds": [msgspec.to_builtins(each) for each in incident.seeds],
        "actions": [action_fields(each, now) for each in incident.actions],
        "claims": [_fields(each) for each in incident.claims],
        "vouched": [_fields(each) for each in incident.vouched],
        "odd": [{**_fields(each.heard), "why": each.why} for each in incident.odd],
    }


def told_fields(told: Told) -> dict[str, object]:
    """A step about an action for programs."""
    return {**fields_of(told.sealed), "where": told.where.value, "why": told.why}


def sealed_lines(sealed: Sealed, more: Sequence[tuple[str, str]] = (), at: str = "") -> str:
    """What was sealed, for people, and what comes next; ``at`` is how far the action is (a value of ``Where``)."""
    step = sealed.step
    name = getattr(step, "action", "") or step.incident
    rows = [
        (type(step).__name__.lower(), name),
        ("by", sealed.author),
        ("sealed" if sealed.sealed else "before", f"{leaf(sealed.leaf)}{'' if sealed.sealed else ': already sealed'}"),
        ("digest", sealed.digest),
        *more,
        *needs(step, at),
        *(("note", each) for each in sealed.notes),
    ]
    lines = [line for label, told in rows for line in row(label, plain(told))]
    return "\n".join([*lines, *_whole("next", commands(step, at))])


def leaf(reference: LeafRef) -> str:
    """``leaf operations:12``."""
    return f"leaf {reference.log}:{reference.index}"


def _head(incident: Incident, style: Style) -> Iterator[str]:
    state = f"{incident.opening.severity.value}, {'open' if incident.closed is None else 'closed'}"
    name = plain(incident.id)
    yield f"{style.strong(name)}{' ' * max(COLUMNS - len(name) - len(state), 2)}{state}"
    yield from row("title", plain(incident.opening.title))


def _whole(label: str, commands: Sequence[str]) -> Iterator[str]:
    """Commands on lines of their own, never divided, so that they can be copied."""
    for number, each in enumerate(commands):
        yield f"{'' if number else label:<{LABEL}}{plain(each)}"


def _when(at: int | None) -> str:
    """A time (µs) to the second, as every page has it."""
    return stamp(text(at))


def _who(heard: Heard) -> str:
    return f"{heard.author} (signed)" if heard.signature is not None else f"{heard.author} (CLAIMED: nobody signed)"


def _told(heard: Heard) -> str:
    return f"{_when(heard.at)} by {_who(heard)}, {leaf(heard.leaf)}"


def _item(heard: Heard) -> str:
    step = heard.step
    assert isinstance(step, Claimed | Vouched)
    item = f"{step.item.value}: " if isinstance(step, Claimed) else ""
    return f"{step.identity}: {item}{step.reason}"


def _action(action: Action, now: int, style: Style) -> Iterator[str]:
    request, at = action.request, where(action, now).value
    loud = style.warn(at.upper()) if any(unapproved(action, each) for each in action.done) else at
    glass = " (BREAK-GLASS)" if request.break_glass else ""
    yield f"{style.strong(plain(action.id))}  {request.kind.value}{glass}  {loud}"
    yield from row("targets", plain(", ".join(request.targets)))
    yield from row("reason", plain(request.reason))
    yield from row("asked", plain(_told(action.asked)))
    yield from row("policies", plain(_policies(action)))
    yield from row("digest", action.asked.digest)
    yield from _whole("content", request.content)
    for weighed in (*action.decisions, *action.reviews):
        yield from row(_verdict(weighed), plain(_decision(weighed)))
    for done in action.done:
        yield from row("done", plain(_done(action, done)))
    if action.settled is not None:
        told = f"{getattr(action.settled.step, 'how', '')}: {getattr(action.settled.step, 'reason', '')}"
        yield from row("settled", plain(f"{told}; {_who(action.settled)}, {leaf(action.settled.leaf)}"))
    for each in overdue(action, now):
        yield from row("OVERDUE", each)


def _policies(action: Action) -> str:
    decision = action.request.decision
    asked = decision.asked
    told = f"{decision.verdict.value}: {', '.join(each.id for each in decision.policies) or decision.why}"
    needs = f"; {asked.count} of {asked.group} by {_when(decide_by(action))}" if asked is not None else ""
    return f"{told}{needs}{'; NOT BELIEVED: ' + action.overruled if action.overruled else ''}"


def _verdict(weighed: Weighed) -> str:
    step = weighed.heard.step
    assert isinstance(step, Decided | Reviewed)
    word = "reviewed" if isinstance(step, Reviewed) else step.verdict
    return word if not weighed.why else f"({word})"


def _decision(weighed: Weighed) -> str:
    heard = weighed.heard
    step = heard.step
    assert isinstance(step, Decided | Reviewed)
    reviewed = f"{step.verdict}, " if isinstance(step, Reviewed) else ""
    told = f"{reviewed}{_who(heard)} at {_when(heard.at)}, {leaf(heard.leaf)}: {step.reason}"
    return f"{told}; does not count: {WHY[weighed.why.partition(': ')[0]]}" if weighed.why else told


def _done(action: Action, done: Heard) -> str:
    assert isinstance(done.step, Done)
    why = unapproved(action, done)
    other = any(each not in action.request.content for each in done.step.did)
    lead = "OTHER WORDS THAN WERE ASKED FOR: " if other else ""
    lead += f"{by_other(action, done)}: ".upper() if by_other(action, done) else ""
    sealed = f"sealed {_when(done.at)}, {leaf(done.leaf)}"
    did = "as it was asked for" if done.step.did == action.request.content else "; ".join(done.step.did)
    told = f"{lead}{stamp(done.step.at)} by {_who(done)}, {sealed}: {did}"
    return f"WITHOUT APPROVAL ({why}): {told}" if why else told


def _fields(heard: Heard) -> dict[str, object]:
    return {
        "step": msgspec.to_builtins(heard.step),
        "leaf": {"log": heard.leaf.log, "index": heard.leaf.index},
        "at": text(heard.at),
        "by": heard.by,
        "author": heard.author,
        "signed": heard.signature is not None,
        "digest": heard.digest,
    }


def _weighed(weighed: Weighed) -> dict[str, object]:
    return {**_fields(weighed.heard), "counts": not weighed.why, "why": weighed.why}
