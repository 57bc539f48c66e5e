"""Secrets that GitHub found in a repository, and where. The secret itself is masked before sealing and never read."""

from custody.model.events import Event, Outcome, Part, Stage
from custody.sources.github_workflow import records, runs
from custody.sources.github_workflow.records import Alert, Payload

_EXPOSED = frozenset(("created", "reopened", "publicly_leaked"))


def of_alert(payload: Payload, action: str, identity: str) -> tuple[Event, ...]:
    """An exposed secret, or what became of its alert. No key: an alert names the kind of the secret, not which."""
    alert = payload.alert
    assert alert is not None
    exposed = payload.action in _EXPOSED
    number = f"#{alert.number}" if alert.number is not None else ""
    part = Part(
        stage=Stage.CHANGE,
        effect="secret.exposed" if exposed else f"secret_alert.{payload.action or 'change'}",
        object=f"{payload.where or ''}{number} {alert.secret_type or ''}".strip() or None,
    )
    return (runs.at(_event(payload, alert, action, identity), _time(payload.action, alert), part),)


def _time(action: str | None, alert: Alert) -> int | None:
    created = records.moment(alert.created_at, "$.alert.created_at")
    if action == "created" and created is not None:
        return created
    return records.latest(alert.created_at, alert.updated_at, alert.resolved_at)


def _event(payload: Payload, alert: Alert, action: str, identity: str) -> Event:
    place = payload.location
    details = place.details if place else None
    return Event(
        id=identity,
        time=0,
        service=runs.SERVICE,
        action=action,
        outcome=Outcome.SUCCESS,
        parts=(),
        principal=records.key_of(payload.sender),
        resource=payload.where,
        account=payload.where.partition("/")[0] if payload.where else None,
        tags=records.tags(
            alert=alert.number,
            secret_type=alert.secret_type,
            state=alert.state,
            resolution=alert.resolution,
            validity=alert.validity,
            location=place.type if place else None,
            path=details.path if details else None,
            commit=details.commit_sha if details else None,
        ),
    )
