"""The main job: acquire, seal, join, judge."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path

import msgspec

from custody import __version__
from custody.errors import SourceError
from custody.model.records import Acquisition, Batch
from custody.model.report import Report, Run
from custody.pipeline import contracts, inputs, intake, mappings, refresh
from custody.pipeline.intake import FileRead, Result, Task, Unread
from custody.pipeline.workers import Pool
from custody.readers.limits import Limits
from custody.readers.survey import survey
from custody.settings.catalog import Settings
from custody.store.history import Known
from custody.store.writer import Writer

COMMIT = 65_000
"""Records that are gathered before they are committed."""

WAIT = 15.0
"""Seconds that another writer is waited for: a broker that seals beside this holds the store for a moment at a time."""


class Progress(msgspec.Struct):
    """How far a run is, for whoever shows it. ``stage`` is a word for people."""

    stage: str = "looking"
    files: int = 0
    done: int = 0
    records: int = 0
    size: int = 0


Observer = Callable[[Progress], None]


class Survey(msgspec.Struct, frozen=True):
    """A file to hash, and whether its bytes as received are known already is for the writer to say."""

    path: Path
    limits: Limits


class Surveyed(msgspec.Struct, frozen=True):
    """What a file holds."""

    path: Path
    found: tuple[Acquisition, ...]
    problems: tuple[str, ...]


class Counts:
    """What this run did."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.files = self.known = self.records = self.new = self.duplicates = self.erased = 0
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.read: list[FileRead] = []
        self.finished: list[tuple[Path, Known]] = []

    def run(self, recovered: Sequence[str], derived: str) -> Run:
        """What the report says of this run."""
        problems, notes = inputs.said(self.read)
        return Run(
            files=self.files,
            known_files=self.known,
            records=self.records,
            new=self.new,
            duplicates=self.duplicates,
            seconds=round(time.monotonic() - self.started, 3),
            problems=(*self.problems, *problems),
            recovered=tuple(recovered),
            notes=(*self.notes, *notes, *self.of_erased()),
            derived=derived,
        )

    def of_erased(self) -> Iterator[str]:
        """What somebody should know about records that came again after they were erased."""
        if self.erased:
            records = "1 record has" if self.erased == 1 else f"{self.erased:,} records have"
            yield f"{records} the identity of one that was erased: counted as duplicates, nothing of them is kept"


Workers = Pool[Survey | Task, Surveyed | Result]
"""What hashes files and reads them."""


def audit(settings: Settings, paths: Sequence[Path], observer: Observer, written: Sequence[Path] = ()) -> Report:
    """Audit ``paths`` into the store of ``settings``; gives the report about the whole committed store.

    ``written`` are files that are written afterwards: they are not read, wherever they lie.
    """
    contracts.given(settings)
    mappings.given(settings)
    counts, progress = Counts(), Progress()
    files, counts.problems = inputs.found(settings, paths, written)
    counts.files = len(files)
    pool: Workers = Pool(work, settings.jobs)
    try:
        with Writer.open(settings.store, settings.keys, now=now(), version=__version__, wait=WAIT) as writer:
            versions, notes = contracts.in_force(writer, settings, now())
            mapped, more = mappings.in_force(writer, settings, now())
            counts.notes += (*notes, *more)
            tasks = acquire(writer, pool, files, limits_of(settings), counts, progress, observer)
            read(writer, pool, mappings.assigned(tasks, mapped), counts, progress, observer)
            pool.close()  # the chains need the memory that the workers hold
            progress.stage = "joining"
            observer(progress)
            report, derived = refresh.refresh(writer, settings, versions)
            recovered = writer.recovered
            counts.notes += inputs.stopped(settings, counts.finished, limits_of(settings))
            counts.notes += inputs.passed_by(settings, counts.finished, mappings.newest(mapped))
    finally:
        pool.close()
    return msgspec.structs.replace(report, checkpoint=refresh.sealed(settings), run=counts.run(recovered, derived))


def now() -> str:
    """The time of this machine, RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def whoami() -> str:
    """Who acquires: user and machine, as the system names them. No variable of the environment can say another."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # an account without a name, as in some containers
        user = f"uid-{os.geteuid()}"
    return f"{user}@{socket.gethostname()}"


def limits_of(settings: Settings) -> Limits:
    """The limits of reading that the settings give."""
    return Limits(max_record=settings.max_record, max_ratio=settings.max_ratio, max_content=settings.max_content)


