"""Register documents looked at before they are imported: are they right, whose are they, and do the logs know them?

Nothing is sealed. Where there is a store with derived tables, names are held against what its records show.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.engine.duck import Engine
from custody.errors import NotFound, UsageError
from custody.model.keys import names_of
from custody.model.register import Document, Signature
from custody.pipeline import signatures
from custody.pipeline.audit import now
from custody.pipeline.registering import documents as register_documents
from custody.pipeline.registering.importing import read_document
from custody.pipeline.signatures import Given
from custody.pipeline.tables import answers
from custody.register import names
from custody.register.spelling import canonical
from custody.settings.catalog import Settings
from custody.store.layout import STORE_FILE

SEEN = """
    SELECT DISTINCT name FROM (
        SELECT name FROM identity_names WHERE how = 'observed'
        UNION ALL SELECT key FROM credentials
        UNION ALL SELECT subject FROM credentials
        UNION ALL SELECT workload FROM credentials
        UNION ALL SELECT key FROM aliases
    ) every_name
    WHERE name IS NOT NULL
"""
UNDECLARED = """
    SELECT identity FROM identities
    WHERE NOT declared AND credentials > 0 AND population = 'machine'
    ORDER BY identity
"""


class FileChecked(msgspec.Struct, frozen=True, kw_only=True):
    """One file: what it declares, or the problem that it has. ``unseen`` are identities none of whose names was seen.

    ``unseen`` is None where there was nothing to look in. ``bare`` counts entries without an owner or a purpose.
    """

    file: str
    document: str | None = None
    digest: str | None = None
    identities: int = 0
    bare: int = 0
    parties: int = 0
    signature: Signature | None = None
    problem: str | None = None
    unseen: tuple[str, ...] | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """All files, and the machine identities of the store that neither they nor a sealed document declare.

    ``undeclared`` is None where there was no store to look in, or a file is wrong; ``as_of`` (RFC 3339) is the
    time of its answers.
    """

    files: tuple[FileChecked, ...]
    undeclared: tuple[str, ...] | None = None
    as_of: str | None = None

    @property
    def wrong(self) -> bool:
        """Whether a file could not be imported."""
        return any(each.problem is not None for each in self.files)

    @property
    def apart(self) -> bool:
        """Whether documents and logs do not agree on who there is."""
        return bool(self.undeclared) or any(each.unseen for each in self.files)


def check(settings: Settings, paths: Sequence[Path], given: Given) -> Check:
    """Look at ``paths``. A signature or token is for one file: UsageError with several."""
    if given != Given() and len(paths) > 1:
        raise UsageError("a signature is that of one file", found=f"{len(paths)} files", expected="one")
    looked = [_file(settings, path, given) for path in paths]
    twice = _twice([document for _, document in looked if document is not None])
    files = [
        msgspec.structs.replace(each, problem=each.problem or twice.get(each.document or "")) for each, _ in looked
    ]
    if not (settings.store / STORE_FILE).exists():
        return Check(files=tuple(files))
    try:
        with answers(settings) as found:
            documents = [document for _, document in looked]
            return _compared(found.engine, files, documents, found.report.as_of)
    except NotFound:
        return Check(files=tuple(files))


def _file(settings: Settings, path: Path, given: Given) -> tuple[FileChecked, Document | None]:
    try:
        data, document = read_document(path)
        signed = signatures.checked(settings, given, data, register_documents.NAMESPACE, now())
    except UsageError as error:
        return FileChecked(file=str(path), problem=str(error)), None
    found = FileChecked(
        file=str(path),
        document=document.name,
        digest=document.digest,
        identities=len(document.identities),
        bare=sum(one.owner is None or one.purpose is None for one in document.identities),
        parties=len(document.parties),
        signature=signed.signature if signed is not None else None,
    )
    return found, document


def _twice(documents: Sequence[Document]) -> dict[str, str]:
    """Two files of one name: the second would replace the first."""
    count = [each.name for each in documents]
    return {name: f"two of the files are called {name}" for name in count if count.count(name) > 1}


def _compared(
    engine: Engine, files: Sequence[FileChecked], documents: Sequence[Document | None], as_of: str | None
) -> Check:
    declared = {text for each in documents if each is not None for text in _texts(each)}
    seen = {text for _, text in names.called(engine, declared, SEEN)}
    told = tuple(
        msgspec.structs.replace(each, unseen=None if document is None else _unseen(document, seen))
        for each, document in zip(files, documents, strict=True)
    )
    known = (str(row[0]) for row in engine.rows(UNDECLARED))
    undeclared = tuple(name for name in known if not declared.intersection(names_of(name)))
    wrong = any(each.problem is not None for each in told)
    return Check(files=told, undeclared=None if wrong else undeclared, as_of=as_of)


def _unseen(document: Document, seen: set[str]) -> tuple[str, ...]:
    return tuple(
        one.identity for one in document.identities if not seen.intersection(map(canonical, (one.identity, *one.names)))
    )


def _texts(document: Document) -> set[str]:
    return {canonical(name) for one in document.identities for name in (one.identity, *one.names)}
