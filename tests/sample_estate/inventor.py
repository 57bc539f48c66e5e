"""Every invented value of the sample, drawn from one seeded generator: same seed in, same values out."""

import base64
import random

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
SUFFIX = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Inventor:
    """Invents ids, keys and tokens in the forms that AWS gives them. None of them opens anything."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._stems: dict[str, str] = {}

    def key(self, prefix: str, account: str) -> str:
        """An access key id: prefix, 8 letters that all keys of the account share, 8 of its own."""
        return prefix + self._stem(account) + self._letters(8)

    def unique_id(self, prefix: str, account: str) -> str:
        """The unique id of a role or user (``AROA…``, ``AIDA…``)."""
        return prefix + self._stem(account) + self._letters(9)

    def uuid(self) -> str:
        """A version 4 UUID."""
        text = f"{(self._random.getrandbits(128) & ~(0xF000 << 64) | 0x4000 << 64) & ~(3 << 62) | 2 << 62:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def resource(self, prefix: str) -> str:
        """An EC2 resource id: ``prefix-0`` and 16 hex digits."""
        return f"{prefix}-0{self._random.getrandbits(64):016x}"

    def token(self) -> str:
        """A session token: random bytes behind the header that real ones have, in base64."""
        return base64.b64encode(b"!\n#oriin_ec" + self._random.randbytes(self._random.randint(480, 660))).decode()

    def suffix(self) -> str:
        """The 16 characters that end a log file's name."""
        return "".join(self._random.choices(SUFFIX, k=16))

    def between(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both possible."""
        return self._random.randint(low, high)

    def _stem(self, account: str) -> str:
        return self._stems.setdefault(account, "T" + self._letters(7))

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(BASE32, k=count))
