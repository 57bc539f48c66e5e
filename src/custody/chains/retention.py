"""Until when each machine credential can be proved from the original systems: their logs are not kept for ever.

Of every kind of record that a chain rests on (issue, uses, ends, run, sessions, approvals; of the credential and of its
exact ancestors) the last one in a source is the last to be thrown away there. Once it is gone, that source tells no
more of its kind: the earliest such date is the last on which the whole chain could be proved. It is the latest that it
can be, never a promise: a source of unknown retention may have thrown its records away before.
"""

from collections.abc import Sequence

import msgspec

from custody.chains.join import listed
from custody.engine.duck import Engine, literal
from custody.model.effects import Kind, of_kind

DEEPEST = 32
LATEST = 253_402_300_799_000_000
"""The last second of the year 9999 (µs): a record may claim any time, and later ones have no text."""

STAGES = ("issue", "use", "refresh", "revoke", "expire")
OF_RUNS = listed(of_kind(Kind.RUN_START, Kind.RUN_END))

KNOWN = "SELECT count(*) FROM source_facts WHERE retention IS NOT NULL"

RECORDS = f"""
    CREATE OR REPLACE TABLE kept_records AS
    WITH kept AS (
        SELECT p.* FROM parts p
        JOIN source_facts f ON f.source = p.source AND f.retention IS NOT NULL
        WHERE NOT p.in_conflict AND p.time IS NOT NULL
    ), of_runs AS (
        SELECT key AS run, source, max(time) AS time, min(leaf) AS leaf FROM kept
        WHERE stage IN ('start', 'end') AND effect IN {OF_RUNS} AND key IS NOT NULL
        GROUP BY key, source
    ), every AS (
        SELECT key, stage AS kind, source, time, leaf FROM kept WHERE stage IN {listed(STAGES)} AND key IS NOT NULL
        UNION ALL
        SELECT key, 'end', source, time, leaf FROM sound_ends
        UNION ALL
        SELECT b.key, 'run', r.source, r.time, r.leaf FROM best_runs b JOIN of_runs r ON r.run = b.run
        WHERE b.grade = 'exact'
        UNION ALL
        SELECT parent, 'session', source, time, leaf FROM kept WHERE effect = 'session.open' AND parent IS NOT NULL
        UNION ALL
        SELECT key, 'approval', source, time, leaf FROM approvals WHERE grade = 'exact'
    )
    SELECT key, source, min(last) AS last, min(leaf) AS leaf
    FROM (
        SELECT e.key, e.kind, e.source, max(e.time) AS last, min(e.leaf) AS leaf
        FROM every e
        JOIN source_facts f ON f.source = e.source AND f.retention IS NOT NULL
        GROUP BY e.key, e.kind, e.source
    ) kinds
    GROUP BY key, source
"""
"""Of each credential and source that says how long it keeps records: the last record of the kind that goes first."""

PROVABLE = f"""
    CREATE OR REPLACE TABLE provable AS
    WITH RECURSIVE walk AS (
        SELECT k.key, k.source, k.last, k.leaf, 0 AS depth FROM kept_records k
        UNION ALL
        SELECT p.key, w.source, w.last, w.leaf, w.depth + 1
        FROM walk w
        JOIN parents p ON p.parent = w.key AND NOT p.disputed
        WHERE w.depth < {DEEPEST}
    )
    SELECT w.key, w.source, least(min(w.last) + min(f.retention), {LATEST}) AS until, min(f.retention) AS retention,
           min(f.stated_by) AS stated_by, min(w.leaf) AS leaf
    FROM walk w
    JOIN source_facts f ON f.source = w.source
    JOIN credentials c ON c.key = w.key AND c.population = 'machine'
    GROUP BY w.key, w.source
"""
"""By machine credential and source: until when the source can have what the chain rests on (``until``)."""

NOTHING = """
    CREATE OR REPLACE TABLE provable AS
    SELECT CAST(NULL AS VARCHAR) AS key, CAST(NULL AS VARCHAR) AS source, CAST(NULL AS BIGINT) AS until,
           CAST(NULL AS BIGINT) AS retention, CAST(NULL AS VARCHAR) AS stated_by, CAST(NULL AS BIGINT) AS leaf
    FROM source_facts
    WHERE FALSE
"""

STEPS = (RECORDS, PROVABLE)


class Provable(msgspec.Struct, frozen=True, array_like=True):
    """Until when (µs) a credential can be proved at the latest, and the source that forgets first."""

    until: int
    source: str


def build(engine: Engine) -> None:
    """Make ``provable``; where no source says how long it keeps its records that is empty, and costs no scan."""
    for step in STEPS if engine.number(KNOWN) else (NOTHING,):
        engine.run(step)


def provable(engine: Engine, keys: Sequence[str]) -> dict[str, Provable]:
    """The earliest date of each key; a key is absent where no source of its chain says how long it keeps records."""
    if not keys:
        return {}
    chosen = ", ".join(literal(key) for key in keys)  # as literals they let row groups be passed over
    rows = engine.rows(
        f"SELECT key, until, source FROM provable WHERE key IN ({chosen}) ORDER BY until DESC, source DESC"
    )
    return {str(key): msgspec.convert((until, source), Provable) for key, until, source in rows}
