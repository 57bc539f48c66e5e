"""Vault, OpenBao: each call is a request line and a response line with one id, but for those at the ends of the log."""

from custody.chains.expectation import Expectation

EXPECTATION = Expectation(
    id="vault-pairs",
    source="vault.audit",
    how="a request line and a response line for each call",
    sql="""
        WITH calls AS (
            SELECT request_id, min(time) AS time, bool_or(event LIKE 'request:%') AS asked,
                   bool_or(event LIKE 'response:%') AS answered
            FROM every_part
            WHERE source = 'vault.audit' AND request_id IS NOT NULL
            GROUP BY request_id
        ), edges AS (
            SELECT min(time) + 1000000 AS opened, max(time) - 60000000 AS closing FROM calls
        )
        SELECT count(*) * 2 AS expected,
               count(*) FILTER (WHERE asked) + count(*) FILTER (WHERE answered) AS received,
               min(time) AS since, max(time) AS until,
               min(CASE WHEN NOT (asked AND answered)
                        THEN concat('call ', request_id, CASE WHEN asked THEN ' has no response line'
                                                              ELSE ' has no request line' END) END) AS example
        FROM calls
        JOIN edges ON asked AND answered OR answered AND time > opened OR asked AND time < closing
    """,
)
