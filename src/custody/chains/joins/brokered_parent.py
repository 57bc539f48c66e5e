"""Broker: the token or certificate that was shown to it is the parent of what it issued for that."""

from custody.chains.join import PARENT, Grade, Join

JOIN = Join(
    id="brokered_parent",
    relation=PARENT,
    grade=Grade.EXACT,
    fields="proof.credential of the request (parent of the issue), or the key of the chain that it descends from",
    asserter="issuer, which verified the token",
    pitfalls="a token without an id is no key; an access key's parent is told by parent_key",
    sql="""
        SELECT i.key AS from_key, i.parent AS to_key, i.leaf AS leaf, FALSE AS disputed
        FROM brokered b
        JOIN issues i ON i.key = b.key
        WHERE i.parent IS NOT NULL AND i.parent <> i.key AND i.key NOT LIKE 'aws_akid:%'
    """,
)
