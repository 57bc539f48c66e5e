"""An RSA key made of a seed, and PKCS #1 v1.5 signatures with it (RFC 8017): both are the same for the same seed.

The key protects nothing: whoever knows the seed has it. It lets signed digest files be checked as real ones are.
"""

import hashlib

import msgspec

from custody.simulation.chance import Chance

BITS = 2048
EXPONENT = 65537
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_ROUNDS = 12


def _sieve(limit: int) -> tuple[int, ...]:
    marked = bytearray([1]) * limit
    for number in range(2, int(limit**0.5) + 1):
        if marked[number]:
            marked[number * number :: number] = bytes(len(marked[number * number :: number]))
    return tuple(number for number in range(3, limit) if marked[number])


_SMALL = _sieve(4000)


class PrivateKey(msgspec.Struct, frozen=True):
    """Modulus, its two primes, and the private exponent."""

    modulus: int
    first: int
    second: int
    exponent: int

    @property
    def public(self) -> bytes:
        """The public key as PKCS #1 DER."""
        return _sequence(_integer(self.modulus) + _integer(EXPONENT))

    def sign(self, text: bytes) -> bytes:
        """The signature of ``text``, SHA-256 with RSA."""
        size = BITS // 8
        digest = _SHA256 + hashlib.sha256(text).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
        return self._power(int.from_bytes(padded)).to_bytes(size)

    def _power(self, message: int) -> int:
        """By the Chinese remainder theorem: a quarter of the time."""
        one = pow(message, self.exponent % (self.first - 1), self.first)
        two = pow(message, self.exponent % (self.second - 1), self.second)
        return two + self.second * (pow(self.second, -1, self.first) * (one - two) % self.first)


def make(chance: Chance) -> PrivateKey:
    """The key of a seed."""
    while True:
        first, second = _prime(chance), _prime(chance)
        total = (first - 1) * (second - 1)
        if first != second and total % EXPONENT:
            return PrivateKey(first * second, first, second, pow(EXPONENT, -1, total))


def _prime(chance: Chance) -> int:
    """A prime with its two highest bits set, so that the product of two has all bits."""
    half = BITS // 2
    start = int.from_bytes(chance.bytes(half // 8)) | 3 << half - 2 | 1
    return next(number for number in range(start, start + half * 1000, 2) if _is_prime(number, chance))


def _is_prime(number: int, chance: Chance) -> bool:
    if any(number % small == 0 for small in _SMALL):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, odd, twos, base) for base in (2, *(_base(chance, number) for _ in range(_ROUNDS))))


def _base(chance: Chance, number: int) -> int:
    return 2 + int.from_bytes(chance.bytes(64)) % (number - 3)


def _passes(number: int, odd: int, twos: int, base: int) -> bool:
    """One round of Miller and Rabin."""
    value = pow(base, odd, number)
    if value in (1, number - 1):
        return True
    for _ in range(twos - 1):
        value = value * value % number
        if value == number - 1:
            return True
    return False


def _sequence(content: bytes) -> bytes:
    return b"\x30" + _length(len(content)) + content


def _integer(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1)
    return b"\x02" + _length(len(content)) + content


def _length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    written = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([0x80 | len(written)]) + written
