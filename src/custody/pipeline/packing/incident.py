"""The pack of one incident: its steps out of both logs, what is judged of it, and which records that rests on.

The checkpoint is chosen by what was sealed of the incident, never by the making of packs: it covers the last step, and
the statement with which the operations log sealed a checkpoint of the log of approvals that has the last decision. The
time of judgement is that of the last step, or how far the records tell where that is later. So the same store gives the
same bytes until somebody says more, or more is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from custody.errors import LogError, StoreError
from custody.incidents.record.folding import Incident
from custody.incidents.record.response import STATEMENT as RESPONSE
from custody.incidents.seen import Scope
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.note import encode64
from custody.ledger.proof import Prover, format_proof, root_at
from custody.model.incident_view import IncidentView
from custody.model.incidents import DECISION, STEP, text_of
from custody.model.report import CheckpointRef
from custody.model.times import microseconds
from custody.packs import documents, parts
from custody.packs.documents import LOG
from custody.packs.steps import SIGNERS, Listed, SignedBy
from custody.pipeline import approvals, sealed_text
from custody.pipeline.approvals import Log
from custody.pipeline.incidents import reading
from custody.pipeline.incidents.judging import judged_in
from custody.pipeline.incidents.reading import Record
from custody.pipeline.incidents.viewing import view_of
from custody.pipeline.packing.basis import Published, published
from custody.pipeline.tables import Answers, answers
from custody.reports.incident.page import page
from custody.settings.catalog import Settings
from custody.store.approvals import stored_vkey
from custody.store.approvals_check import SEALED
from custody.store.history import Said
from custody.store.layout import APPROVALS, origin_of
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.reader import Reader
from custody.store.writer import Writer

AGAIN = "Run the command again: it seals it first."
VERIFY = "`custody verify` says what is wrong."


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The log of approvals as the operations log sealed it at ``leaf``, with the leaves of it that a pack has."""

    leaf: int
    note: bytes
    root: Path
    size: int
    leaves: tuple[int, ...]

    def proving(self) -> Proofs:
        """Its entries, and proofs under its checkpoint."""
        return Proofs(self.root, self.size, self.note)


