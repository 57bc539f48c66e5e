"""What a request of an incident comes to, for those who decide about it: 80 columns, before the exact text.

As ``cli.approving.summary`` does for the broker: names as the exact text has them, in ASCII, so that two that look
alike are not taken for one another; what somebody wrote stands as it was written, but for what hides or steers; nothing
is shortened.
"""

from __future__ import annotations

from collections.abc import Iterator

from custody.cli.approving.summary import LABEL, name, row
from custody.incidents.record.folding import Action, Heard, Incident
from custody.incidents.record.weighing import decide_by, granted, where
from custody.model.incidents import Decided
from custody.model.times import text
from custody.reports.safe import plain
from custody.reports.words import stamp


def summary(incident: Incident, action: Action, now: int) -> Iterator[str]:
    """What is to be done to what, why, who asks, who has to approve until when, and the digest that a decision names.

    ``now`` (µs) is the time of asking: how far the request is, and whose grants count.
    """
    for label, told in (*_what(incident, action, now), *_needed(action, now)):
        yield from row(label, told)
    yield f"{'digest':<{LABEL}}{action.asked.digest}"


def _what(incident: Incident, action: Action, now: int) -> Iterator[tuple[str, str]]:
    request, several = action.request, len(action.request.content)
    yield "request", f"{name(action.id)}: {where(action, now).value}"
    yield "incident", f"{name(incident.id)}, {incident.opening.severity.value}: “{plain(incident.opening.title)}”"
    yield "asks", f"{_who(action.asked)} at {stamp(text(action.asked.at))}"
    yield "to", request.kind.value
    if request.break_glass:
        yield "break-glass", f"yes: it may be done at once; review by {stamp(request.review_by)}"
    for each in request.targets:
        yield "target", name(each)
    for place, each in enumerate(request.content, 1):
        yield f"do {place} of {several}" if several > 1 else "do", name(each)
    yield "by", "anybody" if request.executor is None else name(request.executor)
    if request.until is not None:
        yield "until", stamp(request.until)
    yield "reason", f"“{plain(request.reason)}” (claimed)"


def _needed(action: Action, now: int) -> Iterator[tuple[str, str]]:
    decision = action.request.decision
    ids = ", ".join(name(each.id) for each in decision.policies) or "none is named"
    yield "policy", f"{decision.verdict.value}: {ids}"
    if action.overruled:
        yield "NOT BELIEVED", plain(action.overruled)
    if decision.asked is not None:
        grants = [name(each.author) for each in granted(action, now)]
        told = f"{len(grants)} of {decision.asked.count} of {name(decision.asked.group)}"
        yield "approvals", f"{told}: {', '.join(grants)}" if grants else told
        yield "decide by", stamp(text(decide_by(action)))
    for each in action.decisions:
        if not each.why and isinstance(each.heard.step, Decided) and each.heard.step.verdict == "deny":
            yield "denied by", name(each.heard.author)


def _who(heard: Heard) -> str:
    return f"{name(heard.author)} ({'signed' if heard.signature is not None else 'CLAIMED: nobody signed'})"
