"""Who and what OCSF events speak of, as typed keys. Only what tells its own kind gets a key of that kind."""

import re

from custody.model import keys
from custody.sources.aws_cloudtrail.principals import principal_key
from custody.sources.ocsf.records import Certificate, Record, User

_ACCESS_KEY = re.compile(r"A[KS]IA[A-Z0-9]{8,124}")
_SPIFFE = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)")
_ARN = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:[^\s]{1,2000}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PEOPLE = (1, 2)
_ALGORITHM_SHA256 = 3


def credential(record: Record, uid: str | None) -> str | None:
    """The key of a credential by its id: an access key of AWS, else one that means something to its product alone."""
    if not uid:
        return None
    return f"aws_akid:aws:{uid}" if _ACCESS_KEY.fullmatch(uid) else _own(record, "credential", uid)


def token(record: Record, uid: str | None) -> str | None:
    """The key of a token by its id."""
    return _own(record, "token", uid) if uid else None


def session(record: Record, uid: str | None) -> str | None:
    """The key of a session by its id."""
    return _own(record, "session", uid) if uid else None


def certificate(found: Certificate | None) -> str | None:
    """The key of a certificate by its SHA-256. A serial could be written in decimal or in hex, and so gives none."""
    for fingerprint in (found.fingerprints if found else None) or ():
        digest = (fingerprint.value or "").replace(":", "").lower()
        if fingerprint.algorithm_id == _ALGORITHM_SHA256 and _SHA256.fullmatch(digest):
            return f"x509_sha256:x509:{digest}"
    return None


def principal(record: Record, user: User | None) -> str | None:
    """The key of a user: an ARN, a SPIFFE id, or a person by the product's word. Of other kinds there is none."""
    if user is None:
        return None
    for text in (user.uid, user.uuid, user.uid_alt, user.name):
        if text and _ARN.fullmatch(text):
            return principal_key(text)
        if text and (found := _SPIFFE.fullmatch(text)):
            return keys.scoped("spiffe", found[1], found[2])
    name = user.name or user.email_addr or user.uid
    return keys.scoped("person", record.origin, name) if user.type_id in _PEOPLE and name else None


def account(record: Record, user: User | None) -> str | None:
    """The key of an account that is changed, also where its kind is not said."""
    known = principal(record, user)
    name = (user.uid or user.name or user.email_addr) if user and known is None else None
    return known or (_own(record, "user", name) if name else None)


def _own(record: Record, kind: str, uid: str) -> str:
    return keys.scoped("custom", f"ocsf/{record.origin}/{kind}", uid)
