"""The files of a pack, in their order: evidence, then what was made of it, the manifest last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from custody import __version__
from custody.ledger.policy import format_policy
from custody.model.annex import Annex
from custody.model.report import Report
from custody.packs import documents, evidence, manifest, parts
from custody.packs.archive import Writer, Written
from custody.packs.manifest import Basis, Listed, Manifest, Options
from custody.packs.readme import about, readme
from custody.packs.stamps import stamp_paths
from custody.pipeline.packing.basis import Published
from custody.pipeline.packing.chains import Chains
from custody.pipeline.packing.extract import restrict, rows
from custody.pipeline.packing.scope import Chosen
from custody.pipeline.tables import Answers
from custody.reports import csv_tables, ocsf
from custody.reports.html import render
from custody.reports.json_object import cited
from custody.reports.oscal import assessment_results
from custody.store.earlier import Earlier
from custody.store.rotation import encode, read_rotations

if TYPE_CHECKING:
    from custody.pipeline.packing.incident import Dossier

Progress = Callable[[int], None]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a pack is written from. ``report`` and ``annex`` are restricted to what was chosen.

    ``dossier`` is None where it is about no incident.
    """

    options: Options
    basis: Basis
    chosen: Chosen
    report: Report
    annex: Annex
    leaves: tuple[int, ...]
    counts: dict[str, int]
    contract: bytes | None
    derived: bytes
    dossier: Dossier | None = None


