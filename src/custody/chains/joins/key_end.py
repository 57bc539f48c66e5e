"""AWS: DeleteAccessKey and UpdateAccessKey name the key that they end; a later activation undoes a deactivation."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="key_end",
    relation="end → issue",
    grade=Grade.EXACT,
    fields="requestParameters.accessKeyId = the issued access key",
    asserter="issuer",
    pitfalls="an inactive key can be made active again; within one second the activation is taken to come after",
    sql="""
        SELECT e.key AS from_key, e.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, min(a.time) AS until
        FROM parts e
        LEFT JOIN parts a
          ON a.key = e.key AND a.effect = 'key.activate' AND e.effect = 'key.deactivate' AND a.time >= e.time
        WHERE e.stage = 'revoke' AND e.effect IN ('key.delete', 'key.deactivate')
        GROUP BY e.key, e.leaf, e.time, e.effect, e.event
    """,
)
