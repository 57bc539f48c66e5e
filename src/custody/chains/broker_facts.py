"""What was asked for, by whom and why, what was decided and what was made, each with its leaf and whose word it is."""

from collections.abc import Iterator, Sequence

from custody.model.broker_terms import Actor, Ending, Verdict
from custody.model.broker_told import Fact
from custody.model.brokered import Entry, Failed, Issued, Refused, Request
from custody.model.leaf import LeafRef
from custody.model.times import duration

LOG = "operations"
SECOND = 1_000_000
ENDS = {
    Ending.KILLED: "can be ended at once, not its sessions",
    Ending.KILLED_WITH_SESSIONS: "can be ended at once with its sessions",
    Ending.EXPIRY: "nothing ends it but its expiry",
}
DECIDED = {"allow": "allowed", "deny": "denied", "approval-required": "people have to approve"}

Placed = tuple[int, Entry]


def facts(lines: Sequence[Placed]) -> Iterator[Fact]:
    """The facts of one request in the order in which they are asked: who, for whom, what, why, decided, made."""
    requests = [(leaf, entry, entry.body) for leaf, entry in lines if isinstance(entry.body, Request)]
    issues = [(leaf, entry.body) for leaf, entry in lines if isinstance(entry.body, Issued)]
    if requests:
        leaf, entry, body = requests[0]
        yield from _who(leaf, body)
        yield from _wanted(leaf, body, issued=bool(issues))
    for leaf, made in issues[:1]:
        yield from _made(leaf, made, requests[0][2] if requests else None)
    for leaf, entry, body in requests:
        yield from _decided(leaf, entry, body)
    for leaf, entry in lines:
        if isinstance(entry.body, Failed):
            yield _fact("outcome", f"{entry.body.reason}; left at the backend: {entry.body.left}", "broker", leaf)
        elif isinstance(entry.body, Refused):
            yield from _refused(leaf, entry.body)
    traces = ((leaf, _trace(entry)) for leaf, entry in lines)
    yield from (_fact("trace", trace, "requester", leaf) for leaf, trace in dict(_firsts(traces)).items())


def _firsts(traces: Iterator[tuple[int, str | None]]) -> Iterator[tuple[int, str]]:
    """Each trace once, with the first line that has it."""
    seen: set[str] = set()
    for leaf, trace in traces:
        if trace and trace not in seen:
            seen.add(trace)
            yield leaf, trace


def _trace(entry: Entry) -> str | None:
    return entry.body.trace if isinstance(entry.body, Request | Refused | Issued) else None


def _who(leaf: int, body: Request) -> Iterator[Fact]:
    proof = body.proof
    yield _fact("asked by", f"{proof.subject} of {proof.issuer}, proved by {proof.method}", "broker", leaf)
    if body.registered is not None:
        owner = f", owner {body.registered.owner}" if body.registered.owner else ""
        yield _fact("identity", f"{body.registered.identity} in {body.registered.document}{owner}", "register", leaf)
    for place, actor in enumerate(body.actors):
        text, whose = _acting(actor)
        yield _fact("acting" if place == 0 else "acting for it", text, whose, leaf)
    if body.origin:
        yield _fact("asked from", body.origin, "broker", leaf)


def _acting(actor: Actor) -> tuple[str, str]:
    """Who acts for the subject, and whose word that is: proved by their own token, or told by an issuer."""
    if actor.proof is not None:
        return f"{actor.subject} of {actor.proof.issuer}, proved by {actor.proof.method}", "broker"
    if actor.claimed:
        return f"{actor.subject}, as the requester says", "requester"
    return f"{actor.subject}, as {actor.issuer or 'the issuer'} says", "issuer"


def _wanted(leaf: int, body: Request, *, issued: bool) -> Iterator[Fact]:
    intent = body.intent
    if not issued:
        yield _fact("backend", intent.backend, "requester", leaf)
        yield from _lists(leaf, "requester", intent.scope, intent.audience, intent.resource)
    yield from (_fact("details", each, "requester", leaf) for each in intent.details)
    words = (("purpose", intent.purpose), ("ticket", intent.ticket), ("run", intent.run))
    yield from (_fact(name, text, "requester", leaf) for name, text in words if text)
    if body.proof.run:
        yield _fact("run", body.proof.run.split(":", 2)[-1], "broker", leaf)
    if intent.ttl is not None:
        yield _fact("lifetime asked for", duration(intent.ttl * SECOND), "requester", leaf)
    if not issued:
        comes = (("renews", intent.renews), ("descends from", intent.parent))
        yield from (_fact(name, text, "requester", leaf) for name, text in comes if text)
    if intent.break_glass:
        yield _fact("break-glass", "asked for before anybody could approve it", "requester", leaf)
    if intent.reason:
        yield _fact("reason", intent.reason, "requester", leaf)


def _lists(
    leaf: int, whose: str, scope: Sequence[str], audience: Sequence[str], resource: Sequence[str]
) -> Iterator[Fact]:
    for name, values in (("scope", scope), ("audience", audience), ("resource", resource)):
        if values:
            yield _fact(name, ", ".join(values), whose, leaf)


def _made(leaf: int, body: Issued, asked: Request | None) -> Iterator[Fact]:
    kind = body.type.rpartition(":")[2].replace("_", " ")
    yield _fact("backend", f"{body.backend} ({kind}); {ENDS[body.ends]}", "broker", leaf)
    yield from _lists(leaf, "broker", body.scope, body.audience, body.resource)
    if asked is not None and body.scope and tuple(sorted(asked.intent.scope)) != tuple(sorted(body.scope)):
        yield _fact("scope asked for", ", ".join(asked.intent.scope) or "none named", "requester", leaf)
    comes = (("renews", body.renews), *(("descends from", each) for each in (body.descends, *body.parents)))
    yield from (_fact(name, text, "broker", leaf) for name, text in comes if text)


def _decided(leaf: int, entry: Entry, body: Request) -> Iterator[Fact]:
    decision = body.decision
    named = ", ".join(each.id for each in decision.policies)
    why = "; ".join((*([decision.why] if decision.why else []), *decision.errors))
    by = ", says" if decision.verdict is Verdict.APPROVAL else " by"
    text = DECIDED[decision.verdict.value] + (f"{by} {named}" if named else "") + (f": {why}" if why else "")
    yield _fact("decision", text, "broker", leaf)
    if decision.asked is not None:
        asked = decision.asked
        until = f"within {duration(asked.within * SECOND)} of {entry.at}"
        yield _fact("approvals asked for", f"{asked.count} of {asked.group}, {until}", "broker", leaf)
    if body.digest and decision.asked is not None:
        yield _fact("digest", body.digest, "broker", leaf)
    if body.review:
        by = f", by {body.review_by}" if body.review_by else ""
        yield _fact("approve afterwards", f"{body.review}{by}", "broker", leaf)
    if body.approvals:
        given = ", ".join(each.approver.split(":", 2)[-1] for each in body.approvals)
        yield _fact("approvals counted", given, "broker", leaf)


def _refused(leaf: int, body: Refused) -> Iterator[Fact]:
    if body.proof is not None:
        yield _fact("asked by", f"{body.proof.subject} of {body.proof.issuer}", "broker", leaf)
    times = f" ({body.count} times)" if body.count > 1 else ""
    yield _fact("refused", f"{body.reason}: {body.detail}{times}", "broker", leaf)
    if body.origin:
        yield _fact("asked from", body.origin, "broker", leaf)


def _fact(name: str, value: str, whose: str, leaf: int) -> Fact:
    return Fact(name=name, value=value, said_by=whose, leaf=LeafRef(LOG, leaf))
