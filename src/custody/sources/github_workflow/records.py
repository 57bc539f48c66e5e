"""The fields of GitHub's webhook payloads and REST objects of Actions that custody reads, as types.

Format: "Webhook events and payloads" and "REST API endpoints for workflow runs / workflow jobs", GitHub Docs. Times
are RFC 3339 in whole seconds. Ids are numbers; claims of tokens have them as strings.
"""

import msgspec

from custody.model import github_subjects
from custody.sources import moments

Id = int | str


class User(msgspec.Struct, frozen=True, gc=False):
    """A person or app."""

    login: str | None = None


class Repository(msgspec.Struct, frozen=True, gc=False):
    """A repository, its owner before the slash of ``full_name``."""

    full_name: str | None = None


class Run(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A workflow run, in the attempt that it is in."""

    id: Id
    run_attempt: Id | None = None
    name: str | None = None
    path: str | None = None
    event: str | None = None
    status: str | None = None
    conclusion: str | None = None
    head_branch: str | None = None
    head_sha: str | None = None
    run_number: Id | None = None
    created_at: str | None = None
    run_started_at: str | None = None
    updated_at: str | None = None
    actor: User | None = None
    triggering_actor: User | None = None
    repository: Repository | None = None


class Job(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A job of a run."""

    id: Id
    run_id: Id
    run_attempt: Id | None = None
    run_url: str | None = None
    name: str | None = None
    workflow_name: str | None = None
    status: str | None = None
    conclusion: str | None = None
    head_branch: str | None = None
    head_sha: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    runner_name: str | None = None
    runner_group_name: str | None = None
    labels: list[str] | None = None


class Workflow(msgspec.Struct, frozen=True, gc=False):
    """The workflow of a run."""

    name: str | None = None
    path: str | None = None


class JobRun(msgspec.Struct, frozen=True, gc=False):
    """A job that waits for a review, and the environment that it waits for."""

    environment: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Deployment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A deployment."""

    id: Id | None = None
    sha: str | None = None
    ref: str | None = None
    environment: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    creator: User | None = None


class DeploymentStatus(msgspec.Struct, frozen=True, gc=False):
    """What became of a deployment."""

    state: str | None = None
    environment: str | None = None
    created_at: str | None = None
    creator: User | None = None


class Alert(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A secret that was found where it should not be. The secret itself is masked and not read."""

    number: Id | None = None
    secret_type: str | None = None
    state: str | None = None
    resolution: str | None = None
    validity: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    resolved_at: str | None = None


class Details(msgspec.Struct, frozen=True, gc=False):
    """Where in a file."""

    path: str | None = None
    commit_sha: str | None = None


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a secret was found."""

    type: str | None = None
    details: Details | None = None


class Payload(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One webhook delivery's payload; which members are there says which event it is."""

    action: str | None = None
    workflow_run: Run | None = None
    workflow_job: Job | None = None
    workflow: Workflow | None = None
    deployment: Deployment | None = None
    deployment_status: DeploymentStatus | None = None
    deployment_callback_url: str | None = None
    environment: str | None = None
    event: str | None = None
    approver: User | None = None
    requestor: User | None = None
    requester: User | None = None
    comment: str | None = None
    since: str | None = None
    workflow_job_run: JobRun | None = None
    workflow_job_runs: list[JobRun] | None = None
    alert: Alert | None = None
    location: Place | None = None
    repository: Repository | None = None
    sender: User | None = None

    @property
    def where(self) -> str | None:
        """The repository, as ``owner/name``."""
        return self.repository.full_name if self.repository else None


def moment(written: str | None, where: str) -> int | None:
    """A time as microseconds, None where there is none; SourceError for what is no time."""
    return moments.rfc3339(written, where) if written else None


def latest(*written: str | None) -> int | None:
    """The latest of some times, None where there is none."""
    return max((found for one in written if (found := moment(one, "$")) is not None), default=None)


def key_of(user: User | None) -> str | None:
    """The key of a person or app, None where there is none."""
    return github_subjects.user_key(user.login) if user else None


def tags(**values: object) -> str | None:
    """What is there of some values, as compact JSON, sorted by name."""
    said = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    return msgspec.json.encode(said, order="sorted").decode() if said else None
