"""The mappings in force: those of the files that the settings name, and those that were sealed and not replaced since.

A mapping is sealed whole, as a contract is: ``mapping-part`` statements with a piece of the text each, then ``mapping``
with its name, its hash and the number of pieces. Every mapping that was ever sealed is kept: the scheme of a record
holds the digest of the mapping that named it, and by that one it is read for good. New records are read by the newest
mapping of each name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import msgspec

from custody.errors import StoreError, UsageError
from custody.ledger.entry import RecordEntry
from custody.pipeline.contracts import PIECE
from custody.pipeline.intake import Task
from custody.settings.catalog import Settings
from custody.sources.mapped import source_of
from custody.sources.mapped.file import parse_mapping, read_mapping
from custody.sources.mapped.mapping import Mapping
from custody.sources.registry import sources
from custody.sources.source import Source
from custody.store.history import Said
from custody.store.layout import STORE_FILE
from custody.store.reader import Reader
from custody.store.writer import Writer

WHOLE, PART = "mapping", "mapping-part"


class Sealed(msgspec.Struct, frozen=True):
    """A mapping, and the leaf from which on it was the one of its name."""

    leaf: int
    mapping: Mapping


def given(settings: Settings) -> tuple[tuple[Mapping, str], ...]:
    """The mappings that the settings name, each with its text. UsageError where one is wrong, or two have one name."""
    found: dict[str, tuple[Mapping, str]] = {}
    named: dict[str, Path] = {}
    for path in settings.mapping:
        mapping, text = read_mapping(path)
        before = found.get(mapping.name)
        if before is not None and before[0].digest != mapping.digest:
            raise UsageError(
                "two mappings have one name",
                where=f"{path}: name",
                found=f"{mapping.name}, the name of {named[mapping.name]}",
                expected="a name of its own for each log",
            )
        found[mapping.name], named[mapping.name] = (mapping, text), path
    return tuple(found.values())


def in_force(writer: Writer, settings: Settings, now: str) -> tuple[tuple[Sealed, ...], tuple[str, ...]]:
    """What was sealed, after what is new among the given was sealed too, and what somebody should know about it."""
    before = {mapping.name: mapping for mapping in newest(_sealed_in(settings))}
    named = given(settings)
    for mapping, text in named:
        if mapping.name not in before or before[mapping.name].digest != mapping.digest:
            _seal(writer, mapping, text, now)
    return _sealed_in(settings), tuple(_notes(before, {mapping.name: mapping for mapping, _ in named}))


def held(settings: Settings) -> tuple[Mapping, ...]:
    """The mappings by which an audit would read now: nothing is sealed, and there need be no store."""
    there = (settings.store / STORE_FILE).exists()
    named = {mapping.name: mapping for mapping in newest(_sealed_in(settings) if there else ())}
    named |= {mapping.name: mapping for mapping, _ in given(settings)}
    return tuple(named[name] for name in sorted(named))


def sealed(reader: Reader) -> tuple[Sealed, ...]:
    """Every mapping as it came into force, in order of leaf. StoreError where its pieces do not give its hash."""
    pieces = reader.statements(PART)
    return tuple(Sealed(said.leaf, _whole(said, pieces)) for said in reader.statements(WHOLE))


def newest(found: Sequence[Sealed], before: int | None = None) -> tuple[Mapping, ...]:
    """The last mapping of each name, sorted by name; with ``before`` as it was at that leaf."""
    named = {each.mapping.name: each.mapping for each in found if before is None or each.leaf < before}
    return tuple(named[name] for name in sorted(named))


def every(found: Sequence[Sealed]) -> tuple[Mapping, ...]:
    """Each mapping once, the last that came into force last."""
    return tuple({each.mapping.digest: each.mapping for each in found}.values())


def assigned(tasks: Sequence[Task], found: Sequence[Sealed]) -> list[Task]:
    """``tasks``, each with the mappings that read it.

    A file whose reading was cut off goes on with those in force when it was acquired: by others its records might be
    counted otherwise.
    """
    return [
        msgspec.structs.replace(task, mappings=newest(found, min(task.leaves) if any(task.consumed) else None))
        for task in tasks
    ]


def source_of_entry(found: Sequence[Sealed]) -> Callable[[RecordEntry], Source | None]:
    """Which source reads a sealed record: of mapped ones the one by whose mapping it was sealed."""
    named = {source.name: source for source in sources()}
    mapped = {(f"mapped.{one.name}", one.scheme): source_of(one) for one in every(found)}
    return lambda entry: named.get(entry.source) or mapped.get((entry.source, entry.scheme))


def names(found: Sequence[Sealed]) -> tuple[str, ...]:
    """The names of all sources that may have records in the store."""
    return (*(source.name for source in sources()), *mapped_names(found))


def mapped_names(found: Sequence[Sealed]) -> tuple[str, ...]:
    """The names of the mapped sources among them."""
    return tuple(f"mapped.{mapping.name}" for mapping in newest(found))


def _sealed_in(settings: Settings) -> tuple[Sealed, ...]:
    with Reader.open(settings.store) as reader:
        return sealed(reader)


def _whole(said: Said, pieces: Sequence[Said]) -> Mapping:
    fields, where = said.entry.fields, f"operations:{said.leaf}"
    digest = fields.get("sha256")
    mine = [p.entry.fields for p in pieces if p.leaf < said.leaf and p.entry.fields.get("sha256") == digest]
    count = fields.get("pieces")
    text = "".join(str(piece.get("text")) for piece in mine[-count:]) if isinstance(count, int) and count > 0 else ""
    if sha256(text.encode()).hexdigest() != digest:
        raise StoreError("a sealed mapping is not whole", where=where, advice="`custody verify` says what is wrong.")
    return _parsed(text, where)


@lru_cache(maxsize=256)
def _parsed(text: str, where: str) -> Mapping:
    return parse_mapping(text.encode(), where)


def _seal(writer: Writer, mapping: Mapping, text: str, now: str) -> None:
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    for number, piece in enumerate(pieces):
        writer.seal(PART, {"sha256": mapping.digest, "piece": number, "text": piece})
    writer.seal(WHOLE, {"name": mapping.name, "sha256": mapping.digest, "pieces": len(pieces), "at": now})


def _notes(before: dict[str, Mapping], named: dict[str, Mapping]) -> Iterator[str]:
    kept = [f"{name} {before[name].digest[:12]}…" for name in sorted(before.keys() - named.keys())]
    if kept:
        yield f"read with what was sealed of mappings: {', '.join(kept)}; --mapping FILE replaces the one of its name"
    for name in sorted(before.keys() & named.keys()):
        old, new = before[name].digest, named[name].digest
        if old != new:
            yield f"mapping {name}: {new[:12]}… reads what is new; what was sealed by {old[:12]}… stays as it was read"
