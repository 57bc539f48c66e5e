"""An incident as it is shown: its steps from both logs, the evidence over the derived tables, and its timeline.

``known_at`` gives it as it was known at a time: the tables are derived anew, from the records whose commits had been
received by then and the contract sealed by then, with the steps that were sealed by then. Nothing is written.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody import __version__
from custody.chains import build
from custody.engine.duck import Engine
from custody.errors import CustodyError, NotFound
from custody.incidents.record.folding import Incident
from custody.incidents.timeline.known import Commit, Known
from custody.incidents.timeline.merging import timeline
from custody.incidents.told import closed
from custody.incidents.view import Judgement, Rests, view
from custody.model.contracts import Versions
from custody.model.incident_view import IncidentView, Judged
from custody.model.report import CheckpointRef
from custody.model.times import microseconds, text
from custody.pipeline import contracts, derive
from custody.pipeline.audit import now as moment
from custody.pipeline.incidents.heads import UNKNOWN, head_by
from custody.pipeline.incidents.judging import Empty, Evidence, judged_in
from custody.pipeline.incidents.reading import read
from custody.pipeline.registering.known import committed_by
from custody.pipeline.tables import Answers, answers, checkpoint
from custody.register import build as register
from custody.rules.registry import load
from custody.settings.catalog import Settings
from custody.store.reader import Reader

EVER = 1 << 62
"""Later than anything that was sealed (µs)."""


def viewed(settings: Settings, name: str, known_at: int | None = None, now: int | None = None) -> IncidentView:
    """The incident ``name`` now, or as it was known at ``known_at`` (µs). NotFound where there is none, or was none.

    ``now`` (µs) is the time of asking: by the clock where it is None, and ``known_at`` where that is given.
    """
    asked = now if now is not None else known_at if known_at is not None else microseconds(moment()) or 0
    record = read(settings, known_at)
    if known_at is not None and all(each.id != name for each in record.incidents):
        raise NotFound("no such incident was known then", where=name[:60], found=f"--known-at {text(known_at)}")
    incident = record.one(name)
    with opened(settings, known_at) as tables:
        evidence = judged_in(tables, incident, asked, record.response(incident).checklist)
        return view_of(tables, incident, evidence, asked, known_at)


def view_of(
    tables: Answers, incident: Incident, evidence: Evidence, now: int, known_at: int | None = None
) -> IncidentView:
    """The view of an incident that was judged over ``tables``, without the clock."""
    keys = [each.key for each in evidence.scope.credentials if not each.apart]
    tables.parts_of(sorted(set(keys)) or [""])
    moments = timeline(incident, evidence.scope, tables.engine, tables.report.findings, known(tables.reader))
    items: dict[str, list[Judged]] = defaultdict(list)
    for each in evidence.checklist:
        items[each.identity].append(each.judged)
    head = checkpoint(tables.reader) if known_at is None else head_by(tables.reader, known_at)
    rests = Rests(
        now=now,
        version=__version__,
        as_of=text(evidence.as_of),
        known_at=known_at,
        checkpoint=head,
        not_read=(*tables.report.scope.not_read, *_headless(head)),
    )
    judgement = Judgement(
        scope=evidence.scope, outcomes=evidence.outcomes, answers=evidence.answers, checklist=dict(items)
    )
    return msgspec.structs.replace(
        view(incident, judgement, moments, rests), closed=closed(incident, evidence.outcomes)
    )


def _headless(head: CheckpointRef | None) -> Iterator[str]:
    """That the tree head of what was known cannot be shown whole."""
    if head is not None and head.root == UNKNOWN:
        yield f"the root of the log at {head.size} leaves cannot be worked out: tiles of it are missing"


def known(reader: Reader) -> Known:
    """When each commit of records was known: once the last of its files had been received."""
    times = {each.leaf: microseconds(reader.acquired_at(each.leaf)) or 0 for each in reader.acquisitions()}
    commits = (
        Commit(each.first, each.end, max((times[leaf] for leaf in reader.files_of(each.leaf)), default=0))
        for each in reader.segments()
    )

    def source_of(leaf: int) -> str | None:
        try:
            return reader.record(leaf).source
        except CustodyError:
            return None

    return Known(commits=tuple(commits), source_of=source_of)


@contextmanager
def opened(settings: Settings, known_at: int | None = None) -> Iterator[Answers]:
    """The derived tables, or those of what was known at a time (µs); where nothing was derived, of what is sealed."""
    if known_at is None:
        with Reader.open(settings.store) as reader:
            derived = reader.manifest() is not None
        if derived:
            with answers(settings) as tables:
                yield tables
            return
    until = EVER if known_at is None else known_at
    with (
        Reader.open(settings.store) as reader,
        tempfile.TemporaryDirectory(prefix="custody-") as folder,
        Engine(memory_mib=settings.memory, threads=settings.jobs, spill=Path(folder) / "spill") as engine,
    ):
        sealed = contracts.sealed(reader).sealed
        versions = Versions(sealed=tuple(each for each in sealed if each.at <= until))
        report = derive.derive(engine, committed_by(reader, until), versions)
        _as_stored(engine)
        yield Empty(engine=engine, reader=reader, report=report, versions=versions, rules=load(), folder=Path(folder))


def _as_stored(engine: Engine) -> None:
    """Some tables have their name only where they are stored: give it to those that were just derived."""
    there = {str(name) for (name,) in engine.rows("SELECT table_name FROM information_schema.tables")}
    for name, sql in {**build.TABLES, **register.TABLES}.items():
        if name not in there:
            engine.run(f'CREATE VIEW "{name}" AS {sql}')
