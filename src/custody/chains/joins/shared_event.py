"""AWS: two accounts received a copy of one action; the caller's copy names the parent key."""

from custody.chains.join import PARENT, Grade, Join

JOIN = Join(
    id="shared_event",
    relation=PARENT,
    grade=Grade.EXACT,
    fields="sharedEventID of both copies; userIdentity.accessKeyId of the caller's copy",
    asserter="issuer",
    pitfalls="eventIDs differ; records of services carry a sharedEventID too, mostly without a second copy",
    sql="""
        SELECT i.key AS from_key, min(c.key) AS to_key, min(i.leaf) AS leaf,
               bool_or(c.in_conflict) AS disputed
        FROM issues i
        JOIN parts c ON c.shared_id = i.shared_id AND c.source = i.source AND c.action = i.action
                    AND c.stage = 'use' AND c.event <> i.event AND c.key <> i.key
        WHERE i.parent IS NULL AND i.shared_id IS NOT NULL
        GROUP BY i.key
        HAVING count(DISTINCT c.key) = 1
    """,
)
