"""Reviewing what was done with a glass: by somebody who did not open it, signed where they can, sealed as a line."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from custody.broker.clock import Clock, Random
from custody.broker.glass import journal as lines
from custody.broker.glass.journal import Tip
from custody.broker.glass.names import log_id, person_of, reason_of
from custody.errors import IdentityRefused, UsageError
from custody.model.brokered import Glass
from custody.model.times import text
from custody.pipeline import signatures
from custody.pipeline.approving.rechecking import persons
from custody.pipeline.approving.signing import who_of
from custody.pipeline.glass.ingesting import seal
from custody.pipeline.glass.known import ISSUED, Card, Step, add, card_of, entry_at, steps
from custody.pipeline.signatures import Given
from custody.settings.catalog import Settings
from custody.store.reader import Reader

NAMESPACE = "custody-glass-review"
FORMAT = "custody.glass-review/1"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A review before anybody signed it: ``text`` is what has to be signed, in the namespace NAMESPACE."""

    card: Card
    steps: tuple[Step, ...]
    reason: str
    text: bytes


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """A review that was sealed; ``signed`` is False where the reviewer is only claimed. ``notes``: what is missing."""

    reviewer: str
    signed: bool
    leaf: int
    card: Card
    notes: tuple[str, ...]


def draft(settings: Settings, name: str, reason: str) -> Draft:
    """What has to be signed to review a glass: its steps as they are sealed, each by its log and number."""
    card = card_of(settings, name)
    with Reader.open(settings.store) as reader:
        found = steps(reader, card)
    told = {
        "custody": FORMAT,
        "glass": card.glass,
        "steps": [[each.body.step, each.log, each.seq] for each in found],
        "reason": reason_of(reason),
    }
    return Draft(
        card=card,
        steps=found,
        reason=reason_of(reason),
        text=msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n",
    )


def review(
    settings: Settings, made: Draft, given: Given, claimed: str | None, clock: Clock, random: Random
) -> Reviewed:
    """Seal a review. IdentityRefused where the reviewer opened the glass, UsageError where nobody reviews.

    An SSH signature is kept with the line; of a token only who it names. Without either the reviewer is ``claimed``.
    """
    now = clock.now()
    signed = signatures.checked(settings, given, made.text, NAMESPACE, str(text(now // 1_000_000 * 1_000_000)))
    if signed is None and claimed is None:
        raise UsageError("nobody reviews", expected="--signature, a token, or --by person:SYSTEM:NAME")
    who = None if signed is None else who_of(signed)
    names = (person_of(claimed or "", "--by"),) if who is None else (who.approver, *who.names)
    openers = {name for each in made.steps if each.body.step in ("opened", ISSUED) for name in each.body.people}
    with Reader.open(settings.store) as reader:
        same = [each for each in sorted(openers) if persons(reader).one((each,), names)]
    if same:
        raise IdentityRefused(
            "who opened a glass, or asked for it, does not review it", reason="opened-it", found=", ".join(same)
        )
    body = Glass(
        step="reviewed",
        glass=made.card.glass,
        people=(names[0],),
        reason=made.reason,
        signature=None if signed is None else signed.armored,
    )
    line, tip = lines.told(Tip(log_id(now, random)), now, body)
    card, leaf = _sealed(settings, made.card, line, tip)
    notes = [] if who is not None else ["nobody signed: who reviewed is claimed"]
    notes += [] if openers else ["no journal was taken in: who opened it is not known"]
    return Reviewed(reviewer=names[0], signed=who is not None, leaf=leaf, card=card, notes=tuple(notes))


def _sealed(settings: Settings, card: Card, line: bytes, tip: Tip) -> tuple[Card, int]:
    with tempfile.TemporaryDirectory(prefix="custody-") as folder:
        path = Path(folder) / "review.ndjson"
        path.write_bytes(line + b"\n")
        seal(settings, card.broker, path, f"break-glass/{tip.log}.ndjson")
    with Reader.open(settings.store) as reader:
        _, leaf = entry_at(reader, tip.log, tip.seq)
    return add(settings, card, (tip.log, tip.seq)), leaf
