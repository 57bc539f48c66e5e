"""GitHub → AWS: a role session that is named after its run and attempt, for a token of GitHub's issuer."""

from custody.chains.join import RUN, Grade, Join

NAMED = "'([0-9]{6,20})[-_.]([0-9]{1,4})$'"

JOIN = Join(
    id="github_session",
    relation=RUN,
    grade=Grade.EXACT,
    fields="role-session-name holds <run id>-<attempt>; provider token.actions.githubusercontent.com",
    asserter="client: the workflow chooses the name of its session",
    pitfalls="the default name is GitHubActions; a thief of the token can name the session as they like, but no run of "
    "another repository than the subject's",
    sql=f"""
        SELECT s.from_key, r.run AS to_key, s.leaf, 'client' AS asserter, 1 AS candidates
        FROM (
            SELECT i.key AS from_key, i.leaf, regexp_extract(i.workload, ':repo:([^:/]+/[^:]+)', 1) AS repository,
                   concat('github_run:github:', regexp_extract(i.session_name, {NAMED}, 1), '/',
                          regexp_extract(i.session_name, {NAMED}, 2)) AS run
            FROM issues i
            WHERE i.workload LIKE 'oidc_subject:token.actions.githubusercontent.com:%'
               OR i.workload LIKE 'oidc_subject:token.actions.githubusercontent.com/%'
        ) s
        JOIN runs r
          ON r.run = s.run AND (s.repository = '' OR r.repository IS NULL OR s.repository = r.repository)
    """,
)
