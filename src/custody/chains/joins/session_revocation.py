"""AWS: the policy AWSRevokeOlderSessions refuses every session of its role that was issued before its cut-off."""

from custody.chains.join import END, Grade, Join

JOIN = Join(
    id="session_revocation",
    relation=END,
    grade=Grade.EXACT,
    fields="DateLessThan aws:TokenIssueTime of the policy > time of issue; roleName = the principal",
    asserter="issuer",
    pitfalls="the session lives on; without the policy it has access again; some calls need no right",
    sql="""
        WITH edits AS (
            SELECT a.key, a.object, a.time, a.leaf, o.cutoff
            FROM parts a
            LEFT JOIN parts o ON o.leaf = a.leaf AND o.effect = 'sessions.revoke'
            WHERE a.stage = 'change' AND a.effect IN ('policy.put', 'policy.delete')
        )
        SELECT e.key AS from_key, k.key AS to_key, e.leaf AS leaf, greatest(e.time, k.since) AS time,
               e.effect AS effect, e.event AS event, min(a.time) AS until
        FROM parts e
        JOIN key_principals k ON k.principal = e.key AND k.since < e.cutoff
        LEFT JOIN edits a
          ON a.key = e.key AND a.object = e.object AND a.leaf <> e.leaf AND a.time >= e.time
         AND (a.cutoff IS NULL OR a.cutoff <= k.since)
        WHERE e.stage = 'revoke' AND e.effect = 'sessions.revoke'
        GROUP BY e.key, k.key, e.leaf, e.time, k.since, e.effect, e.event
    """,
)
