"""The checkpoint that a pack is made under: chosen by what was sealed before, never by the making of packs."""

from __future__ import annotations

import base64
from hashlib import sha256

import msgspec

from custody.errors import NotFound, StoreError
from custody.ledger.policy import Log, Policy, Witness
from custody.pipeline.anchor import STATEMENT, WITNESS
from custody.settings.catalog import Settings
from custody.store import layout
from custody.store.derived import STATEMENT_DERIVED, decode_manifest
from custody.store.earlier import Earlier
from custody.store.history import Said
from custody.store.reader import Reader


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The log at the chosen checkpoint; the manifest of the derived tables, and the leaf that seals it.

    ``policy`` names the log and the witnesses on the note and asks for none of them. ``stamps`` are the time stamps of
    this checkpoint: the leaf of the statement, the note that was stamped, the answer.
    """

    earlier: Earlier
    derived: bytes
    leaf: int
    policy: Policy
    stamps: tuple[tuple[int, bytes, bytes], ...]


def published(settings: Settings, reader: Reader, beyond: int = -1) -> Published:
    """The first anchored checkpoint that has the derived tables, else the one with which they were published.

    With ``beyond`` it has that leaf too. StoreError where the tables were not sealed, or nothing was published there.
    """
    data, leaf, size = _derived(settings, reader)
    if beyond >= size:
        size = next((closed.leaf + 1 for closed in reader.history().closed if closed.leaf > beyond), 0)
        if not size:
            raise StoreError("no checkpoint was published over a leaf", where=f"operations:{beyond}")
    anchors = [said for said in reader.statements(STATEMENT) if _size(said) >= size]
    size = min(map(_size, anchors), default=size)
    mine = [said for said in anchors if _size(said) == size]
    witnessed = [said for said in mine if said.entry.fields.get("how") == WITNESS]
    notes = [str(said.entry.fields.get("note")).encode() for said in witnessed]
    earlier = Earlier(settings.store, settings.keys, reader.store, reader.checkpoint(), size, notes)
    vkeys = dict.fromkeys(str(said.entry.fields.get("witness")) for said in witnessed)
    witnesses = tuple(Witness(f"witness-{number}", vkey) for number, vkey in enumerate(vkeys, 1))
    return Published(
        earlier=earlier,
        derived=data,
        leaf=leaf,
        policy=Policy(logs=(Log(earlier.vkey),), witnesses=witnesses),
        stamps=tuple(_stamp(said) for said in mine if said not in witnessed),
    )


def _derived(settings: Settings, reader: Reader) -> tuple[bytes, int, int]:
    """The manifest of the derived tables, the leaf that seals it, and the size that was published with that."""
    try:
        data = (settings.store / layout.MANIFEST).read_bytes()
    except FileNotFoundError:
        raise NotFound("nothing was derived yet", where=layout.MANIFEST, advice="`custody rebuild`") from None
    decode_manifest(data)
    digest = sha256(data).hexdigest()
    leaves = [each.leaf for each in reader.statements(STATEMENT_DERIVED) if each.entry.fields.get("manifest") == digest]
    closings = [closed.leaf for closed in reader.history().closed if leaves and closed.leaf > leaves[-1]]
    if not closings:
        raise StoreError("the derived tables are not those that were sealed", advice="`custody rebuild`")
    return data, leaves[-1], closings[0] + 1


def _size(said: Said) -> int:
    size = said.entry.fields.get("size")
    return size if isinstance(size, int) else 0


def _stamp(said: Said) -> tuple[int, bytes, bytes]:
    fields = said.entry.fields
    return said.leaf, str(fields.get("note")).encode(), base64.b64decode(str(fields.get("answer")))
