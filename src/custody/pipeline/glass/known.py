"""What the sealed log says of a break-glass credential, and the index by which it is found.

The index is a file for each glass beside the store. It says only where to look: what is told is read from the log, and
an index that points at something else is an error. It can be made again from the glass file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from custody.broker.glass import file as glass_file
from custody.broker.glass.holders import Holder
from custody.broker.glass.names import GLASS
from custody.errors import NotFound, StoreError, UsageError
from custody.model.brokered import DECODER, SOURCE, Entry, Glass, Service
from custody.pipeline.brokering import sealed as broker_log
from custody.pipeline.brokering.places import broker_folder
from custody.settings.catalog import Settings
from custody.store.disk import make_folders
from custody.store.reader import Reader

FOLDER = "glass"
WHAT = "break-glass"
"""What the broker's own entry about a glass is called: the one after its preparation."""
ISSUED, ROTATE_BY, REVIEW_BY = "issued", "rotate-by", "review-by"
"""Steps of which the broker's log alone tells: see ``model.brokered.Glass``."""
_OWN = re.compile(rf"{re.escape(SOURCE)}/[^/]+/[0-9]+\.ndjson", re.ASCII)
_SIGNER, _HOLDER = "signer ", "holder "


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the log tells of a glass: its preparation, and every step since as (id of the log, ``seq``).

    ``chain`` is that of its credential, so that a credential without a glass is found after a crash.
    """

    glass: str
    broker: str
    prepared: int
    chain: str
    steps: tuple[tuple[str, int], ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A glass as the log has it. ``file`` is the SHA-256 (hex) of its file, ``scope`` what was asked for."""

    card: Card
    chain: str
    keys: tuple[str, ...]
    not_after: str
    reason: str
    file: str
    backend: str
    account: str
    intent: str
    holders: tuple[Holder, ...]
    signers: Mapping[str, tuple[str, str]]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step as the log has it, and at which leaf."""

    log: str
    seq: int
    leaf: int
    at: str
    body: Glass


def fields_of(sealed: glass_file.Sealed, account: str, intent: bytes, **more: str) -> dict[str, str]:
    """What the broker says of a glass beside its preparation: who can open it, and who signs then."""
    signers = {f"{_SIGNER}{key}": msgspec.json.encode(people).decode() for key, people in sealed.signers.items()}
    holders = {f"{_HOLDER}{each.holder}": each.key for each in sealed.holders}
    told = {
        "glass": sealed.glass,
        "file": glass_file.digest_of(sealed),
        "backend": sealed.backend,
        "account": account,
        "intent": intent.decode(),
    }
    return {**told, **holders, **signers, **more}


def cards(settings: Settings) -> Iterator[Card]:
    """Every glass of the index, the oldest first."""
    folder = broker_folder(settings.store) / FOLDER
    for path in sorted(folder.glob("bg-*.json")) if folder.is_dir() else ():
        yield _card(path)


def card_of(settings: Settings, name: str) -> Card:
    """The card of a glass, by its id or by the path of its file; of one that a broker gave, from its log. NotFound."""
    if GLASS.fullmatch(name):
        path = _place(settings, name)
        if path.exists():
            return _card(path)
        with Reader.open(settings.store) as reader:
            for card in given(reader):
                if card.glass == name:
                    return card
        raise NotFound("there is no such glass here", where=name, advice="Name its file in place of its id.")
    path = Path(name)
    if not path.is_file():
        raise NotFound("there is no such glass", where=name[:200], expected="bg-…, or a glass file")
    sealed = glass_file.read(path.read_bytes(), name)
    index = _place(settings, sealed.glass) if GLASS.fullmatch(sealed.glass) else None
    if index is not None and index.exists():
        return _card(index)
    return Card(glass=sealed.glass, broker=sealed.broker, prepared=sealed.prepared, chain=sealed.chain)


def brokers(reader: Reader) -> list[str]:
    """The brokers whose own logs are sealed in this store."""
    return sorted({each.path.split("/")[1] for each in reader.acquisitions() if _OWN.fullmatch(each.path)})


def given(reader: Reader) -> Iterator[Card]:
    """What the brokers of this store gave under break-glass, in order of their logs: it is in no index."""
    for broker in brokers(reader):
        for entry in broker_log.entries(reader, broker, 0):
            if isinstance(entry.body, Glass) and entry.body.step == ISSUED:
                yield Card(glass=entry.body.glass, broker=broker, prepared=entry.seq, chain=entry.chain or "")


def keep(settings: Settings, card: Card) -> None:
    """Write a card into the index, in place of the one before."""
    path = _place(settings, card.glass)
    make_folders(path.parent)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(card, order="deterministic") + b"\n")
    fresh.rename(path)


def add(settings: Settings, card: Card, *places: tuple[str, int]) -> Card:
    """The card with more steps, kept."""
    new = tuple(each for each in places if each not in card.steps)
    card = msgspec.structs.replace(card, steps=(*card.steps, *new))
    keep(settings, card)
    return card


def known(reader: Reader, card: Card) -> Known:
    """What the sealed log says of a glass. StoreError where it does not say what the card says.

    UsageError where it is none under seal.
    """
    first, _ = entry_at(reader, card.broker, card.prepared)
    if isinstance(first.body, Glass) and first.body.step == ISSUED:
        raise UsageError(
            "the broker gave it, and it is under no seal",
            where=card.glass,
            found=card.chain,
            advice="It ends by itself; an operator revokes it by its chain id.",
        )
    second, _ = entry_at(reader, card.broker, card.prepared + 1)
    made, told = first.body, second.body
    sound = isinstance(made, Glass) and made.step == "prepared" and made.glass == card.glass
    if not sound or not isinstance(told, Service) or told.what != WHAT or told.fields.get("glass") != card.glass:
        raise _elsewhere(card.glass, f"{card.broker}/{card.prepared}")
    assert isinstance(made, Glass)
    fields = told.fields
    try:
        signers = {
            name.removeprefix(_SIGNER): msgspec.json.decode(text, type=tuple[str, str])
            for name, text in fields.items()
            if name.startswith(_SIGNER)
        }
    except msgspec.MsgspecError:
        raise _elsewhere(card.glass, f"{card.broker}/{card.prepared + 1}") from None
    holders = [Holder(name.removeprefix(_HOLDER), key) for name, key in fields.items() if name.startswith(_HOLDER)]
    return Known(
        card=card,
        chain=first.chain or "",
        keys=made.keys,
        not_after=made.not_after or "",
        reason=made.reason,
        file=fields.get("file", ""),
        backend=fields.get("backend", ""),
        account=fields.get("account", ""),
        intent=fields.get("intent", ""),
        holders=tuple(holders),
        signers=signers,
    )


def steps(reader: Reader, card: Card) -> tuple[Step, ...]:
    """Every step that the log has of a glass, in order of time, its preparation first."""
    found = []
    for log, seq in ((card.broker, card.prepared), *card.steps):
        entry, leaf = entry_at(reader, log, seq)
        if not isinstance(entry.body, Glass) or entry.body.glass != card.glass:
            raise _elsewhere(card.glass, entry.id)
        found.append(Step(log=log, seq=seq, leaf=leaf, at=entry.at, body=entry.body))
    return tuple(sorted(found, key=lambda each: (each.at, each.leaf)))


def due(reader: Reader, card: Card, step: str) -> str | None:
    """By when a step is due (RFC 3339), as the broker said right after the glass; None where it said nothing."""
    for seq in range(card.prepared + 1, card.prepared + 3):
        try:
            body = entry_at(reader, card.broker, seq)[0].body
        except NotFound:
            continue
        if isinstance(body, Glass) and (body.step, body.glass) == (step, card.glass):
            return body.not_after
    return None


def entry_at(reader: Reader, log: str, seq: int) -> tuple[Entry, int]:
    """An entry as it is sealed, and its leaf. NotFound; StoreError where two lines go by its name."""
    leaves = reader.find(SOURCE, f"{log}/{seq}")
    if not leaves:
        raise NotFound("the log does not have it", where=f"{log}/{seq}", advice="Is this the broker's own store?")
    texts = {reader.kept(leaf).kept for leaf in leaves}
    kept = next(iter(texts))
    if len(texts) != 1 or kept is None:
        raise StoreError("an entry is erased, or in conflict with another", where=f"{log}/{seq}")
    try:
        return DECODER.decode(kept), leaves[0]
    except msgspec.MsgspecError:
        raise StoreError("a sealed entry cannot be read", where=f"operations:{leaves[0]}") from None


def _place(settings: Settings, glass: str) -> Path:
    return broker_folder(settings.store) / FOLDER / f"{glass}.json"


def _card(path: Path) -> Card:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except msgspec.MsgspecError:
        raise UsageError(
            "the card of a glass cannot be read", where=str(path), advice="Name the glass by its file; the log has it."
        ) from None


def _elsewhere(glass: str, place: str) -> StoreError:
    return StoreError("the log says something else than the glass", where=place, expected=f"an entry about {glass}")
