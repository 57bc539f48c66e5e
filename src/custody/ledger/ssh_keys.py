"""SSH public keys and what they sign: the wire form of RFC 4251, and the algorithms of RFC 5656, 8332 and 8709.

Keys that live in a security token (OpenSSH's PROTOCOL.u2f) sign a hash of the application, a byte of flags, a counter
and a hash of what is signed. A signature that was made without touching the token is refused, as an OpenSSH server
refuses it. SHA-1, DSA, certificates and RSA keys under 2048 bits are refused. Parsing is strict: every byte has its
meaning, and a number has one form.
"""

import base64
from collections.abc import Callable
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from custody.errors import LogError

ED25519 = "ssh-ed25519"
RSA = "ssh-rsa"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"

Curve = ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1
Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

ECDSA: dict[str, tuple[Curve, Hash]] = {
    "ecdsa-sha2-nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "ecdsa-sha2-nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "ecdsa-sha2-nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
RSA_SIGNATURES: dict[str, Hash] = {"rsa-sha2-256": hashes.SHA256(), "rsa-sha2-512": hashes.SHA512()}

KEY_TYPES = (ED25519, *ECDSA, RSA, SK_ED25519, SK_ECDSA)
"""The types of key whose signatures are verified."""

MIN_RSA, MAX_RSA = 2048, 16_384
"""Bits in the modulus of an RSA key: fewer are too weak, OpenSSH itself takes no more."""

TOUCHED = 0x01
"""The flag of a security token that says that somebody touched it."""

_NAMED_CURVE = {
    "ecdsa-sha2-nistp256": b"nistp256",
    "ecdsa-sha2-nistp384": b"nistp384",
    "ecdsa-sha2-nistp521": b"nistp521",
}


class Wire:
    """Reads fields of RFC 4251 section 5 one after the other. LogError where the bytes end too soon."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data, self._where, self._at = data, where, 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise LogError("ends too soon", where=self._where, found=f"{len(self._data)} bytes", expected=f"{end}")
        found = self._data[self._at : end]
        self._at = end
        return found

    def number(self) -> int:
        """A ``uint32``."""
        return int.from_bytes(self.take(4))

    def string(self) -> bytes:
        """A ``string``."""
        return self.take(self.number())

    def name(self) -> str:
        """A ``string`` that is ASCII."""
        raw = self.string()
        if not raw.isascii():
            raise LogError("not a name", where=self._where, found=repr(raw[:60]), expected="ASCII")
        return raw.decode("ascii")

    def integer(self) -> int:
        """An ``mpint`` above zero, in its one form."""
        raw = self.string()
        value = int.from_bytes(raw)
        if not value or raw != mpint(value):
            raise LogError("not a number in its one form", where=self._where, found=raw[:20].hex())
        return value

    def end(self) -> None:
        """LogError where bytes are left."""
        left = len(self._data) - self._at
        if left:
            raise LogError("bytes are left at the end", where=self._where, found=f"{left} bytes", expected="none")


def string(data: bytes) -> bytes:
    """``data`` as a ``string`` of RFC 4251."""
    return len(data).to_bytes(4) + data


def mpint(value: int) -> bytes:
    """The bytes of a positive ``mpint``, without their length: none too many, the first bit clear."""
    return value.to_bytes(value.bit_length() // 8 + 1)


def fingerprint(key: bytes) -> str:
    """The fingerprint of a key's wire form, as ``ssh-keygen -l`` shows it: ``SHA256:`` and base64 without padding."""
    return "SHA256:" + base64.b64encode(sha256(key).digest()).decode().rstrip("=")


def key_type(key: bytes) -> str:
    """The type that a key's wire form begins with."""
    return Wire(key, "SSH key").name()


class _Signed(msgspec.Struct, frozen=True):
    """A signature in parts: its algorithm, its value, and flags and counter of a security token (else empty)."""

    algorithm: str
    value: bytes
    token: bytes


def verify(key: bytes, signature: bytes, message: bytes) -> str:
    """Check that ``signature`` is that of ``key`` over ``message``, all in wire form; gives the signature's algorithm.

    LogError where it is not, where a part is not in its one form, and for what is too weak or not supported.
    """
    kind = key_type(key)
    if kind not in KEY_TYPES:
        raise LogError("keys of this type are not supported", found=kind[:60], expected=", ".join(KEY_TYPES))
    wire = Wire(key, "SSH key")
    wire.string()
    signed = _signature(signature, kind)
    try:
        good = _CHECKS[kind](wire, signed, message)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise LogError("not a public key", where="SSH key", found=str(error)[:200], expected=kind) from None
    if not good:
        raise LogError(
            "the signature is wrong", found=f"a signature of {fingerprint(key)}", expected="one over these bytes"
        )
    return signed.algorithm


def _signature(blob: bytes, kind: str) -> _Signed:
    """A signature blob in parts. LogError where its algorithm is none of the key's."""
    wire = Wire(blob, "SSH signature")
    algorithm = wire.name()
    expected = tuple(RSA_SIGNATURES) if kind == RSA else (kind,)
    if algorithm not in expected:
        raise LogError("the signature is of another algorithm", found=algorithm[:60], expected=" or ".join(expected))
    value = wire.string()
    token = wire.take(5) if kind in (SK_ED25519, SK_ECDSA) else b""
    wire.end()
    return _Signed(algorithm, value, token)


def _holds(check: Callable[[], None]) -> bool:
    try:
        check()
    except InvalidSignature:
        return False
    return True


def _ed25519(wire: Wire, signed: _Signed, message: bytes) -> bool:
    key = Ed25519PublicKey.from_public_bytes(wire.string())
    wire.end()
    return _holds(lambda: key.verify(signed.value, message))


def _ecdsa(wire: Wire, signed: _Signed, message: bytes) -> bool:
    key = _point(wire, signed.algorithm)
    wire.end()
    return _ecdsa_holds(key, signed, message, ECDSA[signed.algorithm][1])


def _rsa(wire: Wire, signed: _Signed, message: bytes) -> bool:
    exponent, modulus = wire.integer(), wire.integer()
    wire.end()
    bits = modulus.bit_length()
    if not MIN_RSA <= bits <= MAX_RSA:
        raise LogError("an RSA key of this size is not taken", found=f"{bits} bits", expected=f"{MIN_RSA} to {MAX_RSA}")
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return _holds(lambda: key.verify(signed.value, message, padding.PKCS1v15(), RSA_SIGNATURES[signed.algorithm]))


def _token_ed25519(wire: Wire, signed: _Signed, message: bytes) -> bool:
    key = Ed25519PublicKey.from_public_bytes(wire.string())
    told = _of_token(wire, signed, message)
    return _holds(lambda: key.verify(signed.value, told))


def _token_ecdsa(wire: Wire, signed: _Signed, message: bytes) -> bool:
    key = _point(wire, "ecdsa-sha2-nistp256")
    return _ecdsa_holds(key, signed, _of_token(wire, signed, message), hashes.SHA256())


def _of_token(wire: Wire, signed: _Signed, message: bytes) -> bytes:
    """What a security token signs of ``message``; ``wire`` stands before the application of the key."""
    application = wire.string()
    wire.end()
    if not signed.token[0] & TOUCHED:
        raise LogError("the security token was not touched", found=f"flags {signed.token[0]:#04x}", expected="0x01 set")
    return sha256(application).digest() + signed.token + sha256(message).digest()


def _point(wire: Wire, kind: str) -> ec.EllipticCurvePublicKey:
    curve, point = wire.string(), wire.string()
    if curve != _NAMED_CURVE[kind] or point[:1] != b"\x04":
        raise LogError("not a point of the key's curve", found=repr(curve[:20]), expected=f"{kind}, uncompressed")
    return ec.EllipticCurvePublicKey.from_encoded_point(ECDSA[kind][0], point)


def _ecdsa_holds(key: ec.EllipticCurvePublicKey, signed: _Signed, message: bytes, digest: Hash) -> bool:
    wire = Wire(signed.value, "ECDSA signature")
    pair = encode_dss_signature(wire.integer(), wire.integer())
    wire.end()
    return _holds(lambda: key.verify(pair, message, ec.ECDSA(digest)))


_CHECKS: dict[str, Callable[[Wire, _Signed, bytes], bool]] = {
    ED25519: _ed25519,
    **dict.fromkeys(ECDSA, _ecdsa),
    RSA: _rsa,
    SK_ED25519: _token_ed25519,
    SK_ECDSA: _token_ecdsa,
}
