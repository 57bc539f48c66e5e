"""PostgreSQL: the lines of a session are numbered from one."""

from custody.chains.expectation import Expectation

EXPECTATION = Expectation(
    id="postgresql-lines",
    source="postgresql",
    how="every line number of each session up to the last that was read",
    sql="""
        WITH lines AS (
            SELECT DISTINCT regexp_extract(event, '^([^/]+)/[0-9]+', 1) AS session,
                   CAST(regexp_extract(event, '^[^/]+/([0-9]+)', 1) AS BIGINT) AS line, time
            FROM every_part
            WHERE source = 'postgresql' AND event LIKE '%/%'
        ), sessions AS (
            SELECT session, max(line) AS last, count(DISTINCT line) AS lines, min(time) AS since, max(time) AS until
            FROM lines GROUP BY session
        )
        SELECT CAST(sum(last) AS BIGINT) AS expected, CAST(sum(lines) AS BIGINT) AS received,
               min(since) AS since, max(until) AS until,
               min(CASE WHEN lines < last
                        THEN concat('session ', session, ' lacks ', last - lines, ' of ', last, ' lines') END)
                   AS example
        FROM sessions
    """,
)
