"""Keep going as files grow and appear: take what is new, seal it, judge again, and say what changed.

Each step is an audit of what is new, with a commit of its own. Judging is a full build, so it waits: until ``pace``
times as long has passed as the last one took. What is new is taken when it is to be judged, or where much is waiting or
about to go away, so that reading never falls behind judging.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from custody import __version__
from custody.errors import CustodyError, StoreError, StoreLocked, UsageError
from custody.ledger.entry import AcquisitionEntry
from custody.model.contracts import Versions
from custody.model.records import TextFraming
from custody.model.report import Report, Run
from custody.pipeline import contracts, inputs, mappings, refresh
from custody.pipeline.audit import (
    Counts,
    Observer,
    Progress,
    Surveyed,
    Workers,
    acquire,
    limits_of,
    now,
    read,
    seal,
    work,
)
from custody.pipeline.changes import AnswerChanges, FindingChanges, Judgement, Step, answered
from custody.pipeline.growing import Growth, Spans, Taken, Timing
from custody.pipeline.intake import FileRead, Task
from custody.pipeline.tables import current_report
from custody.pipeline.workers import Pool
from custody.readers.limits import MIB
from custody.readers.pieces import start_of
from custody.readers.unpack import shown
from custody.settings.catalog import Settings
from custody.sources.registry import sources
from custody.store.layout import STORE_FILE
from custody.store.reader import Reader
from custody.store.writer import Writer

PLENTY = 16 * MIB
"""Waiting bytes that are taken at once, whether they can be judged yet or not."""
MANY = 8 * MIB
"""Waiting bytes that are worth worker processes."""

CHANGED = "the file changed"
"""How a problem begins of a file that was written to while it was read: here it is read again."""


class Stop(Protocol):
    """How the loop is told to end; ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """Whether to end."""
        ...

    def wait(self, timeout: float) -> bool:
        """Sleep so many seconds, or until it is set."""
        ...


def follow(
    settings: Settings,
    paths: Sequence[Path],
    observer: Observer,
    tell: Callable[[Step], None],
    stop: Stop,
    timing: Timing,
    written: Sequence[Path] = (),
) -> Report:
    """Audit ``paths`` and what comes to them until ``stop`` is set; ``tell`` is given each step that changed something.

    Gives the report about the whole committed store. Raises UsageError where none of the paths exists.
    """
    contracts.given(settings)
    mappings.given(settings)
    if not any(path.exists() for path in paths):
        raise UsageError("\n".join(["nothing to follow", *(f"{path}: does not exist" for path in paths)]))
    return _Follow(settings, paths, observer, tell, stop, timing, written).run()


