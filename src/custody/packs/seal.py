"""The seal of a pack: the log's own statement about its bytes, with the proof that the log holds it, in one file.

A C2SP tlog-proof beside the pack, ``FILE.zip.tlog-proof``, whose ``extra`` line carries the entry. The line itself is
nobody's word; the entry in it is what the proof leads from. Its checkpoint is the log's at the moment of packing,
which no witness has seen yet: of the policy only the log's key is asked for.
"""

import msgspec

from custody.errors import LogError
from custody.ledger.entry import StatementEntry, decode
from custody.ledger.merkle import leaf_hash, verify_inclusion
from custody.ledger.policy import NONE, Policy, accept
from custody.ledger.proof import format_proof, parse_proof
from custody.packs.parts import STATEMENT


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """The statement about a pack: its leaf, and who says to have made it (``by``), for whom, when."""

    origin: str
    leaf: int
    size: int
    at: str
    by: str
    made_for: str | None


def write_seal(entry: bytes, proof: bytes) -> bytes:
    """The file: ``proof`` (a tlog-proof of ``entry``) with the entry in it."""
    found = parse_proof(proof)
    return format_proof(found.index, found.hashes, found.checkpoint, entry)


def read_seal(data: bytes, policy: Policy, digest: str) -> Seal:
    """The seal of the pack with this SHA-256 (hex). LogError where it is another's, or the policy refuses it."""
    proof = parse_proof(data)
    if proof.extra is None or format_proof(proof.index, proof.hashes, proof.checkpoint, proof.extra) != data:
        raise LogError("not the seal of a pack", expected="a proof with its entry, in its one form")
    point = accept(msgspec.structs.replace(policy, quorum=NONE), proof.checkpoint)
    if not verify_inclusion(leaf_hash(proof.extra), proof.index, point.size, proof.hashes, point.root):
        raise LogError("the seal is not in the log", found=f"leaf {proof.index}")
    entry = decode(proof.extra)
    if not isinstance(entry, StatementEntry) or entry.what != STATEMENT:
        raise LogError("the leaf says nothing of a pack", found=f"leaf {proof.index}")
    if entry.fields.get("sha256") != digest:
        raise LogError("it seals another pack", found=str(entry.fields.get("sha256")), expected=digest)
    made_for = entry.fields.get("for")
    return Seal(
        origin=point.origin,
        leaf=proof.index,
        size=point.size,
        at=str(entry.fields.get("at")),
        by=str(entry.fields.get("by")),
        made_for=None if made_for is None else str(made_for),
    )
