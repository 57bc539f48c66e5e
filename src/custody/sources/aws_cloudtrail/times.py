"""The times that CloudTrail writes, as microseconds since 1970, UTC. Locale-independent.

``eventTime`` and ``creationDate`` are ``YYYY-MM-DDTHH:MM:SS[.fff]Z``. An ``expiration`` is a localized string in one of
two spellings (``Jul 30, 2021 12:56:03 AM``, ``Jul 10, 2023, 12:21:41 PM``; the space before AM and PM may be U+202F),
an ISO time, or a number of seconds or milliseconds. CloudTrail began in 2013, its services in 2006: times outside
2006 to 2100 are no times.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from custody.errors import SourceError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(2006, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|\+00:?00)")
_LOCALIZED = re.compile(
    r"([A-Z][a-z]{2}) ([0-9]{1,2}), ([0-9]{4}),? ([0-9]{1,2}):([0-9]{2}):([0-9]{2})[ \u00a0\u202f]([AP])M"
)
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_MILLISECONDS_FROM = 100_000_000_000
_NUMBERS_TO = 10_000_000_000_000


@lru_cache(maxsize=4096)
def event_time(text: str) -> int:
    """``YYYY-MM-DDTHH:MM:SS[.fff]Z`` as microseconds; SourceError for anything else.

    The last times are cached: a log repeats each many times. What has the usual form goes the quick way; the places of
    its marks keep out the other spellings of ISO 8601.
    """
    if (
        len(text) == 20
        and text[4] == "-" == text[7]
        and text[10] == "T"
        and text[13] == ":" == text[16]
        and text[19] == "Z"
        and text.isascii()
    ):
        try:
            return _within(datetime.fromisoformat(text), text)
        except ValueError:
            raise _refused(text) from None
    found = _ISO.fullmatch(text)
    if found is None:
        raise _refused(text)
    fraction = int((found[7] or "0").ljust(6, "0")[:6])
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    return _microseconds(text, year, month, day, hour, minute, second, fraction)


def time_at(text: str, where: str) -> int:
    """``event_time``; the error names ``where``."""
    try:
        return event_time(text)
    except SourceError as error:
        raise SourceError(error.message, where=where, found=error.found, expected=error.expected) from None


def expiry(value: str | float | None, where: str) -> int | None:
    """An expiration in any spelling as microseconds, None where there is none; raises SourceError at ``where``."""
    if value is None or value == "":
        return None
    try:
        return _localized(value) if isinstance(value, str) else _number(value)
    except SourceError as error:
        raise SourceError(error.message, where=where, found=error.found, expected=error.expected) from None


def _localized(text: str) -> int:
    found = _LOCALIZED.fullmatch(text)
    if found is None:
        return event_time(text)
    month, hour = _MONTHS.get(found[1], 0), int(found[4])
    if hour > 12:
        raise _refused(text)
    hour = hour % 12 + (12 if found[7] == "P" else 0)
    return _microseconds(text, int(found[3]), month, int(found[2]), hour, int(found[5]), int(found[6]), 0)


def _number(value: float) -> int:
    if not 0 <= value < _NUMBERS_TO:
        raise SourceError("time out of range", found="a number", expected="seconds or milliseconds, 2006 to 2100")
    seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
    return _within(_EPOCH + timedelta(seconds=seconds), str(value))


def _microseconds(text: str, *parts: int) -> int:
    year, month, day, hour, minute, second, fraction = parts
    try:
        moment = datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    except ValueError:
        raise _refused(text) from None
    return _within(moment, text)


def _within(moment: datetime, text: str) -> int:
    if not _FIRST <= moment < _LAST:
        raise SourceError("time out of range", found=repr(text[:64]), expected="2006 to 2100")
    return (moment - _EPOCH) // _MICROSECOND


def _refused(text: str) -> SourceError:
    return SourceError("not a time", found=repr(text[:64]), expected="YYYY-MM-DDTHH:MM:SSZ or a localized time")
