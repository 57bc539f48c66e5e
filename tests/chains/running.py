"""Records to judged chains without a store: framed, deduplicated, derived and judged as the main job does it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from custody.chains.parts import Repeated, Value, settle
from custody.engine.duck import Engine
from custody.model.contracts import EMPTY, Contract, Versions
from custody.model.register import SealedDocument
from custody.model.report import Report
from custody.model.reviews import Review
from custody.model.verdicts import Verdict
from custody.pipeline import intake
from custody.pipeline.derive import Committed, derive
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.rules import judging
from custody.rules.registry import load
from custody.sources.registry import sources
from custody.store.parts import encode_events, encode_skips
from custody.store.values import same_value

RECEIVED = 4_070_908_800_000_000
"""2099-01-01: later than any record of a case, so that every event time is the log's own."""

Damaged = tuple[tuple[int, str, str, str], ...]


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """One record that counts: its leaf, what identifies it, its form and bytes."""

    leaf: int
    source: str
    id: str
    form: str
    kept: bytes


class Derived:
    """The tables and the report of some records."""

    def __init__(self, engine: Engine, report: Report, versions: Versions) -> None:
        self.engine = engine
        self.report = report
        self.versions = versions

    def rows(self, sql: str) -> list[dict[str, object]]:
        """Rows of a query as mappings."""
        names = [str(name) for (name, *_) in self.engine.rows(f"DESCRIBE {sql}")]
        return [dict(zip(names, row, strict=True)) for row in self.engine.rows(sql)]

    def credentials(self) -> dict[str, dict[str, object]]:
        """Every credential by the last part of its key."""
        return {str(row["key"]).rpartition(":")[2]: row for row in self.rows("SELECT * FROM judged")}

    def verdicts(self) -> dict[str, dict[str, Verdict]]:
        """Every verdict on every credential, by the last part of its key and the question."""
        keys = [str(row["key"]) for row in self.rows("SELECT key FROM credentials ORDER BY key")]
        found = judging.verdicts_of(self.engine, load(), self.versions, keys) if keys else {}
        return {key.rpartition(":")[2]: each for key, each in found.items()}


class Settled(Derived):
    """Tables that no test changes: what is asked of them again is not worked out again."""

    @cached_property
    def _credentials(self) -> dict[str, dict[str, object]]:
        return super().credentials()

    @cached_property
    def _verdicts(self) -> dict[str, dict[str, Verdict]]:
        return super().verdicts()

    def credentials(self) -> dict[str, dict[str, object]]:
        return self._credentials

    def verdicts(self) -> dict[str, dict[str, Verdict]]:
        return self._verdicts


@contextmanager
def derived(
    folder: Path,
    files: Sequence[bytes],
    contract: Contract | Versions = EMPTY,
    damaged: Damaged = (),
    documents: tuple[SealedDocument, ...] = (),
    reviews: tuple[Review, ...] = (),
    first_leaf: int = 1,
) -> Iterator[Derived]:
    """Derive and judge the records of ``files``, in their order, with the sealed ``documents`` of a register."""
    found = msgspec.structs.replace(committed(folder, files, damaged, first_leaf), documents=documents, reviews=reviews)
    versions = contract if isinstance(contract, Versions) else Versions.of(contract)
    with Engine(memory_mib=300, threads=1) as engine:
        yield Derived(engine, derive(engine, found, versions), versions)


def committed(folder: Path, files: Sequence[bytes], damaged: Damaged = (), first_leaf: int = 1) -> Committed:
    """What a store would hold of ``files``: parts and skips on disk, duplicates counted, conflicts settled."""
    known = sources()
    wrappings = intake.wrappings_of(known)
    found = [list(frame(Content.of(data), wrappings)) for data in files]
    batches = [intake.batch(framed, 0, 0, known, last=True) for framed in found]
    sealed: list[Sealed] = []
    pieces, skips, leaf = [], [], first_leaf
    for batch in batches:
        leaves = np.full(len(batch), -1, dtype=np.int64)
        for row in range(len(batch)):
            one = Sealed(
                leaf=leaf,
                source=batch.sources[row],
                id=batch.ids[row],
                form=batch.forms[row],
                kept=batch.kept[row] or b"",
            )
            if any((o.source, o.id) == (one.source, one.id) and same_value(o.kept, one.kept) for o in sealed):
                continue
            sealed.append(one)
            leaves[row] = leaf
            leaf += 1
            if (reason := batch.skips[row]) is not None:
                skips.append((one.leaf, one.source, one.id, reason))
        pieces.append((batch.parts, leaves))
    events, skipped = encode_events(pieces), encode_skips(*map(list, zip(*skips, strict=True))) if skips else None
    total = sum(len(batch) for batch in batches)
    files_of = tuple(_written(folder / f"{name}.parquet", data) for name, data in (("events", events),) if data)
    return Committed(
        files=files_of,
        skips=tuple(_written(folder / "skips.parquet", data) for data in (skipped,) if data),
        received=dict.fromkeys(files_of, RECEIVED),
        repeated=tuple(_repeated(sealed)),
        damaged=damaged,
        records=total,
        sealed=len(sealed),
        duplicates=total - len(sealed),
        acquisitions=len(files),
        kept={one.leaf: one.kept for one in sealed}.get,
    )


def _written(path: Path, data: memoryview) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _repeated(sealed: Sequence[Sealed]) -> Iterator[Repeated]:
    groups: dict[tuple[str, str], list[Sealed]] = {}
    for one in sealed:
        groups.setdefault((one.source, one.id), []).append(one)
    for (source, identity), group in groups.items():
        if len(group) > 1:
            yield settle(source, identity, [Value(one.leaf, one.form, one.kept) for one in group])
