"""Workflow runs, jobs and their approvals in the audit log, each part with the time at which it was so."""

from custody.model import github_subjects
from custody.model.events import Part, Stage
from custody.sources.github_audit import records
from custody.sources.github_audit.records import Record

Moment = tuple[int, Part]
FIRST_ATTEMPT = "1"
_DECISIONS = {"workflows.approve_workflow_job": "approval.grant", "workflows.reject_workflow_job": "approval.deny"}
_BYPASS = "workflows.bypass_protection_rules"
_CHANGES = {
    "workflows.cancel_workflow_run": "run.cancel",
    "workflows.delete_workflow_run": "run.delete",
    "workflows.rerun_workflow_run": "run.rerun",
}


def moments(record: Record, time: int) -> tuple[Moment, ...]:
    """What an event of the category ``workflows`` says of its run; nothing without the run's id."""
    run = records.text(record.workflow_run_id)
    if run is None or record.category != "workflows":
        return ()
    match record.action:
        case "workflows.created_workflow_run":
            return _started(record, time, github_subjects.run_key(run, _attempt(record)))
        case "workflows.completed_workflow_run":
            return _completed(record, time, github_subjects.run_key(run, _attempt(record)))
        case "workflows.prepared_workflow_job":
            return ((time, _job(record, run)),) if record.job_name else ()
    return tuple((time, part) for part in _decided(record, run))


def _attempt(record: Record) -> str:
    """The attempt, the first where the event does not say: a run is created once, what follows are reruns."""
    return records.text(record.run_attempt) or FIRST_ATTEMPT


def _run(record: Record, stage: Stage, key: str, effect: str) -> Part:
    workflow = github_subjects.workflow_key(record.where, None, record.name)
    return Part(stage=stage, key=key, effect=effect, object=workflow, population="machine")


def _started(record: Record, time: int, key: str) -> tuple[Moment, ...]:
    started = records.moment(record.started_at, "$.started_at")
    return ((time if started is None else started, _run(record, Stage.START, key, "run.start")),)


def _completed(record: Record, time: int, key: str) -> tuple[Moment, ...]:
    """The end, and the start too: of a rerun no other event gives it."""
    started = records.moment(record.started_at, "$.started_at")
    ended = records.moment(record.completed_at, "$.completed_at")
    start = () if started is None else ((started, _run(record, Stage.START, key, "run.start")),)
    return (*start, (time if ended is None else ended, _run(record, Stage.END, key, "run.end")))


def _job(record: Record, run: str) -> Part:
    """A job that was handed to its runner. The log gives its name, not its id, and mostly no attempt."""
    attempt = records.text(record.run_attempt)
    return Part(
        stage=Stage.START,
        key=github_subjects.job_key(run, attempt, f"name={record.job_name}"),
        effect="run.start",
        object=github_subjects.workflow_of_ref(record.job_workflow_ref),
        related=github_subjects.run_key(run, attempt) if attempt else None,
        population="machine",
    )


def _decided(record: Record, run: str) -> tuple[Part, ...]:
    """A decision or its bypass concerns the first attempt where none is named; any other change then has no key."""
    key = github_subjects.run_key(run, _attempt(record))
    place = github_subjects.environment_key(record.where, record.environment_name or record.environment)
    if record.action == _BYPASS:
        return (Part(stage=Stage.CHANGE, key=key, effect="approval.bypass", related=place),)
    if effect := _DECISIONS.get(record.action):
        return (Part(stage=Stage.APPROVE, key=key, subject=record.user_key, effect=effect, related=place),)
    if effect := _CHANGES.get(record.action):
        known = key if records.text(record.run_attempt) else None
        return (Part(stage=Stage.CHANGE, key=known, effect=effect, object=f"run {run}"),)
    return ()
