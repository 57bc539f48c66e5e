"""From committed parts to the report object, and the derived tables on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from custody import __version__
from custody.chains import build, completeness, holes, stored, summary
from custody.chains.parts import Repeated
from custody.chains.source_facts import SourceFact
from custody.engine.duck import Engine
from custody.model.contracts import Contract
from custody.model.register import SealedDocument
from custody.model.report import ContractRef, Report
from custody.model.times import text
from custody.pipeline.fixes import enabled
from custody.register import build as register
from custody.rules import coverage, judging
from custody.rules.registry import load
from custody.rules.rule import Rule
from custody.sources.mapped import source_of
from custody.sources.mapped.mapping import Mapping as Mapped
from custody.sources.registry import sources


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows without its derived tables, and the derivation rests on.

    ``received`` maps each event file to the time of acquisition of its records (µs); ``damaged`` lists files that
    were not whole: leaf, name, content hash, problem. ``names`` are the names of all files, each with its content hash.
    ``mapped`` are the mappings by which records were ever read, ``documents`` those of the register, as sealed.
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


def derive(engine: Engine, committed: Committed, contract: Contract) -> Report:
    """Build the chains and judge them. A function of what is committed, the contract and this version."""
    rules = load()
    build.build(engine, committed.files, committed.repeated, contract, facts_of_sources(committed.mapped))
    as_of = summary.as_of(engine, {str(path): moment for path, moment in committed.received.items()})
    certificates = completeness.build(engine, committed.names, as_of)
    holes.build(engine, committed.skips, committed.damaged, contract, as_of)
    completeness.add_holes(engine, certificates)
    register.build(engine, committed.documents, contract, as_of)
    judging.prepare(engine, rules, as_of or 0)
    judged = judging.judge_all(engine, rules, contract)
    found = _report(engine, committed, contract, judged, as_of, rules)
    shown = tuple(each.shown for each in certificates)
    return msgspec.structs.replace(found, certificates=shown, clocks=summary.clocks(engine))


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
