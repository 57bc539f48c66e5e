"""GitHub → AWS: the runs of the subject's repository that were running when the session was issued."""

from custody.chains.join import RUN, Grade, Join
from custody.chains.joins.github_session import NAMED

JOIN = Join(
    id="github_run_window",
    relation=RUN,
    grade=Grade.BOUNDED,
    fields="repository in the subject = repository of the run; issued while the run ran",
    asserter="issuer, for the repository alone",
    pitfalls="runs and jobs of one repository overlap; the audit log gives no sign that it is complete",
    sql=f"""
        SELECT i.key AS from_key, r.run AS to_key, min(i.leaf) AS leaf, 'issuer' AS asserter,
               count(*) OVER (PARTITION BY i.key) AS candidates
        FROM issues i
        JOIN runs r
          ON r.run LIKE 'github_run:%' AND r.repository = regexp_extract(i.workload, ':repo:([^:/]+/[^:]+)', 1)
         AND i.issued_at >= r.started - 60000000 AND (r.ended IS NULL OR i.issued_at <= r.ended + 60000000)
        WHERE (i.workload LIKE 'oidc_subject:token.actions.githubusercontent.com:%'
               OR i.workload LIKE 'oidc_subject:token.actions.githubusercontent.com/%')
          AND regexp_extract(coalesce(i.session_name, ''), {NAMED}, 1) = ''
          AND NOT EXISTS (SELECT 1 FROM join_github_subject_run t WHERE t.from_key = i.key)
        GROUP BY i.key, r.run
    """,
    late=True,
)
