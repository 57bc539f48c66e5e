"""The register as somebody uses it: a document is imported, and checked before it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from custody import __version__
from custody.model.register import Document, SealedDocument, Signature
from custody.model.report import Report, Run
from custody.pipeline import contracts, refresh, signatures
from custody.pipeline.audit import Observer, Progress, now, whoami
from custody.pipeline.registering import documents as register_documents
from custody.pipeline.signatures import Given, Signed
from custody.register.documents import parse_document
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from custody.store.writer import Writer

MAX_DOCUMENT = 1 << 20
"""Bytes of the longest document that is read."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. ``leaf`` is that of the version in force; ``sealed`` says whether it is new.

    ``signature`` is whose it is, None where nobody signed and everything it says is claimed by ``by``. ``report`` is
    None where nothing was judged.
    """

    document: str
    digest: str
    leaf: int
    sealed: bool
    by: str
    signature: Signature | None
    identities: int
    parties: int
    notes: tuple[str, ...]
    report: Report | None


def import_document(
    settings: Settings, path: Path, given: Given, observer: Observer, *, judge: bool = True
) -> Imported:
    """Seal the document in ``path`` as it is, and judge again. UsageError where it, or its signature, is wrong.

    Without ``judge`` it is sealed only, and the next audit, import or rebuild judges by it. The same bytes by the same
    signer are not sealed twice. Whoever signed before and does not now is told of.
    """
    contracts.given(settings)
    data, document = read_document(path)
    moment = now()
    signed = signatures.checked(settings, given, data, register_documents.NAMESPACE, moment)
    with Writer.open(settings.store, settings.keys, now=moment, version=__version__) as writer:
        with Reader.open(settings.store) as reader:
            before = register_documents.last_of(register_documents.sealed(reader), document.name)
            notes = tuple(_notes(before, document, signed, path, given))
            notes += tuple(_anchor_notes(reader, signed))
            new = not _known(before, document, signed)
            if new:
                by = whoami()
                register_documents.seal(writer, reader, data, document.name, signed, by=by, now=moment)
        report = _judged(writer, settings, moment, observer) if judge else None
    with Reader.open(settings.store) as reader:
        held = register_documents.last_of(register_documents.sealed(reader), document.name)
    assert held is not None
    return _imported(held, new=new, notes=notes, report=report)


def read_document(path: Path) -> tuple[bytes, Document]:
    """The bytes and the content of the document in ``path``. ContractError with everything that is wrong."""
    data = signatures.read_bounded(path, MAX_DOCUMENT)
    return data, parse_document(data, str(path))


def _known(before: SealedDocument | None, document: Document, signed: Signed | None) -> bool:
    """Whether the version in force says it all already: the same bytes, as well signed."""
    if before is None or before.document.digest != document.digest:
        return False
    return signed is None or signed.signature == before.signature


def _judged(writer: Writer, settings: Settings, moment: str, observer: Observer) -> Report:
    contract, notes = contracts.in_force(writer, settings, moment)
    observer(Progress(stage="joining"))
    report, derived = refresh.refresh(writer, settings, contract)
    return msgspec.structs.replace(report, checkpoint=refresh.sealed(settings), run=Run(derived=derived, notes=notes))


def _imported(held: SealedDocument, *, new: bool, notes: tuple[str, ...], report: Report | None) -> Imported:
    return Imported(
        document=held.document.name,
        digest=held.document.digest,
        leaf=held.leaf,
        sealed=new,
        by=held.by,
        signature=held.signature,
        identities=len(held.document.identities),
        parties=len(held.document.parties),
        notes=notes,
        report=report,
    )


def _notes(
    before: SealedDocument | None, document: Document, signed: Signed | None, path: Path, given: Given
) -> Iterator[str]:
    """What somebody should know about who says this, compared with who said it before."""
    was = before.signature if before is not None else None
    beside = path.with_name(f"{path.name}.sig")
    if signed is None and given.signature is None and beside.exists():
        yield f"{beside} was not used: --signature {beside} checks it"
    if was is None or before is None:
        return
    names = ", ".join(was.principals)
    if signed is None and before.document.digest == document.digest:
        yield f"these bytes are sealed already, signed by {names}: that stays in force"
    elif signed is None:
        yield f"THE SIGNATURE IS GONE: the version before was signed by {names}, this one by nobody"
    elif not set(signed.signature.principals) & set(was.principals):
        others = ", ".join(signed.signature.principals)
        yield f"ANOTHER SIGNER: the version before was signed by {names}, this one by {others}"


def _anchor_notes(reader: Reader, signed: Signed | None) -> Iterator[str]:
    last = signatures.last_signers(reader)
    if signed is not None and signed.signers is not None and last is not None and last != signed.signature.anchor:
        yield f"the allowed signers changed: {last[:12]}… before, {signed.signature.anchor[:12]}… now"
