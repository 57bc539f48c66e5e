"""Requests and decisions, 80 columns wide, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from custody.cli.approving.summary import approvals, asks, decisions, name, summary
from custody.model.times import text
from custody.pipeline.approving.standing import Standing, Weighed
from custody.reports.terminal.layout import COLUMNS
from custody.reports.terminal.style import Style
from custody.reports.words import counted


def listing(every: Sequence[Standing], style: Style) -> Iterator[str]:
    """Every request in four lines."""
    yield style.strong("REQUESTS")
    for each in every:
        yield ""
        yield from _head(each, style)
        yield from decisions([("asked", _asked(each)), ("approvals", approvals(each)), ("until", _until(each))])
    yield ""
    yield counted(len(every), "request")


def page(standing: Standing, style: Style, *, everything: bool = False) -> Iterator[str]:
    """One request: what it comes to and what was decided about it; with ``everything`` the exact text as well."""
    yield from _head(standing, style)
    yield ""
    yield from summary(standing)
    for each in standing.weighed:
        yield from decisions([(each.given.decision.verdict, _decision(each))])
    yield ""
    if everything:
        yield "The exact text that is approved; the digest is that of these bytes:"
        yield ""
        yield from standing.shown.text.decode("ascii").rstrip("\n").split("\n")
    else:
        yield "What is approved is the exact text: --all shows it."


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
        "identity": asks(standing),
        "workload": shown.request.proof.workload,
        **_wanted(standing),
        "policies": [{"id": each.id, "sha256": each.sha256} for each in shown.request.decision.policies],
        "until": text(shown.until),
        "needed": shown.asked.count,
        "group": shown.asked.group,
        "granted": [each.approver for each in standing.tally.granted],
        "leaf": {"log": "operations", "index": shown.leaf},
        "decisions": [_fields(each) for each in standing.weighed],
    }


def _wanted(standing: Standing) -> dict[str, object]:
    """What is asked for; ``ttl`` in seconds as it was asked, ``max_ttl`` as the policy allows it, null: not said."""
    intent, decision = standing.shown.request.intent, standing.shown.request.decision
    names = (
        "backend",
        "scope",
        "resource",
        "audience",
        "purpose",
        "ticket",
        "run",
        "ttl",
        "parent",
        "renews",
        "reason",
    )
    return {**{each: getattr(intent, each) for each in names}, "max_ttl": decision.max_ttl}


def _fields(weighed: Weighed) -> dict[str, object]:
    decision = weighed.given.decision
    names = ("verdict", "approver", "method", "reason", "at", "until", "by")
    told = {each: getattr(decision, each) for each in names}
    leaf = {"log": "approvals", "index": weighed.given.leaf}
    return {**told, "leaf": leaf, "counts": not weighed.why, "why": weighed.why}


def _head(standing: Standing, style: Style) -> Iterator[str]:
    request, state = standing.shown.request.request, standing.state.value
    yield f"{style.strong(request)}{' ' * max(COLUMNS - len(request) - len(state), 2)}{state}"


def _asked(standing: Standing) -> str:
    intent = standing.shown.request.intent
    what = ", ".join(map(name, (*intent.scope, *intent.resource, *intent.audience)))
    why = f": {intent.purpose}" if intent.purpose else ""
    return f"{name(asks(standing))} wants {name(intent.backend)}{f' ({what})' if what else ''}{why}"


def _until(standing: Standing) -> str:
    return str(text(standing.shown.until))


def _decision(weighed: Weighed) -> str:
    decision = weighed.given.decision
    told = f"{decision.approver} ({decision.method}) at {decision.at}, leaf approvals:{weighed.given.leaf}"
    told = f"{told}: {decision.reason}"
    return f"{told}; does not count: {weighed.why}" if weighed.why else told