class Files:
    """Writes the files of one pack and keeps the list of them."""

    def __init__(self, archive: Writer, contents: Contents, chains: Chains) -> None:
        self._archive, self._contents, self._chains = archive, contents, chains
        self._listed: list[Listed] = []

    def write(self, tables: Answers, basis: Published, progress: Progress) -> bytes:
        """Write everything; gives the bytes of the manifest. ``tables`` answer nothing else afterwards."""
        contents = self._contents
        self._add(parts.README, readme(contents.options, contents.basis, contents.counts))
        self._add(parts.CHECKPOINT, basis.earlier.note)
        self._add(parts.POLICY, format_policy(basis.policy))
        rotations = read_rotations(tables.reader.root)
        if rotations:
            self._add(parts.ROTATIONS, encode(rotations))
        for leaf, note, answer in basis.stamps:
            for path, data in zip(stamp_paths(leaf), (note, answer), strict=True):
                self._add(path, data)
        self._evidence(tables, basis.earlier, progress)
        if contents.dossier is not None:
            self._incident(tables, contents.dossier)
        self._add(parts.DERIVED, contents.derived)
        if contents.contract is not None:
            self._add(parts.CONTRACT, contents.contract)
        self._add(parts.SCOPE, documents.document(scope(contents)))
        self._lists()
        self._reports()
        self._tables(tables)
        data = manifest.encode(
            Manifest(
                format=manifest.FORMAT,
                version=__version__,
                options=contents.options,
                basis=contents.basis,
                counts=contents.counts,
                files=tuple(self._listed),
            )
        )
        self._archive.add(manifest.NAME, data)
        return data

    def _add(self, path: str, data: bytes | Iterable[bytes]) -> None:
        self._list(path, self._archive.add(path, data))

    def _list(self, path: str, written: Written) -> None:
        self._listed.append(Listed(path, written.size, written.sha256))

    def _evidence(self, tables: Answers, earlier: Earlier, progress: Progress) -> None:
        leaves: dict[int, bytes] = {}
        for path, written, leaf in evidence.write(self._archive, tables.reader, earlier, self._contents.leaves):
            if leaf.leaf not in leaves:
                leaves[leaf.leaf] = documents.line(leaf)
                progress(1)
            self._list(path, written)
        self._add(evidence.LEAVES, documents.listing({"log": documents.LOG}, "leaves", leaves.values()))

    def _incident(self, tables: Answers, dossier: Dossier) -> None:
        """The log of approvals as far as it matters, then what stands in the folder of the incident."""
        beside = dossier.beside
        if beside is not None:
            self._add(parts.APPROVALS_CHECKPOINT, beside.note)
            leaves: dict[int, bytes] = {}
            proving, folder = beside.proving(), parts.APPROVALS
            for path, written, leaf in evidence.write(self._archive, tables.reader, proving, beside.leaves, folder):
                leaves[leaf.leaf] = documents.line(leaf)
                self._list(path, written)
            listed = documents.listing({"log": documents.APPROVALS}, "leaves", leaves.values())
            self._add(folder + evidence.LEAVES, listed)
        for path, data in dossier.files():
            self._add(path, data)

    def _lists(self) -> None:
        contents, chains = self._contents, self._chains
        drawn = contents.chosen.drawn
        population = {
            "what": contents.chosen.what,
            "total": drawn.population,
            "digest": drawn.digest,
            "digest_of": "the ids in order, each with a line feed",
            "sample": contents.options.sample,
            "seed": contents.options.seed,
            "drawn_by": "lowest SHA-256 of seed, line feed, id",
            "findings": contents.chosen.findings_of_population,
            "of_store": contents.report.credentials,
        }
        as_of = {"as_of": contents.basis.as_of}
        members = map(documents.line, contents.chosen.population)
        self._add(parts.POPULATION, documents.listing(population, "members", members))
        verdicts = (
            documents.line({"credential": each.credential, "who": each.who, "population": each.population,
                            "key": each.keys[0], "verdicts": each.verdicts})
            for each in chains
        )  # fmt: skip
        self._add(parts.VERDICTS, documents.listing(as_of, "verdicts", verdicts))
        self._add(parts.CHAINS, documents.listing(as_of, "chains", map(documents.line, chains)))
        self._add(parts.FINDINGS, documents.listing(as_of, "findings", map(documents.line, self._findings())))

    def _findings(self) -> list[object]:
        report = self._contents.report
        found = cited({"findings": (*report.findings, *report.suppressed)})
        return found["findings"] if isinstance(found, dict) else []

    def _reports(self) -> None:
        contents = self._contents
        report, controls = contents.report, contents.chosen.controls
        self._add(parts.REPORT, render(report, self._chains.weightiest(), contents.annex))
        self._add(parts.OSCAL, assessment_results(report, about(contents.options), controls, cite=evidence.entry_path))
        self._add(parts.OCSF_FINDINGS, ocsf.findings(report))

    def _tables(self, tables: Answers) -> None:
        contents, engine = self._contents, tables.engine
        engine.table("pack_leaves", {"leaf": "BIGINT"}, [(leaf,) for leaf in contents.leaves])
        tables.all_parts()
        where = "leaf IN (SELECT leaf FROM pack_leaves)"
        self._add(parts.EVENTS, ocsf.events(engine, contents.report, where))
        restrict(engine, contents.chosen)
        register = documents.listing({"as_of": contents.basis.as_of}, "rows", rows(engine))
        self._add(parts.REGISTER, register)
        credentials, findings, identities, population = parts.TABLES
        self._add(credentials, csv_tables.credentials(iter(self._chains)))
        self._add(findings, csv_tables.findings(contents.report))
        self._add(identities, csv_tables.identities(engine))
        self._add(population, csv_tables.population(contents.report))


def scope(contents: Contents) -> dict[str, object]:
    """What was read and what was not, and what each source should hold and does: of the whole store."""
    report = contents.report
    return {
        "as_of": report.as_of,
        "checkpoint": report.checkpoint,
        "about": about(contents.options),
        "records": {
            "records": report.records,
            "understood": report.understood,
            "skips": report.skips,
            "skipped": dict(sorted(report.skipped.items())),
            "duplicates": report.duplicates,
            "conflicts": report.conflicts,
            "acquisitions": report.acquisitions,
        },
        "read": report.scope.read,
        "not_read": report.scope.not_read,
        "certificates": report.certificates,
        "clocks": report.clocks,
        "credentials": dict(sorted(report.credentials.items())),
        "contract": report.contract,
        "counts": contents.counts,
    }
