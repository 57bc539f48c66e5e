"""Cosignatures (C2SP tlog-cosignature)."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from custody.errors import LogError
from custody.ledger.cosignature import Cosigner, Witness, cosignatures, with_signatures
from custody.ledger.note import Signature, Signer, line, parse_note, sign

TEXT = "log.example.com\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
LOG = Signer("log.example.com", b"l" * 32)
COSIGNER = Cosigner("witness.example.org", b"w" * 32)
TIME = 1_772_445_600


def noted(*signatures: Signature) -> bytes:
    return sign(TEXT, [LOG]) + "".join(map(line, signatures)).encode()


def test_a_cosignature_says_who_and_when() -> None:
    data = noted(COSIGNER.cosign(TEXT, TIME))

    (found,) = cosignatures(parse_note(data), [COSIGNER.witness])

    assert (found.name, found.time) == ("witness.example.org", TIME)


def test_the_signed_bytes_are_those_of_the_specification() -> None:
    value = COSIGNER.cosign(TEXT, TIME).value
    signed = b"cosignature/v1\ntime 1772445600\n" + TEXT.encode()

    assert value[:8] == TIME.to_bytes(8, "big")
    Ed25519PublicKey.from_public_bytes(COSIGNER.witness.key).verify(value[8:], signed)


def test_the_key_id_hashes_type_four() -> None:
    vkey = COSIGNER.witness.vkey

    assert Witness.parse(vkey) == COSIGNER.witness
    assert vkey.split("+", 2)[1] == COSIGNER.witness.key_id.hex()
    assert COSIGNER.witness.key_id != Signer("witness.example.org", b"w" * 32).verifier.key_id


@pytest.mark.parametrize("change", [0, 7, 8, 40, 71])
def test_any_changed_byte_is_wrong(change: int) -> None:
    good = COSIGNER.cosign(TEXT, TIME)
    value = bytearray(good.value)
    value[change] ^= 1

    with pytest.raises(LogError, match="cosignature"):
        cosignatures(parse_note(noted(Signature(good.name, good.key_id, bytes(value)))), [COSIGNER.witness])


def test_one_over_another_text_is_wrong() -> None:
    data = noted(COSIGNER.cosign(TEXT.replace("\n1\n", "\n2\n"), TIME))

    with pytest.raises(LogError, match="a cosignature is wrong"):
        cosignatures(parse_note(data), [COSIGNER.witness])


@pytest.mark.parametrize("length", [5, 71, 73])
def test_a_wrong_length_is_wrong(length: int) -> None:
    data = noted(Signature("witness.example.org", COSIGNER.witness.key_id, b"x" * length))

    with pytest.raises(LogError, match="wrong length"):
        cosignatures(parse_note(data), [COSIGNER.witness])


def test_witnesses_that_nobody_asked_about_are_not_believed() -> None:
    stranger = Cosigner("stranger.example.net", b"s" * 32)
    data = noted(stranger.cosign(TEXT, TIME))

    assert cosignatures(parse_note(data), [COSIGNER.witness]) == ()


def test_signature_lines_are_added_once() -> None:
    cosigned = COSIGNER.cosign(TEXT, TIME)
    once = with_signatures(sign(TEXT, [LOG]), [cosigned])

    assert with_signatures(once, [cosigned]) == once
    assert len(parse_note(once).others) == 2


@pytest.mark.parametrize("time", [0, -1, 1 << 63])
def test_no_time_is_no_cosignature(time: int) -> None:
    with pytest.raises(LogError, match="not a time"):
        COSIGNER.cosign(TEXT, time)


@pytest.mark.parametrize("vkey", ["", "name", LOG.vkey, COSIGNER.witness.vkey[:-4], "a+00000000+BAAA"])
def test_other_keys_are_no_witness(vkey: str) -> None:
    with pytest.raises(LogError):
        Witness.parse(vkey)
