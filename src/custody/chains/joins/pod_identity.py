"""EKS Pod Identity: the pod uid in the tags of an AWS session is the pod that the cluster ran."""

from custody.chains.join import RUN, Grade, Join

JOIN = Join(
    id="pod_identity",
    relation=RUN,
    grade=Grade.EXACT,
    fields="session tag kubernetes-pod-uid = metadata.uid of the pod",
    asserter="issuer",
    pitfalls="session tags can be switched off; they are transitive into chained roles",
    sql="""
        SELECT i.key AS from_key, concat('k8s_pod:k8s:', regexp_extract(i.workload, '[^:]*$', 0)) AS to_key,
               i.leaf AS leaf, 'issuer' AS asserter, 1 AS candidates
        FROM issues i
        WHERE i.workload LIKE 'aws_pod:%' AND i.bound_by = 'issuer'
    """,
)
