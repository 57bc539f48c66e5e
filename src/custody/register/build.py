"""The tables of the register, made after those of the chains and before the rules: one readable order.

A function of the chains' tables, the sealed documents, the contract and ``as_of``, and nothing else.
"""

from collections.abc import Sequence

from custody.engine.duck import Engine
from custody.model.contracts import Contract
from custody.model.register import SealedDocument
from custody.register import claims, identities

TABLES: dict[str, str] = {
    "identities": "SELECT * FROM identities ORDER BY identity",
    "identity_names": "SELECT * FROM identity_names ORDER BY name, identity",
    "key_identities": "SELECT * FROM key_identities ORDER BY key",
    "claims": "SELECT * FROM claims ORDER BY identity, field, value, said_by, leaf",
    "parties": "SELECT * FROM parties ORDER BY party, member, leaf",
}
"""The derived tables that are kept, each with the order of its rows (its digest is over them in this order)."""


def build(engine: Engine, documents: Sequence[SealedDocument], contract: Contract, as_of: int | None) -> None:
    """Make every table of the register in ``engine``. ``documents`` are all that were ever sealed, in order of leaf."""
    identities.build(engine, documents, as_of)
    claims.build(engine, documents, contract)
