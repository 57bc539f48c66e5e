"""Grounds over records that were derived without a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody.chains import search
from custody.chains.build import TABLES
from custody.engine.duck import Engine
from custody.incidents.scope.grounds import Grounds
from custody.model.contracts import EMPTY, Contract, Versions
from custody.model.register import SealedDocument
from custody.pipeline.derive import derive
from custody.register import named
from tests.chains.running import committed
from tests.incidents.evidence_estate import at

CASES = Path(__file__).resolve().parents[1] / "cases" / "chains"


def inputs(case: str) -> list[bytes]:
    """The files of a case of the chains."""
    return [path.read_bytes() for path in sorted((CASES / case).glob("input*"))]


@contextmanager
def grounds_over(
    folder: Path,
    files: Sequence[bytes],
    contract: Contract = EMPTY,
    documents: tuple[SealedDocument, ...] = (),
    first_leaf: int = 1,
) -> Iterator[Grounds]:
    """The records of ``files`` derived, and what is asked of them; ``parts`` are all there."""
    found = msgspec.structs.replace(committed(folder, files, first_leaf=first_leaf), documents=documents)
    versions = Versions.of(contract)
    with Engine(memory_mib=300, threads=1) as engine:
        report = derive(engine, found, versions)
        for name in ("links_by_parent", "origins"):
            engine.run(f"CREATE VIEW {name} AS {TABLES[name]}")

        def find(query: str) -> tuple[str, ...]:
            hits = [hit.key for hit in search.by_table(engine, query).hits]
            return tuple(hits or (key for key, _ in named.credentials(engine, query, alias=True)))

        yield Grounds(
            engine=engine,
            report=report,
            versions=versions,
            find=find,
            attach=lambda keys: None,
            kept=found.kept or (lambda leaf: None),
            now=at("12:50"),
        )
