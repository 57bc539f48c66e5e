"""Values of a record as typed keys and times, in the forms that the mapping says."""

import base64
import binascii
import re

from custody.errors import SourceError
from custody.model import keys
from custody.sources import moments
from custody.sources.mapped import paths
from custody.sources.mapped.mapping import Key, KeyForm, Text, Time, TimeForm
from custody.sources.mapped.paths import Indexes, Path
from custody.sources.masking import PREFIX

Beside = tuple[Path, Indexes]
"""A path, and the place of the value of it that a part is made for."""

_SPIFFE = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)")
_HEX = re.compile(r"[0-9a-f]{1,128}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DECIMAL = re.compile(r"[0-9]{1,160}")
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,12})?(?:e\+?[0-9]{1,2})?")
_LONGEST = 2048
_MASK = PREFIX.decode()
_SHA256_BYTES = 32


def text(record: object, wanted: Text | None, beside: Beside | None = None) -> str | None:
    """The text that is wanted; None where the record has none."""
    if wanted is None:
        return None
    return wanted.value if wanted.path is None else paths.one(record, wanted.path, beside)


def key(record: object, wanted: Key | None, name: str, beside: Beside | None = None) -> str | None:
    """The key that is wanted; None where the record has none. SourceError for a value of another form."""
    if wanted is None:
        return None
    value = paths.one(record, wanted.path, beside)
    return None if value is None else key_of(record, wanted, value, name, beside)


def key_of(record: object, wanted: Key, value: str, name: str, beside: Beside | None = None) -> str | None:
    """The key that ``value`` gives. None for a masked value and for one whose scope the record does not have."""
    if _MASK in value:
        return None
    scope = text(record, wanted.scope, beside)
    canonical: str | None = value
    if wanted.form is KeyForm.SPIFFE:
        found = _SPIFFE.fullmatch(value)
        scope, canonical = (found[1], found[2]) if found else (None, None)
    elif wanted.form is not KeyForm.TEXT:
        canonical = _canonical(wanted.form, value)
    if canonical is None or not canonical.isprintable() or len(canonical) > _LONGEST:
        raise SourceError("not an id of the form that the mapping says", where=wanted.path.text, expected=wanted.form)
    if not scope:
        return None
    return keys.scoped(wanted.type, f"{name}/{scope}" if wanted.type == "custom" else scope, canonical)


def _canonical(form: KeyForm, value: str) -> str | None:
    low = value.lower()
    match form:
        case KeyForm.LOWER:
            return low
        case KeyForm.HEX:
            return _matching(_HEX, low.replace(":", "").lstrip("0"))
        case KeyForm.SHA256:
            return _matching(_SHA256, low.replace(":", ""))
        case KeyForm.DECIMAL:
            return f"{int(value):x}" if _DECIMAL.fullmatch(value) and int(value) else None
    return _from_base64(value)


def _from_base64(value: str) -> str | None:
    plain = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        digest = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == _SHA256_BYTES else None


def _matching(pattern: re.Pattern[str], value: str) -> str | None:
    return value if pattern.fullmatch(value) else None


def time(record: object, wanted: Time | None, beside: Beside | None = None) -> int | None:
    """The time that is wanted; None where the record has none. SourceError for a value of another form."""
    value = paths.one(record, wanted.path, beside) if wanted else None
    if wanted is None or value is None:
        return None
    where = wanted.path.text
    if wanted.form is TimeForm.RFC3339:
        return moments.rfc3339(value, where)
    if not _NUMBER.fullmatch(value):
        raise SourceError("not a time", where=where, found=repr(value[:40]), expected=wanted.form)
    match wanted.form:
        case TimeForm.SECONDS:
            return moments.of_seconds(_number(value), where)
        case TimeForm.MILLISECONDS:
            return moments.of_milliseconds(_number(value), where)
    return moments.of_nanoseconds(int(_number(value)), where)


def _number(value: str) -> float:
    """Whole numbers stay exact: a float would lose the last microseconds of nanoseconds."""
    return int(value) if value.lstrip("-").isdigit() else float(value)
