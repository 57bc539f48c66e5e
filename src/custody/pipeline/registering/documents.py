"""The documents of the register as they are sealed: statements ``register-part`` and ``register``.

``register`` says of a version its name, hash, time, who imported it and who signed it. Everything that follows from a
document is computed from these statements and nothing else.
"""

from __future__ import annotations

from functools import lru_cache

from custody.errors import CustodyError, StoreError
from custody.model.register import Document, SealedDocument
from custody.model.times import microseconds
from custody.pipeline import sealed_text, signatures
from custody.pipeline.signatures import Signed
from custody.register.documents import parse_document
from custody.store.history import Said
from custody.store.reader import Reader
from custody.store.writer import Writer

REGISTER = "register"
"""The statement that seals a document."""

NAMESPACE = "custody-register"
"""The namespace (``ssh-keygen -Y sign -n``) of signatures over documents."""


def seal(writer: Writer, reader: Reader, data: bytes, name: str, signed: Signed | None, *, by: str, now: str) -> None:
    """Seal a version of the document ``name``: ``data`` exactly, ``by`` whom it was imported and ``now`` (RFC 3339)."""
    signature = signatures.seal(writer, reader, signed, now)
    sealed_text.seal(writer, REGISTER, data, {"name": name, "at": now, "by": by, **signature})


def sealed(reader: Reader) -> tuple[SealedDocument, ...]:
    """Every version of every document, in order of leaf. StoreError where one is not whole."""
    return tuple(_of(reader, said) for said in reader.statements(REGISTER))


def readable(reader: Reader) -> tuple[tuple[SealedDocument, ...], tuple[int, ...]]:
    """The versions that are whole, and the leaves of the others: for what has to go on, whoever sealed such a one."""
    found: list[SealedDocument] = []
    unread: list[int] = []
    for said in reader.statements(REGISTER):
        try:
            found.append(_of(reader, said))
        except CustodyError:
            unread.append(said.leaf)
    return tuple(found), tuple(unread)


def last_of(documents: tuple[SealedDocument, ...], name: str) -> SealedDocument | None:
    """The last version of the document ``name``."""
    return next((each for each in reversed(documents) if each.document.name == name), None)


def _of(reader: Reader, said: Said) -> SealedDocument:
    fields = said.entry.fields
    data, at = sealed_text.read(reader, said), fields.get("at")
    document = _parsed(data, f"operations:{said.leaf}")
    time = _time(at)
    if time is None or document.name != fields.get("name"):
        raise StoreError("a sealed register document contradicts itself", where=f"operations:{said.leaf}")
    return SealedDocument(
        document=document,
        leaf=said.leaf,
        at=time,
        by=str(fields.get("by")),
        signature=signatures.of_statement(reader, fields, data, NAMESPACE),
    )


def _time(at: object) -> int | None:
    try:
        return microseconds(at) if isinstance(at, str) else None
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _parsed(data: bytes, where: str) -> Document:
    return parse_document(data, where)
