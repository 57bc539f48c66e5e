"""Vault's AWS engine → AWS: a role session with the name of Vault's default template."""

from custody.chains.join import CANDIDATE, Grade, Join

NAME = "'^vault-(.*)-([0-9]{10})-[A-Za-z0-9]+$'"
CUT = 42
"""Vault cuts display name and role, joined by a dash, to this length."""

JOIN = Join(
    id="vault_session_name",
    relation=CANDIDATE,
    grade=Grade.BOUNDED,
    fields="session name vault-<display>-<role>-<unix time>-<random>: role of the lease, and its time within 2 s",
    asserter="client: Vault chooses the name of the session",
    pitfalls="display and role are cut at 42 characters, and then name no role; users may set their own; federation "
    "tokens carry no role",
    sql=f"""
        WITH named AS (
            SELECT i.key, i.leaf, regexp_extract(i.session_name, {NAME}, 1) AS head,
                   CAST(nullif(regexp_extract(i.session_name, {NAME}, 2), '') AS BIGINT) * 1000000 AS time
            FROM issues i WHERE i.session_name LIKE 'vault-%'
        ), leases AS (
            SELECT i.key, i.issued_at, concat('-', regexp_extract(i.subject, '/(sts|creds)/(.*)$', 2)) AS role
            FROM issues i
            WHERE i.subject LIKE 'vault_role:vault:%/sts/%' OR i.subject LIKE 'vault_role:vault:%aws/creds/%'
        )
        SELECT n.key AS from_key, i.key AS to_key, min(n.leaf) AS leaf,
               count(*) OVER (PARTITION BY n.key) AS candidates
        FROM named n
        JOIN leases i
          ON (length(n.head) >= {CUT} OR right(n.head, length(i.role)) = i.role)
         AND i.issued_at BETWEEN n.time - 2000000 AND n.time + 3000000 AND i.key <> n.key
        WHERE n.time IS NOT NULL
        GROUP BY n.key, i.key
    """,
)
