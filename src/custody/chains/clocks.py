"""How far the clocks of two sources are apart, measured from records that exact keys join.

A credential that two systems recorded at its making gives an offset; one that was used in one system before another
issued it gives the least by which the first is behind. Nothing is corrected: windows are widened by what was measured.
"""

from custody.engine.duck import Engine

MADE_TWICE = """
    SELECT a.source AS source, b.source AS other, b.time - a.time AS apart
    FROM parts a
    JOIN parts b ON b.key = a.key AND b.stage = 'issue' AND b.source <> a.source
    WHERE a.stage = 'issue' AND a.outcome = 'success' AND b.outcome = 'success' AND a.key IS NOT NULL
      AND a.alias IS NULL AND b.alias IS NULL AND NOT a.in_conflict AND NOT b.in_conflict
"""

LONGEST = 300_000_000
"""A use that comes earlier before its issue than this (µs) tells of no clock: verifiers of signed requests and tickets
refuse what is dated five minutes off, and one strange use must not excuse what came after an end."""

USED_EARLY = f"""
    SELECT i.source AS source, u.source AS other, u.first_use - i.issued_at AS apart
    FROM issues i
    JOIN uses u ON u.key = i.key AND u.source <> i.source
    WHERE NOT i.disputed AND u.first_use < i.issued_at AND u.first_use >= i.issued_at - {LONGEST}
    UNION ALL
    SELECT u.source, i.source, i.issued_at - u.first_use
    FROM issues i
    JOIN uses u ON u.key = i.key AND u.source <> i.source
    WHERE NOT i.disputed AND u.first_use < i.issued_at AND u.first_use >= i.issued_at - {LONGEST}
"""

CLOCKS = f"""
    CREATE OR REPLACE TABLE clocks AS
    WITH made AS (
        SELECT source, other, count(*) AS samples, min(apart) AS low, max(apart) AS high,
               CAST(round(avg(apart)) AS BIGINT) AS apart
        FROM ({MADE_TWICE}) pairs GROUP BY source, other
    ), early AS (
        SELECT source, other, count(*) AS samples, min(apart) AS low, max(apart) AS high
        FROM ({USED_EARLY}) pairs GROUP BY source, other
    )
    SELECT coalesce(m.source, e.source) AS source, coalesce(m.other, e.other) AS other,
           coalesce(m.samples, e.samples) AS samples,
           coalesce(m.apart, CASE WHEN e.low < 0 THEN e.low ELSE e.high END) AS apart,
           greatest(abs(coalesce(m.low, 0)), abs(coalesce(m.high, 0)), abs(coalesce(e.low, 0)),
                    abs(coalesce(e.high, 0))) AS widest,
           CASE WHEN m.source IS NULL THEN 'used before issued' ELSE 'made in both' END AS how
    FROM made m
    FULL OUTER JOIN early e ON e.source = m.source AND e.other = m.other
"""
"""``apart`` is the time of ``other`` less that of ``source`` (µs); ``widest`` the largest that was seen."""

UNMEASURED = 60_000_000
"""What a clock that nothing was compared with is taken to be off by at most (µs)."""

SKEWS = f"""
    CREATE OR REPLACE TABLE skews AS
    WITH sources AS (
        SELECT DISTINCT source FROM parts WHERE stage IS NOT NULL AND source IS NOT NULL
    ), worst AS (
        SELECT s.source, max(c.widest) AS widest
        FROM sources s
        LEFT JOIN clocks c ON c.source = s.source OR c.other = s.source
        GROUP BY s.source
    )
    SELECT a.source AS source, b.source AS other,
           CASE WHEN a.source = b.source THEN 0
                WHEN c.widest IS NOT NULL THEN c.widest
                ELSE coalesce(a.widest, 0) + coalesce(b.widest, 0)
                     + CASE WHEN a.widest IS NULL OR b.widest IS NULL THEN {UNMEASURED} ELSE 0 END
           END AS skew
    FROM worst a
    CROSS JOIN worst b
    LEFT JOIN clocks c ON c.source = a.source AND c.other = b.source
"""
"""What has to be allowed between two sources (µs): what was measured between them, else the worst that was measured of
each, and a minute for a clock that nothing measured."""

STEPS = (CLOCKS, SKEWS)


def build(engine: Engine) -> None:
    """Make ``clocks`` and ``skews``."""
    for step in STEPS:
        engine.run(step)
