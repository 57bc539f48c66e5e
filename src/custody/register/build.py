"""The tables of the register, made after those of the chains and before the rules: one readable order.

A function of the chains' tables, the sealed documents, the contract and ``as_of``, and nothing else.
"""

from collections.abc import Sequence

from custody.engine.duck import Engine
from custody.model.contracts import Contract
from custody.model.privileges import Texts, no_texts
from custody.model.register import SealedDocument
from custody.model.reviews import Review
from custody.register import claims, gaps, identities, reviews, standing, usage, versions
from custody.register.privileges import facts, grants, idle

TABLES: dict[str, str] = {
    "register_documents": "SELECT * FROM register_documents ORDER BY leaf",
    "register_moment": "SELECT * FROM register_moment",
    "identities": "SELECT * FROM identities ORDER BY identity",
    "identity_names": "SELECT * FROM identity_names ORDER BY name, identity, how",
    "key_identities": "SELECT * FROM key_identities ORDER BY key",
    "declared_names": "SELECT * FROM declared_names ORDER BY name, identity, leaf",
    "claims": "SELECT * FROM claims ORDER BY identity, field, value, said_by, leaf",
    "parties": "SELECT * FROM parties ORDER BY party, member, leaf",
    "standing": "SELECT * FROM standing ORDER BY identity, field, starts",
    "lifecycles": "SELECT * FROM lifecycles ORDER BY identity, kind",
    "touched": "SELECT * FROM touched ORDER BY identity, what, name",
    "dependencies": "SELECT * FROM dependencies ORDER BY identity, dependency",
    "gaps": "SELECT * FROM gaps ORDER BY identity",
    "contradictions": "SELECT * FROM contradictions ORDER BY identity, field",
    "grants": "SELECT * FROM grants ORDER BY principal, kind, coalesce(what, ''), coalesce(through, ''), leaf",
    "idle_roles": "SELECT * FROM idle_roles ORDER BY principal",
    "principal_starts": "SELECT * FROM principal_starts ORDER BY principal",
    "privilege_spans": "SELECT * FROM privilege_spans ORDER BY principal, coalesce(since, 0)",
    "privilege_facts": "SELECT * FROM privilege_facts ORDER BY principal",
    "reviews": "SELECT * FROM reviews ORDER BY review",
    "review_decisions": "SELECT * FROM review_decisions ORDER BY review, identity",
    "review_names": "SELECT * FROM review_names ORDER BY review, identity, name",
    "review_keys": "SELECT * FROM review_keys ORDER BY review, identity, key",
    "review_grants": "SELECT * FROM review_grants ORDER BY review, identity, what",
}
"""The derived tables that are kept, each with the order of its rows (its digest is over them in this order)."""


def build(
    engine: Engine,
    documents: Sequence[SealedDocument],
    contract: Contract,
    as_of: int | None,
    texts: Texts = no_texts,
    reviewed: Sequence[Review] = (),
) -> None:
    """Make every table of the register in ``engine``. ``documents`` are all that were ever sealed, in order of leaf.

    ``texts`` gives the policies that stand in a sealed record, ``reviewed`` are all reviews of access.
    """
    now = moment(documents, as_of)
    engine.table("register_moment", {"moment": "BIGINT"}, [(now,)])
    versions.build(engine, documents)
    identities.build(engine, documents)
    claims.build(engine, documents, contract, now)
    standing.build(engine, documents)
    usage.build(engine, documents, as_of)
    grants.build(engine)
    facts.build(engine, texts)
    idle.build(engine, texts)
    gaps.build(engine, documents)
    reviews.build(engine, reviewed, now)


def moment(documents: Sequence[SealedDocument], as_of: int | None) -> int | None:
    """When claims are judged (µs): at ``as_of``, or when the last document was sealed where that is later.

    Records of last week say nothing of a document that was sealed today; it would not be in force yet.
    """
    times = [each.at for each in documents] + ([] if as_of is None else [as_of])
    return max(times, default=None)


def texts() -> tuple[str, ...]:
    """Everything that makes the tables of the register, for the digest of their shape."""
    kept = tuple(f"{name}: {sql}" for name, sql in sorted(TABLES.items()))
    made = (*identities.STEPS, *claims.STEPS, standing.SAID, *usage.STEPS, *gaps.STEPS, *grants.STEPS, reviews.KEYS)
    columns = (str(versions.COLUMNS), str(standing.COLUMNS), str(facts.SPANS), str(facts.FACTS), str(idle.COLUMNS))
    return (*kept, *made, *columns, *reviews.SHAPE)
