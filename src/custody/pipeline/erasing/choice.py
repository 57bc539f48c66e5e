"""Which records an erasure takes: what was asked for, less what has no bytes, and what a hold covers of it.

One segment is looked at at a time. A record's time is that of its events; one that gave none may have happened at any
time before its file was acquired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from custody.engine.duck import parquet
from custody.errors import CustodyError, StoreError, UsageError
from custody.ledger.entry import RecordEntry, decode
from custody.model.times import microseconds
from custody.packs import documents
from custody.pipeline.erasing import incidents as erase_incidents
from custody.pipeline.erasing import retention as erase_retention
from custody.pipeline.erasing.hold import Hold, Range, check_sources
from custody.pipeline.packing.chains import BATCH
from custody.pipeline.packing.scope import credential_of, identities_of
from custody.pipeline.tables import Answers, answers
from custody.pipeline.trace import chains_of
from custody.settings.catalog import Settings
from custody.settings.moments import parse_end, parse_start
from custody.store import layout
from custody.store.erasing import Going
from custody.store.erasure import Period, mask_of
from custody.store.history import Closed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Numbers = NDArray[np.int64]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What should go: values of one field add up, the fields narrow each other. ``leaves`` are ranges [first, end)."""

    leaves: tuple[Range, ...] = ()
    before: int | None = None
    retention: bool = False
    sources: tuple[str, ...] = ()


@dataclass
class Plan:
    """What an erasure would do. ``held`` counts, for each hold, what it covers of what was asked for.

    ``empty`` are records asked for that have no bytes: withheld from the start, or erased before. ``in_force`` are all
    holds that were looked at.
    """

    in_force: tuple[Hold, ...] = ()
    going: list[Going] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    held_records: int = 0
    empty: int = 0
    first: int | None = None
    last: int | None = None

    @property
    def records(self) -> int:
        """How many records would lose their bytes."""
        return sum(self.sources.values())


@dataclass(frozen=True)
class Rows:
    """The records of one commit: of each its source, whether it has bytes, and between which times it happened (µs).

    ``timed`` is set where events say the time, ``going`` where the retention lets the record go.
    """

    closed: Closed
    sources: list[str]
    there: Mask
    earliest: Numbers
    latest: Numbers
    timed: Mask
    going: Mask | None


def plan(tables: Answers, settings: Settings, asked: Asked, moment: int, done: Callable[[], None]) -> Plan:
    """Work out an erasure as of ``moment`` (µs) over derived tables that are up to date. ``done`` follows each segment.

    UsageError for what there is not, and where a hold cannot be worked out: nothing may be erased then.
    """
    _check(tables, asked)
    tables.all_parts()
    if asked.retention:
        erase_retention.prepare(tables, moment)
    in_force = erase_incidents.every(tables.reader, moment).in_force
    covering = [_Covering(tables, settings, each, moment) for each in in_force]
    found = Plan(in_force=in_force)
    for rows in _segments(tables, asked):
        _take(found, rows, asked, covering)
        done()
    return found


def _check(tables: Answers, asked: Asked) -> None:
    if asked == Asked():
        raise UsageError("nothing was chosen", expected="--leaf, --before, --source or --retention")
    reader = tables.reader
    check_sources(reader, asked.sources)
    for first, end in asked.leaves:
        if not 0 <= first < end <= reader.size:
            raise UsageError("no such leaf", where="--leaf", found=str(end - 1), expected=f"0 to {reader.size - 1}")
        if end - first == 1 and not isinstance(reader.entry(first), RecordEntry):
            raise UsageError(
                "not the leaf of a record: files and statements stay", where=f"operations:{first}",
                found=type(reader.entry(first)).__name__,
            )  # fmt: skip


def _segments(tables: Answers, asked: Asked) -> Iterator[Rows]:
    reader = tables.reader
    files = {layout.parse_range(path.name): path for path in reader.events_files()}
    acquired: dict[int, int] = {}
    for closed in reader.segments():
        if asked.leaves and not any(first < closed.end and closed.first < end for first, end in asked.leaves):
            continue
        yield _rows(tables, closed, files.get((closed.first, closed.end)), acquired, retention=asked.retention)


