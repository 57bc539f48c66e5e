"""The time in ``VALID UNTIL '…'``, as far as it means one moment whatever the server's settings are."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(
    r"\s*(\d{4})-(\d\d?)-(\d\d?)(?:[T ]\s*(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?"
    r"\s*(?:(Z|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?(?::\d\d)?)?\s*",
    re.IGNORECASE,
)
_PAST = ("now", "today", "yesterday", "epoch", "-infinity")
_MICROSECOND = timedelta(microseconds=1)
_WIDEST_ZONE = 16 * 60 * 60 * 1_000_000


class Expiry(NamedTuple):
    """``at`` is the moment (microseconds since 1970, UTC), None where it is not known or there is none.

    ``past`` says that it lies before the statement for certain, ``never`` that it is ``infinity``.
    """

    at: int | None = None
    past: bool = False
    never: bool = False


def expiry(text: str, now: int) -> Expiry:
    """What a text after ``VALID UNTIL`` means in a statement of the time ``now``.

    Without a zone the server's ``TimeZone`` decides, which no record tells: the moment is not known then, but it is
    past where it is past in every zone.
    """
    word = text.strip().lower()
    if word in ("infinity", "+infinity"):
        return Expiry(never=True)
    if word in _PAST:
        return Expiry(past=True)
    found = _MOMENT.fullmatch(text)
    moment = None if found is None else _moment(found)
    if found is None or moment is None:
        return Expiry()
    if found[8] is None and found[9] is None:
        return Expiry(past=moment + _WIDEST_ZONE < now)
    return Expiry(at=moment, past=moment <= now)


def _moment(found: re.Match[str]) -> int | None:
    try:
        whole = datetime(*(int(found[n] or 0) for n in (1, 2, 3, 4, 5, 6)), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError:
        return None
    moment = (whole - _EPOCH) // _MICROSECOND + int((found[7] or "").ljust(6, "0"))
    offset = (int(found[10] or 0) * 60 + int(found[11] or 0)) * 60 * 1_000_000
    return moment - offset if found[9] != "-" else moment + offset
