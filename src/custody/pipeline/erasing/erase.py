"""Erase records for good: their bytes and salts go, the entries and proofs stay, and a sealed statement says so.

Under the lock of the store: the tables are brought up to date, what goes is worked out, and refused where a hold covers
any of it; then segments are rewritten (``store.erasing``), and every derived table is made again from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from custody import __version__
from custody.errors import UsageError
from custody.model.report import CheckpointRef
from custody.model.times import microseconds, text
from custody.pipeline import contracts, rebuild, refresh
from custody.pipeline.audit import Observer, Progress, now, whoami
from custody.pipeline.erasing.choice import Asked, Plan, plan
from custody.pipeline.erasing.hold import Hold, check_text
from custody.pipeline.tables import answers, checkpoint
from custody.settings.catalog import Settings
from custody.store.erasure import Why
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.writer import Writer

MOST_SAID = 20
"""Holds that a refusal names."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A hold in force, and how many of the records asked for it covers; ``incident`` is the id of that which is it."""

    name: str
    leaf: int
    records: int
    reason: str
    owner: str | None
    incident: str | None = None


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, or would be where ``dry_run``.

    ``records`` lost their bytes and salts, by ``sources``; ``first`` and ``last`` are the times of their events.
    ``held`` were asked for and are under a hold, ``empty`` had no bytes before. ``statements`` are the leaves that say
    so, ``contract`` the digest of the contract in force at the time.
    """

    dry_run: bool
    records: int
    segments: int
    sources: dict[str, int]
    first: str | None
    last: str | None
    held: tuple[Held, ...]
    held_records: int
    empty: int
    statements: tuple[int, ...]
    reason: str
    by: str
    at: str
    contract: str | None
    checkpoint: CheckpointRef


def erase(
    settings: Settings,
    asked: Asked,
    reason: str,
    observer: Observer,
    *,
    dry_run: bool = False,
    except_held: bool = False,
) -> Erased:
    """Erase what is ``asked`` for. UsageError, and nothing is done, where a hold covers any of it.

    With ``except_held`` what is held stays and the rest goes. ``dry_run`` works everything out and writes nothing; it
    needs derived tables that are up to date.
    """
    check_text(reason, "--reason")
    read_store_file(settings.store)  # opening for writing would make one
    progress = Progress(stage="choosing")
    if dry_run:
        found, why, held = _planned(settings, asked, reason, progress, observer)
        return _said(settings, found, why, held, (), dry_run=True)
    with Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer:
        with Reader.open(settings.store) as reader:
            versions = contracts.sealed(reader)
        refresh.refresh(writer, settings, versions)
        found, why, held = _planned(settings, asked, reason, progress, observer)
        if held and not except_held:
            _refuse(held, found.held_records)
        statements: list[int] = []
        if found.going:
            progress.stage, progress.files, progress.done = "erasing", len(found.going), 0
            observer(progress)

            def done(segments: int) -> None:
                progress.done += segments
                observer(progress)

            statements = writer.erase(found.going, why, done)
            rebuild.anew(writer, settings, versions, observer)
    return _said(settings, found, why, held, statements, dry_run=False)


def _planned(
    settings: Settings, asked: Asked, reason: str, progress: Progress, observer: Observer
) -> tuple[Plan, Why, tuple[Held, ...]]:
    at = now()
    with answers(settings) as tables:
        progress.files = len(tables.reader.segments())

        def done() -> None:
            progress.done += 1
            observer(progress)

        moment = min(each for each in (microseconds(at), microseconds(tables.report.as_of)) if each is not None)
        found = plan(tables, settings, asked, moment, done)
        why = Why(reason=reason, by=whoami(), at=at, contract=tables.contract.digest)
        return found, why, tuple(_held(found.in_force, found))


def _held(in_force: Iterable[Hold], found: Plan) -> Iterable[Held]:
    for each in in_force:
        if found.held[each.name]:
            yield Held(
                name=each.name,
                leaf=each.leaf,
                records=found.held[each.name],
                reason=each.reason,
                owner=each.owner,
                incident=each.incident,
            )


def _refuse(held: tuple[Held, ...], records: int) -> None:
    names = [f"{each.name} ({each.records:,}, leaf {each.leaf}: {each.reason[:100]})" for each in held[:MOST_SAID]]
    raise UsageError(
        "records are under a legal hold; nothing was erased",
        found=f"{records:,} held by {'; '.join(names)}",
        advice=f"--except-held erases the others; {_ending(held)}.",
    )


def _ending(held: tuple[Held, ...]) -> str:
    """How holds end: those that were made, and those that are incidents."""
    ways = []
    if any(each.incident is None for each in held):
        ways.append("`custody hold release NAME --reason TEXT` ends a hold")
    if any(each.incident is not None for each in held):
        ways.append("that of an incident ends years after `custody incident close`: `custody hold list` says when")
    return "; ".join(ways)


def _said(
    settings: Settings, found: Plan, why: Why, held: tuple[Held, ...], statements: Iterable[int], *, dry_run: bool
) -> Erased:
    with Reader.open(settings.store) as reader:
        point = checkpoint(reader)
    return Erased(
        dry_run=dry_run,
        records=found.records,
        segments=len(found.going),
        sources=dict(sorted(found.sources.items())),
        first=text(found.first),
        last=text(found.last),
        held=held,
        held_records=found.held_records,
        empty=found.empty,
        statements=tuple(statements),
        reason=why.reason,
        by=why.by,
        at=why.at,
        contract=why.contract,
        checkpoint=point,
    )
