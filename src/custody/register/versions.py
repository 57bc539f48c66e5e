"""Which version of a document was in force when: each holds from its sealing until the next of the same name."""

from collections.abc import Sequence

import msgspec

from custody.engine.duck import Engine
from custody.model.register import SealedDocument

COLUMNS = {
    "document": "VARCHAR", "digest": "VARCHAR", "leaf": "BIGINT", "known_at": "BIGINT", "superseded_at": "BIGINT",
    "said": "VARCHAR", "signer": "VARCHAR", "method": "VARCHAR", "signing_key": "VARCHAR", "anchor": "VARCHAR",
    "identities": "BIGINT",
}  # fmt: skip


class Version(msgspec.Struct, frozen=True):
    """A sealed document and when the next of its name was sealed (µs; None: it is in force)."""

    sealed: SealedDocument
    superseded_at: int | None


def ordered(documents: Sequence[SealedDocument]) -> tuple[SealedDocument, ...]:
    """In order of leaf, each sealed no earlier than the one before it: a clock that was set back moves nothing back."""
    found: list[SealedDocument] = []
    for each in sorted(documents, key=lambda one: one.leaf):
        at = max(each.at, found[-1].at) if found else each.at
        found.append(msgspec.structs.replace(each, at=at))
    return tuple(found)


def versions(documents: Sequence[SealedDocument]) -> tuple[Version, ...]:
    """Every version, in order of leaf."""
    found: list[Version] = []
    following: dict[str, int] = {}
    for each in reversed(ordered(documents)):
        found.append(Version(each, following.get(each.document.name)))
        following[each.document.name] = each.at
    return tuple(reversed(found))


def in_force(documents: Sequence[SealedDocument], known_at: int | None = None) -> tuple[SealedDocument, ...]:
    """The last version of each document, in order of leaf; with ``known_at`` the last that was sealed by then (µs)."""
    last: dict[str, SealedDocument] = {}
    for each in ordered(documents):
        if known_at is None or each.at <= known_at:
            last[each.document.name] = each
    return tuple(sorted(last.values(), key=lambda each: each.leaf))


def build(engine: Engine, documents: Sequence[SealedDocument]) -> None:
    """Make ``register_documents``: every sealed version, by whom it was sealed and signed."""
    rows = []
    for version in versions(documents):
        sealed, signed = version.sealed, version.sealed.signature
        rows.append((
            sealed.document.name, sealed.document.digest, sealed.leaf, sealed.at, version.superseded_at, sealed.by,
            ",".join(signed.principals) if signed else None, signed.method if signed else None,
            signed.key if signed else None, signed.anchor if signed else None, len(sealed.document.identities),
        ))  # fmt: skip
    engine.table("register_documents", COLUMNS, rows)