def _rows(tables: Answers, closed: Closed, events: Path | None, acquired: dict[int, int], *, retention: bool) -> Rows:
    import numpy as np

    reader, count = tables.reader, closed.end - closed.first
    rows = Rows(
        closed=closed,
        sources=[],
        there=np.zeros(count, bool),
        earliest=np.zeros(count, np.int64),
        latest=np.zeros(count, np.int64),
        timed=np.zeros(count, bool),
        going=np.zeros(count, bool) if retention else None,
    )
    for leaf, salt in enumerate(reader.salts(closed), closed.first):
        rows.there[leaf - closed.first] = salt is not None
    for at, raw in enumerate(reader.raw_entries(closed)):
        entry = decode(raw)
        if not isinstance(entry, RecordEntry):
            raise StoreError(
                "a segment does not fit the log", where=str(closed.file), found=f"leaf {closed.first + at}"
            )
        rows.sources.append(entry.source)
        if entry.file not in acquired:
            acquired[entry.file] = microseconds(reader.acquired_at(entry.file)) or 0
        rows.latest[at] = acquired[entry.file]
    if events is not None:
        _times(tables, rows, events)
    if rows.going is not None:
        for leaf in erase_retention.going(tables, closed.first, closed.end):
            rows.going[leaf - closed.first] = True
    return rows


def _times(tables: Answers, rows: Rows, events: Path) -> None:
    first = rows.closed.first
    sql = f"SELECT leaf, min(time), max(time) FROM {parquet([events])} WHERE time IS NOT NULL GROUP BY leaf"
    for leaf, earliest, latest in msgspec.convert(tables.engine.rows(sql), list[tuple[int, int, int]]):
        at = leaf - first
        rows.earliest[at], rows.latest[at], rows.timed[at] = earliest, latest, True


def _take(found: Plan, rows: Rows, asked: Asked, covering: Sequence[_Covering]) -> None:
    import numpy as np

    chosen = np.ones(len(rows.sources), bool)
    if asked.leaves:
        chosen &= _of_leaves(asked.leaves, rows.closed)
    if asked.sources:
        chosen &= _of_sources(asked.sources, rows)
    if asked.before is not None:
        chosen &= rows.latest < asked.before
    if rows.going is not None:
        chosen &= rows.going
    found.empty += int((chosen & ~rows.there).sum())
    chosen &= rows.there
    held = np.zeros(len(chosen), bool)
    for each in covering:
        mine = each.mask(rows) & chosen
        if mine.any():
            found.held[each.hold.name] += int(mine.sum())
            held |= mine
    found.held_records += int(held.sum())
    chosen &= ~held
    if chosen.any():
        _count(found, rows, chosen)


def _count(found: Plan, rows: Rows, chosen: Mask) -> None:
    import numpy as np

    of_source: dict[str, list[int]] = {}
    for at in np.flatnonzero(chosen).tolist():
        of_source.setdefault(rows.sources[at], []).append(at)
    periods: list[Period] = []
    for source in sorted(of_source):
        numbers = np.array(of_source[source], np.int64)
        timed = numbers[rows.timed[numbers]]
        span = (int(rows.earliest[timed].min()), int(rows.latest[timed].max())) if timed.size else (None, None)
        periods.append((source, len(numbers), *span))
        found.sources[source] += len(numbers)
        found.first = min((each for each in (found.first, span[0]) if each is not None), default=None)
        found.last = max((each for each in (found.last, span[1]) if each is not None), default=None)
    found.going.append(Going(rows.closed, chosen, tuple(periods)))


def _of_leaves(ranges: Sequence[Range], closed: Closed) -> Mask:
    inside = [(max(first, closed.first), min(end, closed.end)) for first, end in ranges]
    return mask_of([(first, end) for first, end in inside if first < end], closed)


def _of_sources(names: Sequence[str], rows: Rows) -> Mask:
    import numpy as np

    wanted = set(names)
    return np.fromiter((source in wanted for source in rows.sources), bool, len(rows.sources))


