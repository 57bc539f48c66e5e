"""Vault, OpenBao: a call that was answered was received."""

from custody.chains.expectation import Expectation

EXPECTATION = Expectation(
    id="vault-pairs",
    source="vault.audit",
    how="a request line for each response line, but for the call that switched the device on",
    sql="""
        WITH calls AS (
            SELECT request_id, min(time) AS time, bool_or(event LIKE 'request:%') AS asked,
                   bool_or(event LIKE 'response:%') AS answered
            FROM every_part
            WHERE source = 'vault.audit' AND request_id IS NOT NULL
            GROUP BY request_id
        ), edges AS (
            SELECT min(time) + 1000000 AS opened FROM calls
        )
        SELECT count(*) AS expected, count(*) FILTER (WHERE asked) AS received,
               min(time) AS since, max(time) AS until,
               min(CASE WHEN NOT asked THEN concat('call ', request_id, ' has no request line') END) AS example
        FROM calls
        JOIN edges ON asked OR time > opened
        WHERE answered
    """,
)
"""The other way round says nothing: real servers leave some requests without a response line."""
