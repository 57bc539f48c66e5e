"""A record names the key that it ends: deleted, made inactive, revoked, expired or dropped; a later one may undo it."""

from custody.chains.join import END, Grade, Join, listed
from custody.model.effects import Kind, of_kind

ENDS = listed(of_kind(Kind.KEY_END, Kind.KEY_PAUSE))
PAUSES = listed(of_kind(Kind.KEY_PAUSE))
REOPENS = listed(of_kind(Kind.KEY_REOPEN))

JOIN = Join(
    id="key_end",
    relation=END,
    grade=Grade.EXACT,
    fields="requestParameters.accessKeyId, accessor, lease id, credential id or role name = the issued key",
    asserter="issuer",
    pitfalls="an inactive key can be made active again; within one second the activation is taken to come after",
    sql=f"""
        SELECT e.key AS from_key, e.key AS to_key, e.leaf AS leaf, e.time AS time, e.effect AS effect,
               e.event AS event, min(a.time) AS until
        FROM parts e
        LEFT JOIN parts a
          ON a.key = e.key AND a.effect IN {REOPENS} AND e.effect IN {PAUSES} AND a.time >= e.time
        WHERE e.stage IN ('revoke', 'expire') AND e.effect IN {ENDS} AND e.key IS NOT NULL AND e.outcome = 'success'
        GROUP BY e.key, e.leaf, e.time, e.effect, e.event
    """,
)