class _Covering:
    """A hold, worked out as far as can be before the segments are looked at."""

    def __init__(self, tables: Answers, settings: Settings, hold: Hold, moment: int) -> None:
        self.hold = hold
        scope = hold.scope
        self._everything = scope.everything
        self._periods = [(parse_start(since), parse_end(until)) for since, until in scope.periods]
        self._leaves: Numbers | None = None
        try:
            if hold.incident is not None:
                found = erase_incidents.reached(settings, hold, moment)
                self._everything = found.cut_off
                self._leaves = _leaves(tables, settings, set(found.keys), set(found.names), set(found.leaves))
            elif scope.identities or scope.credentials:
                self._leaves = _leaves(tables, settings, *_named(tables, hold), set())
        except CustodyError as error:
            advice = "Where it is no longer needed, `custody hold release NAME --reason TEXT`."
            raise UsageError(
                f"a hold cannot be worked out, so nothing may be erased: {error}", where=hold.name,
                advice="" if hold.incident is not None else advice,
            ) from None  # fmt: skip

    def mask(self, rows: Rows) -> Mask:
        """Which records of a commit it covers."""
        import numpy as np

        scope, closed = self.hold.scope, rows.closed
        if self._everything:
            return np.ones(len(rows.sources), bool)
        mask = _of_leaves(scope.leaves, closed) | _of_sources(scope.sources, rows)
        for since, until in self._periods:
            mask |= (rows.latest >= since) & (rows.earliest < until)
        if self._leaves is not None:
            some = self._leaves[(self._leaves >= closed.first) & (self._leaves < closed.end)]
            mask[some - closed.first] = True
        return mask


ABOUT = """
    SELECT DISTINCT p.leaf FROM every_part p
    WHERE p.key IN (SELECT h.name FROM held_names h) OR p.parent IN (SELECT h.name FROM held_names h)
       OR p.subject IN (SELECT h.name FROM held_names h) OR p.principal IN (SELECT h.name FROM held_names h)
       OR p.workload IN (SELECT h.name FROM held_names h) OR p.object IN (SELECT h.name FROM held_names h)
       OR p.related IN (SELECT h.name FROM held_names h) OR p.alias IN (SELECT h.name FROM held_names h)
       OR p.origin IN (SELECT h.name FROM held_names h)
"""


def _leaves(tables: Answers, settings: Settings, keys: set[str], names: set[str], leaves: set[int]) -> Numbers:
    """``leaves``, what the chains of ``keys`` cite, as a pack has it, and all else that names them or ``names``."""
    import numpy as np

    tables.engine.table("held_names", {"name": "VARCHAR"}, [(name,) for name in sorted(keys | names)])
    leaves |= {int(str(leaf)) for (leaf,) in tables.engine.stream(ABOUT)}
    for start in range(0, len(keys), BATCH):
        with answers(settings) as others:
            for chain in chains_of(others, sorted(keys)[start : start + BATCH]):
                leaves.update(leaf.index for leaf in documents.cited(msgspec.to_builtins(chain)))
    return np.array(sorted(leaves), np.int64)


def _named(tables: Answers, hold: Hold) -> tuple[set[str], set[str]]:
    """The credentials that a hold covers by name, and all other names that they and its identities have."""
    engine = tables.engine
    keys = {credential_of(tables, each) for each in hold.scope.credentials}
    identities = identities_of(tables, hold.scope.identities)
    engine.table("held_identities", {"identity": "VARCHAR"}, [(each,) for each in identities])
    of_identity = "SELECT identity FROM held_identities"
    rows = engine.rows(
        f"SELECT c.key FROM credentials c JOIN key_identities k ON k.key = c.key WHERE k.identity IN ({of_identity})"
    )
    keys |= {str(key) for (key,) in rows}
    names = {str(name) for (name,) in engine.rows(f"SELECT name FROM identity_names WHERE identity IN ({of_identity})")}
    engine.table("held_keys", {"key": "VARCHAR"}, [(each,) for each in sorted(keys)])
    aliases = engine.rows("SELECT key FROM aliases WHERE target IN (SELECT key FROM held_keys)")
    return keys, names | set(identities) | {str(key) for (key,) in aliases}
