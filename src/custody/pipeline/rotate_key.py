"""Go on with a new signing key; the rotation is sealed under the old one and signed by both."""

from __future__ import annotations

import msgspec

from custody import __version__
from custody.pipeline.audit import now, whoami
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from custody.store.writer import Writer


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The key before and the key from now on, the log's size after it, and how often it was rotated in all."""

    before: str
    vkey: str
    size: int
    rotations: int


def rotate_key(settings: Settings, reason: str) -> Rotated:
    """Rotate the key of the operations log. StoreError where there is no store yet, or the keys are not here."""
    with Reader.open(settings.store) as reader:
        before = reader.vkeys[-1]
    with Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer:
        vkey = writer.rotate_key(by=whoami(), reason=reason)
    with Reader.open(settings.store) as reader:
        return Rotated(before=before, vkey=vkey, size=reader.size, rotations=len(reader.vkeys) - 1)
