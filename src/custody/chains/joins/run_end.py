"""AWS: TerminateInstances and DeleteFunction end the run that a key is bound to."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="run_end",
    relation="end → issue",
    grade=Grade.EXACT,
    fields="requestParameters.instancesSet / functionName = the workload that the key is bound to",
    asserter="issuer",
    pitfalls="the run ends, its keys do not: they live until they expire",
    sql="""
        SELECT e.key AS from_key, i.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, CAST(NULL AS BIGINT) AS until
        FROM parts e
        JOIN issues i ON i.workload = e.key
        WHERE e.stage = 'end' AND e.effect IN ('instance.terminate', 'function.delete')
    """,
)
