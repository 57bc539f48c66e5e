"""The fields of an audit log event that custody reads, as types, and the ways in which they are written.

Format: "Audit log events for your organization", GitHub Docs. Times are milliseconds since 1970, copies of other tools
write them as text, in UTC where no zone is given. Ids are numbers or strings. Empty strings say nothing.
"""

import re

import msgspec

from custody.model import github_subjects
from custody.sources import moments

Written = str | int | float | None
_ZONE = re.compile(r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})\Z")
_MILLISECONDS_FROM = 100_000_000_000
_OUT_OF_RANGE = 10**15
"""Milliseconds long after any time of a log: larger numbers are as wrong, and would not fit a float as microseconds."""


class Record(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, rename={"document": "_document_id", "at": "@timestamp"}
):
    """One event of the audit log."""

    action: str
    document: str | None = None
    at: Written = None
    at_sign_timestamp: Written = None
    created_at: Written = None
    p_event_time: Written = None
    actor: str | None = None
    actor_id: str | int | None = None
    actor_ip: str | None = None
    actor_is_bot: bool | None = None
    user: str | None = None
    org: str | list[str | int] | int | None = None
    business: str | list[str | int] | int | None = None
    repo: str | list[str | int] | None = None
    repository: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    operation_type: str | None = None
    programmatic_access_type: str | None = None
    hashed_token: str | None = None
    token_id: str | int | None = None
    token_expires_at: Written = None
    expires_at: Written = None
    fingerprint: str | None = None
    key_id: str | int | None = None
    user_programmatic_access_name: str | None = None
    programmatic_access_request_id: str | int | None = None
    user_programmatic_access_request_id: str | int | None = None
    workflow_run_id: str | int | None = None
    run_attempt: str | int | None = None
    started_at: Written = None
    completed_at: Written = None
    name: str | None = None
    job_name: str | None = None
    job_workflow_ref: str | None = None
    environment_name: str | None = None
    environment: str | None = None
    integration: str | None = None
    number: str | int | None = None
    alert_number: str | int | None = None
    secret_type: str | None = None
    route: str | None = None
    status_code: str | int | None = None

    @property
    def category(self) -> str:
        """The first word of the action."""
        return self.action.partition(".")[0]

    @property
    def where(self) -> str | None:
        """The repository, as ``owner/name``."""
        return text(self.repo) or self.repository or None

    @property
    def user_key(self) -> str | None:
        """The key of who acted."""
        return github_subjects.user_key(self.actor)

    @property
    def is_bot(self) -> bool:
        """Whether an app acted: its login says so, or GitHub does."""
        return github_subjects.is_bot(self.actor) or self.actor_is_bot is True


def text(value: str | float | list[str | int] | None) -> str | None:
    """An id or name as text; None where it says nothing, or names several."""
    return None if value is None or value == "" or isinstance(value, list) else str(value)


def time_of(record: Record) -> int | None:
    """When the event was recorded (microseconds): GitHub's own field first, the names of other tools after it."""
    written = (record.at, record.created_at, record.at_sign_timestamp, record.p_event_time)
    return next((found for value in written if (found := moment(value, "$.@timestamp")) is not None), None)


def moment(value: Written, where: str) -> int | None:
    """A time as microseconds, None where there is none; SourceError for what is no time."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return moments.rfc3339(_zoned(value.strip()), where)
    bounded = min(max(value, 0), _OUT_OF_RANGE)
    if bounded >= _MILLISECONDS_FROM:
        return moments.of_milliseconds(bounded, where)
    return moments.of_seconds(bounded, where)


def _zoned(written: str) -> str:
    """With its zone behind the time: ``… UTC`` and no zone at all are UTC."""
    bare = written.removesuffix(" UTC").replace(" +", "+").replace(" -", "-")
    return bare if _ZONE.search(bare) else f"{bare}Z"
