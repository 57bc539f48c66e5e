"""GitHub: webhook deliveries of Actions, and the organisation's audit log as it is streamed.

Formats: "Webhook events and payloads" and "Audit log events for your organization", GitHub Docs.
"""

import hashlib

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import GITHUB_AUDIT, GITHUB_WORKFLOW, About, Entry, encoded
from custody.simulation.estate import Estate
from custody.simulation.times import milliseconds, seconds, whole
from custody.simulation.world import ORGANISATION, Workload

Fields = dict[str, object]
PATH = ".github/workflows/deploy.yml"
NAME = "Deploy"
"""The workflow by its file, as webhooks have it, and by its name, as the audit log has it."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a workflow with its one job, in one attempt; ``environment`` is what its job deploys to."""

    workload: Workload
    run: int
    job: int
    number: int
    attempt: int
    actor: str
    sha: str
    environment: str
    created: int

    @property
    def key(self) -> str:
        """The key of the run."""
        return f"github_run:github:{self.run}/{self.attempt}"

    @property
    def job_key(self) -> str:
        """The key of the job, by its id."""
        return f"github_job:github:{self.run}/{self.attempt}/{self.job}"

    @property
    def job_alias(self) -> str:
        """The key of the job in the audit log, which has its name alone."""
        return f"github_job:github:{self.run}/{self.attempt}/name=deploy"

    @property
    def workflow_key(self) -> str:
        """The key of the workflow."""
        return f"github_workflow:github:{self.workload.repository}/{PATH}"


def delivery(estate: Estate, chance: Chance, flow: Flow, time: int, event: str, payload: Fields, *about: About) -> None:
    """A webhook as its receiver kept it: event, GUID of the delivery, payload."""
    sender = payload.pop("sender", flow.actor)
    payload |= {"repository": _repository(flow), "organization": {"login": ORGANISATION}, "sender": user(str(sender))}
    value = {"event": event, "delivery": chance.uuid(), "payload": payload}
    estate.say(Entry(time=time, source=GITHUB_WORKFLOW, line=encoded(value), about=about))


def run_changed(estate: Estate, chance: Chance, flow: Flow, time: int, action: str) -> None:
    """``workflow_run``: requested or completed."""
    stages: tuple[About, ...] = ((Stage.START, flow.key),)
    if action == "completed":
        stages += ((Stage.END, flow.key),)
    payload: Fields = {"action": action, "workflow_run": run_object(flow, time, action), "workflow": _workflow(flow)}
    delivery(estate, chance, flow, time, "workflow_run", payload, *stages)


def job_changed(estate: Estate, chance: Chance, flow: Flow, time: int, action: str, started: int, runner: str) -> None:
    """``workflow_job``: in_progress or completed."""
    stages: tuple[About, ...] = ((Stage.START, flow.job_key),)
    if action == "completed":
        stages += ((Stage.END, flow.job_key),)
    job: Fields = {
        "id": flow.job,
        "run_id": flow.run,
        "run_attempt": flow.attempt,
        "workflow_name": "Deploy",
        "run_url": f"https://api.github.com/repos/{flow.workload.repository}/actions/runs/{flow.run}",
        "head_branch": "main",
        "head_sha": flow.sha,
        "status": action,
        "conclusion": "success" if action == "completed" else None,
        "created_at": seconds(flow.created),
        "started_at": seconds(started),
        "completed_at": seconds(time) if action == "completed" else None,
        "name": "deploy",
        "steps": [],
        "labels": ["ubuntu-latest"],
        "runner_name": f"GitHub Actions {runner.rpartition('.')[2]}",
        "runner_group_name": "GitHub Actions",
    }
    delivery(estate, chance, flow, time, "workflow_job", {"action": action, "workflow_job": job}, *stages)


def review(estate: Estate, chance: Chance, flow: Flow, time: int, action: str, who: str) -> None:
    """``deployment_review``: requested, approved or rejected."""
    waiting = {
        "id": flow.job,
        "name": "deploy",
        "status": "waiting",
        "environment": flow.environment,
        "created_at": seconds(flow.created),
        "updated_at": seconds(time),
    }
    payload: Fields = {"action": action, "workflow_run": run_object(flow, time, "waiting"), "sender": who}
    payload["since"] = seconds(flow.created + 5_000_000)
    stage = Stage.REQUEST if action == "requested" else Stage.APPROVE
    if stage is Stage.REQUEST:
        payload |= {"workflow_job_run": waiting, "environment": flow.environment, "requestor": user(who)}
    else:
        payload |= {"workflow_job_runs": [waiting], "approver": user(who), "comment": "", "reviewers": []}
    delivery(estate, chance, flow, time, "deployment_review", payload, (stage, flow.key))


def audited(
    estate: Estate, chance: Chance, time: int, action: str, actor: str, flow: Flow, fields: Fields, *about: About
) -> None:
    """One event of the audit log; its time is milliseconds."""
    at = estate.clock(GITHUB_AUDIT, time) // 1000
    value: Fields = {
        "@timestamp": at,
        "_document_id": chance.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 22),
        "action": action,
        "actor": actor,
        "actor_id": number_of(actor),
        "created_at": at,
        "org": ORGANISATION,
        "org_id": 7_700_011,
        "operation_type": "modify",
        "repo": flow.workload.repository,
        "repo_id": 81_000_000 + flow.workload.number,
        **fields,
    }
    estate.say(Entry(time=time, source=GITHUB_AUDIT, line=encoded(value), about=about))


def run_fields(flow: Flow) -> Fields:
    """What events of the category ``workflows`` say of their run."""
    return {
        "workflow_run_id": flow.run,
        "run_attempt": flow.attempt,
        "run_number": flow.number,
        "workflow_id": 4200 + flow.workload.number,
        "name": "Deploy",
        "event": "push",
        "head_branch": "main",
        "head_sha": flow.sha,
        "started_at": milliseconds(whole(flow.created)),
    }


def run_object(flow: Flow, time: int, status: str) -> Fields:
    """The run in a payload."""
    done = status == "completed"
    return {
        "id": flow.run,
        "run_attempt": flow.attempt,
        "name": "Deploy",
        "display_title": "Release",
        "path": PATH,
        "event": "push",
        "status": status if status in ("completed", "waiting") else "queued",
        "conclusion": "success" if done else None,
        "head_branch": "main",
        "head_sha": flow.sha,
        "run_number": flow.number,
        "workflow_id": 4200 + flow.workload.number,
        "created_at": seconds(flow.created),
        "run_started_at": seconds(flow.created),
        "updated_at": seconds(time),
        "actor": user(flow.actor),
        "triggering_actor": user(flow.actor),
    }


def user(login: str) -> Fields:
    """A person in a payload."""
    return {"login": login, "id": number_of(login), "type": "User"}


def number_of(login: str) -> int:
    """The id of a person: any number, always the same."""
    return 1000 + int.from_bytes(hashlib.sha256(login.encode()).digest()[:3])


def _workflow(flow: Flow) -> Fields:
    return {"id": 4200 + flow.workload.number, "name": "Deploy", "path": PATH}


def _repository(flow: Flow) -> Fields:
    return {
        "id": 81_000_000 + flow.workload.number,
        "full_name": flow.workload.repository,
        "owner": {"login": ORGANISATION},
    }