class _Follow:
    """One run of the loop."""

    def __init__(
        self,
        settings: Settings,
        paths: Sequence[Path],
        observer: Observer,
        tell: Callable[[Step], None],
        stop: Stop,
        timing: Timing,
        written: Sequence[Path],
    ) -> None:
        self._settings, self._timing, self._tell, self._stop = settings, timing, tell, stop
        self._observer, self._progress = observer, Progress()
        self._limits = limits_of(settings)
        self._growth = Growth(
            lambda: inputs.listed(settings, paths, written), timing, self._limits, _texts(settings), _spans(settings)
        )
        self._mapped: tuple[mappings.Sealed, ...] = ()
        self._judgement = Judgement()
        self._totals = _Totals()
        self._steps = 0
        self._unjudged = (settings.store / STORE_FILE).exists()
        self._judge_from = 0.0

    def run(self) -> Report:
        """Go on until the stop, and once more then."""
        self._remember()
        while not self._stop.is_set():
            self._look()
            self._progress.stage = "waiting"
            self._observer(self._progress)
            self._stop.wait(self._timing.interval)
        if not self._totals.cut:
            self._look(last=True)
        elif self._unjudged:
            self._step([], judge=True)
        assert self._judgement.report is not None
        report = msgspec.structs.replace(self._judgement.report, checkpoint=refresh.sealed(self._settings))
        return msgspec.structs.replace(report, run=self._totals.run(self._growth))

    def _remember(self) -> None:
        """What is new is new against what the store said before this run."""
        if (self._settings.store / STORE_FILE).exists():
            try:
                with Reader.open(self._settings.store) as reader:
                    report, _ = current_report(reader, self._settings.store)
            except CustodyError:
                return  # nothing was judged yet, or by another version: all findings are new then
            self._judgement.renew(self._settings, report)

    def _look(self, *, last: bool = False) -> None:
        """One look at the files, and a step where there is something to do."""
        self._growth.look()
        waiting = self._growth.waiting()
        judge = last or time.monotonic() >= self._judge_from
        self._unjudged = self._unjudged or (last and self._judgement.report is None)
        if not (waiting or self._unjudged) or not (judge or waiting >= PLENTY or self._growth.leaving()):
            return
        taken = list(self._growth.take())
        if not taken and not (judge and self._unjudged):
            return
        try:
            self._step(taken, judge=judge)
        except StoreLocked as error:
            if not self._steps:
                raise
            self._totals.note(f"waiting: {error}")
        except CustodyError:
            if not self._stop.is_set():
                raise
            self._totals.cut = self._unjudged = True  # the workers were ended too; what is sealed stays

    def _step(self, taken: Sequence[Taken], *, judge: bool) -> None:
        counts, started = Counts(), time.monotonic()
        pool: Workers = Pool(work, self._settings.jobs if _size(taken) >= MANY else 1)
        try:
            with Writer.open(self._settings.store, self._settings.keys, now=now(), version=__version__) as writer:
                versions, notes = contracts.in_force(writer, self._settings, now())
                self._mapped, more = mappings.in_force(writer, self._settings, now())
                counts.notes += (*notes, *more)
                self._take(writer, pool, taken, counts)
                pool.close()
                self._unjudged = self._unjudged or counts.new > 0 or counts.duplicates > 0
                read_in, changes = time.monotonic() - started, None
                self._totals.add(counts, writer.recovered)
                if judge and self._unjudged:
                    changes = self._judge(writer, versions)
        finally:
            pool.close()
        self._steps += 1
        self._say(counts, changes, len(taken), read_in, time.monotonic() - started - read_in)

    def _take(self, writer: Writer, pool: Workers, taken: Sequence[Taken], counts: Counts) -> None:
        """Acquire, read and commit; what is done then is settled, what changed meanwhile is looked at again."""
        self._progress.done = self._progress.records = 0
        tasks = mappings.assigned(self._tasks(writer, pool, taken, counts), self._mapped)
        read(writer, pool, tasks, counts, self._progress, self._observer, self._stop_early)
        changed = {problem.partition(": ")[0] for problem in counts.problems if CHANGED in problem}
        for each in taken:
            settled = all(_is_done(writer, piece.received) for piece in each.pieces)
            if settled and shown(str(each.file.path)) not in changed:
                self._growth.settle(each)
        self._growth.forget_spans()

    def _stop_early(self) -> bool:
        """Whether to end within a step: it is committed as far as it came, and no other look is taken."""
        self._totals.cut = self._totals.cut or self._stop.is_set()
        return self._totals.cut

    def _tasks(self, writer: Writer, pool: Workers, taken: Sequence[Taken], counts: Counts) -> list[Task]:
        whole = [each.file.path for each in taken if not each.pieces]
        tasks = acquire(writer, pool, whole, self._limits, counts, self._progress, self._observer) if whole else []
        for each in taken:
            fresh = tuple(piece for piece in each.pieces if not _is_done(writer, piece.received))
            if fresh:
                tasks += seal(writer, [Surveyed(each.file.path, fresh, ())], self._limits)
        return tasks

    def _judge(self, writer: Writer, versions: Versions) -> tuple[FindingChanges, AnswerChanges]:
        started = time.monotonic()
        self._progress.stage = "joining"
        self._observer(self._progress)
        report, self._totals.derived = refresh.refresh(writer, self._settings, versions)
        changes = self._judgement.renew(self._settings, report)
        self._unjudged = False
        ended = time.monotonic()
        self._judge_from = ended + self._timing.pace * (ended - started)
        return changes

    def _say(
        self,
        counts: Counts,
        changes: tuple[FindingChanges, AnswerChanges] | None,
        files: int,
        seconds: float,
        judging: float,
    ) -> None:
        report = self._judgement.report
        totals = AnswerChanges() if report is None else answered(report, Counter())
        findings, answers = changes or (FindingChanges(), totals)
        step = Step(
            step=self._steps,
            at=now(),
            files=files,
            records=counts.records,
            new=counts.new,
            duplicates=counts.duplicates,
            judged=changes is not None,
            as_of=None if report is None else report.as_of,
            findings=findings,
            answers=answers,
            seconds=round(seconds, 3),
            judging=round(judging, 3) if changes is not None else 0.0,
        )
        if step.tells:
            self._tell(step)


