"""Times as the products write them. Everywhere in this room a time is microseconds since 1970, UTC."""

import datetime as dt

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
START = int(dt.datetime(2026, 3, 2, 6, tzinfo=dt.UTC).timestamp()) * SECOND
"""When every generated estate begins: a Monday morning."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _at(time: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time // SECOND, dt.UTC)


def whole(time: int) -> int:
    """The time cut to its second."""
    return time - time % SECOND


def seconds(time: int) -> str:
    """``2026-03-02T06:05:00Z``."""
    return _at(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def milliseconds(time: int) -> str:
    """``2026-03-02T06:05:00.123Z``."""
    return f"{_at(time):%Y-%m-%dT%H:%M:%S}.{time % SECOND // 1000:03d}Z"


def microseconds(time: int) -> str:
    """``2026-03-02T06:05:00.123456Z``."""
    return f"{_at(time):%Y-%m-%dT%H:%M:%S}.{time % SECOND:06d}Z"


def nanoseconds(time: int) -> str:
    """``2026-03-02T06:05:00.123456789Z``; what is finer than a microsecond follows from the time itself."""
    return f"{_at(time):%Y-%m-%dT%H:%M:%S}.{time % SECOND:06d}{time * 7919 % 1000:03d}Z"


def postgres(time: int) -> str:
    """``2026-03-02 06:05:00.123 UTC``."""
    return f"{_at(time):%Y-%m-%d %H:%M:%S}.{time % SECOND // 1000:03d} UTC"


def postgres_second(time: int) -> str:
    """``2026-03-02 06:05:00 UTC``."""
    return f"{_at(time):%Y-%m-%d %H:%M:%S} UTC"


def valid_until(time: int) -> str:
    """``2026-03-02 06:05:00+0000``, as Vault fills in {{expiration}}."""
    return f"{_at(time):%Y-%m-%d %H:%M:%S}+0000"


def spelled(time: int, *, comma: bool = True) -> str:
    """``Mar 2, 2026, 6:05:00 AM``, as AWS's issuers spell an expiry; IAM leaves out the second comma."""
    when = _at(time)
    clock = f"{when.hour % 12 or 12}:{when:%M:%S} {'AM' if when.hour < 12 else 'PM'}"
    return f"{_MONTHS[when.month - 1]} {when.day}, {when.year}{',' if comma else ''} {clock}"


def stamp(time: int) -> str:
    """``20260302T0605Z``, as in names of log files."""
    return _at(time).strftime("%Y%m%dT%H%MZ")


def long_stamp(time: int) -> str:
    """``20260302T060500Z``, as in names of digest files."""
    return _at(time).strftime("%Y%m%dT%H%M%SZ")


def day(time: int) -> str:
    """``2026/03/02``, as in paths."""
    return _at(time).strftime("%Y/%m/%d")


def hour(time: int) -> str:
    """``06``."""
    return f"{_at(time).hour:02d}"