class Proofs:
    """A log in a store at an earlier size, under a note of it that was kept."""

    def __init__(self, root: Path, size: int, note: bytes) -> None:
        self._files, self._size, self._note = LogFiles(root, APPROVALS), size, note
        self._prover = Prover(size, lru_cache(maxsize=256)(self._files.read))

    def entry(self, leaf: int) -> bytes:
        """The bytes of the entry at ``leaf``."""
        return self._files.entry(leaf, self._size)

    def proof(self, leaf: int) -> bytes:
        """The C2SP tlog-proof of it."""
        return format_proof(leaf, self._prover.inclusion(leaf), self._note)


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a pack has of an incident.

    ``keys`` are the credentials in its scope, ``identities`` what the register calls theirs. ``leaves`` are those of
    the operations log that it rests on. ``response`` is the sealed text of the response file, None where there is none.
    """

    incident: str
    title: str
    basis: Published
    keys: tuple[str, ...]
    identities: tuple[str, ...]
    leaves: frozenset[int]
    view: IncidentView
    steps: tuple[bytes, ...]
    response: bytes | None
    beside: Beside | None

    def files(self) -> Iterator[tuple[str, bytes | Iterable[bytes]]]:
        """What stands in the folder of the incident, in its order."""
        yield parts.INCIDENT_STEPS, documents.listing({"incident": self.incident}, "steps", self.steps)
        yield parts.INCIDENT_VIEW, documents.document(_without_timeline(self.view))
        yield parts.INCIDENT_TIMELINE, _timeline(self.view)
        yield parts.INCIDENT_PAGE, page(self.view)
        if self.response is not None:
            yield parts.RESPONSE, self.response


def _without_timeline(view: IncidentView) -> dict[str, object]:
    """The view as JSON; its timeline is a document of its own."""
    plain = msgspec.convert(msgspec.to_builtins(view, order="deterministic"), dict[str, object])
    return {name: value for name, value in plain.items() if name != "timeline"}


def _timeline(view: IncidentView) -> Iterator[bytes]:
    """The timeline as a list document: the lanes and clocks, then a line each."""
    head = msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(view.timeline, moments=())), dict[str, object])
    del head["moments"]
    return documents.listing({"incident": view.incident, **head}, "moments", map(documents.line, view.timeline.moments))


def cross(writer: Writer, settings: Settings, name: str) -> None:
    """Seal the checkpoint of the log of approvals where none that is sealed has every decision of the incident.

    NotFound where there is no such incident.
    """
    with Reader.open(settings.store) as reader:
        record = reading.record_of(reader, approvals.everything(settings.store))
        record.one(name)
        decisions = _leaves(record, name, documents.APPROVALS)
        covered = not decisions or _covering(settings.store, reader, decisions[-1]) is not None
    if not covered:
        approvals.cross(writer, settings.store)


def gathered(settings: Settings, name: str) -> Dossier:
    """What a pack has of the incident ``name``. NotFound where there is none; StoreError where a log is damaged."""
    with answers(settings) as tables:
        reader = tables.reader
        record = reading.record_of(reader, approvals.everything(settings.store))
        incident = record.one(name)
        response = _sealed(reader, RESPONSE, incident.opening.response)
        beside = _beside(settings.store, reader, _leaves(record, name, documents.APPROVALS))
        rests = {*_leaves(record, name, LOG), *(each.leaf for each in (response, beside) if each is not None)}
        basis = published(settings, reader, beyond=max(rests))
        scope, view = _judged(tables, record, incident, basis)
        cited = documents.cited(msgspec.to_builtins(view))
        return Dossier(
            incident=name,
            title=incident.opening.title,
            basis=basis,
            keys=tuple(sorted(each.key for each in scope.credentials)),
            identities=scope.identities,
            leaves=frozenset(rests | {leaf.index for leaf in cited if leaf.log == LOG}),
            view=view,
            steps=tuple(_steps(settings, record, name, reader)),
            response=None if response is None else sealed_text.read(reader, response),
            beside=beside,
        )


def _judged(tables: Answers, record: Record, incident: Incident, basis: Published) -> tuple[Scope, IncidentView]:
    """Scope and view as of the last that was sealed of the incident or read, under the checkpoint of the pack."""
    now = max([microseconds(tables.report.as_of) or 0, *(each.at for each in incident.heard)])
    evidence = judged_in(tables, incident, now, record.response(incident).checklist)
    point = basis.earlier.checkpoint
    checkpoint = CheckpointRef(log=point.origin, size=point.size, root=encode64(point.root))
    view = msgspec.structs.replace(view_of(tables, incident, evidence, now), checkpoint=checkpoint)
    return evidence.scope, view


def _leaves(record: Record, name: str, log: str) -> list[int]:
    """The leaves of the steps of an incident in a log, whether they count or not."""
    return sorted(each.leaf.index for each in record.heard if each.step.incident == name and each.leaf.log == log)


def _sealed(reader: Reader, what: str, digest: str | None) -> Said | None:
    """The first statement that seals the text with a digest."""
    return next((said for said in reader.statements(what) if said.entry.fields.get("sha256") == digest), None)


def _steps(settings: Settings, record: Record, name: str, reader: Reader) -> Iterator[bytes]:
    """The rows of ``steps.json``, by log and leaf."""
    log = approvals.everything(settings.store)
    said = {LOG: reader.statements(STEP), documents.APPROVALS: log.statements(DECISION)}
    fields = {(where, each.leaf): each.entry.fields for where, every in said.items() for each in every}
    mine = (each for each in record.heard if each.step.incident == name)
    for each in sorted(mine, key=lambda each: (each.leaf.log != LOG, each.leaf.index)):
        told, signature = fields[each.leaf.log, each.leaf.index], each.signature
        row = Listed(
            leaf=each.leaf,
            at=str(told.get("at")),
            by=each.by,
            sha256=each.digest,
            text=text_of(each.step).decode(),
            signed=None if signature is None else SignedBy(key=signature.key, names=signature.principals),
        )
        yield documents.line(row)


def _beside(root: Path, reader: Reader, decisions: Sequence[int]) -> Beside | None:
    """The log of approvals at the first sealed checkpoint that has all ``decisions``; None where there are none."""
    if not decisions:
        return None
    found = _covering(root, reader, decisions[-1])
    if found is None:
        raise StoreError("the operations log has not sealed the last decision yet", where=APPROVALS, advice=AGAIN)
    leaf, note, point = found
    log = approvals.everything(root)
    signers = {str(said.entry.fields.get("signers")) for said in log.said if said.leaf in set(decisions)}
    wanted = [said for said in log.statements(SIGNERS) if said.entry.fields.get("sha256") in signers]
    wanted += [said for said in log.said if said.leaf in set(decisions)]
    leaves = {at for said in wanted for at in (said.leaf, *_pieces(log, said)) if at < point.size}
    return Beside(leaf=leaf, note=note, root=root, size=point.size, leaves=tuple(sorted(leaves)))


def _covering(root: Path, reader: Reader, last: int) -> tuple[int, bytes, Checkpoint] | None:
    """The first checkpoint of the log of approvals that the operations log sealed and that has the leaf ``last``.

    StoreError where the log of approvals does not continue it.
    """
    files, vkey = LogFiles(root, APPROVALS), stored_vkey(root) or ""
    for said in reader.statements(SEALED):
        note = str(said.entry.fields.get("note")).encode()
        origin = origin_of(reader.store.store, APPROVALS)
        point = open_checkpoint(note, vkey=vkey, origin=origin, where=f"operations:{said.leaf}")
        if point.size > last:
            try:
                root_then = root_at(point.size, files.read)
            except LogError as error:
                raise StoreError(f"the log of approvals is damaged: {error}", advice=VERIFY) from None
            if root_then != point.root:
                raise StoreError("the log of approvals does not continue what was sealed of it", advice=VERIFY)
            return said.leaf, note, point
    return None


def _pieces(log: Log, said: Said) -> list[int]:
    """The leaves of the pieces of the text that a statement closes."""
    count, digest = said.entry.fields.get("pieces"), said.entry.fields.get("sha256")
    before = [
        each.leaf
        for each in log.statements(f"{said.entry.what}-part")
        if each.leaf < said.leaf and each.entry.fields.get("sha256") == digest
    ]
    return before[-count:] if isinstance(count, int) and count > 0 else []
