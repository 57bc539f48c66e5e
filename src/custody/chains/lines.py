"""The lines of brokers' logs, held against their numbers and digests: what is missing, what was changed, what is whole.

``broker_stretches``: broker, first and last (seq), since and until (µs): lines without a gap, each of which names the
digest of the one before. The first that was read may be any: older files may have been let go.
"""

from collections.abc import Iterator

import msgspec

from custody.chains import broker_entries
from custody.chains.brokered import BROKER, SEQ, SOURCE
from custody.engine.duck import Engine
from custody.model.brokered import NO_LINE

COLUMNS = {"broker": "VARCHAR", "first": "BIGINT", "last": "BIGINT", "since": "BIGINT", "until": "BIGINT"}
HOW = "every number up to the last, from the first that was read, each line with the digest of the one before"
ANY = f"SELECT count(*) FROM every_part WHERE source = '{SOURCE}'"
CHANGED = "was changed: its digest is not the one that the line after it names"
BEGUN = "names a line before it: what the log began with is not there"
MOST = 64
"""Stretches and changed lines of one broker that are told one by one."""

LINES = f"""
    CREATE OR REPLACE TABLE broker_lines AS
    SELECT broker, seq, time, leaf, prev,
           lag(seq) OVER (PARTITION BY broker ORDER BY seq) AS before,
           lag(digest) OVER (PARTITION BY broker ORDER BY seq) AS digest,
           lag(again) OVER (PARTITION BY broker ORDER BY seq) AS again
    FROM (
        SELECT {BROKER.format("event")} AS broker, {SEQ.format("event")} AS seq, min(time) AS time, min(leaf) AS leaf,
               min(related) AS prev, min(object) AS digest, min(session_name) AS again
        FROM every_part
        WHERE source = '{SOURCE}' AND effect = 'log.line' AND NOT in_conflict
        GROUP BY event
    ) each_line
"""

JUDGED = f"""
    CREATE OR REPLACE TABLE broker_judged AS
    SELECT broker, seq, time, leaf, seq - coalesce(before, seq - 1) - 1 AS missing,
           CASE WHEN seq = 1 THEN prev <> '{NO_LINE}'
                WHEN before = seq - 1 THEN coalesce(prev <> digest AND prev <> again, FALSE)
                ELSE FALSE END AS changed
    FROM broker_lines
"""

STRETCHES = """
    CREATE OR REPLACE TABLE broker_stretches AS
    SELECT broker, min(seq) AS first, max(seq) AS last, min(time) AS since, max(time) AS until
    FROM (
        SELECT broker, seq, time,
               sum(CASE WHEN missing > 0 OR changed THEN 1 ELSE 0 END) OVER (PARTITION BY broker ORDER BY seq) AS part
        FROM broker_judged
    ) parted
    GROUP BY broker, part
"""

STEPS = (LINES, JUDGED, STRETCHES, broker_entries.ENTRIES)


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one broker: its lines, what is missing between them, and the stretches that are whole (µs).

    ``problems`` are in words, each with the leaf that shows it.
    """

    broker: str
    expected: int
    received: int
    since: int
    until: int
    whole: tuple[tuple[int, int], ...]
    problems: tuple[tuple[str, int], ...]


class _Total(msgspec.Struct, frozen=True, array_like=True):
    broker: str
    received: int
    missing: int
    since: int
    until: int


class _Fault(msgspec.Struct, frozen=True, array_like=True):
    seq: int
    leaf: int
    missing: int
    changed: bool


def is_change(problem: str) -> bool:
    """Whether a problem says that a line was changed, and not merely that it is missing."""
    return problem.endswith((CHANGED, BEGUN))


def build(engine: Engine) -> bool:
    """Make ``broker_stretches`` and ``broker_entries``; tells whether any line of a broker was read."""
    if not engine.number(ANY):
        engine.table("broker_stretches", COLUMNS, [])
        engine.table("broker_entries", broker_entries.COLUMNS, [])
        return False
    for step in STEPS:
        engine.run(step)
    return True


def read(engine: Engine, erased: int) -> Iterator[Read]:
    """What was read of each broker. Where lines were ``erased`` since, that many are not missing."""
    rows = engine.rows(
        "SELECT broker, count(*), CAST(sum(missing) AS BIGINT), min(time), max(time) FROM broker_judged "
        "GROUP BY broker ORDER BY broker"
    )
    for total in msgspec.convert(rows, list[_Total]):
        missing = max(total.missing - erased, 0)
        yield Read(
            broker=total.broker,
            expected=total.received + missing,
            received=total.received,
            since=total.since,
            until=total.until,
            whole=_whole(engine, total.broker),
            problems=tuple(_problems(engine, total.broker, gaps=missing > 0)),
        )


def _whole(engine: Engine, broker: str) -> tuple[tuple[int, int], ...]:
    rows = engine.rows(
        f"SELECT since, until FROM broker_stretches WHERE broker = ? ORDER BY first LIMIT {MOST}", [broker]
    )
    return tuple(msgspec.convert(rows, list[tuple[int, int]]))


def _problems(engine: Engine, broker: str, *, gaps: bool) -> Iterator[tuple[str, int]]:
    rows = engine.rows(
        "SELECT seq, leaf, missing, changed FROM broker_judged WHERE broker = ? AND (missing > 0 OR changed) "
        f"ORDER BY changed DESC, seq LIMIT {MOST}",
        [broker],
    )
    for fault in msgspec.convert(rows, list[_Fault]):
        if fault.changed:
            yield f"line {fault.seq - 1} {CHANGED}" if fault.seq > 1 else f"line 1 {BEGUN}", fault.leaf
        elif gaps:
            first, last = fault.seq - fault.missing, fault.seq - 1
            lines = f"line {first} is" if fault.missing == 1 else f"lines {first} to {last} are"
            yield f"{lines} not there or not to be understood", fault.leaf
