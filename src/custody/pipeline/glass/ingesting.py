"""Taking in the journal of what was done without the broker: checked against the sealed preparation, then sealed.

The broker may serve meanwhile: the journal is a log of its own.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from custody.broker.glass import journal as lines
from custody.broker.glass.journal import Checked
from custody.broker.glass.names import GLASS
from custody.errors import CustodyError, NotFound, StoreError, UsageError
from custody.model.brokered import DECODER, Entry, Glass
from custody.pipeline.brokering.sealing import Pushed, Sealer, Taken
from custody.pipeline.glass.known import Card, add, card_of, entry_at, known
from custody.pipeline.glass.opening import MOST_BYTES
from custody.pipeline.signatures import read_bounded
from custody.settings.catalog import Settings
from custody.store.reader import Reader


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """A journal that was taken in, and the leaf of its last line. ``fresh`` lines were not sealed before."""

    checked: Checked
    card: Card
    leaf: int
    fresh: int


def ingest(settings: Settings, path: Path, name: str | None = None) -> Ingested:
    """Check the journal at ``path`` and seal it. ``name`` says which glass it is of: an id, or its file.

    UsageError where a line is not what those who opened the glass signed, or contradicts one that is sealed; nothing
    is sealed then. NotFound where the log knows no such glass.
    """
    data = read_bounded(path, MOST_BYTES)
    card = card_of(settings, name or _glass_of(data, str(path)))
    with Reader.open(settings.store) as reader:
        checked = lines.check(data, card.glass, known(reader, card).signers, str(path))
        fresh = [each for each in checked.entries if not _is_sealed(reader, each)]
    taken = seal(settings, card.broker, path, f"break-glass/{checked.tip.log}.ndjson")
    if taken.records != len(checked.entries):
        raise StoreError("the journal was not sealed whole", where=str(path), found=f"{taken.records} lines")
    card = add(settings, card, *((each.broker, each.seq) for each in checked.entries))
    with Reader.open(settings.store) as reader:
        _, leaf = entry_at(reader, checked.tip.log, checked.tip.seq)
    return Ingested(checked=checked, card=card, leaf=leaf, fresh=len(fresh))


def seal(settings: Settings, broker: str, path: Path, name: str) -> Taken:
    """Seal a file of lines as something that was handed in. The error of the one who could not."""
    found = Sealer(settings, broker).seal((), [Pushed(path, name)])[0]
    if isinstance(found, CustodyError):
        raise found
    return found


def _is_sealed(reader: Reader, entry: Entry) -> bool:
    """Whether exactly this entry is sealed. UsageError where another one of its name is: that would be a conflict."""
    try:
        there, leaf = entry_at(reader, entry.broker, entry.seq)
    except NotFound:
        return False
    if there != entry:
        raise UsageError(
            "the journal contradicts one that is sealed",
            where=entry.id,
            found="another line",
            expected=f"that of operations:{leaf}",
            advice="Two went on from one journal. Keep this file; it is evidence, too.",
        )
    return True


def _glass_of(data: bytes, where: str) -> str:
    try:
        body = DECODER.decode(data.split(b"\n", 1)[0]).body
    except (msgspec.MsgspecError, UnicodeDecodeError):
        body = None
    if not isinstance(body, Glass) or not GLASS.fullmatch(body.glass):
        raise UsageError("not the journal of a glass", where=f"{where}:1", expected="a step of bg-…")
    return body.glass
