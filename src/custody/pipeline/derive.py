"""From committed parts to the report object, and the derived tables on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from custody import __version__
from custody.chains import agreed, build, completeness, holes, stored, summary
from custody.chains.parts import Repeated
from custody.chains.source_facts import SourceFact
from custody.engine.duck import Engine
from custody.model.contracts import Contract, Versions
from custody.model.privileges import Texts, no_texts
from custody.model.register import SealedDocument
from custody.model.report import ContractRef, LeafRef, Report, VersionRef
from custody.model.reviews import Review
from custody.model.times import text
from custody.pipeline.fixes import enabled
from custody.register import build as register
from custody.rules import asked, borne, coverage, judging
from custody.rules.registry import load
from custody.rules.rule import Rule
from custody.settings.contract_hours import zone_digest
from custody.sources import policy_texts
from custody.sources.mapped import source_of
from custody.sources.mapped.mapping import Mapping as Mapped
from custody.sources.registry import sources


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows without its derived tables, and the derivation rests on.

    ``received`` maps each event file to the time of acquisition of its records (µs); ``damaged`` lists files that
    were not whole: leaf, name, content hash, problem. ``names`` are the names of all files, each with its content hash.
    ``mapped`` are the mappings by which records were ever read, ``documents`` those of the register, as sealed,
    ``reviews`` the reviews of access, from both logs. ``kept`` gives the kept bytes of a record by its leaf, None where
    they are withheld; without it no text is at hand. ``erased`` is what was erased of each source.
    """

    files: tuple[Path, ...]
    skips: tuple[Path, ...]
    received: Mapping[Path, int]
    repeated: tuple[Repeated, ...]
    damaged: tuple[tuple[int, str, str, str], ...]
    names: tuple[tuple[str, str], ...] = ()
    records: int
    sealed: int
    duplicates: int
    acquisitions: int
    mapped: tuple[Mapped, ...] = ()
    documents: tuple[SealedDocument, ...] = ()
    reviews: tuple[Review, ...] = ()
    kept: Callable[[int], bytes | None] | None = None
    erased: tuple[holes.Erased, ...] = ()


def derive(engine: Engine, committed: Committed, versions: Versions) -> Report:
    """Build the chains and judge them. A function of what is committed, the contract's versions and this version."""
    rules = load()
    as_of, certificates = tables(engine, committed, versions)
    contract = versions.at(as_of)
    asked.build(engine, versions)
    judging.prepare(engine, rules, as_of or 0)
    judged = judging.judge_all(engine, rules, versions, as_of)
    found = _report(engine, committed, contract, judged, as_of, rules)
    found = _with_contract(found, judged, versions, as_of)
    shown = tuple(each.shown for each in certificates)
    return msgspec.structs.replace(found, certificates=shown, clocks=summary.clocks(engine))


def tables(
    engine: Engine, committed: Committed, versions: Versions
) -> tuple[int | None, tuple[completeness.Found, ...]]:
    """Make every table of chains and register, judging nothing; gives the time of judgement (µs) and certificates."""
    build.build(engine, committed.files, committed.repeated, versions, facts_of_sources(committed.mapped))
    as_of = summary.as_of(engine, {str(path): moment for path, moment in committed.received.items()})
    contract = versions.at(as_of)
    agreed.build(engine, versions, as_of)
    certificates = completeness.build(engine, committed.names, as_of, _counts(committed.erased))
    holes.build(engine, committed.skips, committed.damaged, contract, as_of, committed.erased)
    completeness.add_holes(engine, certificates)
    register.build(engine, committed.documents, contract, as_of, _texts(committed), committed.reviews)
    return as_of, certificates


def _counts(erased: Sequence[holes.Erased]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for source, records, _, _ in erased:
        counts[source] += records
    return counts


def _texts(committed: Committed) -> Texts:
    """The policies in the records: what is kept, read by what knows each kind of log."""
    kept = committed.kept
    return no_texts if kept is None else lambda source, leaf: policy_texts.texts(source, kept(leaf))


def facts_of_sources(mapped: Sequence[Mapped] = ()) -> tuple[SourceFact, ...]:
    """What every source declares of itself, for the chains, which do not know the sources.

    Of mappings with one name the coarsest clock counts: records of each are there.
    """
    finest_first = sorted((*sources(), *map(source_of, mapped)), key=lambda each: each.time_resolution)
    known = {each.name: each for each in finest_first}
    return tuple(
        SourceFact(
            source=each.name,
            delivery_delay=each.delivery_delay,
            time_resolution=each.time_resolution,
            retention=each.retention,
        )
        for each in known.values()
    )


def write(engine: Engine, folder: Path, files: Sequence[Path], report: Report) -> list[str]:
    """Write the derived tables and the report object into ``folder``; gives the file names."""
    names = stored.write(engine, folder, files, judging.fact_tables(load()), register.TABLES)
    (folder / "report.json").write_bytes(msgspec.json.encode(report))
    return sorted([*names, "report.json"])


def _report(
    engine: Engine,
    committed: Committed,
    contract: Contract,
    judged: judging.Judged,
    as_of: int | None,
    rules: Sequence[Rule[msgspec.Struct]],
) -> Report:
    skipped = summary.skipped(engine)
    skips = sum(skipped.values())
    answered = frozenset(rule.question for rule in rules if rule.question is not None)
    understood = committed.sealed - skips
    return Report(
        version=__version__,
        as_of=text(as_of),
        records=committed.records,
        understood=understood,
        skips=skips,
        skipped=skipped,
        duplicates=committed.duplicates,
        conflicts=sum(len(each.leaves) - 1 for each in committed.repeated),
        variants=sum(len(each.variants) for each in committed.repeated),
        events=summary.events(engine),
        keys=summary.keys(engine),
        credentials=summary.populations(engine),
        forward_sessions=summary.forward_sessions(engine),
        unissued=summary.unissued(engine),
        links=summary.link_counts(engine),
        coverage=enabled(coverage.coverage(judged, contract, answered)),
        scope=summary.scope(engine),
        findings=tuple(judged.findings),
        contract=contract_ref(contract),
        acquisitions=committed.acquisitions,
    )


def contract_ref(contract: Contract) -> ContractRef:
    """The contract in force, as reports cite it."""
    waiting = tuple(field if name is None else f"{name}: {field}" for name, field in contract.not_judged)
    return ContractRef(digest=contract.digest, classes=len(contract.classes), not_judged=waiting)


def zones(*contracts: Contract) -> dict[str, str]:
    """The time zones that the hours of ``contracts`` name, each with a digest of its rules on this machine."""
    names = {each.hours.zone for contract in contracts for each in contract.classes if each.hours is not None}
    return {name: zone_digest(name) for name in sorted(names)}


def _with_contract(report: Report, judged: judging.Judged, versions: Versions, as_of: int | None) -> Report:
    """The report with the versions of the contract, and its findings divided by the suppressions."""
    divided = borne.suppress(judged.findings, versions, as_of)
    held = {index for _, index in versions.periods}
    listed = tuple(
        VersionRef(
            digest=each.contract.digest,
            since=text(each.contract.since),
            sealed=text(each.at) if each.at else None,
            leaf=LeafRef("operations", each.leaf),
            holds=index in held,
        )
        for index, each in enumerate(versions.sealed)
        if each.contract.digest is not None
    )
    contract = msgspec.structs.replace(
        report.contract,
        versions=listed,
        unmatched=divided.unmatched,
        zones=zones(*map(versions.contract, sorted(held))),
    )
    return msgspec.structs.replace(
        report, findings=tuple(divided.findings), suppressed=tuple(divided.suppressed), contract=contract
    )