class _Totals:
    """What the whole run did. Its size depends on how many files had something wrong, not on how long it lasts."""

    def __init__(self) -> None:
        self.cut = False
        self.derived = ""
        self._started = time.monotonic()
        self._numbers = Counts()
        self._problems: dict[str, None] = {}
        self._notes: dict[str, None] = {}
        self._recovered: dict[str, None] = {}
        self._read: dict[str, FileRead] = {}

    def add(self, counts: Counts, recovered: Sequence[str]) -> None:
        """Add what a step did. That a file changed while it was read is no problem here: it is read again."""
        mine = self._numbers
        mine.known += counts.known
        mine.records += counts.records
        mine.new += counts.new
        mine.duplicates += counts.duplicates
        mine.erased += counts.erased
        self._problems.update(dict.fromkeys(text for text in counts.problems if CHANGED not in text))
        self._notes.update(dict.fromkeys(counts.notes))
        self._recovered.update(dict.fromkeys(recovered))
        for each in counts.read:
            self._read[each.name] = _joined(self._read.get(each.name), each)

    def note(self, text: str) -> None:
        """Something that somebody should know, once."""
        self._notes[text] = None

    def run(self, growth: Growth) -> Run:
        """What the report says of the run."""
        problems, notes = inputs.said([each for each in self._read.values() if each.skips or not each.records])
        return Run(
            files=growth.met,
            known_files=self._numbers.known,
            records=self._numbers.records,
            new=self._numbers.new,
            duplicates=self._numbers.duplicates,
            seconds=round(time.monotonic() - self._started, 3),
            problems=(*growth.problems, *self._problems, *problems),
            recovered=tuple(self._recovered),
            notes=(*self._notes, *notes, *self._numbers.of_erased()),
            derived=self.derived,
        )


def _joined(before: FileRead | None, more: FileRead) -> FileRead:
    """Two readings of one file as one: the same reasons together, with the first place of each."""
    if before is None:
        return more
    skips = {reason: (count, first) for reason, count, first in before.skips}
    for reason, count, first in more.skips:
        known, at = skips.get(reason, (0, first))
        skips[reason] = (known + count, min(at, first))
    return FileRead(more.name, before.records + more.records, tuple((why, *those) for why, those in skips.items()))


def _is_done(writer: Writer, received: str) -> bool:
    return any(known.done for known in writer.known(received))


def _size(taken: Sequence[Taken]) -> int:
    """Bytes to read."""
    return sum(sum(piece.content_size for piece in each.pieces) if each.pieces else each.file.size for each in taken)


def _texts(settings: Settings) -> tuple[TextFraming, ...]:
    try:
        mapped = mappings.held(settings)
    except StoreError:  # a store that was cut off while it was made; opening it for writing says what is wrong
        mapped = tuple(mapping for mapping, _ in mappings.given(settings))
    return tuple(text for source in sources(mapped) for text in source.texts)


def _spans(settings: Settings) -> Spans:
    """What the store acquired of plain files: whole files begin at 0."""
    spans: Spans = {}
    if not (settings.store / STORE_FILE).exists():
        return spans
    try:
        with Reader.open(settings.store) as reader:
            for known in reader.acquisitions():
                whole = known.member is None and known.received == known.content
                start = 0 if whole else start_of(known.member, known.received, known.content)
                if start is not None and known.problem is None:
                    folder = spans.setdefault(Path(known.path).parent, {}).setdefault(start, {})
                    folder.setdefault(_size_of(reader, known.leaf), set()).add(known.received)
    except CustodyError:
        return {}  # opening it for writing says what is wrong
    return spans


def _size_of(reader: Reader, leaf: int) -> int:
    entry = reader.entry(leaf)
    assert isinstance(entry, AcquisitionEntry)
    return entry.received_size
