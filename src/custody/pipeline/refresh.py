"""Bring the derived tables of a store up to date after something new was committed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from custody import __version__
from custody.chains.parts import Repeated, Value, settle
from custody.engine.duck import Engine
from custody.errors import NotFound
from custody.model.contracts import Versions
from custody.model.report import CheckpointRef, Report
from custody.model.times import microseconds
from custody.pipeline import approvals, derive, mappings
from custody.pipeline.registering import documents as register_documents
from custody.pipeline.reread import reread
from custody.pipeline.reviewing import reviews
from custody.pipeline.tables import CONTRACT, checkpoint, current_report, shape
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from custody.store.writer import Writer

CERTIFIED = 200
"""Rows of a certificate that its statement names in full; its hash covers all of them."""


def refresh(writer: Writer, settings: Settings, versions: Versions) -> tuple[Report, str]:
    """Bring the derived tables up to date; gives the report object and what was done (``unchanged``, ``built``)."""
    approvals.cross(writer, settings.store)
    with Reader.open(settings.store) as reader:
        current = _current(reader, settings.store)
        if current is not None and _meta(reader) == _wanted(reader, versions):
            return current, "unchanged"
        folder = writer.fresh_derived()
        try:
            files = reader.events_files(), reader.skips_files()
        except NotFound:
            names = reread(reader, folder, lambda closed: None)  # noqa: ARG005  # nobody watches here
            return publish(writer, settings, versions, folder, names), "rebuilt"
    return _build(writer, settings, versions, folder, files, None), "built"


def publish(writer: Writer, settings: Settings, versions: Versions, folder: Path, parts: Sequence[str]) -> Report:
    """Derive from the parts files named in ``folder``, which take the place of those in force."""
    approvals.cross(writer, settings.store)
    files = tuple(
        sorted((folder / name for name in parts if name.startswith(kind)), key=lambda path: path.name)
        for kind in ("events/", "skips/")
    )
    return _build(writer, settings, versions, folder, (files[0], files[1]), parts)


def _build(
    writer: Writer,
    settings: Settings,
    versions: Versions,
    folder: Path,
    files: tuple[Sequence[Path], Sequence[Path]],
    parts: Sequence[str] | None,
) -> Report:
    with (
        Reader.open(settings.store) as reader,
        Engine(memory_mib=settings.memory, threads=settings.jobs, spill=folder / "spill") as engine,
    ):
        committed = committed_of(reader, *files)
        report = derive.derive(engine, committed, versions)
        names = derive.write(engine, folder, committed.files, report)
        wanted = _wanted(reader, versions)
    _certify(writer, report)
    (folder / CONTRACT).write_bytes(msgspec.json.encode(versions))
    remove_spill(folder)
    writer.publish_derived(folder.name, [*names, CONTRACT], wanted, parts=parts)
    return report


def _certify(writer: Writer, report: Report) -> None:
    """Seal the coverage certificate where it says something new: what each source should hold, and what was read."""
    if not report.certificates:
        return
    digest = sha256(msgspec.json.encode(report.certificates)).hexdigest()
    last = writer.last_statement("coverage-certificate")
    if last is None or last.get("sha256") != digest:
        rows = [
            [each.source, each.account, each.region, each.since, each.until, each.expected, each.received]
            for each in report.certificates[:CERTIFIED]
        ]
        fields = {"sha256": digest, "as_of": report.as_of, "total": len(report.certificates), "sources": rows}
        writer.seal("coverage-certificate", fields)


def sealed(settings: Settings) -> CheckpointRef:
    """The checkpoint after everything was published."""
    with Reader.open(settings.store) as reader:
        return checkpoint(reader)


def remove_spill(folder: Path) -> None:
    """Take away the engine's spill folder: it is no table."""
    shutil.rmtree(folder / "spill", ignore_errors=True)


