"""Sealed records as OCSF 1.8.0 events: one object for each event that a record carries."""

from collections.abc import Iterator, Sequence

from custody.engine.duck import Engine
from custody.model.events import Stage
from custody.model.report import CheckpointRef, Report
from custody.reports.ocsf import fields
from custody.reports.ocsf.classes import (
    ACCOUNT_CHANGE,
    API_ACTIVITY,
    APPLICATION_LIFECYCLE,
    AUTHENTICATION,
    ENTITY_MANAGEMENT,
    EVENT_LOG_ACTIVITY,
    NETWORK_ACTIVITY,
    Object,
    OcsfClass,
    given,
    line,
    metadata,
    numbered,
)
from custody.reports.ocsf.meaning import main, meaning, status
from custody.reports.ocsf.rows import Row, events_of
from custody.reports.words import LOG, short_key

NAMESPACE = "nhi_evidence"
"""The one object under ``unmapped`` that holds what OCSF has no attribute for."""

EVIDENCE_VERSION = 1


def events(engine: Engine, report: Report, where: str = "TRUE") -> Iterator[bytes]:
    """A line for each event of the parts for which ``where`` holds, in order of leaf; memory stays flat.

    ``engine`` has the view ``every_part`` over the records wanted and the table ``credentials``. ``where`` is SQL over
    the columns of PARTS_COLUMNS and ``leaf``, made by the program and never of text that a person gave. ``report`` is
    that of the same store: its version, and the checkpoint that every event cites.
    """
    for place, parts in events_of(engine, where):
        yield line(event(parts, place, report))


def event(parts: Sequence[Row], place: int, report: Report) -> Object:
    """One event of a record, its ``place``-th, as an object."""
    part = main(parts)
    used = next((each for each in parts if each.stage == Stage.USE.value), None)
    kind, activity, name = meaning(part, called=used is not None)
    number, word = status(part)
    cloud = fields.cloud(part)
    traced = part.trace if kind is API_ACTIVITY else None
    return {
        **numbered(kind, activity, name),
        "time": part.time // 1000,
        "severity_id": 1,
        "severity": "Informational",
        "status_id": number,
        "status": word,
        "message": f"{part.service}: {part.action}",
        **given(status_code=part.error, cloud=cloud, trace=given(uid=traced)),
        "metadata": _metadata(part, place, report, cloud is not None, traced is not None),
        **_of_class(kind, parts, part, used),
        **({"api": fields.api(part)} if kind is API_ACTIVITY or cloud is not None else {}),
        "unmapped": {NAMESPACE: _evidence(parts, part, used, report.checkpoint)},
    }


def uid(leaf: int, place: int = 0) -> str:
    """The id of an event: its leaf, and for the second and later events of one record its place among them."""
    return f"{LOG}:{leaf}" if place == 0 else f"{LOG}:{leaf}/{place}"


def _metadata(part: Row, place: int, report: Report, in_cloud: bool, traced: bool) -> Object:
    profiles = [*(["cloud"] if in_cloud else []), *(["trace"] if traced else [])]
    return metadata(
        report.version,
        uid=uid(part.leaf, place),
        original_event_uid=part.event,
        correlation_uid=part.credential,
        sequence=part.leaf,
        log_name=part.source,
        profiles=list(profiles),
    )


def _of_class(kind: OcsfClass, parts: Sequence[Row], part: Row, used: Row | None) -> Object:
    """The attributes that differ from class to class. ``api`` is one of the cloud profile but in API Activity."""
    actor = fields.actor(parts, used)
    came_from = fields.endpoint(part.origin)
    match kind.uid:
        case API_ACTIVITY.uid:
            agent = given(user_agent=part.agent)
            more = given(http_request=agent, resources=fields.resources(parts))
            return {"actor": actor, "src_endpoint": came_from, **more}
        case AUTHENTICATION.uid:
            return _authentication(part, actor, came_from)
        case ACCOUNT_CHANGE.uid:
            changed = fields.user(part.key or part.object, part.credential_population)
            return {"actor": actor, "user": changed, "src_endpoint": came_from}
        case ENTITY_MANAGEMENT.uid:
            return {"actor": actor, "entity": fields.managed(part), "src_endpoint": came_from}
        case EVENT_LOG_ACTIVITY.uid:
            return {"actor": actor, **given(log_name=part.object or part.source, log_provider=part.service)}
        case NETWORK_ACTIVITY.uid:
            return {"src_endpoint": came_from, "dst_endpoint": fields.endpoint(part.endpoint)}
        case APPLICATION_LIFECYCLE.uid:
            run = part.key or fields.UNKNOWN
            return {"app": {"uid": short_key(run), "name": fields.name_of(run)}}
    return {}


def _authentication(part: Row, actor: Object, came_from: Object) -> Object:
    """``user`` is whose session it is: of a login the one who came, of an expiry the one that the credential was."""
    own = part.principal or part.parent or part.key
    number = part.credential_population or part.population
    ended: Object = {"expiration_reason": part.method or "expired"} if part.stage == Stage.EXPIRE.value else {}
    until = fields.milliseconds(part.credential_until)
    session = given(uid=short_key(part.key or ""), credential_uid=part.credential, expiration_time=until, **ended)
    return {
        "actor": actor,
        "user": fields.user(own, number, part.credential),
        "service": {"name": part.service or fields.UNKNOWN},
        "src_endpoint": came_from,
        **given(session=session, auth_protocol=part.method if not ended else None),
    }


def _evidence(parts: Sequence[Row], part: Row, used: Row | None, checkpoint: CheckpointRef | None) -> Object:
    log: Object = {"leaf": part.leaf}
    if checkpoint is not None:
        log.update(origin=checkpoint.log, size=checkpoint.size, root=checkpoint.root)
    of = part if part.credential is not None else used
    told: list[Object] = [fields.evidence_part(each) for each in parts if each.stage or each.key]
    return {"version": EVIDENCE_VERSION, "log": log, **given(chain=fields.chain(of), parts=list(told))}
