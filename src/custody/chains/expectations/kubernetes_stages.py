"""Kubernetes: a call that was received was answered."""

from custody.chains.expectation import Expectation

EXPECTATION = Expectation(
    id="kubernetes-stages",
    source="kubernetes.audit",
    how="a last stage for each call whose first stage was read",
    sql="""
        WITH calls AS (
            SELECT regexp_extract(event, '^([^/]+)/', 1) AS call, min(time) AS time,
                   bool_or(event LIKE '%/RequestReceived') AS asked,
                   bool_or(event NOT LIKE '%/RequestReceived') AS answered
            FROM every_part
            WHERE source = 'kubernetes.audit' AND event LIKE '%/%'
            GROUP BY regexp_extract(event, '^([^/]+)/', 1)
        )
        SELECT count(*) FILTER (WHERE asked) AS expected, count(*) FILTER (WHERE asked AND answered) AS received,
               min(time) AS since, max(time) AS until,
               min(CASE WHEN asked AND NOT answered THEN concat('call ', call, ' has no last stage') END) AS example
        FROM calls
    """,
)
