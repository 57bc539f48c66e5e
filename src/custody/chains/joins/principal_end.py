"""AWS: DeleteRole and DeleteUser end every key issued for that principal before; a new one of its name starts anew."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="principal_end",
    relation="end → issue",
    grade=Grade.EXACT,
    fields="requestParameters.roleName or userName, in the account = the principal that the key speaks for",
    asserter="issuer",
    pitfalls="deletion takes seconds to reach every region: successes within 60 s are propagation",
    sql="""
        SELECT e.key AS from_key, k.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, CAST(NULL AS BIGINT) AS until
        FROM parts e
        JOIN key_principals k ON k.principal = e.key AND k.since <= e.time
        WHERE e.stage = 'end' AND e.effect IN ('role.delete', 'user.delete')
    """,
)
