"""The leaves of a pack against its checkpoint: entries, proofs, kept bytes, and what the rest is founded on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256

import msgspec

from custody.errors import LogError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import AcquisitionEntry, RecordEntry, SegmentEntry, StatementEntry, decode
from custody.ledger.merkle import leaf_hash, verify_inclusion
from custody.ledger.proof import MAX_PROOF, format_proof, parse_proof
from custody.ledger.tiles import MAX_ENTRY
from custody.packs import documents, parts
from custody.packs.archive import Member
from custody.packs.evidence import LEAVES, Leaf, described, entry_path, proof_path, record_path
from custody.packs.manifest import Basis

Whole = Callable[[str, int], bytes]
Chunks = Callable[[str], Iterable[bytes]]
Name = Callable[[str, str | LogError], None]
FOLDERS = ("entries/", "proofs/", "records/")


class Proven:
    """The leaves as far as they are proved.

    ``whole`` gives the bytes of a file and ``chunks`` the same in pieces, ``name`` notes a problem with one. ``folder``
    is where the leaves of another log stand. ``said`` are the statements that are proved, by leaf.
    """

    def __init__(
        self,
        signed: bytes,
        point: Checkpoint,
        whole: Whole,
        chunks: Chunks,
        members: Mapping[str, Member],
        name: Name,
        folder: str = "",
    ) -> None:
        self.leaves: set[int] = set()
        self.said: dict[int, StatementEntry] = {}
        self.records = 0
        self.withheld = 0
        self._signed, self._point, self._members, self._folder = signed, point, members, folder
        self._whole: Whole = lambda path, most: whole(folder + path, most)
        self._chunks: Chunks = lambda path: chunks(folder + path)
        self._name: Name = lambda path, problem: name(folder + path, problem)
        self._files: dict[int, AcquisitionEntry] = {}

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        """Check every leaf that the pack lists, and that no file is of another."""
        expected: set[str] = set()
        total = sum(path.startswith(f"{self._folder}entries/") for path in self._members)
        try:
            for done, leaf in enumerate(self._listed(self._chunks(LEAVES)), 1):
                expected |= {entry_path(leaf.leaf), proof_path(leaf.leaf)}
                if leaf.kind == "record" and not leaf.withheld:
                    expected.add(record_path(leaf.leaf))
                self._leaf(leaf)
                if progress is not None:
                    progress(done, total)
        except LogError as error:
            self._name(LEAVES, error)
        for path in (each.removeprefix(self._folder) for each in self._members if each.startswith(self._folder)):
            if path.startswith(FOLDERS) and path not in expected:
                self._name(path, "it is of no leaf that leaves.json lists")

    def foundations(self, basis: Basis) -> None:
        """Check that the contract and the manifest of the derived tables are those that the log seals."""
        derived = self.said.get(basis.derived_leaf)
        held = sha256(self._file(parts.DERIVED)).hexdigest()
        sealed = None if derived is None or derived.what != "derived" else derived.fields.get("manifest")
        if not held == sealed == basis.derived:
            self._name(parts.DERIVED, "no leaf of the pack seals it")
        if basis.contract is None:
            if parts.CONTRACT in self._members:
                self._name(parts.CONTRACT, "the pack rests on no contract, and has one")
            return
        held = sha256(self._file(parts.CONTRACT)).hexdigest()
        if held != basis.contract or not self._contract_sealed(held):
            self._name(parts.CONTRACT, "no leaf of the pack seals it as the contract in force")

    def _contract_sealed(self, digest: str) -> bool:
        """Whether a leaf of the pack seals the contract of this digest, and its pieces give it."""
        mine = [(leaf, said) for leaf, said in sorted(self.said.items()) if said.fields.get("sha256") == digest]
        ends = [(leaf, said.fields.get("pieces")) for leaf, said in mine if said.what == "contract"]
        if not ends:
            return False
        last, count = ends[-1]
        pieces = [str(said.fields.get("text")) for leaf, said in mine if said.what == "contract-part" and leaf < last]
        text = "".join(pieces[-count:]) if isinstance(count, int) and count > 0 else ""
        return sha256(text.encode()).hexdigest() == digest

    def _file(self, path: str) -> bytes:
        try:
            return self._whole(path, 64 << 20)
        except LogError as error:
            self._name(path, error)
            return b""

    def _listed(self, chunks: Iterable[bytes]) -> Iterator[Leaf]:
        last = -1
        for number, value in enumerate(documents.read_listing(chunks)):
            if number == 0:
                continue
            try:
                leaf = msgspec.convert(value, Leaf, strict=True)
            except msgspec.ValidationError as error:
                raise LogError("it lists something else than a leaf", found=str(error)) from None
            if documents.line(leaf) != documents.line(value) or leaf.leaf <= last:
                raise LogError("its leaves are not in their one form and order", found=f"leaf {leaf.leaf}")
            last = leaf.leaf
            yield leaf

    def _leaf(self, leaf: Leaf) -> None:
        path = entry_path(leaf.leaf)
        try:
            raw = self._whole(path, MAX_ENTRY)
            entry = decode(raw)
        except LogError as error:
            self._name(path, error)
            return
        if not self._included(leaf.leaf, raw):
            return
        self.leaves.add(leaf.leaf)
        if described(leaf.leaf, entry, _hex(leaf.salt)) != leaf:
            self._name(LEAVES, f"leaf {leaf.leaf} is not what it is listed as")
        match entry:
            case AcquisitionEntry():
                self._files[leaf.leaf] = entry
            case StatementEntry():
                self.said[leaf.leaf] = entry
            case RecordEntry():
                self._record(leaf, entry)
            case SegmentEntry():
                pass

    def _included(self, leaf: int, raw: bytes) -> bool:
        """Whether the proof leads from the entry to the signed root; the file that does not fit is named."""
        path = proof_path(leaf)
        try:
            data = self._whole(path, MAX_PROOF)
            proof = parse_proof(data)
        except LogError as error:
            self._name(path, error)
            return False
        if format_proof(proof.index, proof.hashes, proof.checkpoint) != data or proof.index != leaf:
            self._name(path, f"it is not the proof of leaf {leaf} in its one form")
        elif proof.checkpoint != self._signed:
            self._name(path, "it is under another checkpoint than the pack's")
        elif not verify_inclusion(leaf_hash(raw), leaf, self._point.size, proof.hashes, self._point.root):
            self._name(path, f"it does not lead from {entry_path(leaf)} to the signed root")
            self._name(entry_path(leaf), f"{path} does not lead from it to the signed root")
        else:
            return True
        return False

    def _record(self, leaf: Leaf, entry: RecordEntry) -> None:
        file = self._files.get(entry.file)
        if file is None:
            self._name(entry_path(leaf.leaf), f"the file that it stands in, leaf {entry.file}, is not in the pack")
        elif file.problem is None and entry.at + entry.length > file.content_size:
            self._name(entry_path(leaf.leaf), f"it ends past the end of its file, leaf {entry.file}")
        if leaf.withheld:
            self.withheld += 1
            return
        path, salt = record_path(leaf.leaf), _hex(leaf.salt) or b""
        digest = sha256(salt)
        try:
            for chunk in self._chunks(path):
                digest.update(chunk)
        except LogError as error:
            self._name(path, error)
            return
        if len(salt) != 16 or digest.hexdigest() != entry.kept:
            self._name(path, f"SHA-256 of salt and bytes is not what {entry_path(leaf.leaf)} commits to")
            return
        self.records += 1


def _hex(text: str | None) -> bytes | None:
    """The bytes of a salt; None where there are none, or they are not lower-case hex."""
    try:
        data = bytes.fromhex(text or "")
    except ValueError:
        return None
    return data if data and data.hex() == text else None
