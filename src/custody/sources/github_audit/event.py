"""An audit log event's typed meaning: one event for each moment that the record tells of.

Every record is a use of the token that was presented, where it names one. Actions that this package does not know are
plain uses, or plain events without a part.
"""

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip
from custody.sources import identities
from custody.sources.decoding import told
from custody.sources.github_audit import changes, records, runs, token_shapes, tokens
from custody.sources.github_audit.records import Record

SERVICE = "github.com"
_RECORD = msgspec.json.Decoder(Record)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_REFUSED = frozenset(("401", "403"))
_ERRORS_FROM = 400
_TAGS = (
    "actor_location", "business", "calling_workflow_refs", "conclusion", "environment_name", "event",
    "external_identity_nameid", "head_branch", "head_sha", "is_hosted_runner", "job_name", "job_workflow_ref", "name",
    "permissions", "repository_selection", "request_method", "route", "run_number", "runner_labels", "runner_name",
    "secrets_passed", "token_scopes", "transport_protocol_name", "user_programmatic_access_id",
    "user_programmatic_access_name", "workflow_id", "workflow_run_id",
)  # fmt: skip
"""What else the log says of an event and a chain can want: kept as it stands, proves nothing by itself."""


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The events of a kept record, or why there are none. Raises nothing."""
    return told(lambda: _read(kept))


def _read(kept: bytes) -> tuple[Event, ...]:
    """Reading masks too: tags and the agent are text of others, and must be alike from original and kept copy."""
    members = _MEMBERS.decode(kept)
    clean = token_shapes.masked(kept)
    record = _RECORD.decode(clean)
    time = records.time_of(record)
    if time is None:
        raise SourceError("an event without a time", where="$.@timestamp", expected="@timestamp or created_at")
    tags = _tags(members if clean is kept else _MEMBERS.decode(clean))
    plain = _event(record, _identity(record, clean), time, tags)
    by_time: dict[int, list[Part]] = {}
    for moment, part in _moments(record, time):
        by_time.setdefault(moment, []).append(part)
    ordered = sorted(by_time.items())
    return tuple(msgspec.structs.replace(plain, time=at, parts=tuple(parts)) for at, parts in ordered) or (plain,)


def _identity(record: Record, clean: bytes) -> str:
    return identities.canonical(record.document) if record.document else identities.hashed(clean)


def _moments(record: Record, time: int) -> tuple[tuple[int, Part], ...]:
    """Every part with its time. A call that was refused or failed is a use and nothing else."""
    use = tokens.presented(record)
    if _outcome(record) is not Outcome.SUCCESS:
        return tuple((time, part) for part in use)
    here = (*use, *tokens.lifecycle(record), *changes.parts(record))
    return (*((time, part) for part in here), *runs.moments(record, time))


def _event(record: Record, identity: str, time: int, tags: str | None) -> Event:
    outcome = _outcome(record)
    return Event(
        id=identity,
        time=time,
        service=SERVICE,
        action=record.action,
        outcome=outcome,
        parts=(),
        error=None if outcome is Outcome.SUCCESS else records.text(record.status_code),
        account=records.text(record.org) or records.text(record.business),
        category=record.operation_type or None,
        origin=record.actor_ip or None,
        agent=record.user_agent or None,
        principal=record.user_key,
        principal_id=records.text(record.actor_id),
        principal_kind=record.programmatic_access_type or None,
        request_id=record.request_id or None,
        resource=record.where or record.route or None,
        tags=tags,
    )


def _outcome(record: Record) -> Outcome:
    """How the call ended: by its HTTP status where the log gives one; a sign-in that failed was refused."""
    status = records.text(record.status_code) or ""
    if status in _REFUSED or record.action == "user.failed_login":
        return Outcome.DENIED
    return Outcome.ERROR if status.isascii() and status.isdigit() and int(status) >= _ERRORS_FROM else Outcome.SUCCESS


def _tags(members: dict[str, msgspec.Raw]) -> str | None:
    values: dict[str, object] = {name: msgspec.json.decode(members[name]) for name in _TAGS if name in members}
    said = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    return msgspec.json.encode(said, order="sorted").decode() if said else None
