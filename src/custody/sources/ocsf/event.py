"""An OCSF event's typed meaning: one event, and what it was to credentials, sessions and accounts, as declared."""

import re

import msgspec

from custody.model.events import Event, Outcome, Skip
from custody.sources import moments, pasted_secrets
from custody.sources.ocsf import names, parts
from custody.sources.ocsf.identity import identify, secrets
from custody.sources.ocsf.records import Actor, Api, Cloud, Endpoint, Named, Product, Record, Session, User

_RECORD = msgspec.json.Decoder(Record)
_TRACE = re.compile(r"[0-9a-f]{32}")
_SUCCESS, _FAILURE = 1, 2
_DENIED_ACTION = 2
_BLOCKED = frozenset((2, 6, 25))
"""Dispositions that stop what was asked for: blocked, dropped, rejected."""
_AUTHENTICATION = 3002
_REFUSALS = re.compile(r"(?i)access.?denied|unauthori[sz]ed|forbidden|permission.?denied|\b40[13]\b")


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept record, or why there is none. Raises nothing."""
    identity = identify(kept)
    name = identity.id if identity else ""
    return pasted_secrets.events_of(kept, _RECORD, lambda record: (_event(record, name),), secrets)


def _event(record: Record, name: str) -> Event:
    actor, api, cloud = record.actor or Actor(), record.api or Api(), record.cloud or Cloud()
    who, session = actor.user or User(), actor.session or Session()
    outcome = _outcome(record, api)
    traced = record.trace.uid.lower() if record.trace and record.trace.uid else ""
    return Event(
        id=name,
        time=moments.of_milliseconds(record.time, "$.time"),
        service=_service(record, api),
        action=api.operation or record.activity_name or f"activity {record.activity_id or 0}",
        outcome=outcome,
        parts=parts.parts(record, outcome),
        error=_error(record, api) if outcome is not Outcome.SUCCESS else None,
        account=(cloud.account.uid if cloud.account else None) or cloud.account_uid,
        region=cloud.region,
        category=record.class_name or str(record.class_uid),
        origin=_origin(record.src_endpoint),
        endpoint=_place(record.dst_endpoint),
        agent=record.http_request.user_agent if record.http_request else None,
        principal=names.principal(record, actor.user or _subject(record)),
        principal_id=who.uid_alt,
        principal_kind=who.type,
        session=session.uid or session.uid_alt,
        created=moments.of_milliseconds(session.created_time, "$.actor.session.created_time")
        if session.created_time
        else None,
        invoked_by=actor.invoked_by,
        request_id=api.request.uid if api.request else None,
        resource=_resource(record),
        tags=_tags(record),
        policy=_policy(actor),
        trace=traced if _TRACE.fullmatch(traced) else None,
    )


def _subject(record: Record) -> User | None:
    """Who logs on, where nobody else does it for them. In every other class ``user`` is whom it was done to."""
    return record.user if record.class_uid == _AUTHENTICATION else None


def _service(record: Record, api: Api) -> str:
    named = api.service or record.service
    product = record.metadata.product or Product()
    return (named.name if named else None) or product.name or "ocsf"


def _outcome(record: Record, api: Api) -> Outcome:
    """Refused, failed, or done. An event that does not say is taken by the answer of its call."""
    refused = record.action_id == _DENIED_ACTION or record.disposition_id in _BLOCKED
    decisions = (record.actor.authorizations if record.actor else None) or ()
    refused = refused or any((each.decision or "").lower().startswith("den") for each in decisions)
    failed = record.status_id == _FAILURE or (record.status_id != _SUCCESS and _failed(api))
    if failed and (record.class_uid == _AUTHENTICATION or _REFUSALS.search(_error(record, api) or "")):
        return Outcome.DENIED
    if refused and record.status_id != _SUCCESS:
        return Outcome.DENIED
    return Outcome.ERROR if failed else Outcome.SUCCESS


def _failed(api: Api) -> bool:
    return api.response is not None and (bool(api.response.error) or (api.response.code or 0) >= 400)


def _error(record: Record, api: Api) -> str | None:
    response = api.response
    code = str(response.code) if response and response.code else None
    return (response.error if response else None) or record.status_code or code or record.status_detail


def _origin(endpoint: Endpoint | None) -> str | None:
    """The peer's address, or the service or host that the product names in its place."""
    return (endpoint.ip or endpoint.svc_name or endpoint.domain or endpoint.hostname) if endpoint else None


def _place(endpoint: Endpoint | None) -> str | None:
    host = (endpoint.hostname or endpoint.domain or endpoint.ip or endpoint.svc_name) if endpoint else None
    if host is None or endpoint is None or endpoint.port is None:
        return host
    return f"[{host}]:{endpoint.port}" if ":" in host else f"{host}:{endpoint.port}"


def _resource(record: Record) -> str | None:
    every: list[Named | None] = [*(record.resources or ()), record.resource]
    return next((name for each in every if each and (name := each.uid or each.name)), None)


def _policy(actor: Actor) -> str | None:
    """The policies that were applied, by name or id."""
    found = [
        each.policy.name or each.policy.uid
        for each in actor.authorizations or ()
        if each.policy and each.policy.is_applied is not False
    ]
    return ", ".join(text for text in found if text) or None


def _tags(record: Record) -> str | None:
    told = {
        "class_uid": str(record.class_uid),
        "correlation_uid": record.metadata.correlation_uid,
        "event_code": record.metadata.event_code,
        "original_event_uid": record.metadata.original_event_uid,
        "product": record.origin if record.origin != "-" else None,
        "version": record.metadata.version,
    }
    return msgspec.json.encode({name: text for name, text in told.items() if text}).decode()
