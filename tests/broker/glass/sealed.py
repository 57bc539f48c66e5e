"""A glass for tests: three holders, one credential, and chance that counts up."""

from __future__ import annotations

from custody.broker.backends.backend import Secret
from custody.broker.glass import file, holders, sealing
from custody.broker.glass.file import Sealed

PASSWORD = "password-must-not-stay"
GLASS = "bg-01m82b00000000000000000000"
LOG = "glass-01m82b11111111111111111111"
ANNA, BERT, CARA = "person:idp.example:anna", "person:idp.example:bert", "person:idp.example:cara"
PEOPLE = (ANNA, BERT, CARA)


class Count:
    """Random bytes that are never the same twice, and always the same in order."""

    def __init__(self, start: int = 0) -> None:
        self.drawn = start

    def __call__(self, number: int) -> bytes:
        self.drawn += 1
        return (self.drawn * 0x9E3779B97F4A7C15).to_bytes(number + 16, "big")[-number:]


KEYS = tuple(holders.new_key(Count(100 * number)) for number in (1, 2, 3))
STRANGER = holders.new_key(Count(900))


def draft() -> Sealed:
    return Sealed(
        custody=file.FORMAT,
        glass=GLASS,
        broker="prod",
        prepared=4,
        chain="cc-01m82b00000000000000000000",
        backend="vault",
        type="custody:memory",
        keys=("custom:memory-vault:cc-01m82b00000000000000000000",),
        not_after="2026-12-01T00:00:00Z",
        holders=tuple(holders.holder_of(*each) for each in zip(PEOPLE, KEYS, strict=True)),
        pairs=(),
        box="",
    )


def sealed(start: int = 0) -> Sealed:
    secrets = {"username": Secret("cc_role"), "password": Secret(PASSWORD)}
    return sealing.seal(draft(), secrets, {"host": "db.example"}, Count(start))
