"""Kubernetes: a call that was received was answered."""

from custody.chains.expectation import Expectation

EXPECTATION = Expectation(
    id="kubernetes-stages",
    source="kubernetes.audit",
    how="a last stage for each call whose first stage was read, but for those of the last minute",
    sql="""
        WITH calls AS (
            SELECT regexp_extract(event, '^([^/]+)/', 1) AS call, min(time) AS time,
                   bool_or(event LIKE '%/RequestReceived') AS asked,
                   bool_or(event NOT LIKE '%/RequestReceived') AS answered
            FROM every_part
            WHERE source = 'kubernetes.audit' AND event LIKE '%/%'
            GROUP BY regexp_extract(event, '^([^/]+)/', 1)
        ), edges AS (
            SELECT max(time) - 60000000 AS closing FROM calls
        )
        SELECT count(*) AS expected, count(*) FILTER (WHERE answered) AS received,
               min(time) AS since, max(time) AS until,
               min(CASE WHEN NOT answered THEN concat('call ', call, ' has no last stage') END) AS example
        FROM calls
        JOIN edges ON answered OR time < closing
        WHERE asked
    """,
)
