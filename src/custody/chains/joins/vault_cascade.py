"""Vault, OpenBao: revoking a token revokes the tokens and leases that were got with it."""

from custody.chains.join import END, Grade, Join, listed, of_types
from custody.model.effects import Kind, of_kind

TOKENS = of_types("e.key", ("vault_accessor",))
CHILDREN = of_types("i.key", ("vault_accessor", "vault_token"))

JOIN = Join(
    id="vault_cascade",
    relation=END,
    grade=Grade.EXACT,
    fields="accessor of the revoked token = parent of the token or lease, at any depth",
    asserter="issuer",
    pitfalls="the cascade is not audited, and revoking a lease can fail: only the server log shows each lease; an "
    "unwrapped lease belongs to the token that asked for it, not to the one that unwrapped it; revoke-orphan leaves "
    "the tokens that it made alive",
    sql=f"""
        WITH RECURSIVE under AS (
            SELECT e.key AS top, i.key AS key, e.leaf, e.time, e.effect, e.event
            FROM parts e
            JOIN issues i ON i.parent = e.key AND i.key <> e.key
            WHERE e.stage IN ('revoke', 'expire') AND e.effect IN {listed(of_kind(Kind.KEY_END))} AND {TOKENS}
              AND (coalesce(e.method, '') <> 'revoke-orphan' OR NOT {CHILDREN}) AND NOT i.disputed
              AND e.outcome = 'success' AND i.issued_at <= e.time AND coalesce(i.method, '') NOT LIKE 'unwrap:%'
            UNION
            SELECT u.top, i.key, u.leaf, u.time, u.effect, u.event
            FROM under u
            JOIN issues i ON i.parent = u.key AND i.issued_at <= u.time AND NOT i.disputed
            WHERE i.key <> u.top AND u.key LIKE 'vault_accessor:%' AND coalesce(i.method, '') NOT LIKE 'unwrap:%'
        )
        SELECT top AS from_key, key AS to_key, leaf, time, effect, event, CAST(NULL AS BIGINT) AS until
        FROM under
    """,
)
