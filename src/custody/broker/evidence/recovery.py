"""Opening a journal: check every line that is still there, and set right what a crash left at its end.

The end of the last file is where a crash can leave half a group. Nobody was told that anything of it is durable, so
what stands behind the last line end is moved into a file beside, ``NNNNNNNNNNNN.torn`` (the ``seq`` that it would have
had), and never deleted. A line that ends and is wrong is no crash: it is damage, here as in any other place.

The last file is then written anew: after a failed sync the kernel may show bytes that the disk does not hold, and what
is built on must be durable.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from custody.broker.evidence.epochs import DAMAGED, TORN, Epoch, Tip, epoch_files, first_of, follow
from custody.errors import StoreError
from custody.model.brokered import NO_LINE
from custody.store.disk import Disk, replace
from custody.store.layout import TEMPORARY


class Torn(msgspec.Struct, frozen=True):
    """Bytes that a crash left at the end: where they are now, how many, and the ``seq`` that they would have had."""

    path: Path
    size: int
    seq: int


class Found(msgspec.Struct, frozen=True):
    """What a journal holds: its files, all closed, where the chain stands, and what was cut off."""

    epochs: tuple[Epoch, ...]
    tip: Tip
    torn: tuple[Torn, ...]


def recover(disk: Disk, folder: Path, broker: str, known: int) -> Found:
    """Read the journal in ``folder``. ``known`` is a ``seq`` that it must have, by what others hold.

    StoreError where a line is damaged, missing, out of order or another broker's, or where the journal ends before
    ``known``. OSError where the disk fails.
    """
    for path in sorted(folder.glob(f"*{TEMPORARY}")):
        disk.delete(path)
    files = epoch_files(folder)
    before = first_of(files[0]) - 1 if files else 0
    tip = Tip(before, None if before else NO_LINE)
    epochs: list[Epoch] = []
    torn: list[Torn] = []
    for path in files:
        whole, rest = _parts(path)
        if first_of(path) != tip.seq + 1:
            raise _damage("a file of the journal is missing or twice there", path, f"{tip.seq + 1:012d}")
        if path != files[-1] and (rest or not whole):
            raise _damage("a closed file of the journal does not end with a line", path, "whole lines")
        first, tip = tip.seq + 1, follow(path, whole, tip, broker)
        if whole:
            epochs.append(Epoch(first, tip.seq, len(whole), path))
        if path == files[-1]:
            torn += _settle(disk, path, whole, rest, tip.seq + 1)
    if tip.prev is None:
        raise _damage("the journal has no line left", folder, f"the line with seq {tip.seq}")
    if tip.seq < known:
        raise _behind(folder, tip.seq, known)
    return Found(tuple(epochs), tip, tuple(torn))


def _parts(path: Path) -> tuple[bytes, bytes]:
    """The whole lines of a file, and what stands behind them."""
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _settle(disk: Disk, path: Path, whole: bytes, rest: bytes, seq: int) -> Iterator[Torn]:
    """Keep the rest beside, and make the last file hold its whole lines durably."""
    if rest:
        beside = _beside(path.parent, seq, rest)
        replace(disk, beside, rest)
        yield Torn(beside, len(rest), seq)
    if whole:
        replace(disk, path, whole)
    else:
        disk.delete(path)
        disk.sync_folder(path.parent)


def _beside(folder: Path, seq: int, rest: bytes) -> Path:
    """A name for the rest: free, or that of the same bytes, which a recovery that was cut off itself left."""
    number = 0
    while True:
        path = folder / (f"{seq:012d}" + (f"-{number}" if number else "") + TORN)
        if not path.exists() or path.read_bytes() == rest:
            return path
        number += 1


def _damage(message: str, path: Path, expected: str) -> StoreError:
    return StoreError(message, where=str(path), expected=expected, advice=DAMAGED)


def _behind(folder: Path, seq: int, known: int) -> StoreError:
    return StoreError(
        "the journal ends before what others hold of it",
        where=str(folder),
        found=f"seq {seq}",
        expected=f"at least seq {known}",
        advice="It was set back or replaced: bring back the newest one. A new journal needs a new name of the broker.",
    )
