"""The times of audit events and objects: RFC 3339 in UTC, as microseconds since 1970.

Collectors rewrite them with a space and without the zone; Kubernetes itself writes nothing but UTC, so such a time is
taken as UTC.
"""

import re

from custody.errors import SourceError
from custody.sources.moments import rfc3339

_ZONE = re.compile(r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})$")
_LAST_YEAR = "2099"


def time_at(text: str | None, where: str) -> int:
    """A time that the meaning needs; raises SourceError that names ``where``."""
    if not text:
        raise SourceError("the record has no time", where=where, expected="an RFC 3339 time")
    return rfc3339(text if _ZONE.search(text) else f"{text}Z", where)


def expiry(text: str | None, where: str) -> int | None:
    """An expiry; None where there is none, and for years beyond 2099, which stand for no end."""
    if not text or text[:4] > _LAST_YEAR:
        return None
    return time_at(text, where)
