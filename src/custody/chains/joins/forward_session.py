"""AWS: a forward access session is used for a principal by a service; its parents are that principal's keys at work."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="forward_session",
    relation="use → candidate parent key",
    grade=Grade.INFERRED,
    fields="principalId equal and eventTime within one second",
    asserter="nobody: several keys of one principal can be at work in one second, all are kept",
    pitfalls="the key is never issued; a service call may come later than a second after its cause",
    sql="""
        SELECT f.key AS from_key, u.key AS to_key, min(f.leaf) AS leaf
        FROM forward_seconds f
        JOIN seconds_at_work u ON u.principal_id = f.principal_id AND u.second = f.second
        GROUP BY f.key, u.key
    """,
)
