"""GitHub → AWS: a token subject that is customised to carry the run id and attempt."""

from custody.chains.join import RUN, Grade, Join

JOIN = Join(
    id="github_subject_run",
    relation=RUN,
    grade=Grade.EXACT,
    fields="claims run_id and run_attempt in the subject of the token, as the issuer signed it",
    asserter="issuer",
    pitfalls="the subject must be customised to hold both; the default names repository and ref or environment",
    sql="""
        SELECT s.from_key, r.run AS to_key, s.leaf, 'issuer' AS asserter, 1 AS candidates
        FROM (
            SELECT i.key AS from_key, i.leaf,
                   concat('github_run:github:', regexp_extract(i.workload, ':run_id:([0-9]+)', 1), '/',
                          regexp_extract(i.workload, ':run_attempt:([0-9]+)', 1)) AS run
            FROM issues i
            WHERE (i.workload LIKE 'oidc_subject:token.actions.githubusercontent.com:%'
                   OR i.workload LIKE 'oidc_subject:token.actions.githubusercontent.com/%')
              AND i.workload LIKE '%:run_id:%' AND i.bound_by = 'issuer'
        ) s
        JOIN runs r ON r.run = s.run
    """,
)
