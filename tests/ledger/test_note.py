"""C2SP signed-note: the vector of the specification, and everything that must not pass."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import LogError
from custody.ledger.note import MAX_NOTE, MAX_SIGNATURES, Signer, Verifier, decode64, open_note, parse_note, sign

SPEC_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The vector of golang.org/x/mod/sumdb/note, whose private key is published with it."""

SIGNER = Signer("example.com/log", bytes(range(32)))
OTHER = Signer("example.com/other", bytes(32))
TEXT = "first\n\nsecond\n"


def test_the_key_of_the_specification_parses_to_itself() -> None:
    verifier = Verifier.parse(SPEC_VKEY)
    assert verifier.name == "example.com/foo"
    assert verifier.key_id.hex() == "530d903a"
    assert verifier.vkey == SPEC_VKEY


def test_the_note_of_the_specification_verifies() -> None:
    note = open_note(SPEC_NOTE.encode(), [Verifier.parse(SPEC_VKEY)])
    assert note.text == "This is an example message.\n"
    assert note.signatures[0].name == "example.com/foo"
    with pytest.raises(LogError, match="a signature is wrong"):
        open_note(SPEC_NOTE.replace("example message", "other message").encode(), [Verifier.parse(SPEC_VKEY)])


def test_a_published_key_signs_the_published_bytes() -> None:
    signer = Signer("PeterNeumann", decode64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:])
    assert signer.vkey == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert sign(GO_NOTE.partition("\n\n")[0] + "\n", [signer]) == GO_NOTE.encode()


def test_a_note_opens_with_the_key_that_signed_it() -> None:
    note = open_note(sign(TEXT, [SIGNER]), [Verifier.parse(SIGNER.vkey)])
    assert note.text == TEXT
    assert [signature.name for signature in note.signatures] == ["example.com/log"]
    assert note.others == ()


def test_a_note_has_the_bytes_of_the_specification() -> None:
    data = sign("text\n", [SIGNER])
    text, _, line = data.decode().partition("\n\n")
    dash, name, encoded = line.split(" ")
    value = base64.b64decode(encoded)
    assert (text, dash, name, line[-1]) == ("text", "\u2014", "example.com/log", "\n")
    assert value[:4] == SIGNER.verifier.key_id
    assert SIGNER.verifier.verify(b"text\n", value[4:])
    assert len(value) == 68


def test_the_text_may_hold_empty_lines_and_looks_like_signatures() -> None:
    for text in (TEXT, "\n", "a\n\n\n", sign(TEXT, [OTHER]).decode()):
        assert open_note(sign(text, [SIGNER]), [SIGNER.verifier]).text == text


def test_signatures_of_unknown_keys_are_carried_and_not_believed() -> None:
    note = open_note(sign(TEXT, [OTHER, SIGNER]), [SIGNER.verifier])
    assert [signature.name for signature in note.others] == ["example.com/other"]
    assert [signature.name for signature in note.signatures] == ["example.com/log"]


def test_a_note_without_a_known_key_is_refused_with_both_names() -> None:
    with pytest.raises(LogError, match=r"found example\.com/other, expected example\.com/log\+"):
        open_note(sign(TEXT, [OTHER]), [SIGNER.verifier])


def test_another_key_of_the_same_name_is_an_unknown_key() -> None:
    namesake = Signer(SIGNER.name, bytes(32))
    with pytest.raises(LogError, match="not signed by a known key"):
        open_note(sign(TEXT, [namesake]), [SIGNER.verifier])


def test_one_wrong_signature_of_a_known_key_rejects_the_whole_note() -> None:
    good = sign(TEXT, [SIGNER, OTHER])
    wrong = sign("another\n", [OTHER]).decode().splitlines()[-1]
    mixed = "\n".join([*good.decode().splitlines()[:-1], wrong, ""]).encode()
    assert open_note(mixed, [SIGNER.verifier]).text == TEXT
    with pytest.raises(LogError, match="a signature is wrong"):
        open_note(mixed, [SIGNER.verifier, OTHER.verifier])


def test_a_known_key_that_signed_twice_must_be_right_twice() -> None:
    line = sign("another\n", [SIGNER]).decode().splitlines()[-1]
    with pytest.raises(LogError, match="a signature is wrong"):
        open_note(sign(TEXT, [SIGNER]) + f"{line}\n".encode(), [SIGNER.verifier])


