"""The typed meaning of Jira's records.

A ticket's status is what its project calls it: a change to *Approved* is a change, never an approval. Only the final
decision of an approval of Service Management is one.
"""

from collections.abc import Iterator

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.sources import moments, pasted_secrets
from custody.sources.jira.identity import WEBHOOK_MARK, secrets
from custody.sources.jira.records import Approval, Fields, Issue, Item, Moment, User, Webhook, site

_SERVICE = "jira"
_DECISIONS = {"approved": "approval.grant", "declined": "approval.deny"}
_LIFE = {"jira:issue_created": "ticket.open", "jira:issue_deleted": "ticket.delete"}
_WEBHOOK = msgspec.json.Decoder(Webhook)
_APPROVAL = msgspec.json.Decoder(Approval)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The events of a kept record, or why there are none. Raises nothing."""
    if WEBHOOK_MARK in kept:
        return pasted_secrets.events_of(kept, _WEBHOOK, lambda body: (_webhook(body),), secrets)
    return pasted_secrets.events_of(kept, _APPROVAL, _answer, secrets)


def _webhook(body: Webhook) -> Event:
    issue = body.issue or Issue()
    host = site(issue.address)
    actor = body.user or (body.comment.author if body.comment else None)
    return Event(
        id=f"{host} {body.webhookEvent} {issue.id or issue.key or '-'} {body.timestamp or '-'}",
        time=_time(body),
        service=_SERVICE,
        action=body.webhookEvent,
        outcome=Outcome.SUCCESS,
        parts=tuple(_parts(body, issue, host)) if issue.key else (),
        account=host,
        principal=_person(host, actor),
        principal_kind=actor.accountType if actor else None,
        resource=issue.key,
        tags=_tags(issue.fields),
    )


def _time(body: Webhook) -> int:
    """The webhook's own time; without it the issue's last change."""
    if body.timestamp is not None:
        return moments.of_milliseconds(body.timestamp, "$.timestamp")
    fields = body.issue.fields if body.issue else None
    text = (fields.updated or fields.created) if fields else None
    if text is None:
        raise SourceError("no time", where="$.timestamp", expected="milliseconds since 1970")
    return moments.rfc3339(text, "$.issue.fields.updated")


def _parts(body: Webhook, issue: Issue, host: str) -> Iterator[Part]:
    """What happened to the ticket; ``related`` is the ticket by number, which stays when its key changes."""
    key = keys.scoped("ticket", host, issue.key or "")
    number = keys.scoped("ticket", host, str(issue.id)) if issue.id else None
    status = issue.fields.status if issue.fields else None
    if body.webhookEvent in _LIFE:
        effect = _LIFE[body.webhookEvent]
        opener = _person(host, issue.fields.reporter) if issue.fields and effect == "ticket.open" else None
        name = status.name if status else None
        yield Part(stage=Stage.CHANGE, key=key, effect=effect, subject=opener, object=name, related=number)
    for item in (body.changelog.items if body.changelog else None) or ():
        yield from _change(item, key, number, host)


def _change(item: Item, key: str, number: str | None, host: str) -> Iterator[Part]:
    name = (item.fieldId or item.field or "").lower()
    if name == "status" and item.after:
        yield Part(stage=Stage.CHANGE, key=key, effect="ticket.status", object=item.after, related=number)
    elif name in ("key", "issuekey") and item.before and item.after:
        old, new = keys.scoped("ticket", host, item.before), keys.scoped("ticket", host, item.after)
        yield Part(stage=Stage.CHANGE, key=old, effect="ticket.move", object=item.after, related=new)
        yield Part(stage=Stage.CHANGE, key=new, effect="ticket.move", object=item.after, related=old)


def _tags(fields: Fields | None) -> str | None:
    if fields is None:
        return None
    told = {
        "project": fields.project.key if fields.project else None,
        "reporter": fields.reporter.called() if fields.reporter else None,
        "status": fields.status.name if fields.status else None,
        "type": fields.issuetype.name if fields.issuetype else None,
    }
    said = {name: value for name, value in told.items() if value}
    return msgspec.json.encode(said).decode() if said else None


def _person(host: str, user: User | None) -> str | None:
    name = user.called() if user else None
    return keys.scoped("person", host, name) if name else None


def _answer(found: Approval) -> tuple[Event, ...]:
    """The events of one approval, or of every approval of a page."""
    approvals = [found] if found.values is None else found.values
    return tuple(event for approval in approvals for event in _approval(approval))


def _approval(found: Approval) -> Iterator[Event]:
    """The request, at its creation; and once it is final, each decision that made it so."""
    if found.finalDecision is None:
        raise SourceError("no decision", where="$.finalDecision", expected="approved, declined or pending")
    effect = _DECISIONS.get(found.finalDecision.lower())
    created = _moment(found.createdDate, "$.createdDate")
    completed = _moment(found.completedDate, "$.completedDate")
    if (effect and completed is None) or (effect is None and created is None):
        where = "$.completedDate" if effect else "$.createdDate"
        raise SourceError("no time", where=where, expected="epochMillis or iso8601")
    if created is not None:
        yield _of_approval(found, created, Stage.REQUEST, "approval.request", None)
    if effect and completed is not None:
        for user in _deciders(found) or [None]:
            yield _of_approval(found, completed, Stage.APPROVE, effect, user)


def _moment(moment: Moment | None, where: str) -> int | None:
    if moment is None:
        return None
    if moment.epochMillis is not None:
        return moments.of_milliseconds(moment.epochMillis, where)
    return moments.rfc3339(moment.iso8601, where) if moment.iso8601 else None


def _deciders(found: Approval) -> list[User | None]:
    """Those whose own decision is the final one; when each of them decided is not told."""
    final = (found.finalDecision or "").lower()
    return [one.approver for one in found.approvers or () if (one.approverDecision or "").lower() == final]


def _of_approval(found: Approval, time: int, stage: Stage, effect: str, user: User | None) -> Event:
    host, request, number = found.place()
    approval = keys.scoped("approval", host, f"{request or '-'}/{number}") if number else None
    person = _person(host, user)
    key = keys.scoped("ticket", host, request) if request else approval
    part = Part(
        stage=stage,
        key=key,
        subject=person,
        effect=effect,
        object=found.name,
        related=approval if request else None,
    )
    return Event(
        id=f"{host} request {request or '-'} approval {number or '-'}",
        time=time,
        service=_SERVICE,
        action="approval" if stage is Stage.REQUEST else found.finalDecision or "",
        outcome=Outcome.SUCCESS,
        parts=(part,) if key else (),
        account=host,
        principal=person,
        principal_kind=user.accountType if user else None,
        resource=request,
    )
