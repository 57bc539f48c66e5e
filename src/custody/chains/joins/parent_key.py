"""AWS: the access key that asked for a session is the parent of the access key that it got."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="parent_key",
    relation="child issue → parent key",
    grade=Grade.EXACT,
    fields="userIdentity.accessKeyId of the issuing call → responseElements.credentials.accessKeyId",
    asserter="issuer",
    pitfalls="a session that a service issued has no parent; across accounts the copy has no key (see shared_event)",
    sql="""
        SELECT i.key AS from_key, i.parent AS to_key, i.leaf AS leaf
        FROM issues i
        WHERE i.parent IS NOT NULL AND i.parent <> i.key
    """,
)
