"""Vault → PostgreSQL: a role with the name of Vault's default template, by role prefix and second of making."""

from custody.chains.join import CANDIDATE, Grade, Join

NAME = "'^v-(.*)-[A-Za-z0-9]{20}-([0-9]{10})$'"
CUT = 8
"""Vault cuts the display name and the role to this length; either may hold dashes."""

JOIN = Join(
    id="database_role_name",
    relation=CANDIDATE,
    grade=Grade.BOUNDED,
    fields="v-<display 8>-<role 8>-<random 20>-<unix time>: role of the creds path and time of the lease within 2 s",
    asserter="nobody: the name was made by Vault, the user name in the audit line is hashed",
    pitfalls="several leases of one role in a second; custom templates; static roles",
    sql=f"""
        WITH named AS (
            SELECT DISTINCT p.key, regexp_extract(p.key, '^db_role:postgresql:(.*)$', 1) AS name FROM parts p
            WHERE p.key LIKE 'db_role:postgresql:v-%' AND p.stage IN ('use', 'issue')
        ), made AS (
            SELECT n.key, regexp_extract(n.name, {NAME}, 1) AS head,
                   CAST(nullif(regexp_extract(n.name, {NAME}, 2), '') AS BIGINT) * 1000000 AS time
            FROM named n
        ), leases AS (
            SELECT i.key, i.leaf, i.issued_at,
                   concat('-', substr(regexp_extract(i.subject, '/creds/(.*)$', 1), 1, {CUT})) AS role
            FROM issues i
            WHERE i.subject LIKE 'vault_role:vault:%/creds/%'
              AND (i.key LIKE 'db_role_hmac:%' OR i.key LIKE 'vault_lease:%')
        )
        SELECT m.key AS from_key, i.key AS to_key, min(i.leaf) AS leaf,
               count(*) OVER (PARTITION BY m.key) AS candidates
        FROM made m
        JOIN leases i
          ON right(m.head, length(i.role)) = i.role AND length(m.head) - length(i.role) <= {CUT}
         AND i.issued_at BETWEEN m.time - 2000000 AND m.time + 3000000
        WHERE m.time IS NOT NULL
        GROUP BY m.key, i.key
    """,
)
