"""Approvals of deployments: who asked, who decided, for which run and environment; and deployments themselves."""

import re

from custody.model import github_subjects
from custody.model.events import Event, Outcome, Part, Stage
from custody.sources.github_workflow import records, runs
from custody.sources.github_workflow.records import Payload, Run, User

_DECISIONS = {"approved": "approval.grant", "rejected": "approval.deny"}
_CALLBACK = re.compile(r"https?://[^/]+/(?:api/v3/)?repos/[^/]+/[^/]+/actions/runs/([0-9]+)/deployment_protection_rule")
_FIRST_ATTEMPT = 1


def of_review(payload: Payload, action: str, identity: str) -> tuple[Event, ...]:
    """A review that was asked for or given: a part for each environment.

    A payload has no time of its own. The decision is at the latest of the times in it, which can be a little early.
    """
    run = payload.workflow_run
    assert run is not None
    jobs = (*(payload.workflow_job_runs or ()), *((payload.workflow_job_run,) if payload.workflow_job_run else ()))
    decided = _DECISIONS.get(payload.action or "")
    who = payload.approver if decided else payload.requestor or payload.requester
    times = (payload.since, run.updated_at, *(job.updated_at for job in jobs)) if decided else (payload.since,)
    time = records.latest(*times) or records.latest(run.updated_at)
    names = {job.environment for job in jobs if job.environment} or {payload.environment}
    places = [github_subjects.environment_key(payload.where, name) for name in sorted(filter(None, names))] or [None]
    stage = Stage.APPROVE if decided else Stage.REQUEST
    effect = decided or ("approval.request" if payload.action == "requested" else None)
    parts = [_part(stage, runs.run_key(run), who, effect, place) for place in places] if effect else []
    return (runs.at(_event(payload, action, identity, who, run, names), time, *parts),)


def _part(stage: Stage, key: str, who: User | None, effect: str, place: str | None) -> Part:
    return Part(stage=stage, key=key, subject=records.key_of(who), effect=effect, related=place)


def of_rule(payload: Payload, action: str, identity: str) -> tuple[Event, ...]:
    """A deployment protection rule that an app was asked to decide. The run is in the address to answer to."""
    deployment = payload.deployment
    found = _CALLBACK.match(payload.deployment_callback_url or "")
    who = deployment.creator if deployment else None
    name = payload.environment or (deployment.environment if deployment else None)
    key = github_subjects.run_key(found[1], _FIRST_ATTEMPT) if found else None
    place = github_subjects.environment_key(payload.where, name)
    parts = (_part(Stage.REQUEST, key, who, "approval.request", place),) if key else ()
    time = records.latest(deployment.created_at, deployment.updated_at) if deployment else None
    return (runs.at(_event(payload, action, identity, who, None, {name}), time, *parts),)


def of_deployment(payload: Payload, action: str, identity: str) -> tuple[Event, ...]:
    """A deployment that was made, or what became of it, with the run that made it."""
    deployment, status, run = payload.deployment, payload.deployment_status, payload.workflow_run
    name = deployment.environment if deployment else status.environment if status else None
    made = status or deployment
    part = Part(
        stage=Stage.CHANGE,
        key=github_subjects.environment_key(payload.where, name),
        effect=f"deployment.{status.state}" if status and status.state else "deployment.create",
        object=deployment.sha if deployment else None,
        related=runs.run_key(run) if run else None,
    )
    time = records.moment(made.created_at, "$.created_at") if made else None
    who = made.creator if made else None
    return (runs.at(_event(payload, action, identity, who, run, {name}), time, part),)


def _event(
    payload: Payload, action: str, identity: str, who: User | None, run: Run | None, environments: set[str | None]
) -> Event:
    deployment = payload.deployment
    return Event(
        id=identity,
        time=0,
        service=runs.SERVICE,
        action=action,
        outcome=Outcome.SUCCESS,
        parts=(),
        principal=records.key_of(who or payload.sender),
        resource=payload.where,
        account=payload.where.partition("/")[0] if payload.where else None,
        tags=records.tags(
            comment=payload.comment,
            environments=sorted(name for name in environments if name),
            event=run.event if run else payload.event,
            head_branch=run.head_branch if run else None,
            head_sha=run.head_sha if run else deployment.sha if deployment else None,
            ref=deployment.ref if deployment else None,
            deployment=deployment.id if deployment else None,
        ),
    )
