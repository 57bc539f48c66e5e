"""What of the four (purpose, owner, privileges, lifecycle) is known of each identity, and which claims contradict.

``gaps``: identity, population, declared, credentials, owner, purpose, privileges, lifecycle (BOOLEAN: known), leaf.
``contradictions``: identity, field, told (both sides, in words), leaf.

Owner and purpose are known where anybody claims them, privileges where a grant was read or declared, the lifecycle
where the issue of every credential seen is recorded. A claim that ran out is no gap: that is a finding of its own.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from custody.chains.join import listed
from custody.engine.duck import Cell, Engine
from custody.model.register import SealedDocument, sayer
from custody.register.standing import Claim, Members, contradicts, members_of

SINGLE = ("kind", "owner", "deputy", "purpose", "risk", "repository", "pipeline", "workload")
"""Fields that have one value; of the others each document may add some."""

GIVING = ("managed", "inline", "group", "role-binding", "database")
"""Kinds of grant that give something; who may take a role on, and what bounds it, gives nothing."""

GRANTED = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'grants'"
NO_GRANTS = "CREATE OR REPLACE TABLE grants (principal VARCHAR, kind VARCHAR)"

HELD = """
    SELECT c.identity, c.field, c.value, c.said_by, c.asserter, c.signer, c.vouched, c.since, c.expires, c.known_at,
           c.superseded_at, c.leaf
    FROM claims c
    WHERE c.state = 'held' AND c.identity IN (
        SELECT o.identity FROM claims o WHERE o.said_by LIKE 'register:%' AND o.state = 'held')
    ORDER BY c.identity, c.field, CASE WHEN c.said_by LIKE 'register:%' THEN 0 ELSE 1 END, c.said_by, c.value
"""

GAPS = f"""
    CREATE OR REPLACE TABLE gaps AS
    WITH claimed AS (SELECT identity, field FROM claims WHERE state <> 'replaced')
    SELECT i.identity, i.population, i.declared, i.credentials,
           EXISTS (SELECT 1 FROM claimed c WHERE c.identity = i.identity AND c.field = 'owner') AS owner,
           EXISTS (SELECT 1 FROM claimed c WHERE c.identity = i.identity AND c.field = 'purpose') AS purpose,
           EXISTS (SELECT 1 FROM claimed c WHERE c.identity = i.identity AND c.field = 'privilege')
               OR EXISTS (SELECT 1 FROM grants g JOIN identity_names n ON n.name = g.principal
                          WHERE n.identity = i.identity AND g.kind IN {listed(GIVING)}) AS privileges,
           NOT EXISTS (SELECT 1 FROM lifecycles l WHERE l.identity = i.identity AND l.issued < l.credentials)
               AS lifecycle,
           i.leaf
    FROM identities i
"""

STEPS = (HELD, GAPS)


def build(engine: Engine, documents: Sequence[SealedDocument]) -> None:
    """Make ``gaps`` and ``contradictions``, over the other tables of the register."""
    if not engine.number(GRANTED):
        engine.run(NO_GRANTS)
    engine.run(GAPS)
    columns = {"identity": "VARCHAR", "field": "VARCHAR", "told": "VARCHAR", "leaf": "BIGINT"}
    engine.table("contradictions", columns, list(_contradictions(engine, members_of(documents))))


def _contradictions(engine: Engine, members: Members) -> Iterator[tuple[Cell, ...]]:
    claims = (msgspec.convert(row, Claim) for row in engine.stream(HELD))
    for (identity, field), some in groupby(claims, key=lambda one: (one.identity, one.field)):
        first, *others = some
        against = contradicts(first, others, members) if field in SINGLE else None
        if against is not None:
            leaf = min((one.leaf for one in (first, *others) if one.leaf is not None), default=None)
            yield identity, field, f"{field}: {first.value}, says {sayer(first.said_by)}; {against}", leaf
