"""Times as people write them: a date, or an RFC 3339 time with its zone."""

import re
from datetime import UTC, datetime, timedelta

from custody.errors import UsageError
from custody.model.times import EPOCH
from custody.settings.amounts import shown

MOMENT_FORM = "a date such as 2027-03-31 or an RFC 3339 time such as 2027-03-31T12:00:00Z"

_DATE = re.compile(r"(19[7-9]\d|2\d{3})-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(_DATE.pattern + r"[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def parse_start(text: str) -> int:
    """Microseconds of a time, or of the start of a day in UTC. UsageError for another form and for no real time."""
    return _parsed(text, timedelta(0))


def parse_end(text: str) -> int:
    """As ``parse_start``, but a date stands for its end: ``until: 2027-03-31`` holds through that day."""
    return _parsed(text, timedelta(days=1))


def _parsed(text: str, of_day: timedelta) -> int:
    if not (_DATE.fullmatch(text) or _TIME.fullmatch(text)):
        raise UsageError("not a time", found=shown(text), expected=MOMENT_FORM)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        advice = "write second 59" if ":60" in text else ""
        raise UsageError("no real time", found=shown(text), expected=MOMENT_FORM, advice=advice) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC) + of_day
    return (moment - EPOCH) // timedelta(microseconds=1)
