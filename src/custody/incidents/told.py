"""Steps and actions of an incident as a page shows them: who, when, what they said, and whether it counts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.incidents.record.ending import unshown
from custody.incidents.record.folding import Action, Heard, Incident, Weighed
from custody.incidents.record.weighing import by_other, overdue, unapproved, where
from custody.incidents.seen import Outcome
from custody.incidents.timeline.steps import told as words
from custody.incidents.timeline.steps import why_said
from custody.model.broker_terms import Decision, Verdict
from custody.model.incident_view import ActionView, OutcomeView, Told
from custody.model.incidents import Claimed, Closed, Done, Noted, Step
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.model.verdicts import State

POLICIES: dict[Verdict, str] = {
    Verdict.ALLOW: "the policies allow it",
    Verdict.DENY: "the policies deny it",
    Verdict.APPROVAL: "the policies ask for approval",
}


def step(heard: Heard, incident: Incident, why: str = "") -> Told:
    """A sealed step."""
    reason: object = getattr(heard.step, "reason", "")
    return Told(
        who=heard.author,
        at=text(heard.at) or "",
        what=words(heard.step, incident)[1],
        leaf=heard.leaf,
        signed=heard.signature is not None,
        reason=reason if isinstance(reason, str) else "",
        digest=heard.digest,
        why=why,
        cites=_cites(heard.step),
    )


def _cites(step: Step) -> tuple[LeafRef, ...]:
    match step:
        case Noted() | Claimed():
            return step.cites
        case Done():
            return step.rests_on
        case Closed():
            return tuple(dict.fromkeys(leaf for each in step.ended for leaf in each.leaves))
    return ()


def closed(incident: Incident, outcomes: Sequence[Outcome]) -> Told | None:
    """The close that counts, with a warning where the evidence does not show (any more) what it says was proved."""
    if incident.closed is None:
        return None
    shown = (each.action for each in outcomes if each.judged.state == State.PROVED)
    return step(incident.closed, incident, unshown(incident, shown))


def done(each: Action, heard: Heard, incident: Incident) -> Told:
    """What somebody says they did, with why it counts as done without approval, and who was to do it instead."""
    found, other = step(heard, incident, unapproved(each, heard)), by_other(each, heard)
    return msgspec.structs.replace(found, what=f"{found.what} ({other})") if other else found


def action(each: Action, incident: Incident, now: int, outcome: Outcome | None) -> ActionView:
    """An action as it stands at ``now`` (µs), with what became of it where somebody judged that."""
    request, decision = each.request, each.request.decision
    claimed = [heard.step.at for heard in each.done if isinstance(heard.step, Done)]
    return ActionView(
        action=each.id,
        kind=request.kind.value,
        targets=request.targets,
        content=request.content,
        status=where(each, now).value,
        asked=step(each.asked, incident),
        lapses=request.lapses,
        digest=each.asked.digest,
        policy=each.overruled or _policy(decision),
        policies=tuple(one.id for one in decision.policies),
        approvals_asked=_asked(decision),
        executor=request.executor,
        until=request.until,
        break_glass=request.break_glass,
        second_by=request.second_by,
        review_by=request.review_by,
        overdue=overdue(each, now),
        unapproved="; ".join(dict.fromkeys(why for heard in each.done if (why := unapproved(each, heard)))),
        decisions=_all(each.decisions, incident),
        done=tuple(done(each, heard, incident) for heard in each.done),
        said_at=claimed[0] if claimed else None,
        settled=None if each.settled is None else step(each.settled, incident),
        reviews=_all(each.reviews, incident),
        outcome=None if outcome is None else _outcome(outcome),
    )


def _outcome(outcome: Outcome) -> OutcomeView:
    return OutcomeView(
        judged=outcome.judged,
        observed_at=text(outcome.observed_at),
        last_success_after=text(outcome.last_success_after),
        surviving=outcome.surviving,
    )


def _all(weighed: Sequence[Weighed], incident: Incident) -> tuple[Told, ...]:
    return tuple(step(each.heard, incident, why_said(each.why) if each.why else "") for each in weighed)


def _policy(decision: Decision) -> str:
    told = POLICIES[decision.verdict]
    why = f": {decision.why}" if decision.why else ""
    wrong = f"; errors: {'; '.join(decision.errors)}" if decision.errors else ""
    return f"{told}{why}{wrong}"


def _asked(decision: Decision) -> str:
    asked = decision.asked
    if asked is None or decision.verdict is not Verdict.APPROVAL:
        return ""
    minutes, seconds = divmod(asked.within, 60)
    within = f"{asked.within} s" if seconds else f"{minutes} min"
    return f"{asked.count} of {asked.group} within {within}"
