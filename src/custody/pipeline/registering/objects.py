"""Entries of the register as plain values, as docs/json.md describes them.

Times are RFC 3339, lengths of time seconds, and every leaf says of which log it is.
"""

from __future__ import annotations

import msgspec

from custody.model.times import text
from custody.register.entry import Entry, Life

LOG = "operations"
TIMES = frozenset(
    "first_seen last_seen since until expires known_at superseded_at first_issued last_issued last_used issued_at "
    "not_after last_use first last approved_at".split()
)
LENGTHS = frozenset(("shortest", "longest", "ttl"))
LEAVES = frozenset(("leaf", "issue_leaf", "first_use_leaf", "end_leaf"))

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


def plain(entry: Entry) -> dict[str, Plain]:
    """One entry; ``alive`` is how many of its credentials neither expired nor ended."""
    found = _struct(entry)
    return {**found, "alive": alive(entry)}


def alive(entry: Entry) -> int:
    """How many credentials of an identity are neither expired nor ended, at the moment of the entry."""
    return sum(each.alive for each in entry.lifecycles)


def _struct(value: msgspec.Struct) -> dict[str, Plain]:
    times = TIMES | {"ended"} if isinstance(value, Life) else TIMES
    return {name: _field(name, getattr(value, name), times) for name in value.__struct_fields__}


def _field(name: str, value: object, times: frozenset[str]) -> Plain:
    if isinstance(value, int) and not isinstance(value, bool):
        if name in LEAVES:
            return {"log": LOG, "index": value}
        if name in LENGTHS:
            return round(value / 1_000_000)
        return text(value) if name in times else value
    if isinstance(value, tuple):
        return [_struct(one) if isinstance(one, msgspec.Struct) else str(one) for one in value]
    return value if value is None or isinstance(value, bool) else str(value)
