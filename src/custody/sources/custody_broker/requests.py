"""What was asked of a broker, decided and approved: the tokens that were shown, the decision, and people's word."""

from collections.abc import Iterator

import msgspec

from custody.model.broker_terms import Decision, Proof, Verdict
from custody.model.brokered import Approved, Entry, Refused, Request
from custody.model.events import Event, Outcome, Part, Stage
from custody.sources.custody_broker import names

_DECIDED = {
    Verdict.ALLOW: "decision.allow",
    Verdict.DENY: "decision.deny",
    Verdict.APPROVAL: "decision.approval_required",
}


def requested(entry: Entry, body: Request) -> tuple[Event, ...]:
    """The request and its decision, and a use of each token that the broker verified for it."""
    broker = entry.broker
    about = names.request(broker, body.request)
    key = names.chain(broker, entry.chain) if entry.chain else about
    proof, decision = body.proof, body.decision
    who = names.known(proof.workload)
    asked = Part(
        stage=Stage.REQUEST,
        key=key,
        effect="credential.request",
        subject=who,
        workload=who,
        granularity=names.granularity(proof.granularity),
        method=proof.method,
        parent=names.known(proof.credential),
        object=body.digest,
        related=about,
        population=names.population(person=proof.person),
    )
    decided = Part(
        stage=Stage.DECIDE,
        key=key,
        effect=_DECIDED[decision.verdict],
        object=body.digest,
        related=about,
        session_name=None if body.plan is None else body.plan.backend,
        not_after=None if body.plan is None else names.moment(body.plan.not_after, "$.body.plan.not_after"),
    )
    wanted = (_wanted(about, who, proof, decision),) if decision.verdict is Verdict.APPROVAL else ()
    own = names.event(
        entry,
        "request",
        (asked, decided, *wanted),
        outcome=Outcome.DENIED if decision.verdict is Verdict.DENY else Outcome.SUCCESS,
        tags=_tags(body),
        principal=who,
        principal_kind=proof.method,
        request_id=body.request,
        resource=next(iter(body.intent.resource), None),
        policy=names.policy(tuple(each.id for each in decision.policies), decision.policy_set),
        error=decision.why or None if decision.verdict is Verdict.DENY else None,
        origin=body.origin,
        trace=body.trace,
    )
    proofs = (proof, *(actor.proof for actor in body.actors if actor.proof is not None))
    return (own, *shown(entry, proofs, body.origin, body.trace, Outcome.SUCCESS))


def refused(entry: Entry, body: Refused) -> tuple[Event, ...]:
    """A refusal; of a token that did not verify nothing but the fact, for what it claims is nobody's word."""
    own = names.event(
        entry,
        "refused",
        (),
        outcome=Outcome.DENIED,
        tags={"count": body.count, "digest": body.digest} if body.digest else {"count": body.count},
        principal=names.known(body.proof.workload) if body.proof else None,
        error=f"{body.reason}: {body.detail}",
        origin=body.origin,
        trace=body.trace,
    )
    proofs = () if body.proof is None else (body.proof,)
    return (own, *shown(entry, proofs, body.origin, body.trace, Outcome.DENIED))


def approved(entry: Entry, body: Approved) -> tuple[Event, ...]:
    """A person's decision as the broker found it in the log of approvals. One that cannot count is a denied try.

    Who asked is told beside it where the approver's system has a name for them, so that names of one system meet.
    """
    about = names.request(entry.broker, body.request)
    approver = names.known(body.approver)
    decision = Part(
        stage=Stage.APPROVE,
        key=about,
        effect=_effect(body),
        subject=approver,
        object=body.digest,
        not_after=None if body.until is None else names.moment(body.until, "$.body.until"),
    )
    requester = names.known(body.requester)
    asked = (Part(stage=Stage.REQUEST, key=about, effect="approval.request", subject=requester),) if requester else ()
    told = names.event(
        entry,
        "approved",
        (decision, *asked),
        outcome=Outcome.SUCCESS if body.counts or _withdraws(body) else Outcome.DENIED,
        tags={"leaf": body.leaf, "given": body.given, "reason": body.reason},
        principal=approver,
        request_id=body.request,
        error=None if body.counts or _withdraws(body) else body.why or "does not count",
    )
    return (told,)


def _withdraws(body: Approved) -> bool:
    """Whether it takes a grant of the same person back: it counts for nothing itself, and ends what counted."""
    return body.why.startswith("withdrawn")


def _effect(body: Approved) -> str:
    if _withdraws(body):
        return "approval.withdraw"
    return "approval.grant" if body.verdict == "grant" else "approval.deny"


def _wanted(about: str, who: str | None, proof: Proof, decision: Decision) -> Part:
    """That people are to approve: how many of whom (``2 leads``), where the policy said so."""
    asked = decision.asked
    return Part(
        stage=Stage.REQUEST,
        key=about,
        effect="approval.request",
        subject=who,
        object=None if asked is None else f"{asked.count} {asked.group}",
        population=names.population(person=proof.person),
    )


def shown(
    entry: Entry, proofs: tuple[Proof, ...], origin: str | None, trace: str | None, outcome: Outcome
) -> Iterator[Event]:
    """The use of each token or certificate at the broker, which verified it. One without an id is no key."""
    for proof in proofs:
        key, who = names.known(proof.credential), names.known(proof.workload)
        if key is not None:
            used = Part(stage=Stage.USE, key=key, subject=who, population=names.population(person=proof.person))
            yield names.event(
                entry,
                "present",
                (used,),
                outcome=outcome,
                account=False,
                principal=who,
                principal_kind=proof.method,
                origin=origin,
                trace=trace,
            )


def _tags(body: Request) -> dict[str, object]:
    """What was asked for, in the requester's own words, and by what it was decided."""
    found: dict[str, object] = {
        **msgspec.to_builtins(body.intent),
        "digest": body.digest,
        "engine": body.decision.engine,
        "identity": body.registered.identity if body.registered else None,
        "actors": [each.subject for each in body.actors],
        "approvals": [each.leaf for each in body.approvals],
        "commit": body.decision.commit,
        "errors": list(body.decision.errors),
    }
    return {name: value for name, value in found.items() if value not in (None, [], ())}
