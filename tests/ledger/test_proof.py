"""Proofs from tiles, and C2SP tlog-proof text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import LogError
from custody.ledger.entry import statement_entry
from custody.ledger.memory import MemoryLog
from custody.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from custody.ledger.note import Signer, sign
from custody.ledger.proof import (
    TlogProof,
    consistency_proof,
    format_proof,
    inclusion_proof,
    parse_proof,
    read_entry,
    root_at,
    verify,
)
from custody.ledger.tree import Tree

SIGNER = Signer("example.com/log", bytes(32))
NOTHING: dict[str, bytes] = {}


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def files_of(size: int) -> tuple[dict[str, bytes], bytes]:
    tree = Tree.empty()
    tree.append(entries(size), b"".join(map(leaf_hash, entries(size))))
    return tree.take_files(), tree.root()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 299, 300])
def test_every_index_is_proved(size: int) -> None:
    files, root = files_of(size)
    for index, entry in enumerate(entries(size)):
        proof = inclusion_proof(index, size, files.__getitem__)
        assert verify_inclusion(leaf_hash(entry), index, size, proof, root)


def test_every_size_up_to_300_proves_its_first_and_last_leaf_and_its_earlier_sizes() -> None:
    roots = [files_of(size)[1] for size in range(301)]
    for size in range(1, 301):
        files, root = files_of(size)
        for index in {0, size // 2, size - 1}:
            proof = inclusion_proof(index, size, files.__getitem__)
            assert verify_inclusion(leaf_hash(b"entry %d" % index), index, size, proof, root)
        for old in {0, 1, size // 3, size - 1, size}:
            proof = consistency_proof(old, size, files.__getitem__)
            assert verify_consistency(old, roots[old], size, root, proof)
        assert root_at(size, files.__getitem__) == root


@pytest.mark.parametrize("index", [0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999])
def test_proofs_cross_every_level_of_70000_leaves(index: int, large: tuple[dict[str, bytes], bytes]) -> None:
    files, root = large
    proof = inclusion_proof(index, 70_000, files.__getitem__)
    assert verify_inclusion(leaf_hash(b"entry %d" % index), index, 70_000, proof, root)
    assert read_entry(index, 70_000, files.__getitem__) == b"entry %d" % index


@pytest.mark.parametrize("old", [1, 255, 256, 65_536, 65_537, 69_888, 69_999])
def test_consistency_crosses_every_level_of_70000_leaves(old: int, large: tuple[dict[str, bytes], bytes]) -> None:
    files, root = large
    proof = consistency_proof(old, 70_000, files.__getitem__)
    assert verify_consistency(old, files_of(old)[1], 70_000, root, proof)


@pytest.fixture(scope="module")
def large() -> tuple[dict[str, bytes], bytes]:
    return files_of(70_000)


def test_an_old_size_is_proved_from_its_partials_and_the_full_tiles_that_came_later() -> None:
    files, root = files_of(300)
    del files["tile/0/001.p/44"], files["tile/entries/001.p/44"]
    files |= files_of(1024)[0]
    proof = inclusion_proof(299, 300, files.__getitem__)
    assert verify_inclusion(leaf_hash(b"entry 299"), 299, 300, proof, root)
    assert read_entry(299, 300, files.__getitem__) == b"entry 299"


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 5), (5, 5), (9, 5)])
def test_a_leaf_outside_of_the_log_is_refused(index: int, size: int) -> None:
    files, _ = files_of(5)
    with pytest.raises(LogError, match="no such leaf"):
        inclusion_proof(index, size, files.__getitem__)
    with pytest.raises(LogError, match="no such leaf"):
        read_entry(index, size, files.__getitem__)


@pytest.mark.parametrize(("old", "size"), [(6, 5), (-1, 5)])
def test_a_log_that_shrinks_has_no_proof(old: int, size: int) -> None:
    with pytest.raises(LogError, match="cannot shrink"):
        consistency_proof(old, size, NOTHING.__getitem__)


def test_a_missing_tile_is_named() -> None:
    with pytest.raises(LogError, match=r"tile/0/000\.p/5"):
        inclusion_proof(0, 5, NOTHING.__getitem__)


def _log(count: int = 20) -> MemoryLog:
    log = MemoryLog(SIGNER)
    log.commit([statement_entry("test", {"number": number}) for number in range(count)])
    return log


def _proof(log: MemoryLog, index: int, extra: bytes | None = None) -> bytes:
    hashes = inclusion_proof(index, log.tree.size, log.read)
    return format_proof(index, hashes, log.files["checkpoint"], extra)


def test_a_proof_has_the_lines_of_the_specification() -> None:
    log = _log(2)
    text = _proof(log, 1, b"\1\1").decode()
    head, _, signed = text.partition("\n\n")
    lines = head.split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra AQE=", "index 1"]
    assert [len(line) for line in lines[3:]] == [44, 44]
    assert signed.encode() == log.files["checkpoint"]


@pytest.mark.parametrize("index", [0, 7, 19, 20])
def test_a_proof_verifies_with_the_entry_and_the_key_alone(index: int) -> None:
    log = _log()
    entry = read_entry(index, log.tree.size, log.read)
    proof = parse_proof(_proof(log, index, b"context"))
    assert proof.extra == b"context"
    assert verify(proof, entry, [SIGNER.verifier]).size == 21
    with pytest.raises(LogError, match="the entry is not proved"):
        verify(proof, entry + b" ", [SIGNER.verifier])


def test_a_proof_of_one_leaf_has_no_hashes() -> None:
    log = _log(0)
    proof = parse_proof(_proof(log, 0))
    assert proof == TlogProof(0, (), log.files["checkpoint"], None)
    assert verify(proof, read_entry(0, 1, log.read), [SIGNER.verifier]).origin == "example.com/log"


def test_a_proof_under_another_key_is_refused() -> None:
    log = _log()
    with pytest.raises(LogError, match="not signed by a known key"):
        verify(parse_proof(_proof(log, 3)), b"", [Signer(SIGNER.name, bytes(31) + b"x").verifier])


def test_a_witness_alone_is_not_the_log() -> None:
    log = _log()
    witness = Signer("example.com/witness", bytes(32))
    text = log.files["checkpoint"].decode().partition("\n\n")[0] + "\n"
    signed = sign(text, [witness])
    proof = parse_proof(format_proof(3, inclusion_proof(3, 21, log.read), signed))
    with pytest.raises(LogError, match="the log itself did not sign"):
        verify(proof, read_entry(3, 21, log.read), [witness.verifier])


def test_every_bit_of_a_proof_counts() -> None:
    log = _log()
    data, entry = _proof(log, 3), read_entry(3, 21, log.read)
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        with pytest.raises(LogError):
            verify(parse_proof(bytes(flipped)), entry, [SIGNER.verifier])


def test_what_is_parsed_is_written_again_in_the_same_bytes() -> None:
    log = _log()
    for index in range(21):
        for extra in (None, b"", b"more"):
            data = _proof(log, index, extra)
            proof = parse_proof(data)
            assert format_proof(proof.index, proof.hashes, proof.checkpoint, proof.extra) == data


_GOOD = _proof(_log(), 3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"c2sp.org/tlog-proof@v1\n", b""),
        (b"@v1", b"@v2"),
        (b"index 3\n", b""),
        (b"index 3", b"index 03"),
        (b"index 3", b"index -3"),
        (b"index 3", b"index 3 "),
        (b"index 3", b"index  3"),
        (b"index 3", b"index 9223372036854775808"),
        (b"index 3", b"Index 3"),
        (b"index 3", b"extra AQG=\nindex 3"),
        (b"index 3", b"extra\nindex 3"),
        (b"index 3", b"extra AQE=\nextra AQE=\nindex 3"),
        (b"index 3\n", b"index 3\nextra AQE=\n"),
        (b"index 3\n", b"index 3\nAQE=\n"),
        (b"index 3\n", b"index 3\n\n"),
        (b"index 3\n", b"index 3\r\n"),
        (b"index 3\n", "index 3\né\n".encode()),
        (b"index 3\n", b"index 3\n" + b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" * 60),
        (b"\n\nexample", b"\nexample"),
        (b"\n\nexample", b"\n\n\nexample"),
        (b"\n21\n", b"\n021\n"),
    ],
)
def test_what_is_not_a_proof_is_refused(old: bytes, new: bytes) -> None:
    assert _GOOD.count(old) == 1
    assert parse_proof(_GOOD).index == 3
    with pytest.raises(LogError):
        parse_proof(_GOOD.replace(old, new))


@pytest.mark.parametrize("data", [b"", b"\n\n", _GOOD[:60], _GOOD.partition(b"\n\n")[0], b"x" * 2_000_001])
def test_a_part_of_a_proof_is_refused(data: bytes) -> None:
    with pytest.raises(LogError):
        parse_proof(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_proof_or_a_log_error(data: bytes) -> None:
    with pytest.raises(LogError):
        parse_proof(b"c2sp.org/tlog-proof@v1\nindex 0\n" + data)
