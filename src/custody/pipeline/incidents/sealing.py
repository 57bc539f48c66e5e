"""A step sealed in the right one of the two logs, under its lock, over what stands there by then.

1. the step is made and checked over what was sealed until now, and signed: no lock is held while somebody signs
2. under the lock of its log everything is read again, and the step is checked again
3. what says the same and stands is not sealed again: running a command again after it was cut off is harmless
4. the text goes in whole (``sealed_text``): what a kill leaves of it is a step, or pieces that belong to nothing
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from custody import __version__
from custody.broker.clock import Random
from custody.errors import StoreLocked
from custody.incidents.record.acting import Secretive, check_texts, same, standing
from custody.incidents.record.folding import Heard, Incident, Weighed, Where
from custody.incidents.record.weighing import covers, where
from custody.ledger.note import encode64
from custody.ledger.ssh_keys import fingerprint
from custody.model.incidents import (
    APPROVALS,
    DECISION,
    STEP,
    Asked,
    Closed,
    Decided,
    Opened,
    Reopened,
    Reviewed,
    Settled,
    Step,
    digest_of,
    text_of,
)
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.pipeline import approvals, sealed_text, signatures
from custody.pipeline.approvals import Log
from custody.pipeline.audit import whoami
from custody.pipeline.incidents.reading import OPERATIONS, Record, record_of
from custody.pipeline.sealed_text import Sealing, Told
from custody.pipeline.signatures import Signed
from custody.settings.catalog import Settings
from custody.sources.pasted_secrets import holds
from custody.store import approvals as stored
from custody.store.approvals import ApprovalsWriter, separation
from custody.store.history import Said
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.writer import Writer

PATIENCE = 10.0
"""Seconds to wait while somebody else is sealing."""
POLL = 0.02


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Where steps are said, with what is not pure: the time (µs), chance, and the account as the system names it."""

    settings: Settings
    now: Callable[[], int]
    random: Random
    by: str
    secretive: Secretive = holds


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs: their key in wire form, and what signs a text in a namespace (an armored SSH signature)."""

    key: bytes
    sign: Callable[[bytes, str], bytes]


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is sealed at ``leaf``. ``sealed`` is False where the same had been sealed before."""

    leaf: LeafRef
    step: Step
    digest: str
    sealed: bool
    author: str
    notes: tuple[str, ...] = ()


Check = Callable[[Record, Heard], None]
"""Raises where a step, as it would be sealed, cannot be or would not count."""


