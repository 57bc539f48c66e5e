"""What was done with a glass while no broker was there: a log of its own, each line signed by those who opened it.

The lines are entries of ``custody.broker/1`` (``model.brokered``) under an id of their own, so that every reader of a
broker's log reads them. The signature is over the line without it, by the signing key of the pair: both held their key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from custody.broker.evidence.sequence import moment
from custody.broker.glass.names import LOG, bytes_of, written
from custody.errors import UsageError
from custody.model.brokered import DECODER, FORMAT, NO_LINE, Body, Entry, Glass, digest_of, line

Offline = Literal["opened", "used", "ended"]
OFFLINE = ("opened", "used", "ended")
"""The steps that are said without a broker."""
_SIGNED = b"custody.glass/1 line\n"


class Tip(msgspec.Struct, frozen=True):
    """Where a log stands: its id, the ``seq`` of its last line, and the SHA-256 (hex) of that."""

    log: str
    seq: int = 0
    prev: str = NO_LINE


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A journal in which every line follows from the one before and is signed by a pair that may sign.

    ``people`` are those who opened, in order of opening. ``ended`` says whether the last line says that the use is
    over: what came after a last line that does not, nobody knows.
    """

    tip: Tip
    glass: str
    entries: tuple[Entry, ...]
    people: tuple[str, ...]
    ended: bool


def told(tip: Tip, at: int, body: Body) -> tuple[bytes, Tip]:
    """The next line, without its line end, and where the log stands then. ``at`` is in µs."""
    entry = Entry(custody=FORMAT, broker=tip.log, seq=tip.seq + 1, prev=tip.prev, at=moment(at), body=body)
    found = line(entry)
    return found, Tip(tip.log, entry.seq, digest_of(found))


def signed(
    tip: Tip, at: int, step: Offline, glass: str, people: tuple[str, ...], reason: str, signer: Ed25519PrivateKey
) -> tuple[bytes, Tip]:
    """The next line of a journal, signed for those who opened the glass."""
    body = Glass(step=step, glass=glass, people=people, reason=reason, offline=True)
    plain, _ = told(tip, at, body)
    name = written(signer.public_key().public_bytes_raw())
    signature = f"{name}.{written(signer.sign(_SIGNED + plain))}"
    return told(tip, at, msgspec.structs.replace(body, signature=signature))


def check(data: bytes, glass: str, signers: Mapping[str, tuple[str, str]], where: str) -> Checked:
    """The journal of ``glass``, checked. ``signers`` gives the pair of each signing key, as the preparation names them.

    UsageError names the line that is changed, missing, out of place or signed by nobody who may. That lines are missing
    at the end cannot be seen, but for ``ended``.
    """
    lines = data.split(b"\n")
    if lines.pop() or not lines:
        raise UsageError("the journal does not end with a line", where=where, advice="The last line was cut off.")
    entries: list[Entry] = []
    tip: Tip | None = None
    opened: dict[str, tuple[str, str]] = {}
    for number, raw in enumerate(lines, 1):
        place = f"{where}:{number}"
        entry = _entry(raw, place)
        tip = _follows(entry, raw, tip or Tip(entry.broker), place)
        opened |= _stands(entry, glass, signers, opened, place)
        entries.append(entry)
    assert tip is not None
    last = entries[-1].body
    people = tuple(dict.fromkeys(name for pair in opened.values() for name in pair))
    ended = isinstance(last, Glass) and last.step == "ended"
    return Checked(tip=tip, glass=glass, entries=tuple(entries), people=people, ended=ended)


def steps(entries: tuple[Entry, ...]) -> Iterator[Glass]:
    """The steps that entries tell."""
    for each in entries:
        if isinstance(each.body, Glass):
            yield each.body


def _entry(raw: bytes, place: str) -> Entry:
    try:
        entry = DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("not a line of a journal", where=place, expected=FORMAT) from None
    if entry.custody != FORMAT or line(entry) != raw or not LOG.fullmatch(entry.broker) or entry.chain is not None:
        raise UsageError("not a line of a journal", where=place, expected=FORMAT)
    return entry


def _follows(entry: Entry, raw: bytes, tip: Tip, place: str) -> Tip:
    if (entry.broker, entry.seq, entry.prev) != (tip.log, tip.seq + 1, tip.prev):
        raise UsageError(
            "a line does not follow from the one before",
            where=place,
            found=f"{entry.broker}/{entry.seq}"[:60],
            expected=f"{tip.log}/{tip.seq + 1}",
        )
    return Tip(tip.log, entry.seq, digest_of(raw))


def _stands(
    entry: Entry, glass: str, signers: Mapping[str, tuple[str, str]], opened: dict[str, tuple[str, str]], place: str
) -> dict[str, tuple[str, str]]:
    """The signing key of the line, with its pair. Nobody uses what they have not opened."""
    body = entry.body
    if not isinstance(body, Glass) or body.step not in OFFLINE or not body.offline or body.keys or body.not_after:
        raise UsageError("not a step that is made without a broker", where=place, expected=", ".join(OFFLINE))
    if body.glass != glass:
        raise UsageError("a line about another glass", where=place, found=body.glass[:40], expected=glass)
    signer, _, signature = (body.signature or "").partition(".")
    people = signers.get(signer)
    if people is None or set(body.people) != set(people) or not _holds(entry, body, signer, signature):
        raise UsageError("not signed by those whom it names", where=place, expected="a pair of the glass")
    if body.step != "opened" and signer not in opened:
        raise UsageError("used by a pair that did not open it", where=place, found=", ".join(people))
    return {signer: people}


def _holds(entry: Entry, body: Glass, signer: str, signature: str) -> bool:
    plain = line(msgspec.structs.replace(entry, body=msgspec.structs.replace(body, signature=None)))
    try:
        Ed25519PublicKey.from_public_bytes(bytes_of(signer, 32)).verify(bytes_of(signature, 64), _SIGNED + plain)
    except (InvalidSignature, ValueError):
        return False
    return True
