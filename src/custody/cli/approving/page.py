"""Requests and decisions, 80 columns wide, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from custody.model.times import text
from custody.pipeline.approving.standing import Standing, Weighed
from custody.reports.safe import plain
from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import counted

LABEL = 12


def listing(every: Sequence[Standing], style: Style) -> Iterator[str]:
    """Every request in four lines."""
    yield style.strong("REQUESTS")
    for each in every:
        yield ""
        yield from _head(each, style)
        yield from _rows([("asked", _asked(each)), ("approvals", _approvals(each)), ("until", _until(each))])
    yield ""
    yield counted(len(every), "request")


def page(standing: Standing, style: Style) -> Iterator[str]:
    """One request: the text that is approved, exactly, then what was decided about it."""
    yield from _head(standing, style)
    yield ""
    yield from standing.shown.text.decode("ascii").rstrip("\n").split("\n")
    yield ""
    yield from _rows([("digest", standing.shown.digest), ("sealed", f"leaf operations:{standing.shown.leaf}")])
    yield from _rows([("approvals", _approvals(standing)), ("until", _until(standing))])
    for each in standing.weighed:
        yield from _rows([(each.given.decision.verdict, _decision(each))])


def fields_of(standing: Standing) -> dict[str, object]:
    """A request for programs."""
    shown = standing.shown
    return {
        "request": shown.request.request,
        "broker": shown.entry.broker,
        "chain": shown.entry.chain,
        "state": standing.state.value,
        "digest": shown.digest,
        "shown": shown.text.decode("ascii"),
        "identity": _identity(standing),
        "until": text(shown.until),
        "needed": shown.asked.count,
        "group": shown.asked.group,
        "granted": [each.approver for each in standing.tally.granted],
        "leaf": {"log": "operations", "index": shown.leaf},
        "decisions": [_fields(each) for each in standing.weighed],
    }


def _fields(weighed: Weighed) -> dict[str, object]:
    decision = weighed.given.decision
    names = ("verdict", "approver", "method", "reason", "at", "until", "by")
    told = {name: getattr(decision, name) for name in names}
    leaf = {"log": "approvals", "index": weighed.given.leaf}
    return {**told, "leaf": leaf, "counts": not weighed.why, "why": weighed.why}


def _head(standing: Standing, style: Style) -> Iterator[str]:
    name, state = standing.shown.request.request, standing.state.value
    yield f"{style.strong(name)}{' ' * max(COLUMNS - len(name) - len(state), 2)}{state}"


def _identity(standing: Standing) -> str:
    registered = standing.shown.request.registered
    return standing.shown.request.proof.workload if registered is None else registered.identity


def _asked(standing: Standing) -> str:
    intent = standing.shown.request.intent
    what = ", ".join((*intent.scope, *intent.resource, *intent.audience))
    why = f": {intent.purpose}" if intent.purpose else ""
    return f"{_identity(standing)} wants {intent.backend}{f' ({what})' if what else ''}{why}"


def _approvals(standing: Standing) -> str:
    asked, granted = standing.shown.asked, standing.tally.granted
    told = f"{len(granted)} of {asked.count} of {asked.group}"
    denied = standing.tally.denied
    told += f"; denied by {denied.approver}" if denied is not None else ""
    return f"{told}: {', '.join(each.approver for each in granted)}" if granted else told


def _until(standing: Standing) -> str:
    return str(text(standing.shown.until))


def _decision(weighed: Weighed) -> str:
    decision = weighed.given.decision
    told = f"{decision.approver} ({decision.method}) at {decision.at}, leaf approvals:{weighed.given.leaf}"
    told = f"{told}: {decision.reason}"
    return f"{told}; does not count: {weighed.why}" if weighed.why else told


def _rows(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    for label, told in rows:
        yield from labelled(label, wrapped(plain(told), COLUMNS - LABEL), LABEL)
