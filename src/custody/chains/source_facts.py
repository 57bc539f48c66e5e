"""What is declared of each source: how late it delivers, how fine its clock is, how long its records are kept."""

from collections.abc import Sequence

import msgspec

from custody.engine.duck import Cell, Engine
from custody.model.contracts import Contract

PRODUCT, CONTRACT = "product", "contract"
"""Who states a retention: the product's own documentation, or the contract."""

COLUMNS = {
    "source": "VARCHAR",
    "delivery_delay": "BIGINT",
    "time_resolution": "BIGINT",
    "retention": "BIGINT",
    "stated_by": "VARCHAR",
}


class SourceFact(msgspec.Struct, frozen=True, kw_only=True):
    """One source as it declares itself (µs): None where nothing is known, which is no promise of anything."""

    source: str
    delivery_delay: int | None = None
    time_resolution: int | None = None
    retention: int | None = None


def build(engine: Engine, facts: Sequence[SourceFact], contract: Contract) -> None:
    """Make ``source_facts``: one row a source, its retention as the contract has it where that says anything."""
    declared = {each.source: each.retention for each in contract.sources if each.retention is not None}
    known = {each.source: each for each in facts}
    rows = [_row(known.get(name, SourceFact(source=name)), declared.get(name)) for name in sorted({*known, *declared})]
    engine.table("source_facts", COLUMNS, rows)


def _row(fact: SourceFact, declared: int | None) -> tuple[Cell, ...]:
    retention = fact.retention if declared is None else declared
    by = CONTRACT if declared is not None else PRODUCT if retention is not None else None
    return (fact.source, fact.delivery_delay, fact.time_resolution, retention, by)
