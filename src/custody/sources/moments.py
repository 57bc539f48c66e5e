"""Times as most logs write them, as microseconds since 1970, UTC: RFC 3339 with any fraction, and numbers of a unit.

What is finer than a microsecond is cut off. Times outside 2006 to 2100 are no times of these logs.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from custody.errors import SourceError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = (datetime(2006, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST = (datetime(2100, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,12}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))"
)

SECOND = 1_000_000
MILLISECOND = 1_000


@lru_cache(maxsize=4096)
def _rfc3339(text: str) -> int | None:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    except ValueError:
        return None
    whole = (moment - _EPOCH) // timedelta(microseconds=1) + int((found[3] or "").ljust(6, "0")[:6])
    if found[4] is not None:
        offset = (int(found[5]) * 60 + int(found[6])) * 60 * SECOND
        whole += -offset if found[4] == "+" else offset
    return whole


def rfc3339(text: str, where: str) -> int:
    """``YYYY-MM-DDTHH:MM:SS[.f…](Z|±hh:mm)``, also with a space for the T; SourceError that names ``where``."""
    return _within(_rfc3339(text), text, where)


def of_seconds(number: float, where: str) -> int:
    """Seconds since 1970, whole or with a fraction."""
    return _within(_scaled(number, SECOND), str(number), where)


def of_milliseconds(number: float, where: str) -> int:
    """Milliseconds since 1970."""
    return _within(_scaled(number, MILLISECOND), str(number), where)


def of_nanoseconds(number: int, where: str) -> int:
    """Nanoseconds since 1970."""
    return _within(number // 1000, str(number), where)


def _scaled(number: float, unit: int) -> int | None:
    """None for what no number of microseconds can be: infinite, not a number, or past all reason."""
    return round(number * unit) if abs(number) < 1e16 else None


def _within(moment: int | None, text: str, where: str) -> int:
    if moment is None or not _FIRST <= moment <= _LAST:
        raise SourceError("not a time of this log", where=where, found=repr(text), expected="a time from 2006 to 2100")
    return moment
