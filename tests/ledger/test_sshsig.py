"""SSH signatures: vectors that ssh-keygen made with keys thrown away, ssh-keygen itself, and what must not pass."""

import base64
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.ssh_signing import ANN, Sign, armor, signature

from custody.errors import LogError
from custody.ledger import ssh_keys, sshsig
from custody.ledger.ssh_keys import mpint, string

FOLDER = Path(__file__).parent / "sshsig"
MESSAGE = (FOLDER / "message.txt").read_bytes()
SPACE = "custody-register"
NAMES = ("ed25519", "ed25519-sha256", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048")


def stored(name: str) -> bytes:
    return (FOLDER / f"{name}.sig").read_bytes()


def blob_of(armored: bytes) -> bytes:
    return base64.b64decode("".join(armored.decode().splitlines()[1:-1]))


def made(key: bytes, sign: Sign, *, space: str = SPACE, hash_name: str = "sha512") -> bytes:
    return signature(key, sign, MESSAGE, space=space, hash_name=hash_name)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def rsa_with(algorithm: str, digest: hashes.HashAlgorithm) -> tuple[bytes, Sign]:
    private = rsa_key()
    numbers = private.public_key().public_numbers()
    key = b"".join(map(string, (b"ssh-rsa", mpint(numbers.e), mpint(numbers.n))))
    return key, lambda data: string(algorithm.encode()) + string(private.sign(data, padding.PKCS1v15(), digest))


def token(flags: int, kind: str) -> tuple[bytes, Sign]:
    """A key of a security token in software: PROTOCOL.u2f."""
    application = b"ssh:"
    tail = bytes([flags]) + (7).to_bytes(4)

    def over(data: bytes) -> bytes:
        return sha256(application).digest() + tail + sha256(data).digest()

    if kind == ssh_keys.SK_ED25519:
        edwards = Ed25519PrivateKey.generate()
        raw = edwards.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = b"".join(map(string, (kind.encode(), raw, application)))
        return key, lambda data: string(kind.encode()) + string(edwards.sign(over(data))) + tail
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(over(data), ec.ECDSA(hashes.SHA256())))
        return string(kind.encode()) + string(string(mpint(r)) + string(mpint(s))) + tail

    return b"".join(map(string, (kind.encode(), b"nistp256", point, application))), sign


@pytest.mark.parametrize("name", NAMES)
def test_what_ssh_keygen_signed_verifies(name: str) -> None:
    signer = sshsig.verify(MESSAGE, stored(name), SPACE)
    kind, encoded = (FOLDER / f"{name}.pub").read_text().split()

    assert signer.key == base64.b64decode(encoded)
    assert ssh_keys.key_type(signer.key) == kind
    assert signer.algorithm == ("rsa-sha2-512" if kind == "ssh-rsa" else kind)
    assert signer.fingerprint == "SHA256:" + base64.b64encode(sha256(signer.key).digest()).decode().rstrip("=")


@pytest.mark.parametrize("name", NAMES)
def test_other_bytes_and_other_purposes_do_not(name: str) -> None:
    with pytest.raises(LogError, match="the signature is wrong"):
        sshsig.verify(MESSAGE + b"\n", stored(name), SPACE)
    with pytest.raises(
        LogError, match=r"another purpose.*found namespace 'custody-register', expected namespace 'file'"
    ):
        sshsig.verify(MESSAGE, stored(name), "file")


@pytest.mark.parametrize("name", NAMES)
def test_no_bit_of_it_may_change(name: str) -> None:
    blob = blob_of(stored(name))
    for at in range(len(blob)):
        changed = bytearray(blob)
        changed[at] ^= 1 << at % 8
        with pytest.raises(LogError):
            sshsig.verify(MESSAGE, armor(bytes(changed)), SPACE)


def test_no_byte_may_be_added_or_missing() -> None:
    blob = blob_of(stored("ed25519"))
    for wrong in (blob + b"\0", blob[:-1], b"", blob[:6], b"X" + blob):
        with pytest.raises(LogError):
            sshsig.verify(MESSAGE, armor(wrong), SPACE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "\n" + text, "not an armored"),
        (lambda text: text + "\n", "not an armored"),
        (lambda text: text + "more\n", "not an armored"),
        (lambda text: text.replace("\n", "\r\n"), "not an armored"),
        (lambda text: text.replace("BEGIN SSH", "BEGIN PGP"), "not an armored"),
        (lambda text: text.replace("\nU1NI", "\n U1NI"), "base64"),
        (lambda text: text.replace("\n-----END", "=\n-----END"), "base64"),
        (lambda text: text + " " * sshsig.MAX_SIGNATURE, "too long"),
        (lambda text: "", "not an armored"),
    ],
)
def test_the_armor_has_one_form(change: Callable[[str], str], said: str) -> None:
    with pytest.raises(LogError, match=said):
        sshsig.verify(MESSAGE, change(stored("ed25519").decode()).encode("latin-1"), SPACE)


def test_lines_may_be_of_any_width() -> None:
    blob = base64.b64encode(blob_of(stored("ed25519"))).decode()

    assert sshsig.verify(MESSAGE, f"{sshsig.BEGIN}\n{blob}\n{sshsig.END}".encode(), SPACE).algorithm == "ssh-ed25519"


