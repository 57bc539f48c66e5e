"""The end of a run: of an instance, function, pod, job or task that a key is bound to."""

from custody.chains.join import Grade, Join, listed
from custody.model.effects import Kind, of_kind

JOIN = Join(
    id="run_end",
    relation="run end → issue",
    grade=Grade.EXACT,
    fields="requestParameters.instancesSet / functionName, pod uid, run id = the workload that the key is bound to",
    asserter="issuer",
    pitfalls="the run ends, its keys do not: most live until they expire",
    sql=f"""
        SELECT e.key AS from_key, i.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, CAST(NULL AS BIGINT) AS until
        FROM parts e
        JOIN issues i ON i.workload = e.key
        WHERE e.stage = 'end' AND e.effect IN {listed(of_kind(Kind.RUN_END))}
    """,
)
