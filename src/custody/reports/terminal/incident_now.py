"""The first half screen of an incident: what it is, what is alive, which answers are proved, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator

from custody.model.incident_view import ActionView, IncidentView, Judged
from custody.reports.terminal.incident_judged import ROOM, STATE, told, word
from custody.reports.terminal.layout import COLUMNS, ended, labelled, listed, pad, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import MARKS, counted, number, short_key, stamp

SEEDS, SAID, STEPS = 6, 3, 3
"""What is shown of what it grows from, of what people said beside actions, and of what comes next."""
SIGNED = "--reason TEXT --sign-with KEY"
ORDER = ("violated", "open", "unproven", "claimed", "indicated", "proved", "n/a")
"""The states of answers: what needs somebody first."""


def heading(view: IncidentView, style: Style) -> list[str]:
    """What it is called, how bad it is, and as of when all of it is said."""
    state = f"{view.severity}, {view.state}"
    first, *rest = wrapped(view.title, COLUMNS - len(state) - 2)
    line = ended([first], state)[0]
    facts = [view.incident]
    facts += [f"as of {stamp(view.as_of)}"] if view.as_of else []
    facts += [f"as it was known at {stamp(view.known_at)}"] if view.known_at else []
    return [style.strong(first) + line[len(first) :], *map(style.strong, rest), *listed(facts, COLUMNS, "  ")]


def people(view: IncidentView, style: Style, *, folded: bool) -> list[str]:
    """Who opened and closed it and why, what it grows from, and what people said beside the actions."""
    lines = told("opened", view.opened, style, view.opened.reason if folded else None)
    if view.aware is not None:
        lines += labelled("aware since", wrapped(f"{stamp(view.aware)}, as who opened it says", ROOM))
    seeds = view.seeds[:SEEDS] if folded else view.seeds
    grows = [line for each in seeds for line in wrapped(each, ROOM)] or ["nothing yet"]
    grows += [f"and {number(len(view.seeds) - len(seeds))} more: --all"] if len(view.seeds) > len(seeds) else []
    lines += labelled("grows from", grows)
    lines += (
        told("closed", view.closed, style, view.closed.reason if folded else None) if view.closed is not None else []
    )
    said = (*view.notes, *view.claims)
    for each in said[-SAID:] if folded else said:
        lines += told("said", each, style, each.what if folded else None)
    if folded and len(said) > SAID:
        lines += labelled("", [f"and {number(len(said) - SAID)} before that: --all"])
    return lines


def now(view: IncidentView, style: Style) -> list[str]:
    """What is alive, how far the actions are, and the answers by their verdict."""
    mine = max(sum(1 for each in view.scope.credentials if not each.apart), view.scope.alive)
    alive = f"{number(view.scope.alive)} of {counted(mine, 'credential')} alive" if mine else "no credential was read"
    lines = labelled("now", wrapped(f"{alive}; {_acted(view)}", ROOM))
    lines[0] = style.strong("now") + lines[0][len("now") :]
    groups: dict[str, list[Judged]] = {}
    for each in view.answers:
        groups.setdefault(word(each), []).append(each)
    for name in sorted(groups, key=_rank):
        state = groups[name][0].state
        names = listed([each.question.partition(", ")[0] for each in groups[name]], COLUMNS - STATE, " · ")
        first, *rest = labelled(f"{MARKS.get(state, '?')} {pad(name, STATE - 2)}", names, STATE)
        lines += [style.state(state, first[:STATE]) + first[STATE:], *rest]
    return lines


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _acted(view: IncidentView) -> str:
    states = [each.status for each in view.actions]
    told = ", ".join(f"{number(states.count(each))} {each}" for each in dict.fromkeys(states))
    return f"{counted(len(states), 'action')}: {told}" if states else "nothing was asked for yet"


def following(view: IncidentView, style: Style) -> list[str]:
    """What to do next, each command on a line of its own, never divided, so that it can be copied."""
    steps = [] if view.known_at else list(_steps(view))
    lines = [line for why, command in steps[:STEPS] for line in (*wrapped(why, ROOM), style.faint(command))]
    lines += [f"and {counted(len(steps) - STEPS, 'more action')} to look at below"] if len(steps) > STEPS else []
    found = labelled("next", lines)
    return [style.strong("next") + found[0][len("next") :], *found[1:]] if found else []


def _steps(view: IncidentView) -> Iterator[tuple[str, str]]:
    name = view.incident
    if view.state == "closed":
        yield "hand it over, checked without your store", f"custody pack --incident {name} -o FILE.zip"
        return
    waiting = [step for each in view.actions for step in _for(each)]
    yield from waiting
    alive = next((e for e in view.scope.credentials if e.alive and not e.apart), None)
    refused = all(each.status in ("denied", "lapsed") for each in view.actions)
    if not view.actions or (refused and alive is not None):
        target = short_key(alive.key) if alive is not None else "TARGET"
        why = "ask for what would end it" if view.seeds else "say what it grows from, then ask to act"
        command = f"act {name} contain {target}" if view.seeds else f"widen {name} --key CREDENTIAL"
        yield why, f"custody incident {command} {SIGNED}"
    elif not waiting:
        over = all(each.status == "settled" or _shown(each) for each in view.actions)
        why = "every action is proved or settled" if over else "no action is left open"
        yield why, f"custody incident close {name} {SIGNED}"


def _shown(each: ActionView) -> bool:
    return each.outcome is not None and each.outcome.judged.state == "proved"


def _for(each: ActionView) -> Iterator[tuple[str, str]]:
    """What one action waits for."""
    what = f"{each.kind} {', '.join(map(short_key, each.targets))}"
    if each.status == "done without approval" and not each.overdue and all(one.why for one in each.reviews):
        review = f"custody incident review {each.action} --verdict justified {SIGNED}"
        yield f"somebody who took no part reviews {what}", review
    if each.overdue:
        command = f"review {each.action} --verdict justified" if "review" in each.overdue else f"approve {each.action}"
        yield f"overdue: {', '.join(each.overdue)} of {what}", f"custody incident {command} {SIGNED}"
    elif each.status == "waiting for approval":
        yield f"{each.approvals_asked or 'approval'}, to {what}", f"custody incident approve {each.action} {SIGNED}"
    elif each.status == "may be done":
        yield f"{what}, then say so", f"custody incident done {each.action} --sign-with KEY"
    elif each.status in ("denied", "lapsed", "settled") or each.outcome is None:
        return
    elif each.outcome.judged.state == "violated":
        target = short_key(each.targets[0]) if each.targets else "TARGET"
        yield f"{what} did not work: see what is alive", f"custody contain {target}"
    elif each.outcome.judged.state != "proved":
        yield f"{what} is said, not proved: read the logs since then", "custody audit LOGS"
