"""PostgreSQL: the lines of a session are numbered from one.

A session's id begins with the second of its start, in hex of one length: ids compare as times do. Sessions from before
the first whose beginning was read began in an older file; their lines count from the first that was read.
"""

from custody.chains.expectation import Expectation

EXPECTATION = Expectation(
    id="postgresql-lines",
    source="postgresql",
    how="every line number of each session up to the last that was read, from the first where it is older than the log",
    sql="""
        WITH lines AS (
            SELECT DISTINCT regexp_extract(event, '^([^/]+)/[0-9]+', 1) AS session,
                   CAST(nullif(regexp_extract(event, '^[^/]+/([0-9]{1,10})(@|$)', 1), '') AS BIGINT) AS line, time
            FROM every_part
            WHERE source = 'postgresql' AND event LIKE '%/%'
        ), opening AS (
            SELECT min(session) AS session FROM lines WHERE line = 1
        ), sessions AS (
            SELECT l.session, count(DISTINCT l.line) AS lines, min(l.time) AS since, max(l.time) AS until,
                   max(l.line) - CASE WHEN o.session IS NOT NULL AND l.session >= o.session THEN 0
                                      ELSE min(l.line) - 1 END AS due
            FROM lines l
            CROSS JOIN opening o
            GROUP BY l.session, o.session
        )
        SELECT CAST(sum(due) AS BIGINT) AS expected, CAST(sum(lines) AS BIGINT) AS received,
               min(since) AS since, max(until) AS until,
               min(CASE WHEN lines < due
                        THEN concat('session ', session, ' lacks ', due - lines, ' of ', due, ' lines') END)
                   AS example
        FROM sessions
    """,
)