def desk_of(settings: Settings) -> Desk:
    """The desk of this process."""
    return Desk(settings=settings, now=lambda: time.time_ns() // 1000, random=secrets.token_bytes, by=whoami())


def seal(desk: Desk, step: Step, given: Signed | None, checked: Check, *before: tuple[str, bytes]) -> Sealed:
    """Seal a step as that of who signed it, in its log. ``before`` are texts that are sealed first where they are new.

    StoreLocked where the log stays locked for longer than ``PATIENCE``; what ``checked`` raises, under the lock.
    """
    check_texts(step, desk.secretive)
    read_store_file(desk.settings.store)  # opening for writing would make one
    decides = isinstance(step, APPROVALS)
    with _opened(desk, decides=decides) as writer, Reader.open(desk.settings.store) as reader:
        now = desk.now()  # before the other log is read: what that does not have yet is sealed after now
        beside = _beside(desk.settings.store)
        log = Log(beside.said)
        record, notes = record_of(reader, log), _notes(desk, decides=decides)
        heard = Heard(
            leaf=LeafRef(approvals.LOG if decides else OPERATIONS, writer.size),
            at=now,  # in whole microseconds, as it will be read
            by=desk.by,
            step=step,
            digest=digest_of(step),
            signature=None if given is None else given.signature,
            seen=record.size if decides else beside.size,
        )
        known = _known(record, heard, _author(heard))
        if known is not None:
            return _told(known, sealed=False, notes=notes)
        checked(record, heard)
        told: Told = log if decides else reader
        _seal_before(writer, reader, before)
        at = str(text(heard.at))
        fields = {"at": at, "by": desk.by, **signatures.seal(writer, told, given, at)}
        fields |= {} if decides else beside.fields()
        index = sealed_text.seal(writer, DECISION if decides else STEP, text_of(step), fields)
    return _told(msgspec.structs.replace(heard, leaf=LeafRef(heard.leaf.log, index)), sealed=True, notes=notes)


def _seal_before(writer: Sealing, reader: Reader, before: tuple[tuple[str, bytes], ...]) -> None:
    for what, data in before:
        known = {str(said.entry.fields.get("sha256")) for said in reader.statements(what)}
        if sealed_text.digest(data) not in known:
            sealed_text.seal(writer, what, data, {})


class _Beside(msgspec.Struct, frozen=True):
    """The log of approvals as it is when a step of the operations log is sealed; ``root`` is in base64."""

    said: tuple[Said, ...]
    size: int
    root: str

    def fields(self) -> dict[str, object]:
        """What such a step says of it: the size and root that it saw, as decisions say it of the operations log."""
        return {approvals.LOG: [self.size, self.root]}


def _beside(root: Path) -> _Beside:
    found = stored.read(root)
    if found is None:
        return _Beside((), 0, encode64(sha256(b"").digest()))
    return _Beside(found.said, found.checkpoint.size, encode64(found.checkpoint.root))


def _told(heard: Heard, *, sealed: bool, notes: tuple[str, ...]) -> Sealed:
    return Sealed(
        leaf=heard.leaf, step=heard.step, digest=heard.digest, sealed=sealed, author=heard.author, notes=notes
    )


def known_of(record: Record, new: Heard, signer: Signer | None) -> Heard | None:
    """What says the same as a step that ``signer`` has yet to sign."""
    author = f"account:{new.by}" if signer is None else fingerprint(signer.key)
    return _known(record, new, author)


def _known(record: Record, new: Heard, author: str) -> Heard | None:
    """What says the same, by the same author, and stands: the last of these."""
    found = [each for each in record.heard if same(each.step, new.step) and _author(each) == author]
    incidents = {each.id: each for each in record.incidents}
    standing = (each for each in reversed(found) if _stands(incidents.get(each.step.incident), each, new))
    return next(standing, None)


def _author(heard: Heard) -> str:
    return heard.signature.key if heard.signature is not None else f"account:{heard.by}"


def _stands(incident: Incident | None, heard: Heard, new: Heard) -> bool:
    """Whether a step is in force, so that saying it again would say nothing."""
    if incident is None or any(each.heard is heard for each in incident.odd):
        return False
    match heard.step:
        case Opened() | Asked() if incident.closed is not None:
            return False
        case Opened():
            return incident.opened is heard
        case Asked(action=name):
            action = incident.action(name)
            return action is not None and action.asked is heard and standing(action, new.at)
        case Closed():
            return incident.closed is heard
        case Reopened():
            last = [each for each in incident.heard if isinstance(each.step, Closed | Reopened)]
            return bool(last) and max(last, key=lambda each: each.leaf.index) is heard
        case Settled(action=name):
            action = incident.action(name)
            return action is not None and action.settled is heard and where(action, new.at) is Where.SETTLED
        case Decided(action=name):
            action = incident.action(name)
            return action is not None and any(_counts(each, heard) for each in action.decisions)
        case Reviewed(action=name):
            action = incident.action(name)
            return action is not None and covers(action, heard)
    return True


def _counts(weighed: Weighed, heard: Heard) -> bool:
    return weighed.heard is heard and weighed.why in ("", "withdraws")


def _notes(desk: Desk, *, decides: bool) -> tuple[str, ...]:
    if not decides:
        return ()
    settings = desk.settings
    found = separation(settings.keys, settings.approval_keys, read_store_file(settings.store))
    return () if found.enforced else (found.why,)


@contextmanager
def _opened(desk: Desk, *, decides: bool) -> Iterator[Writer | ApprovalsWriter]:
    """The writer of a log, once whoever is writing it is done."""
    settings = desk.settings
    if not decides:
        now = str(text(desk.now()))
        with Writer.open(settings.store, settings.keys, now=now, version=__version__, wait=PATIENCE) as writer:
            yield writer
        return
    with _approvals(desk) as other:
        yield other


def _approvals(desk: Desk) -> ApprovalsWriter:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ApprovalsWriter.open(desk.settings.store, desk.settings.approval_keys)
        except StoreLocked:
            if time.monotonic() >= end:
                raise
        time.sleep(POLL)


def fields_of(sealed: Sealed) -> dict[str, object]:
    """A sealed step for programs."""
    return {
        "incident": sealed.step.incident,
        "step": msgspec.to_builtins(sealed.step),
        "digest": sealed.digest,
        "leaf": {"log": sealed.leaf.log, "index": sealed.leaf.index},
        "author": sealed.author,
        "sealed": sealed.sealed,
        "notes": list(sealed.notes),
    }
