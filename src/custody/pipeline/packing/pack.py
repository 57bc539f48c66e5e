"""The evidence pack: what a stranger needs to check what is said about some credentials, in one file.

A pack is made under the first anchored checkpoint that has its derived tables, else under the one at which they were
published, whatever was sealed since: so the same store and the same options give the same bytes, though making a pack
is itself sealed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from custody import __version__
from custody.errors import StoreError, UsageError
from custody.ledger import note
from custody.model.report import CheckpointRef, Report
from custody.model.times import text
from custody.packs import archive, evidence, parts
from custody.packs.manifest import Basis, Options
from custody.packs.seal import write_seal
from custody.pipeline import output, sealed_text
from custody.pipeline.annex import annex
from custody.pipeline.audit import Observer, Progress, now, whoami
from custody.pipeline.packing import extract as pack_register
from custody.pipeline.packing.basis import Published, published
from custody.pipeline.packing.chains import Chains
from custody.pipeline.packing.cover import cover
from custody.pipeline.packing.files import Contents, Files
from custody.pipeline.packing.scope import Chosen, Within, choose
from custody.pipeline.tables import Answers, answers
from custody.settings.catalog import Settings
from custody.settings.moments import parse_end, parse_start
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.writer import Writer

if TYPE_CHECKING:
    from custody.pipeline.packing.incident import Dossier

MATTER = ("store", "contract", "mapping", "signers", "anchor", "recovery")
"""Statements of which every pack has all: the store, what was judged and read by, who vouched for it, repairs."""


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """What was made, and the leaf at which that is sealed. ``seal`` is the file with its proof."""

    file: str
    sha256: str
    bytes: int
    manifest: str
    seal: str
    leaf: int
    made_for: str | None
    as_of: str | None
    checkpoint: CheckpointRef
    counts: dict[str, int]
    population: int
    population_digest: str
    incident: str | None = None


def pack(settings: Settings, options: Options, path: Path, observer: Observer) -> Packed:
    """Make the pack and seal that it was made. UsageError and NotFound for options that name nothing or too much."""
    output.check(path)
    if path.exists() and not path.is_file():
        raise UsageError("cannot be written", where=str(path), found="no regular file", expected="a file")
    options = _canonical(options)
    read_store_file(settings.store)  # opening for writing would make one
    target = path.resolve()
    with (
        Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer,
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".custody-pack-") as folder,
    ):
        _seal_approvals(writer, settings, options)
        made = _make(settings, options, Path(folder), observer)
        leaf = writer.seal(parts.STATEMENT, _statement(made))
        with Reader.open(settings.store) as reader:
            seal = write_seal(reader.raw_entry(leaf), reader.proof(leaf))
        made.file.replace(target)
        beside = target.with_name(target.name + parts.SEAL)
        output.write(beside, seal)
    contents = made.contents
    return Packed(
        file=str(path),
        sha256=made.sha256,
        bytes=made.size,
        manifest=made.manifest,
        seal=str(path) + parts.SEAL,
        leaf=leaf,
        made_for=options.made_for,
        as_of=contents.basis.as_of,
        checkpoint=CheckpointRef(log=contents.basis.origin, size=contents.basis.size, root=contents.basis.root),
        counts=contents.counts,
        population=contents.chosen.drawn.population,
        population_digest=contents.chosen.drawn.digest,
        incident=None if contents.dossier is None else contents.dossier.incident,
    )


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """A pack that is not sealed yet."""

    file: Path
    sha256: str
    size: int
    manifest: str
    contents: Contents


def _make(settings: Settings, options: Options, folder: Path, observer: Observer) -> _Made:
    progress = Progress(stage="choosing")

    def step(count: int) -> None:
        progress.done += count
        progress.records += count
        observer(progress)

    def stage(name: str, files: int) -> None:
        progress.stage, progress.files, progress.done = name, files, 0
        observer(progress)

    dossier = _dossier(settings, options)
    within = None if dossier is None else Within(keys=dossier.keys, identities=dossier.identities)
    with answers(settings) as tables:
        chosen = choose(tables, options, within)
    chains = Chains(folder / "chains")
    stage("judging", len(chosen.keys))
    chains.gather(settings, chosen.keys, step)
    with answers(settings) as tables:
        basis = published(settings, tables.reader) if dossier is None else dossier.basis
        contents = _contents(tables, basis, options, chosen, chains, dossier)
    stage("packing", len(contents.leaves))
    file = folder / "pack.zip"
    with answers(settings) as tables, file.open("w+b") as opened:
        writer = archive.Writer(opened)
        data = Files(writer, contents, chains).write(tables, basis, step)
        writer.close()
        opened.seek(0)
        digest = file_digest(opened, "sha256").hexdigest()
    return _Made(
        file=file, sha256=digest, size=file.stat().st_size, manifest=sha256(data).hexdigest(), contents=contents
    )


def _seal_approvals(writer: Writer, settings: Settings, options: Options) -> None:
    """Have the operations log hold the decisions of the incident that the pack is about."""
    if options.incident is not msgspec.UNSET:
        from custody.pipeline.packing.incident import cross  # needs an extra, which other packs do not

        cross(writer, settings, options.incident)


def _dossier(settings: Settings, options: Options) -> Dossier | None:
    if options.incident is msgspec.UNSET:
        return None
    from custody.pipeline.packing.incident import gathered

    return gathered(settings, options.incident)


def _contents(
    tables: Answers,
    published: Published,
    options: Options,
    chosen: Chosen,
    chains: Chains,
    dossier: Dossier | None,
) -> Contents:
    report, earlier = tables.report, published.earlier
    point = earlier.checkpoint
    root = note.encode64(point.root)
    checkpoint = CheckpointRef(log=point.origin, size=point.size, root=root)
    pack_register.restrict(tables.engine, chosen)
    wanted = chains.leaves | pack_register.leaves(tables.engine) | {published.leaf, *_statements(tables.reader)}
    wanted |= {leaf for each in (*chosen.findings, *chosen.suppressed) for leaf in each.leaves}
    wanted |= frozenset[int]() if dossier is None else dossier.leaves
    leaves = tuple(evidence.with_origins(tables.reader, earlier, wanted))
    if len(leaves) > evidence.MOST_LEAVES:
        raise UsageError(
            "the pack would hold too many records", found=f"{len(leaves):,}",
            expected=f"at most {evidence.MOST_LEAVES:,}",
            advice="choose less: --identity, --rule, a shorter --period, or --sample N",
        )  # fmt: skip
    restricted = chains.report(
        msgspec.structs.replace(report, checkpoint=checkpoint), chosen.findings, chosen.suppressed
    )
    told = annex(tables, chosen.controls, size=point.size)
    basis = Basis(
        origin=point.origin,
        size=point.size,
        root=root,
        as_of=report.as_of,
        contract=report.contract.digest,
        derived=sha256(published.derived).hexdigest(),
        derived_leaf=published.leaf,
    )
    return Contents(
        options=options,
        basis=basis,
        chosen=chosen,
        report=restricted,
        annex=msgspec.structs.replace(told, cover=cover(tables.engine, options, chosen, len(leaves))),
        leaves=leaves,
        counts=_counts(restricted, chosen, leaves) | _counts_of(dossier),
        dossier=dossier,
        contract=_contract(tables.reader, report),
        derived=published.derived,
    )


def _counts(report: Report, chosen: Chosen, leaves: tuple[int, ...]) -> dict[str, int]:
    return {
        "credentials": len(chosen.keys),
        "population": chosen.drawn.population,
        "identities": len(chosen.identities),
        "findings": len(report.findings),
        "findings_of_population": chosen.findings_of_population,
        "leaves": len(leaves),
    }


def _counts_of(dossier: Dossier | None) -> dict[str, int]:
    if dossier is None:
        return {}
    beside = () if dossier.beside is None else dossier.beside.leaves
    return {"steps": len(dossier.steps), "leaves_of_approvals": len(beside)}


def _statements(reader: Reader) -> Iterator[int]:
    """The leaves of the statements that matter to every pack."""
    for what in MATTER:
        yield from (said.leaf for said in reader.statements(what))
    yield from (said.leaf for said in reader.statements("coverage-certificate")[-1:])


def _contract(reader: Reader, report: Report) -> bytes | None:
    """The text of the contract that the report was judged by, out of the log."""
    digest = report.contract.digest
    if digest is None:
        return None
    for said in reversed(reader.statements("contract")):
        if said.entry.fields.get("sha256") == digest:
            return sealed_text.read(reader, said)
    raise StoreError(
        "the contract that was judged by is not sealed whole", advice="`custody verify` says what is wrong."
    )


def _canonical(options: Options) -> Options:
    """The options in one form: sorted, each once, times as RFC 3339 texts that mean what was given."""
    period = options.period
    if period is not None:
        since, until = text(parse_start(period[0])), text(parse_end(period[1]))
        period = (str(since), str(until))
    return msgspec.structs.replace(
        options,
        identities=tuple(sorted(set(options.identities))),
        credentials=tuple(sorted(set(options.credentials))),
        rules=tuple(sorted(set(options.rules))),
        controls=tuple(sorted(set(options.controls))),
        period=period,
    )


def _statement(made: _Made) -> dict[str, object]:
    contents = made.contents
    options = msgspec.to_builtins(contents.options)
    return {
        "by": whoami(),
        "for": options.pop("made_for"),
        "sha256": made.sha256,
        "bytes": made.size,
        "manifest": made.manifest,
        "options": options,
        "size": contents.basis.size,
        "derived": contents.basis.derived,
        "as_of": contents.basis.as_of,
        "leaves": len(contents.leaves),
        "version": __version__,
        "at": now(),
    }
