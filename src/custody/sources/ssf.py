"""Shared Signals: security event tokens (SETs) with CAEP and RISC events, as decoded JSON.

Log format: RFC 8417 with the OpenID Shared Signals Framework 1.0 and CAEP 1.0, and their drafts (``subject_type``, the
subject inside the event, times in milliseconds). A record is the claims of one SET; its signature is not in it.
"""

import re

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity
from custody.sources import moments, pasted_secrets, secret_names
from custody.sources.source import Source

SCHEME = "set-iss-jti/1"
_MILLISECONDS_FROM = 100_000_000_000
_ENDING = {"session-revoked", "token-revoked"}
_CHANGE = "credential-change"
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2}:)*[0-9a-fA-F]+")


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes an object a SET."""

    iss: str
    jti: str
    events: dict[str, msgspec.Raw]


class Subject(msgspec.Struct, frozen=True, gc=False):
    """A subject identifier (RFC 9493), a complex one with its members, or a draft's with ``subject_type``."""

    format: str | None = None
    subject_type: str | None = None
    iss: str | None = None
    sub: str | None = None
    jti: str | None = None
    session: "Subject | None" = None
    user: "Subject | None" = None

    def named(self) -> str:
        """The format in the spelling of RFC 9493."""
        return (self.format or self.subject_type or "").replace("-", "_")


class Signal(msgspec.Struct, frozen=True, gc=False):
    """One event of a SET."""

    subject: Subject | None = None
    event_timestamp: int | float | None = None
    initiating_entity: str | None = None
    change_type: str | None = None
    credential_type: str | None = None
    x509_issuer: str | None = None
    x509_serial: str | None = None


class Set(msgspec.Struct, frozen=True, gc=False):
    """The claims of a SET."""

    iss: str
    jti: str
    events: dict[str, Signal]
    iat: int | float | None = None
    txn: str | None = None
    sub_id: Subject | None = None


_HEAD = msgspec.json.Decoder(_Head)
_SET = msgspec.json.Decoder(Set)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like the claims of a SET, by its bytes alone."""
    return b'"events"' in raw and b'"jti"' in raw and b'"iss"' in raw and b"event-type/" in raw


def identify(raw: bytes) -> Identity | None:
    """Issuer and ``jti``; None where it is no SET. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, _name)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """One event for each event of a kept SET, or why there is none. Raises nothing."""
    return pasted_secrets.events_of(kept, _SET, _events)


def _name(raw: bytes) -> str | None:
    head = _HEAD.decode(raw)
    typed = any("event-type/" in name for name in head.events)
    return f"{head.iss} {head.jti}" if head.iss and head.jti and typed else None


def _events(found: Set) -> tuple[Event, ...]:
    return tuple(_event(found, name, signal) for name, signal in sorted(found.events.items()))


def _event(found: Set, name: str, signal: Signal) -> Event:
    subject = signal.subject or found.sub_id or Subject()
    kind = name.rpartition("/")[2]
    part = _part(found, kind, signal, subject)
    return Event(
        id=f"{found.iss} {found.jti}",
        time=_time(signal.event_timestamp, found.iat),
        service=found.iss,
        action=name,
        outcome=Outcome.SUCCESS,
        parts=(part,) if part else (),
        principal_kind=signal.initiating_entity,
        request_id=found.txn,
        resource=subject.sub or (subject.user.sub if subject.user else None),
    )


def _time(stamp: float | None, issued: float | None) -> int:
    """``event_timestamp``, else ``iat``; drafts and some transmitters write milliseconds."""
    moment = issued if stamp is None else stamp
    if moment is None:
        raise SourceError("no time", where="$.iat", expected="iat or event_timestamp, seconds since 1970")
    if moment >= _MILLISECONDS_FROM:
        return moments.of_milliseconds(moment, "$.events.event_timestamp")
    return moments.of_seconds(moment, "$.events.event_timestamp")


def _part(found: Set, kind: str, signal: Signal, subject: Subject) -> Part | None:
    """The end of one token or certificate that is named exactly; else a change of the person or workload named."""
    ended = kind in _ENDING or (kind == _CHANGE and signal.change_type in ("revoke", "delete"))
    if ended:
        key, issuer = _token(subject) or _certificate(signal)
        if key:
            word = None if issuer == found.iss else Asserter.DECLARED
            return Part(stage=Stage.REVOKE, key=key, effect="credential.revoke", method=kind, asserter=word)
    person = subject.user or subject
    if person.named() == "iss_sub" and person.iss and person.sub:
        key = keys.scoped("oidc_subject", person.iss.removeprefix("https://"), person.sub)
        word = None if person.iss == found.iss else Asserter.DECLARED
        effect = f"signal.{kind}"
        return Part(stage=Stage.CHANGE, key=key, effect=effect, object=signal.credential_type, asserter=word)
    return None


def _token(subject: Subject) -> tuple[str, str] | None:
    """The token that a subject names exactly, and its issuer."""
    for one in (subject, subject.session or Subject()):
        if one.named() == "jwt_id" and one.iss and one.jti:
            return keys.token_key(one.iss, one.jti), one.iss
    return None


def _certificate(signal: Signal) -> tuple[str | None, str]:
    """The certificate of a credential change. Digits alone could be decimal or hexadecimal: then no key."""
    serial, issuer = signal.x509_serial or "", signal.x509_issuer or ""
    certain = _HEXADECIMAL.fullmatch(serial) and re.search("[a-fA-F:]", serial)
    canonical = serial.replace(":", "").lower().lstrip("0") if certain else ""
    return (keys.scoped("x509_serial", issuer, canonical) if issuer and canonical else None), issuer


SOURCE = Source(
    name="ssf",
    title="Shared Signals (CAEP, RISC)",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b"event-type/",),
    glance=secret_names.SUSPECTS.look,
    time_resolution=1_000_000,
    delivery_delay=15 * 60 * 1_000_000,
    proves=(
        "that the issuer of a token told its end to others, where the subject is one token (jwt_id) or one "
        "certificate; a signal about a person or a session names no token and proves no end"
    ),
    enable="have the receiver write the verified claims of each security event token to a file, one a line",
)
