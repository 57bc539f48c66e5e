"""Kubernetes: a token bound to a pod is refused once that pod is gone."""

from custody.chains.join import END, Grade, Join

JOIN = Join(
    id="pod_token_end",
    relation=END,
    grade=Grade.EXACT,
    fields="uid of the deleted pod = boundObjectRef.uid of the token",
    asserter="issuer",
    pitfalls="whoever checks the token without asking the server (a cloud, a JWT verifier) goes on until it expires",
    sql="""
        SELECT e.key AS from_key, i.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, CAST(NULL AS BIGINT) AS until
        FROM parts e
        JOIN issues i ON i.workload = e.key AND i.key LIKE 'k8s_cred:%' AND i.issued_at <= e.time
        WHERE e.stage = 'end' AND e.effect = 'pod.delete' AND e.outcome = 'success'
    """,
)
