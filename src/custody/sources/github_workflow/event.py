"""From a delivery, REST object or logged claims to events, by the kind that its members show."""

from collections.abc import Callable

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Skip
from custody.sources import identities
from custody.sources.decoding import told
from custody.sources.github_audit import token_shapes
from custody.sources.github_workflow import alerts, claims, records, reviews, runs
from custody.sources.github_workflow.identity import Kind, delivery_of
from custody.sources.github_workflow.records import Job, Payload, Run, User

_PAYLOAD = msgspec.json.Decoder(Payload)
_RUN = msgspec.json.Decoder(Run)
_JOB = msgspec.json.Decoder(Job)
_READ: dict[Kind, Callable[[Payload, str, str], tuple[Event, ...]]] = {
    Kind.RUN: runs.of_run,
    Kind.JOB: runs.of_job,
    Kind.REVIEW: reviews.of_review,
    Kind.RULE: reviews.of_rule,
    Kind.DEPLOYMENT: reviews.of_deployment,
    Kind.DEPLOYMENT_STATUS: reviews.of_deployment,
    Kind.ALERT: alerts.of_alert,
    Kind.ALERT_LOCATION: alerts.of_alert,
}


class _Environment(msgspec.Struct, frozen=True, gc=False):
    """An environment of an approval. Its times are those of its own settings."""

    name: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class _Approval(msgspec.Struct, frozen=True, gc=False):
    """An entry of ``GET …/runs/ID/approvals``: it names neither its run nor its time."""

    state: str
    environments: list[_Environment]
    user: User
    comment: str | None = None


_APPROVAL = msgspec.json.Decoder(_Approval)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The events of a kept record, or why there are none. Raises nothing; the bytes themselves tell the form."""
    return told(lambda: _read(kept))


def _read(kept: bytes) -> tuple[Event, ...]:
    """Reading masks too: tags are text of others, and must be alike from original and kept copy."""
    if delivery_of(kept) is None:
        raise SourceError(
            "nothing of GitHub Actions", where="$", expected="a payload, an object of a run or job, claims"
        )
    clean = token_shapes.masked(kept)
    delivery = delivery_of(clean)
    assert delivery is not None
    identity = identities.canonical(delivery.guid) if delivery.guid else identities.hashed(clean)
    match delivery.kind:
        case Kind.CLAIMS:
            return claims.of_claims(delivery.payload, identity)
        case Kind.RUN_OBJECT:
            return runs.of_run(Payload(workflow_run=_RUN.decode(delivery.payload)), "workflow_run.get", identity)
        case Kind.JOB_OBJECT:
            return runs.of_job(Payload(workflow_job=_JOB.decode(delivery.payload)), "workflow_job.get", identity)
        case Kind.APPROVAL_OBJECT:
            return _approval(_APPROVAL.decode(delivery.payload), identity)
    payload = _PAYLOAD.decode(delivery.payload)
    action = f"{delivery.kind.value}.{payload.action}" if payload.action else delivery.kind.value
    return _READ[delivery.kind](payload, action, identity)


def _approval(approval: _Approval, identity: str) -> tuple[Event, ...]:
    """A plain event: no run, so no key. Its time is the last change of an environment, the only time there is."""
    times = [written for one in approval.environments for written in (one.created_at, one.updated_at)]
    plain = Event(
        id=identity,
        time=0,
        service=runs.SERVICE,
        action=f"approval.{approval.state}",
        outcome=Outcome.SUCCESS,
        parts=(),
        principal=records.key_of(approval.user),
        tags=records.tags(
            comment=approval.comment, environments=[one.name for one in approval.environments if one.name]
        ),
    )
    return (runs.at(plain, records.latest(*times)),)
