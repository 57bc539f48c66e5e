"""When an identity may act, as a contract says it: ``Mon-Fri 07:00-19:00 Europe/Zurich``.

The zone is a name of the IANA time zone database of this machine (or of Python's ``tzdata`` package). Its rules are an
input to verdicts about hours, as the contract itself is: ``zone_digest`` says which rules they were.
"""

import functools
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from custody.errors import UsageError
from custody.model.contracts import Hours
from custody.settings.amounts import shown

HOURS_FORM = "days, times and a time zone such as Mon-Fri 07:00-19:00 Europe/Zurich"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LAST_MINUTE = 24 * 60

_HOURS = re.compile(r"(?P<days>[A-Za-z,-]+) (?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d) (?P<zone>\S+)", re.ASCII)
_ZONE = re.compile(r"UTC|(?!posix/|right/)[A-Za-z][A-Za-z_]*(/[A-Za-z0-9][A-Za-z0-9_+-]*){1,2}", re.ASCII)
"""``localtime`` and the like are not names of zones but what this machine is set to; ``right/`` counts leap seconds."""


def parse_hours(text: str) -> Hours:
    """The hours that ``text`` says; UsageError for another form, an unknown day, time or zone."""
    match = _HOURS.fullmatch(text)
    if match is None:
        raise UsageError("not hours", found=shown(text), expected=HOURS_FORM)
    start, end = _minutes(match["start"]), _minutes(match["end"])
    if start in (end, LAST_MINUTE):
        advice = "a whole day is 00:00-24:00; the end may lie before the start, past midnight"
        raise UsageError("hours of no length", found=shown(text), expected=HOURS_FORM, advice=advice)
    zone_of(match["zone"])
    return Hours(days=_days(match["days"]), start=start, end=end, zone=match["zone"])


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name; UsageError where this machine's database has none."""
    if _ZONE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    if not _has_zones():
        advice = "install the package tzdata, of the system or of Python"
        raise UsageError("this machine has no time zone database", found=shown(name), advice=advice)
    raise UsageError("not a time zone", found=shown(name), expected="UTC or a name such as Europe/Zurich")


def zone_digest(name: str) -> str:
    """SHA-256 (hex) over what the zone's rules give: the offset from UTC at noon of each day from 2000 to 2039.

    It is of the rules and not of a file: packages of one release differ in their bytes.
    """
    return _digest(zone_of(name))


@functools.lru_cache(maxsize=64)
def _digest(zone: ZoneInfo) -> str:
    day, digest = datetime(2000, 1, 1, 12, tzinfo=UTC), sha256()
    while day.year < 2040:
        digest.update(b"%d " % ((day.astimezone(zone).utcoffset() or timedelta(0)) // timedelta(seconds=1)))
        day += timedelta(days=1)
    return digest.hexdigest()


def _has_zones() -> bool:
    try:
        ZoneInfo("Etc/UTC")
    except (ZoneInfoNotFoundError, OSError):
        return False
    return True


def _minutes(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if minutes > 59 or hours * 60 + minutes > LAST_MINUTE:
        raise UsageError("no time of day", found=shown(text), expected="00:00 to 24:00")
    return hours * 60 + minutes


def _days(text: str) -> tuple[int, ...]:
    """The days of ``Mon-Fri,Sun``; a range may run over the end of the week (``Sat-Mon``)."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start, end = _day(first), _day(last if dash else first)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return tuple(sorted(found))


def _day(name: str) -> int:
    if name not in DAYS:
        raise UsageError("not a day", found=shown(name), expected=", ".join(DAYS))
    return DAYS.index(name)
