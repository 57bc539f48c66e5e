"""AWS: the policy AWSRevokeOlderSessions refuses every session of its role that was issued before its cut-off."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="session_revocation",
    relation="end → issue",
    grade=Grade.EXACT,
    fields="DateLessThan aws:TokenIssueTime of the policy > time of issue; roleName = the principal",
    asserter="issuer",
    pitfalls="the policy denies, the session lives on until it expires; removing the policy gives access back",
    sql="""
        SELECT e.key AS from_key, k.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, CAST(NULL AS BIGINT) AS until
        FROM parts e
        JOIN key_principals k ON k.principal = e.key AND k.since < e.cutoff
        WHERE e.stage = 'revoke' AND e.effect = 'sessions.revoke'
    """,
)
