import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from custody.ledger.entry import record_entry
from custody.ledger.merkle import leaf_hash
from custody.model.records import PARTS_COLUMNS, Acquisition, Batch
from custody.store.disk import Disk
from custody.store.index import identity_hash
from custody.store.parts import parts_schema
from custody.store.writer import Writer

NOW = "2026-11-22T10:00:00Z"
SOURCE = "aws.cloudtrail"


def make_acquisition(name: str, *, member: str | None = None) -> Acquisition:
    digest = sha256(name.encode()).hexdigest()
    return Acquisition(
        path=f"logs/{name}", member=member, received=digest, received_size=10, content=digest, content_size=10
    )


def make_batch(
    acquisition: int,
    rows: Sequence[tuple[str, bytes | None]],
    *,
    ordinal: int = 0,
    last: bool = True,
    form: str = "delivered",
    skips: Sequence[str | None] | None = None,
    hashes: Sequence[int] | None = None,
) -> Batch:
    """A batch of (id, kept) rows with one part each; the salt is made of the id and the ordinal."""
    import pyarrow as pa

    entries, salts = [], []
    for at, (identity, kept) in enumerate(rows):
        salt = sha256(f"{identity}/{acquisition}/{at}".encode()).digest()[:16]
        digest = sha256(salt + (kept or b"withheld")).hexdigest()
        entries.append(record_entry(SOURCE, "eventID", identity, digest, acquisition, at, len(kept or b"")))
        salts.append(None if kept is None else salt)
    columns: dict[str, list[object]] = {name: [None] * len(rows) for name in PARTS_COLUMNS}
    columns |= {
        "row": list(range(len(rows))),
        "event": [identity for identity, _ in rows],
        "stage": ["use"] * len(rows),
    }
    return Batch(
        acquisition=acquisition,
        ordinal=ordinal,
        last=last,
        entries=entries,
        leaves=b"".join(map(leaf_hash, entries)),
        identity_hashes=list(hashes or (identity_hash(SOURCE, identity) for identity, _ in rows)),
        sources=[SOURCE] * len(rows),
        ids=[identity for identity, _ in rows],
        forms=[form] * len(rows),
        kept=[kept for _, kept in rows],
        salts=salts,
        skips=list(skips or [None] * len(rows)),
        parts=pa.record_batch(columns, schema=parts_schema()),
    )


def make_rows(first: int, count: int) -> list[tuple[str, bytes | None]]:
    return [(f"id-{n}", json.dumps({"eventID": f"id-{n}", "n": n}).encode()) for n in range(first, first + count)]


@pytest.fixture
def acquisition() -> Callable[..., Acquisition]:
    return make_acquisition


@pytest.fixture
def batch() -> Callable[..., Batch]:
    return make_batch


@pytest.fixture
def rows() -> Callable[[int, int], list[tuple[str, bytes | None]]]:
    return make_rows


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def opened(root: Path, keys: Path) -> Callable[..., Writer]:
    def open_it(disk: Disk | None = None) -> Writer:
        return Writer.open(root, keys, now=NOW, version="0.1.0", disk=disk)

    return open_it
