"""Starts and ends of workflow runs and of their jobs, each as an event of its own time."""

import re

import msgspec

from custody.errors import SourceError
from custody.model import github_subjects
from custody.model.events import Event, Outcome, Part, Stage
from custody.sources.github_workflow import records
from custody.sources.github_workflow.records import Job, Payload, Run, Workflow

SERVICE = "github.com"
_REPOSITORY = re.compile(r"https?://[^/]+/(?:api/v3/)?repos/([^/]+/[^/]+)/actions/runs/[0-9]+")
_RUNNING = ("in_progress", "completed")


def run_key(run: Run) -> str:
    """The key of the attempt that a run is in; the first where the log does not say."""
    return github_subjects.run_key(run.id, run.run_attempt or 1)


def of_run(payload: Payload, action: str, identity: str) -> tuple[Event, ...]:
    """The start of a run and, where it is completed, its end; a plain event where the times of both are missing."""
    run = payload.workflow_run
    assert run is not None
    started = records.moment(run.run_started_at, "$.run_started_at")
    if started is None and str(run.run_attempt or 1) == "1":
        started = records.moment(run.created_at, "$.created_at")
    done = payload.action == "completed" or run.status == "completed"
    ended = records.moment(run.updated_at, "$.updated_at") if done else None
    plain = _run_event(payload, run, action, identity)
    workflow = _workflow(payload.workflow, run, plain.resource)
    moments = (
        (started, _part(Stage.START, run_key(run), "run.start", workflow, None)),
        (ended, _part(Stage.END, run_key(run), "run.end", workflow, None)),
    )
    return _events(plain, moments, records.latest(run.created_at, run.updated_at))


def _run_event(payload: Payload, run: Run, action: str, identity: str) -> Event:
    who = run.triggering_actor or run.actor or payload.sender
    repository = payload.where or (run.repository.full_name if run.repository else None)
    return Event(
        id=identity,
        time=0,
        service=SERVICE,
        action=action,
        outcome=Outcome.SUCCESS,
        parts=(),
        principal=records.key_of(who),
        resource=repository,
        account=repository.partition("/")[0] if repository else None,
        tags=records.tags(
            event=run.event,
            head_branch=run.head_branch,
            head_sha=run.head_sha,
            path=run.path,
            run_number=run.run_number,
            status=run.status,
            conclusion=run.conclusion,
            actor=run.actor.login if run.actor else None,
        ),
    )


def _workflow(workflow: Workflow | None, run: Run, repository: str | None) -> str | None:
    """The key of the workflow: by the path of its file. ``run.name`` can be the title of the run, so it comes last."""
    path = run.path or (workflow.path if workflow else None)
    return github_subjects.workflow_key(repository, path, (workflow.name if workflow else None) or run.name)


def of_job(payload: Payload, action: str, identity: str) -> tuple[Event, ...]:
    """The start of a job and, where it is completed, its end. One that waits or was skipped did not run."""
    job = payload.workflow_job
    assert job is not None
    ran = job.conclusion != "skipped" and (job.status in _RUNNING or payload.action in _RUNNING)
    over = job.status == "completed" or payload.action == "completed"
    plain = _job_event(payload, job, action, identity)
    key = github_subjects.job_key(job.run_id, job.run_attempt, str(job.id))
    parent = github_subjects.run_key(job.run_id, job.run_attempt) if job.run_attempt else None
    workflow = github_subjects.workflow_key(plain.resource, None, job.workflow_name)
    started = records.moment(job.started_at, "$.started_at") if ran else None
    ended = records.moment(job.completed_at, "$.completed_at") if ran and over else None
    moments = (
        (started, _part(Stage.START, key, "run.start", workflow, parent)),
        (ended, _part(Stage.END, key, "run.end", workflow, parent)),
    )
    return _events(plain, moments, records.latest(job.created_at, job.started_at, job.completed_at))


def _job_event(payload: Payload, job: Job, action: str, identity: str) -> Event:
    found = _REPOSITORY.match(job.run_url) if job.run_url else None
    repository = payload.where or (found[1] if found else None)
    deployment = payload.deployment
    return Event(
        id=identity,
        time=0,
        service=SERVICE,
        action=action,
        outcome=Outcome.SUCCESS,
        parts=(),
        principal=records.key_of(payload.sender),
        resource=repository,
        account=repository.partition("/")[0] if repository else None,
        tags=records.tags(
            job=job.name,
            run_id=job.run_id,
            head_branch=job.head_branch,
            head_sha=job.head_sha,
            status=job.status,
            conclusion=job.conclusion,
            runner=job.runner_name,
            runner_group=job.runner_group_name,
            labels=job.labels,
            environment=deployment.environment if deployment else None,
        ),
    )


def _part(stage: Stage, key: str, effect: str, workflow: str | None, parent: str | None) -> Part:
    return Part(stage=stage, key=key, effect=effect, object=workflow, related=parent, population="machine")


def _events(plain: Event, moments: tuple[tuple[int | None, Part], ...], otherwise: int | None) -> tuple[Event, ...]:
    """An event for each moment that has a time, else a plain one at ``otherwise``."""
    timed = [(time, part) for time, part in moments if time is not None]
    if timed:
        return tuple(at(plain, time, part) for time, part in timed)
    return (at(plain, otherwise),)


def at(plain: Event, time: int | None, *parts: Part) -> Event:
    """``plain`` at ``time`` with ``parts``; SourceError where the record gives no time."""
    if time is None:
        raise SourceError("a record without a time", where="$", expected="a time of the run, job, review or alert")
    return msgspec.structs.replace(plain, time=time, parts=parts)
