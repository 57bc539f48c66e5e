"""What the evidence says of one incident: scope, outcomes, answers and checklist, over the derived tables of the store.

Nothing is written, and nothing that people said is taken for an effect.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody.engine.duck import Engine
from custody.errors import NotFound, StoreError
from custody.incidents.judging.answers import answers as answered
from custody.incidents.judging.checklist import Listed, checklist, of_targets
from custody.incidents.judging.outcomes import enabled, outcomes
from custody.incidents.record.folding import Incident
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.incidents.seen import Outcome, Scope
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Item
from custody.model.times import microseconds
from custody.pipeline import contracts, derive, refresh
from custody.pipeline.audit import now as moment
from custody.pipeline.tables import Answers, answers
from custody.pipeline.trace import resolve
from custody.rules.registry import load
from custody.settings.catalog import Settings
from custody.store.reader import Reader

EVERY = tuple(Item)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is judged of an incident. ``as_of`` (µs) is how far the records tell, None where nothing was read."""

    as_of: int | None
    scope: Scope
    outcomes: tuple[Outcome, ...]
    answers: tuple[Judged, ...]
    checklist: tuple[Listed, ...]


def judged(settings: Settings, incident: Incident, now: int | None = None, items: Iterable[Item] = EVERY) -> Evidence:
    """Judge ``incident``, whose decisions are weighed, as of what was read.

    ``now`` (µs; None: by the clock) is the time of asking. ``items`` are those of the checklist that are
    asked for. Where nothing was derived yet, nothing is known, and every
    answer says so.
    """
    with _tables(settings) as tables:
        return judged_in(tables, incident, now, items)


def judged_in(tables: Answers, incident: Incident, now: int | None = None, items: Iterable[Item] = EVERY) -> Evidence:
    """The same over tables that are open already. Their view ``parts`` is another afterwards."""
    grounds = grounds_of(tables, now)
    reach = scope(grounds, incident.seeds)
    first = outcomes(grounds, incident, reach)
    listed = checklist(grounds, incident, reach, first, items)
    became = tuple(_with_checklist(incident, each, listed) for each in first)
    found = answered(grounds, incident, reach, became)
    return Evidence(as_of=grounds.as_of, scope=reach, outcomes=became, answers=found, checklist=listed)


def grounds_of(tables: Answers, now: int | None = None) -> Grounds:
    """What the questions are asked of, over open tables."""

    def find(query: str) -> tuple[str, ...]:
        try:
            return tuple(hit.key for hit in resolve(tables, query).hits)
        except NotFound:
            return ()

    def attach(keys: Sequence[str] | None) -> None:
        if keys is None:
            tables.all_parts()
        else:
            tables.parts_of(sorted(set(keys)) or [""])

    def kept(leaf: int) -> bytes | None:
        try:
            return tables.reader.kept(leaf).kept
        except (NotFound, StoreError):
            return None

    return Grounds(
        engine=tables.engine,
        report=tables.report,
        versions=tables.versions,
        find=find,
        attach=attach,
        kept=kept,
        now=(microseconds(moment()) or 0) if now is None else now,
    )


def _with_checklist(incident: Incident, each: Outcome, listed: Sequence[Listed]) -> Outcome:
    action = incident.action(each.action)
    if action is None or action.request.kind is not ActionKind.ENABLE:
        return each
    return enabled(each, of_targets(listed, action.request.targets))


@contextmanager
def _tables(settings: Settings) -> Iterator[Answers]:
    """The derived tables of the store; where nothing was derived yet, those of no records."""
    with Reader.open(settings.store) as reader:
        empty = reader.manifest() is None
    if not empty:
        with answers(settings) as tables:
            yield tables
        return
    with (
        Reader.open(settings.store) as reader,
        tempfile.TemporaryDirectory(prefix="custody-") as folder,
        Engine(memory_mib=settings.memory, threads=settings.jobs, spill=Path(folder) / "spill") as engine,
    ):
        versions = contracts.sealed(reader)
        report = derive.derive(engine, refresh.committed_of(reader, [], []), versions)
        yield Empty(engine=engine, reader=reader, report=report, versions=versions, rules=load(), folder=Path(folder))


class Empty(Answers, frozen=True, kw_only=True):
    """Tables of no records: every view is there, and nothing has to be opened."""

    def parts_of(self, keys: Sequence[str], enough: int | None = None) -> None:
        """Nothing: the view is there."""

    def all_parts(self) -> None:
        """Nothing: the view is there."""
