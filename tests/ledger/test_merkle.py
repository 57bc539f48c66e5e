"""RFC 6962 and RFC 9162 against published vectors and an independent tree."""

from itertools import pairwise

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.ledger.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The entries of the reference tree of Certificate Transparency."""

CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def _split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def mth(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1 as it is written, by recursion."""
    if len(hashes) == 1:
        return hashes[0]
    k = _split(len(hashes))
    return node_hash(mth(hashes[:k]), mth(hashes[k:]))


def path(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1 as it is written."""
    if len(hashes) == 1:
        return []
    k = _split(len(hashes))
    if index < k:
        return [*path(index, hashes[:k]), mth(hashes[k:])]
    return [*path(index - k, hashes[k:]), mth(hashes[:k])]


def subproof(old: int, hashes: list[bytes], *, whole: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2 as it is written."""
    if old == len(hashes):
        return [] if whole else [mth(hashes)]
    k = _split(len(hashes))
    if old <= k:
        return [*subproof(old, hashes[:k], whole=whole), mth(hashes[k:])]
    return [*subproof(old - k, hashes[k:], whole=False), mth(hashes[:k])]


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"entry %d" % number) for number in range(count)]


def test_the_empty_tree_hashes_to_sha256_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]) == EMPTY_ROOT


@pytest.mark.parametrize("size", CT_ROOTS)
def test_the_reference_tree_has_its_published_root(size: int) -> None:
    assert root_of([leaf_hash(entry) for entry in CT_LEAVES[:size]]).hex() == CT_ROOTS[size]


def test_leaf_and_node_hashes_are_told_apart() -> None:
    left, right = leaves(2)
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 9, 255, 256, 257, 600])
def test_roots_agree_with_pymerkle_and_the_recursive_definition(size: int) -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        oracle.append_entry(b"entry %d" % number)
    assert root_of(leaves(size)) == oracle.get_root() == mth(leaves(size))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 7, 8, 13, 16, 31, 33])
def test_every_inclusion_path_verifies_and_no_other_does(size: int) -> None:
    hashes = leaves(size)
    root = mth(hashes)
    for index in range(size):
        proof = path(index, hashes)
        assert verify_inclusion(hashes[index], index, size, proof, root)
        assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
        assert not verify_inclusion(hashes[index], index, size, [*proof, root], root)
        assert not verify_inclusion(hashes[index], index, size, proof, leaf_hash(b"other"))
        for wrong in set(range(size)) - {index}:
            assert not verify_inclusion(hashes[index], wrong, size, proof, root)
        if proof:
            assert not verify_inclusion(hashes[index], index, size, proof[:-1], root)
            assert not verify_inclusion(hashes[index], index, size, [proof[0][:-1], *proof[1:]], root)


def test_an_index_outside_of_the_tree_is_not_included() -> None:
    (leaf,) = leaves(1)
    assert verify_inclusion(leaf, 0, 1, [], leaf)
    assert not verify_inclusion(leaf, 1, 1, [], leaf)
    assert not verify_inclusion(leaf, -1, 1, [], leaf)
    assert not verify_inclusion(leaf, 0, 0, [], EMPTY_ROOT)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 7, 8, 13, 16, 31, 33])
def test_every_consistency_path_verifies_and_no_other_does(size: int) -> None:
    hashes = leaves(size)
    root = mth(hashes)
    for old in range(1, size):
        proof = subproof(old, hashes[:], whole=True)
        old_root = mth(hashes[:old])
        assert verify_consistency(old, old_root, size, root, proof)
        assert not verify_consistency(old, leaf_hash(b"other"), size, root, proof)
        assert not verify_consistency(old, old_root, size, leaf_hash(b"other"), proof)
        assert not verify_consistency(old, old_root, size, root, [])
        assert not verify_consistency(old, old_root, size, root, [*proof, root])
        assert not verify_consistency(old, old_root, size, root, proof[:-1])
        for wrong in set(range(1, size)) - {old}:
            assert not verify_consistency(wrong, old_root, size, root, proof)


def test_a_tree_is_consistent_with_itself_and_with_the_empty_tree_by_nothing() -> None:
    root = mth(leaves(5))
    assert verify_consistency(5, root, 5, root, [])
    assert verify_consistency(0, EMPTY_ROOT, 5, root, [])
    assert not verify_consistency(5, root, 5, root, [root])
    assert not verify_consistency(5, leaf_hash(b""), 5, root, [])
    assert not verify_consistency(0, root, 5, root, [])
    assert not verify_consistency(0, EMPTY_ROOT, 5, root, [root])
    assert not verify_consistency(5, root, 4, root, [])
    assert not verify_consistency(-1, root, 4, root, [])


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_root_depends_on_every_entry_and_its_place(entries: list[bytes]) -> None:
    hashes = [leaf_hash(entry) for entry in entries]
    root = root_of(hashes)
    assert root != root_of([*hashes, leaf_hash(b"one more")])
    for at, (one, other) in enumerate(pairwise(hashes)):
        if one != other:
            assert root != root_of([*hashes[:at], other, one, *hashes[at + 2 :]])
