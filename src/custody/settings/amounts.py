"""Durations and sizes as people write them.

A duration is whole numbers with ``w d h m s``, longest unit first, each at most once: ``15m``, ``1h30m``, ``90d``.
A size is a whole number with ``B KiB MiB GiB TiB``. Decimal units (MB) are refused: half of those who write them mean
the other thing.
"""

import re

from custody.errors import UsageError

MICROSECONDS = {"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}
MAX_DURATION = 36_525 * MICROSECONDS["d"]
"""A hundred years: more is a slip of the pen, and this keeps every sum of a time and a duration within 64 bits."""

BYTES = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
MAX_SIZE = 1 << 50

DURATION_FORM = "a duration such as 15m, 12h, 90d or 1h30m"
SIZE_FORM = "a size such as 512KiB, 16MiB or 2GiB"

_DURATION = re.compile(r"(?=.*[1-9])" + "".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}){unit})?" for unit in MICROSECONDS))
_SIZE = re.compile(r"(?P<count>[0-9]{1,16}) ?(?P<unit>[A-Za-z]{0,3})")


def parse_duration(text: str) -> int:
    """The microseconds of a duration; raises UsageError for another form, for nothing, and for over 100 years."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError("not a duration", found=shown(text), expected=DURATION_FORM)
    total = sum(int(count) * MICROSECONDS[unit] for unit, count in match.groupdict(default="0").items())
    if total > MAX_DURATION:
        raise UsageError("duration too long", found=shown(text), expected="at most 100 years (36525d)")
    return total


def format_duration(microseconds: int) -> str:
    """The shortest text that ``parse_duration`` reads as ``microseconds``, whole seconds only; weeks are not used."""
    rest, parts = microseconds, []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, MICROSECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """The bytes of a size; a bare number is bytes. Raises UsageError for another form and for over 1024 TiB."""
    match = _SIZE.fullmatch(text)
    scale = BYTES.get(match["unit"] or "B") if match else None
    if match is None or scale is None:
        advice = "write KiB, MiB, GiB or TiB: powers of 1024" if match else ""
        raise UsageError("not a size", found=shown(text), expected=SIZE_FORM, advice=advice)
    total = int(match["count"]) * scale
    if total > MAX_SIZE:
        raise UsageError("size too large", found=shown(text), expected="at most 1024TiB")
    return total


def format_size(count: int) -> str:
    """The size in the largest unit that divides it: ``16MiB``, ``1025B``."""
    unit = next(unit for unit, scale in BYTES.items() if count % scale == 0 and (count or unit == "B"))
    return f"{count // BYTES[unit]}{unit}"


def shown(value: object, limit: int = 60) -> str:
    """``value`` for an error message: escaped, and cut where it is long."""
    if isinstance(value, str):
        return ascii(value[:limit]) + ("..." if len(value) > limit else "")
    text = ascii(value)
    return text if len(text) <= limit else text[:limit] + "..."
