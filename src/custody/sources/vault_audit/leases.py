"""Secrets that an engine made on demand: database users, cloud keys, certificates, and any other that has a lease."""

import re
from typing import NamedTuple

import msgspec

from custody.model import keys
from custody.model.events import Part, Stage
from custody.sources.vault_audit.call import Call, hashed, lease
from custody.sources.vault_audit.records import NO_RESPONSE, NO_SECRET
from custody.sources.vault_audit.tokens import NOTHING, certificate_expiry

_PLACE = re.compile(
    r"(?P<mount>.+?)/(?P<verb>creds|sts|issue|sign|sign-verbatim|issuer/[^/]+/(?:issue|sign|sign-verbatim))/(?P<role>.+)"
)
_DATABASES = (None, "database", "postgresql", "plugin")
_MADE = frozenset({"issue", "sign", "sign-verbatim"})


class Place(NamedTuple):
    """Where in an engine a secret was asked for; ``engine`` is its type, None where the log does not say it."""

    mount: str
    verb: str
    role: str
    engine: str | None


def issued(call: Call) -> tuple[Part, ...]:
    """The secret that a call to an engine gave: by its own name first, by its lease next."""
    return _parts(call, _place(call.path, call.entry.request.mount_type or None), call.path)


def unwrapped(call: Call) -> tuple[Part, ...]:
    """The secret inside a wrapped answer: only the line of its unwrapping has its lease and its name.

    Its parent is the wrapping token that it was handed over with; its lease hangs on the token that asked for it.
    """
    text = _lease_id(call)
    path = text.rpartition("/")[0] if text else ""
    place = _place(path, None)
    parts = _parts(call, place, path) if path else NOTHING
    method = f"unwrap:{place.verb}" if place else "unwrap"
    return (*(msgspec.structs.replace(part, method=method) for part in parts[:1]), *parts[1:])


def _lease_id(call: Call) -> str | None:
    return ((call.entry.response or NO_RESPONSE).secret or NO_SECRET).lease_id or None


def _place(path: str, engine: str | None) -> Place | None:
    found = _PLACE.fullmatch(path)
    return Place(found["mount"], found["verb"].rsplit("/", 1)[-1], found["role"], engine) if found else None


def _parts(call: Call, place: Place | None, path: str) -> tuple[Part, ...]:
    named = (_name(call, place) if place else None, lease(_lease_id(call)))
    known = [key for key in named if key]
    if not known:
        return NOTHING
    primary, others = known[0], known[1:]
    first = Part(
        stage=Stage.ISSUE,
        key=primary,
        parent=call.key,
        subject=call.role(_role_path(place) if place else path),
        method=f"{place.engine or 'lease'}:{place.verb}" if place else "lease",
        not_after=_until(call, place),
    )
    return (first, *(Part(stage=Stage.ISSUE, key=other, alias=primary) for other in others))


def _role_path(place: Place) -> str:
    """A role as its engine keeps it: certificates are issued and signed by one role."""
    return f"{place.mount}/{'roles' if place.verb in _MADE else place.verb}/{place.role}"


def _name(call: Call, place: Place) -> str | None:
    """What the secret is called where it is used: a user name, an access key id, a serial number."""
    leased = _lease_id(call) is not None
    if leased and place.verb == "creds" and place.engine in _DATABASES and "username" in call.answered:
        name = call.plain("username")
        return keys.scoped("db_role", "postgresql", name) if name else _hashed(call, "db_role_hmac", "username")
    if place.verb in ("creds", "sts") and (place.engine == "aws" or (leased and place.engine is None)):
        access = call.plain("access_key")
        return keys.scoped("aws_akid", "aws", access) if access else _hashed(call, "aws_akid", "access_key")
    if _is_certificate(call, place):
        return _certificate(call, place)
    return None


def _hashed(call: Call, kind: str, name: str) -> str | None:
    return hashed(kind, call.answered.get(name))


def _is_certificate(call: Call, place: Place) -> bool:
    if place.verb not in _MADE:
        return False
    return place.engine == "pki" or (place.engine is None and "issuing_ca" in call.answered)


def _certificate(call: Call, place: Place) -> str | None:
    serial = call.plain("serial_number")
    digits = re.sub("[:-]", "", serial or "").lower().lstrip("0")
    if digits:
        return keys.scoped("x509_serial", call.space + place.mount, digits)
    return _hashed(call, "x509_serial", "serial_number")


def _until(call: Call, place: Place | None) -> int | None:
    """The expiry where the answer has it in clear: of a certificate its end, of an STS key its lifetime."""
    if place is None:
        return None
    if place.verb in _MADE:
        return certificate_expiry(call.answered.get("expiration"))
    return call.after(call.answered.get("ttl"), "response.data.ttl") if place.engine in (None, "aws") else None