def test_stray_bits_of_base64_are_refused() -> None:
    """The decoder alone takes ``QR==`` for ``QQ==``."""
    text = base64.b64encode(b"SSHSIGx").decode()
    assert text.endswith("eA==")

    with pytest.raises(LogError, match="one form"):
        sshsig.parse(f"{sshsig.BEGIN}\n{text.replace('eA==', 'eB==')}\n{sshsig.END}\n".encode())


@given(st.binary(max_size=200))
def test_any_bytes_give_an_error_of_ours(data: bytes) -> None:
    for armored in (data, armor(data), armor(b"SSHSIG\0\0\0\1" + data)):
        with pytest.raises(LogError):
            sshsig.verify(MESSAGE, armored, SPACE)


def test_sha1_and_short_rsa_keys_are_refused() -> None:
    key, sign = rsa_with("ssh-rsa", hashes.SHA1())
    with pytest.raises(LogError, match=r"another algorithm.*found ssh-rsa, expected rsa-sha2-256 or rsa-sha2-512"):
        sshsig.verify(MESSAGE, made(key, sign), SPACE)
    with pytest.raises(LogError, match="found 1024 bits, expected 2048"):
        sshsig.verify(MESSAGE, stored("weak"), SPACE)


def test_rsa_with_sha256_verifies_and_its_label_counts() -> None:
    key, sign = rsa_with("rsa-sha2-256", hashes.SHA256())
    assert sshsig.verify(MESSAGE, made(key, sign), SPACE).algorithm == "rsa-sha2-256"

    key, sign = rsa_with("rsa-sha2-512", hashes.SHA256())
    with pytest.raises(LogError, match="wrong"):
        sshsig.verify(MESSAGE, made(key, sign), SPACE)


@pytest.mark.parametrize("kind", [ssh_keys.SK_ED25519, ssh_keys.SK_ECDSA])
def test_a_security_token_signs_when_it_is_touched(kind: str) -> None:
    assert sshsig.verify(MESSAGE, made(*token(0x01, kind)), SPACE).algorithm == kind
    assert sshsig.verify(MESSAGE, made(*token(0x05, kind)), SPACE).algorithm == kind
    with pytest.raises(LogError, match="not touched"):
        sshsig.verify(MESSAGE, made(*token(0x00, kind)), SPACE)


@pytest.mark.parametrize("kind", ["ssh-dss", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed448", ""])
def test_other_keys_are_not_supported(kind: str) -> None:
    _, sign = (ANN.key, ANN.blob)
    with pytest.raises(LogError, match="not supported"):
        sshsig.verify(MESSAGE, made(string(kind.encode()) + string(bytes(32)), sign), SPACE)


def test_a_key_with_bytes_behind_it_is_refused() -> None:
    key, sign = (ANN.key, ANN.blob)
    assert sshsig.verify(MESSAGE, made(key, sign, hash_name="sha256"), SPACE).key == key
    with pytest.raises(LogError, match="left"):
        sshsig.verify(MESSAGE, made(key + b"\0", sign), SPACE)
    with pytest.raises(LogError, match="left"):
        sshsig.verify(MESSAGE, made(key, lambda data: sign(data) + b"\0"), SPACE)


@pytest.mark.parametrize("hash_name", ["md5", "sha1", "sha384", ""])
def test_other_hashes_are_refused(hash_name: str) -> None:
    key, sign = (ANN.key, ANN.blob)
    with pytest.raises(LogError, match="hash that is not supported"):
        sshsig.verify(MESSAGE, made(key, sign, hash_name=hash_name), SPACE)


def test_a_signature_without_a_purpose_is_refused() -> None:
    key, sign = (ANN.key, ANN.blob)
    with pytest.raises(LogError, match="names no purpose"):
        sshsig.verify(MESSAGE, made(key, sign, space=""), "")


def test_numbers_have_one_form() -> None:
    key, sign = rsa_with("rsa-sha2-512", hashes.SHA512())
    wire = ssh_keys.Wire(key, "key")
    kind, exponent, modulus = wire.string(), wire.string(), wire.string()
    padded = b"".join(map(string, (kind, b"\0" + exponent, modulus)))
    with pytest.raises(LogError, match="one form"):
        sshsig.verify(MESSAGE, made(padded, sign), SPACE)


def test_a_point_off_its_curve_is_refused() -> None:
    kind = b"ecdsa-sha2-nistp256"
    for curve, point in ((b"nistp256", b"\4" + bytes(64)), (b"nistp384", b"\4" + bytes(64)), (b"nistp256", b"\2" * 33)):
        key = b"".join(map(string, (kind, curve, point)))
        with pytest.raises(LogError, match="not a p"):
            sshsig.verify(MESSAGE, made(key, lambda data: string(kind) + string(b"")), SPACE)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_what_ssh_keygen_signs_now_verifies_and_the_other_way_round(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    command = ["ssh-keygen", "-Y", "sign", "-f", str(tmp_path / "key"), "-n", SPACE]
    armored = subprocess.run(command, input=MESSAGE, capture_output=True, check=True).stdout
    assert sshsig.verify(MESSAGE, armored, SPACE).algorithm == "ssh-ed25519"

    key, sign = (ANN.key, ANN.blob)
    (tmp_path / "ours.sig").write_bytes(made(key, sign))
    (tmp_path / "signers").write_text(f"ann@example.com ssh-ed25519 {base64.b64encode(key).decode()}\n")
    checked = subprocess.run(
        ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "signers", "-I", "ann@example.com", "-n", SPACE,
         "-s", tmp_path / "ours.sig"],
        input=MESSAGE, capture_output=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