def test_every_single_bit_of_a_note_counts() -> None:
    data = sign("short\n", [SIGNER])
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            with pytest.raises(LogError):
                open_note(bytes(flipped), [SIGNER.verifier])


_LINE = sign("x\n", [SIGNER]).split(b"\n")[-2].decode()
_VALUE = _LINE.split(" ")[2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        f"text\n{_LINE}\n".encode(),
        f"x\n\n{_LINE}".encode(),
        f"x\n\n{_LINE}\n\n".encode(),
        f"x\n\n\n{_LINE}\n{_LINE} \n".encode(),
        f"x\r\n\r\n{_LINE}\r\n".encode(),
        f"x\t\n\n{_LINE}\n".encode(),
        f"x\x00\n\n{_LINE}\n".encode(),
        b"\xff\n\n" + f"{_LINE}\n".encode(),
        f"x\n\n- {_LINE[2:]}\n".encode(),
        f"x\n\n{_LINE[1:]}\n".encode(),
        f"x\n\n{_LINE} more\n".encode(),
        f"x\n\n\u2014  {_VALUE}\n".encode(),
        f"x\n\n\u2014 a+b {_VALUE}\n".encode(),
        f"x\n\n\u2014 a\u00a0b {_VALUE}\n".encode(),
        "x\n\n\u2014 name\n".encode(),
        "x\n\n\u2014 name \n".encode(),
        "x\n\n\u2014 name AAAAAA==\n".encode(),
        "x\n\n\u2014 name AQIDBAV=\n".encode(),
        f"x\n\n\u2014 name {_VALUE[:-1]}\n".encode(),
        f"x\n\n\u2014 name {_VALUE[:8]}-{_VALUE[9:]}\n".encode(),
        ("x\n\n" + f"{_LINE}\n" * (MAX_SIGNATURES + 1)).encode(),
        b"x" * MAX_NOTE + f"\n\n{_LINE}\n".encode(),
    ],
)
def test_what_is_not_a_note_is_refused(data: bytes) -> None:
    with pytest.raises(LogError):
        parse_note(data)


def test_sixty_four_signatures_are_read() -> None:
    signers = [Signer(f"key{number}", number.to_bytes(32, "big")) for number in range(MAX_SIGNATURES)]
    note = open_note(sign(TEXT, signers), [signers[-1].verifier])
    assert len(note.others) == MAX_SIGNATURES - 1


@pytest.mark.parametrize("text", ["", "no end", "tab\there\n", "null\0\n", "return\r\n", "\ud800\n"])
def test_what_cannot_be_a_text_is_not_signed(text: str) -> None:
    with pytest.raises(LogError):
        sign(text, [SIGNER])


def test_nobody_signs_nothing() -> None:
    with pytest.raises(LogError, match="needs signers"):
        sign(TEXT, [])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+530d903a",
        SPEC_VKEY[:-1],
        SPEC_VKEY + "=",
        SPEC_VKEY.replace("530d903a", "530D903A"),
        SPEC_VKEY.replace("530d903a", "530d903b"),
        SPEC_VKEY.replace("530d903a", "30d903a"),
        SPEC_VKEY.replace("example.com/foo", "example.com/fop"),
        SPEC_VKEY.replace("example.com/foo", "example.com foo"),
        SPEC_VKEY.replace("example.com/foo", ""),
        SPEC_VKEY.replace("+Aeky", "+Beky"),
        SPEC_VKEY + "\n",
        "\ud800+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_what_is_not_a_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(LogError):
        Verifier.parse(vkey)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_a_seed_has_32_bytes(seed: bytes) -> None:
    with pytest.raises(LogError, match="32 bytes"):
        Signer("name", seed)


def test_a_signer_does_not_show_its_seed() -> None:
    seed = bytes(range(32))
    shown = repr(Signer("name", seed)) + str(Signer("name", seed))
    assert seed.hex() not in shown
    assert repr(seed) not in shown


@pytest.mark.parametrize("text", ["AQG=", "AQE", "AQE=\n", " AQE=", "AQ-_", "A", "AQE=AQE=", "é"])
def test_base64_has_one_form(text: str) -> None:
    assert decode64("AQE=") == b"\1\1"
    with pytest.raises(LogError):
        decode64(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_note_or_a_log_error(data: bytes) -> None:
    with pytest.raises(LogError):
        open_note(data, [SIGNER.verifier])