def acquire(
    writer: Writer,
    pool: Workers,
    files: Sequence[Path],
    limits: Limits,
    counts: Counts,
    progress: Progress,
    observer: Observer,
) -> list[Task]:
    """Hash every file, seal what is new as acquisitions, and give what is left to read."""
    progress.stage, progress.files = "hashing", len(files)
    surveys: list[Survey] = []
    for path in files:
        if _finished(writer, path, counts):
            counts.known += 1
            progress.done += 1
        else:
            surveys.append(Survey(path, limits))
        observer(progress)
    tasks: list[Task] = []
    waiting: list[Surveyed] = []
    for surveyed in pool.run(surveys):
        assert isinstance(surveyed, Surveyed)
        counts.problems += surveyed.problems
        progress.done += 1
        progress.size += sum(each.content_size for each in surveyed.found)
        observer(progress)
        waiting.append(surveyed)
    for some in _chunks(sorted(waiting, key=lambda each: str(each.path)), 2000):
        tasks += seal(writer, some, limits)
    return tasks


def _chunks(surveyed: Sequence[Surveyed], most: int) -> Iterator[list[Surveyed]]:
    """Groups of at most ``most`` acquisitions (a single container may hold more)."""
    group: list[Surveyed] = []
    held = 0
    for each in surveyed:
        if group and held + len(each.found) > most:
            yield group
            group, held = [], 0
        group.append(each)
        held += len(each.found)
    if group:
        yield group


def _finished(writer: Writer, path: Path, counts: Counts) -> bool:
    """Whether every record of the file is sealed already: that costs a hash."""
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        counts.problems.append(f"{path}: cannot be read ({error.strerror})")
        return True
    known = writer.known(digest)
    if not known or not all(each.done for each in known):
        return False
    counts.finished += [(path, each) for each in known]
    return True


def seal(writer: Writer, group: Sequence[Surveyed], limits: Limits) -> list[Task]:
    """Seal the acquisitions of ``group`` that are new, and give what is left to read of all."""
    places: dict[tuple[str, str | None], tuple[int, int, bool]] = {}
    fresh: list[Acquisition] = []
    for surveyed in group:
        for each in surveyed.found:
            if (each.received, each.member) not in places:
                known = [k for k in writer.known(each.received) if k.member == each.member]
                if known:
                    places[each.received, each.member] = (known[0].leaf, known[0].records, known[0].done)
                else:
                    places[each.received, each.member] = (-1, 0, False)
                    fresh.append(each)
    if fresh:
        for each, leaf in zip(fresh, writer.acquire(fresh, by=whoami(), at=now()), strict=True):
            places[each.received, each.member] = (leaf, 0, False)
    return _tasks(group, places, limits)


def _tasks(
    group: Sequence[Surveyed], places: dict[tuple[str, str | None], tuple[int, int, bool]], limits: Limits
) -> list[Task]:
    """One task a file; two files of the same bytes are read once."""
    tasks: list[Task] = []
    taken: set[int] = set()
    for surveyed in group:
        todo: list[tuple[Acquisition, int, int]] = []
        for each in surveyed.found:
            leaf, records, done = places[each.received, each.member]
            if not done and leaf not in taken:
                taken.add(leaf)
                todo.append((each, leaf, records))
        if todo:
            acquisitions, leaves, consumed = zip(*todo, strict=True)
            tasks.append(Task(surveyed.path, acquisitions, leaves, consumed, limits))
    return tasks


def read(
    writer: Writer,
    pool: Workers,
    tasks: Sequence[Task],
    counts: Counts,
    progress: Progress,
    observer: Observer,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Read and commit the records of ``tasks``; once ``stopped`` says so, what was read is committed and no more."""
    progress.stage, progress.files, progress.done = "reading", len(tasks), 0
    waiting: list[Batch] = []
    held = 0
    for result in pool.run(tasks):
        if isinstance(result, Unread):
            counts.problems.append(f"{result.path}: {result.problem}")
            continue
        if isinstance(result, FileRead):
            if result.skips or not result.records:
                counts.read.append(result)
            continue
        assert isinstance(result, Batch)
        waiting.append(result)
        held += len(result)
        progress.records += len(result)
        progress.done += result.last
        observer(progress)
        if held >= COMMIT or stopped():
            _commit(writer, waiting, counts)
            waiting, held = [], 0
            if stopped():
                return
    if waiting:
        _commit(writer, waiting, counts)


def _commit(writer: Writer, batches: Sequence[Batch], counts: Counts) -> None:
    committed = writer.commit(batches)
    counts.records += sum(len(batch) for batch in batches)
    counts.duplicates += committed.duplicates
    counts.erased += committed.erased
    counts.new += sum(len(batch) for batch in batches) - committed.duplicates


def work(task: Survey | Task) -> Iterator[Surveyed | Result]:
    """What a worker process does."""
    if isinstance(task, Task):
        yield from intake.read(task)
        return
    found = survey(task.path, task.limits)
    yield Surveyed(
        task.path,
        tuple(each for each in found if isinstance(each, Acquisition)),
        tuple(
            str(each) if isinstance(each, SourceError) else f"{each.path}: {each.problem}"
            for each in found
            if isinstance(each, SourceError) or each.problem
        ),
    )
