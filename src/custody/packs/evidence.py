"""The sealed evidence of a pack: for each leaf its entry, its proof, and of a record the bytes with their salt.

A record brings the acquisition of its file, and where it was erased the statement that says so; a statement that names
its text in pieces brings the pieces. What the tree holds besides is in the pack as hashes on the way to the root, and
as nothing else.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Protocol

import msgspec

from custody.errors import StoreError
from custody.ledger.entry import AcquisitionEntry, Entry, RecordEntry, SegmentEntry, StatementEntry, decode
from custody.packs.archive import Writer, Written
from custody.store.earlier import Earlier
from custody.store.reader import Reader

MOST_LEAVES = 100_000
"""Leaves that a pack may hold: three files each."""

LEAVES = "leaves.json"

WITHOUT_PIECES = frozenset({"review-open"})
"""Statements that stand without their text: the population of a review names identities that a pack is not about. Its
digest and count are in the statement."""


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf of a pack, as ``leaves.json`` lists it.

    ``salt`` (hex) stands with the bytes in ``records/``; where both are not there the payload is withheld: the entry
    alone commits to it. ``what`` is the source of a record or the kind of a statement, ``file`` the leaf of the file
    that a record stands in.
    """

    leaf: int
    kind: str
    what: str | None = None
    file: int | None = None
    salt: str | None = None
    withheld: bool = False


class Proving(Protocol):
    """A log at a size: its entries, and proofs in it."""

    def entry(self, leaf: int) -> bytes:
        """The bytes of the entry at ``leaf``."""
        ...

    def proof(self, leaf: int) -> bytes:
        """The C2SP tlog-proof of it."""
        ...


def entry_path(leaf: int) -> str:
    """Where the entry at a leaf is in a pack."""
    return f"entries/{leaf}"


def proof_path(leaf: int) -> str:
    """Where its proof is."""
    return f"proofs/{leaf}.tlog-proof"


def record_path(leaf: int) -> str:
    """Where the kept bytes of a record are."""
    return f"records/{leaf}.bin"


def with_origins(reader: Reader, earlier: Earlier, leaves: Iterable[int]) -> list[int]:
    """``leaves`` below the size, with those that they rest on: files of records, pieces of statements; sorted."""
    pieces, erasures = _pieces(reader), reader.erasures()
    found: set[int] = set()
    for leaf in leaves:
        if leaf >= earlier.size:
            continue
        found.add(leaf)
        entry = decode(earlier.entry(leaf))
        if isinstance(entry, RecordEntry):
            found.add(entry.file)
            gone = erasures.of(leaf)
            found.update({gone.leaf} if gone is not None and gone.leaf < earlier.size else ())
        elif isinstance(entry, StatementEntry):
            found.update(_parts_of(entry, leaf, pieces))
    return sorted(found)


def write(
    archive: Writer, reader: Reader, earlier: Proving, leaves: Iterable[int], folder: str = ""
) -> Iterator[tuple[str, Written, Leaf]]:
    """Write the files of every leaf; gives the path and hash of each file with the leaf that it is of.

    ``folder`` is where those of another log stand, which has no records.
    """
    for leaf in leaves:
        raw = earlier.entry(leaf)
        entry = decode(raw)
        listed, kept = _kept(reader, leaf, entry)
        for path, data in ((entry_path(leaf), raw), (proof_path(leaf), earlier.proof(leaf))):
            yield folder + path, archive.add(folder + path, data), listed
        if kept is not None:
            yield record_path(leaf), archive.add(record_path(leaf), kept), listed


def _kept(reader: Reader, leaf: int, entry: Entry) -> tuple[Leaf, bytes | None]:
    if not isinstance(entry, RecordEntry):
        return described(leaf, entry), None
    held = reader.kept(leaf)
    if held.kept is None or held.salt is None:
        return described(leaf, entry), None
    if sha256(held.salt + held.kept).hexdigest() != entry.kept:
        raise StoreError(
            "a record is not as it was sealed",
            where=f"operations:{leaf}",
            advice="`custody verify` says what is wrong.",
        )
    return described(leaf, entry, held.salt), held.kept


def described(leaf: int, entry: Entry, salt: bytes | None = None) -> Leaf:
    """How ``leaves.json`` lists an entry; a record without its salt is withheld."""
    match entry:
        case AcquisitionEntry():
            return Leaf(leaf=leaf, kind="acquisition")
        case SegmentEntry():
            return Leaf(leaf=leaf, kind="segment")
        case StatementEntry():
            return Leaf(leaf=leaf, kind="statement", what=entry.what)
        case RecordEntry():
            of = Leaf(leaf=leaf, kind="record", what=entry.source, file=entry.file, withheld=salt is None)
            return of if salt is None else msgspec.structs.replace(of, salt=salt.hex())


def _pieces(reader: Reader) -> dict[tuple[str, object], list[int]]:
    """The leaves of the pieces of texts that were sealed in several statements: by kind and hash of the whole."""
    found: dict[tuple[str, object], list[int]] = {}
    for said in reader.history().said:
        if said.entry.what.endswith("-part"):
            found.setdefault((said.entry.what, str(said.entry.fields.get("sha256"))), []).append(said.leaf)
    return found


def _parts_of(entry: StatementEntry, leaf: int, pieces: dict[tuple[str, object], list[int]]) -> list[int]:
    if entry.what in WITHOUT_PIECES:
        return []
    count = entry.fields.get("pieces")
    before = [at for at in pieces.get((f"{entry.what}-part", str(entry.fields.get("sha256"))), ()) if at < leaf]
    return before[-count:] if isinstance(count, int) and count > 0 else []
