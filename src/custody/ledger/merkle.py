"""Merkle tree hashing (RFC 6962 section 2.1) and proof verification (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

A leaf hashes as SHA-256(0x00 ‖ entry), a node as SHA-256(0x01 ‖ left ‖ right), the empty tree as SHA-256 of nothing.
A tree of n leaves splits at the largest power of two below n; nothing is padded and no leaf is doubled.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE = 32
"""Bytes in a hash."""

EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

MAX_TREE = (1 << 63) - 1
"""The largest size of a tree that is read: what a signed 64-bit integer holds."""


def leaf_hash(entry: bytes) -> bytes:
    """The 32-byte leaf hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over ``hashes``, which are leaf hashes or the roots of equal, perfect subtrees (the last may be less).

    Pairs are joined level by level and an odd last one goes up as it is, which is the split of RFC 6962.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        odd = [level[-1]] if len(level) & 1 else []
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level += odd
    return level[0]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows that ``leaf`` (a leaf hash) stands at ``index`` in the tree of ``size`` and ``root``.

    RFC 9162 section 2.1.3.2, its step numbers in the comments.
    """
    if not _hashes(leaf, root, *proof):
        return False
    # 1. Fail where the index is not below the size.
    if not 0 <= index < size:
        return False
    # 2. and 3.
    fn, sn = index, size - 1
    r = leaf
    # 4. For each value p of the path:
    for p in proof:
        # 4.a
        if sn == 0:
            return False
        # 4.b
        if fn & 1 or fn == sn:
            # 4.b.i
            r = node_hash(p, r)
            # 4.b.ii
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        # 4.c
        fn, sn = fn >> 1, sn >> 1
    # 5.
    return sn == 0 and hmac.compare_digest(r, root)


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether ``proof`` shows that the tree of ``size`` and ``root`` only adds to the old one.

    RFC 9162 section 2.1.4.2, its step numbers in the comments. The cases that it leaves out: a tree is consistent with
    itself, and every tree with the empty one, both by an empty proof.
    """
    if not _hashes(old_root, root, *proof) or not 0 <= old_size <= size:
        return False
    if old_size == size:
        return not proof and hmac.compare_digest(old_root, root)
    if old_size == 0:
        return not proof and hmac.compare_digest(old_root, EMPTY_ROOT)
    # 1. Fail on an empty path.
    if not proof:
        return False
    # 2. A first tree that is perfect is its own first value.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    # 3.
    fn, sn = old_size - 1, size - 1
    # 4.
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    # 5.
    fr = sr = path[0]
    # 6. For each further value c:
    for c in path[1:]:
        # 6.a
        if sn == 0:
            return False
        # 6.b
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        # 6.c
        fn, sn = fn >> 1, sn >> 1
    # 7.
    return sn == 0 and hmac.compare_digest(fr, old_root) and hmac.compare_digest(sr, root)


def _hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
