"""Kubernetes → Vault: the token that Vault had reviewed just before it logged the service account in."""

from custody.chains.join import CANDIDATE, Grade, Join

JOIN = Join(
    id="token_review",
    relation=CANDIDATE,
    grade=Grade.BOUNDED,
    fields="service account of the login = subject of the reviewed token; review within 2 s before the login",
    asserter="verifier, for the service account alone",
    pitfalls="the review and the login share no id; pods of one account log in together; jwt auth asks no one",
    sql="""
        SELECT i.key AS from_key, t.key AS to_key, min(i.leaf) AS leaf,
               count(*) OVER (PARTITION BY i.key) AS candidates
        FROM issues i
        JOIN parts t
          ON t.stage = 'use' AND t.effect = 'token.review' AND t.outcome = 'success' AND t.subject = i.workload
         AND t.time BETWEEN i.issued_at - 2000000 AND i.issued_at + 500000
        WHERE i.key LIKE 'vault_%' AND i.workload LIKE 'k8s_service_account:%'
        GROUP BY i.key, t.key
    """,
)
