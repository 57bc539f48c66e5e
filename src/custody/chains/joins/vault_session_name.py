"""Vault's AWS engine → AWS: a role session with the name of Vault's default template."""

from custody.chains.join import CANDIDATE, Grade, Join

JOIN = Join(
    id="vault_session_name",
    relation=CANDIDATE,
    grade=Grade.BOUNDED,
    fields="session name vault-<display>-<role>-<unix time>-<random>: time of the lease within 2 s",
    asserter="client: Vault chooses the name of the session",
    pitfalls="names are cut at 64 characters; users may set their own; federation tokens carry no role",
    sql="""
        WITH named AS (
            SELECT i.key, i.leaf,
                   CAST(nullif(regexp_extract(i.session_name, '^vault-.*-([0-9]{10})-[A-Za-z0-9]+$', 1), '') AS BIGINT)
                       * 1000000 AS time
            FROM issues i WHERE i.session_name LIKE 'vault-%'
        )
        SELECT n.key AS from_key, i.key AS to_key, min(n.leaf) AS leaf,
               count(*) OVER (PARTITION BY n.key) AS candidates
        FROM named n
        JOIN issues i
          ON (i.subject LIKE 'vault_role:vault:%/sts/%' OR i.subject LIKE 'vault_role:vault:%aws/creds/%')
         AND i.issued_at BETWEEN n.time - 2000000 AND n.time + 3000000 AND i.key <> n.key
        WHERE n.time IS NOT NULL
        GROUP BY n.key, i.key
    """,
)
