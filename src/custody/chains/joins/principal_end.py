"""The end of a principal ends every key issued for it before; a new one of its name starts anew."""

from custody.chains.join import END, Grade, Join, listed
from custody.model.effects import Kind, of_kind

JOIN = Join(
    id="principal_end",
    relation=END,
    grade=Grade.EXACT,
    fields="roleName or userName in the account, or namespace and name of a service account = the key's principal",
    asserter="issuer",
    pitfalls="deletion takes seconds to reach every region: successes within 60 s are propagation",
    sql=f"""
        SELECT e.key AS from_key, k.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, CAST(NULL AS BIGINT) AS until
        FROM parts e
        JOIN key_principals k ON k.principal = e.key AND k.since <= e.time
        WHERE e.stage = 'end' AND e.effect IN {listed(of_kind(Kind.PRINCIPAL_END))} AND e.outcome = 'success'
    """,
)
