"""Kubernetes → AWS (IRSA), Vault (jwt): the tokens of the service account that were good when its token was checked."""

from custody.chains.join import CANDIDATE, Grade, Join

JOIN = Join(
    id="pod_web_identity",
    relation=CANDIDATE,
    grade=Grade.BOUNDED,
    fields="system:serviceaccount:<namespace>:<name> in the subject = the token's account; issued within its life",
    asserter="issuer, for the service account alone",
    pitfalls="many pods share an account, and the token id does not reach CloudTrail",
    sql="""
        SELECT i.key AS from_key, t.key AS to_key, min(i.leaf) AS leaf,
               count(*) OVER (PARTITION BY i.key) AS candidates
        FROM issues i
        JOIN issues t
          ON t.key LIKE 'k8s_cred:%'
         AND t.subject = concat('k8s_service_account:-:',
                                regexp_extract(i.workload, ':system:serviceaccount:([^:]+):([^:]+)$', 1), '/',
                                regexp_extract(i.workload, ':system:serviceaccount:([^:]+):([^:]+)$', 2))
         AND t.issued_at <= i.issued_at + 1000000 AND (t.not_after IS NULL OR t.not_after >= i.issued_at)
        WHERE i.workload LIKE 'oidc_subject:%:system:serviceaccount:%'
        GROUP BY i.key, t.key
    """,
)