def committed_of(reader: Reader, files: Sequence[Path], skips: Sequence[Path]) -> derive.Committed:
    """What the derivation rests on, from the log, its segments, and the events and skips files."""
    counts = reader.counts()
    acquired = reader.acquisitions()
    return derive.Committed(
        files=tuple(files),
        skips=tuple(skips),
        received=received_times(reader, files),
        repeated=tuple(repeated(reader)),
        damaged=tuple(
            (each.leaf, Path(each.path).name + (f": {each.member}" if each.member else ""), each.content, each.problem)
            for each in acquired
            if each.problem
        ),
        names=tuple((Path(each.member or each.path).name, each.content) for each in acquired),
        records=counts.records,
        sealed=counts.leaves,
        duplicates=counts.duplicates,
        acquisitions=len(acquired),
        mapped=mappings.every(mappings.sealed(reader)),
        documents=register_documents.sealed(reader),
        reviews=reviews.sealed(reader, approvals.covered(reader)),
        kept=lambda leaf: reader.kept(leaf).kept,
        erased=tuple(reader.erasures().periods()),
    )


def received_times(reader: Reader, files: Sequence[Path]) -> dict[Path, int]:
    """For each events file, the earliest acquisition among the files whose records it holds (µs)."""
    times = {each.leaf: microseconds(reader.acquired_at(each.leaf)) or 0 for each in reader.acquisitions()}
    by_first = {closed.first: reader.files_of(closed.leaf) for closed in reader.segments()}
    return {path: min((times[leaf] for leaf in by_first[int(path.name[:12])]), default=0) for path in files}


def repeated(reader: Reader, known: Callable[[int], bool] = lambda _: True) -> Iterator[Repeated]:
    """The identities sealed with several values, among the leaves that are ``known``."""
    for source, identity, every in reader.repeated():
        leaves = [leaf for leaf in every if known(leaf)]
        if len(leaves) < 2:
            continue
        kept = (reader.kept(leaf) for leaf in leaves)
        yield settle(source, identity, [Value(each.leaf, each.form, each.kept) for each in kept])


def _through(reader: Reader) -> int:
    segments = reader.segments()
    return segments[-1].end if segments else 0


def _wanted(reader: Reader, versions: Versions) -> dict[str, str | int | bool | None]:
    """What the tables are a function of; mappings, register documents and reviews are named where there are any."""
    wanted: dict[str, str | int | bool | None] = {"through": _through(reader), "contract": _contract(versions)}
    zones = derive.zones(*(versions.contract(index) for _, index in versions.periods))
    if zones:
        wanted["zones"] = sha256(str(sorted(zones.items())).encode()).hexdigest()
    mapped = mappings.every(mappings.sealed(reader))
    if mapped:
        wanted["mappings"] = sha256(" ".join(sorted(one.digest for one in mapped)).encode()).hexdigest()
    documents = reader.statements(register_documents.REGISTER)
    if documents:
        wanted["register"] = documents[-1].leaf
    reviewed = reviews.last_leaves(reader, approvals.covered(reader))
    if reviewed is not None:
        wanted["reviews"] = reviewed
    return {**wanted, "version": __version__, "shape": shape()}


def _contract(versions: Versions) -> str | None:
    """What names all versions: the digest of the only one, else a digest over each with its leaf."""
    digests = [(each.contract.digest or "", each.leaf) for each in versions.sealed]
    if len(digests) < 2:
        return digests[0][0] if digests else None
    return sha256(str(digests).encode()).hexdigest()


def _meta(reader: Reader) -> dict[str, str | int | bool | None]:
    manifest = reader.manifest()
    return {} if manifest is None else manifest.meta


def _current(reader: Reader, root: Path) -> Report | None:
    """The stored report with today's counts, None where the tables are not all there."""
    try:
        report, _ = current_report(reader, root)
    except NotFound:
        return None
    counts = reader.counts()
    return msgspec.structs.replace(
        report, records=counts.records, duplicates=counts.duplicates, acquisitions=len(reader.acquisitions())
    )
