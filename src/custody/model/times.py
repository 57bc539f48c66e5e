"""Times in every table are microseconds since 1970-01-01T00:00:00Z; people and JSON see RFC 3339 text in UTC."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(microseconds: int | None) -> str | None:
    """RFC 3339 in UTC: whole seconds where the time has no fraction, else microseconds. None stays None."""
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z" if rest else f"{_second(seconds)}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """A whole second: times that are told come in order, or are alike, so most are asked for again."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds").removesuffix("+00:00")


def until_text(microseconds: int) -> str:
    """An end as people write one: the date of the last day where it ends with a day (UTC), else as ``text``."""
    moment = EPOCH + timedelta(microseconds=microseconds)
    whole = moment == datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return str((moment - timedelta(days=1)).date()) if whole else str(text(microseconds))


def duration(microseconds: int) -> str:
    """A length of time in words: ``6 h 35 m``."""
    minutes, seconds = divmod(microseconds // 1_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def microseconds(moment: str | None) -> int | None:
    """The inverse of ``text``: microseconds of an RFC 3339 time with a zone. None stays None. ValueError for others."""
    if moment is None:
        return None
    found = datetime.fromisoformat(moment)
    if found.tzinfo is None:
        raise ValueError(f"a time without a zone: {moment[:40]!r}")
    return (found - EPOCH) // timedelta(microseconds=1)
