"""AWS: the access key presented is the access key issued."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="access_key",
    relation="use → issue",
    grade=Grade.EXACT,
    fields="userIdentity.accessKeyId = responseElements.credentials.accessKeyId (or accessKey.accessKeyId)",
    asserter="issuer at issue, verifier at use",
    pitfalls="forward access sessions and console keys have no issuance; issue and first use share a second",
    sql="""
        SELECT u.key AS from_key, u.key AS to_key, u.leaf AS leaf
        FROM parts u
        WHERE u.stage = 'use' AND NOT u.extra AND u.key IN (SELECT i.key FROM issues i)
    """,
    kept=False,
)
