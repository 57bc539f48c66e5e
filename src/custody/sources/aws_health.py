# ruff: noqa: N815 - fields have the names that they have in the log
"""AWS Health: what AWS tells an account of its resources, above all that an access key of it was found in public.

Log format: the ``detail`` of an AWS Health event on EventBridge ("Reference: AWS Health events Amazon EventBridge
schema", AWS Health User Guide). One notice can come more than once, and to several regions.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity
from custody.sources import eventbridge, moments, pasted_secrets, secret_names
from custody.sources.source import Source

SCHEME = "health-event/1"
SERVICE = "health.amazonaws.com"
_EXPOSED = frozenset(("AWS_RISK_CREDENTIALS_EXPOSED", "AWS_RISK_CREDENTIALS_COMPROMISED"))
_KEY_ID = re.compile(r"A[KS]IA[A-Z0-9]{8,124}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entity(msgspec.Struct, frozen=True, gc=False):
    """Something that a notice is about."""

    entityValue: str | None = None


class Notice(msgspec.Struct, frozen=True, gc=False):
    """A notice. ``affectedAccount`` is there since AWS sends notices of a whole organisation to one account."""

    eventArn: str
    eventTypeCode: str
    service: str | None = None
    eventRegion: str | None = None
    startTime: str | None = None
    lastUpdatedTime: str | None = None
    statusCode: str | None = None
    affectedAccount: str | None = None
    affectedEntities: list[Entity] | None = None
    communicationId: str | None = None
    page: str | int | None = None


_NOTICE = msgspec.json.Decoder(Notice)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a notice of AWS Health, by its bytes alone."""
    return b'"eventTypeCode"' in raw and b'"eventArn"' in raw


def identify(raw: bytes) -> Identity | None:
    """The notice and which telling of it this is; None where it is none. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, _name)


def _name(raw: bytes) -> str | None:
    found = _NOTICE.decode(raw)
    return _named(found) if found.eventArn and found.eventTypeCode else None


def _named(found: Notice) -> str:
    telling = found.communicationId or found.lastUpdatedTime or found.startTime or "-"
    return f"{found.eventArn} {telling} {found.page or '1'}"


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept notice, or why there is none. Raises nothing."""
    return pasted_secrets.events_of(kept, _NOTICE, lambda found: (_event(found),))


def _event(found: Notice) -> Event:
    entities = [entity.entityValue for entity in found.affectedEntities or () if entity.entityValue]
    return Event(
        id=_named(found),
        time=_time(found),
        service=SERVICE,
        action=found.eventTypeCode,
        outcome=Outcome.SUCCESS,
        parts=tuple(_exposures(entities)) if found.eventTypeCode in _EXPOSED else (),
        account=found.affectedAccount,
        region=found.eventRegion,
        category=found.service,
        resource=found.eventArn,
    )


def _exposures(entities: list[str]) -> list[Part]:
    """A part for each access key that AWS names; where it names none, one without a key."""
    keys: list[str | None] = [f"aws_akid:aws:{one}" for one in entities if _KEY_ID.fullmatch(one)]
    where = "found in public by AWS"
    return [Part(stage=Stage.CHANGE, key=key, effect="secret.exposed", object=where) for key in keys or [None]]


def _time(found: Notice) -> int:
    """When it began, in the form of mail headers or RFC 3339."""
    text = found.startTime or found.lastUpdatedTime
    if not text:
        raise SourceError("no time", where="$.startTime", expected="when it began")
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return moments.rfc3339(text, "$.startTime")
    whole = moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH
    return moments.of_seconds(whole.total_seconds(), "$.startTime")


SOURCE = Source(
    name="aws.health",
    title="AWS Health notices",
    wrappings=(eventbridge.WRAPPING,),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"eventTypeCode"',),
    glance=secret_names.SUSPECTS.look,
    time_resolution=1_000_000,
    delivery_delay=24 * 3600 * 1_000_000,
    proves=(
        "that AWS, which issued the key, says that it was found in public, and since when; every other notice is "
        "shown and means nothing to a chain"
    ),
    enable=(
        "an EventBridge rule for source aws.health in us-east-1 (RISK notices are sent there) whose target writes each "
        "event to a file, one a line, by Firehose or a log group"
    ),
)
