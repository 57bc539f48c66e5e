"""Seal a broker's epochs and what was pushed to it, in the way of an audit, and bring the tables up to date.

The store is open only meanwhile, so that an audit can run beside a broker. Everything is idempotent: a file that is
known costs a hash, one that was cut off is gone on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody import __version__
from custody.broker.evidence.epochs import Epoch
from custody.errors import CustodyError, SourceError, StoreError
from custody.pipeline import audit, contracts, mappings, refresh
from custody.pipeline.audit import Counts, Progress, Survey, Surveyed, Workers, limits_of, now, work
from custody.pipeline.brokering.places import epoch_name, pushed_name
from custody.pipeline.incidents.alerting import Rule, opened
from custody.pipeline.incidents.sealing import desk_of
from custody.pipeline.workers import Pool
from custody.settings.catalog import Settings
from custody.store.history import Known
from custody.store.writer import Writer

WAIT = 10.0
"""Seconds that another writer is waited for before the try is given up."""


class Pushed(msgspec.Struct, frozen=True):
    """A file that came over the network: where it lies now, and as what it is sealed.

    ``opens``: it holds alerts, and incidents are opened for them once they are sealed.
    """

    path: Path
    name: str
    opens: Rule | None = None


class Taken(msgspec.Struct, frozen=True):
    """What became of a pushed file: the leaf of its (first) acquisition, and counts of records over all of them.

    ``duplicates`` of the ``records`` were sealed before; ``skips`` gives for each reason how many gave no event: of
    this time only, a file that was known already is not read again. ``incidents`` name its alerts.
    """

    leaf: int
    records: int
    duplicates: int
    skips: tuple[tuple[str, int], ...] = ()
    incidents: tuple[str, ...] = ()


Answer = Taken | CustodyError


class Sealer:
    """Seals into the store of ``settings``. ``wait``: seconds that another writer is waited for."""

    def __init__(self, settings: Settings, broker: str, *, wait: float = WAIT) -> None:
        self._settings, self._broker, self._wait = settings, broker, wait
        self._limits = limits_of(settings)

    def seal(self, epochs: Sequence[Epoch], files: Sequence[Pushed] = ()) -> tuple[Answer, ...]:
        """Seal closed epochs and pushed files; gives what became of each file, an error where it cannot be read.

        When this returns the epochs are in the log, every line of them. StoreLocked where another writer did not end,
        StoreError where the store or the disk refuses: then call again with the same.
        """
        pool: Workers = Pool(work, 1)
        with self._open() as writer:
            self._epochs(writer, pool, epochs)
            if not files:
                return ()
            mapped, _ = mappings.in_force(writer, self._settings, now())
            answers = [self._file(writer, pool, each, mapped) for each in files]
        return tuple(self._opened(file, answer) for file, answer in zip(files, answers, strict=True))

    def _opened(self, file: Pushed, answer: Answer) -> Answer:
        """The answer with the incidents of the alerts. The store is let go of: a step is sealed under its own lock."""
        if file.opens is None or not isinstance(answer, Taken):
            return answer
        try:
            found = opened(desk_of(self._settings), file.opens, file.path.read_bytes())
        except StoreError as error:
            return error
        return msgspec.structs.replace(answer, incidents=found)

    def derive(self) -> str:
        """Bring the derived tables up to date: what was done (``unchanged``, ``built``, ``rebuilt``)."""
        with self._open() as writer:
            versions, _ = contracts.in_force(writer, self._settings, now())
            mappings.in_force(writer, self._settings, now())
            return refresh.refresh(writer, self._settings, versions)[1]

    def _open(self) -> Writer:
        settings = self._settings
        return Writer.open(settings.store, settings.keys, now=now(), version=__version__, wait=self._wait)

    def _epochs(self, writer: Writer, pool: Workers, epochs: Sequence[Epoch]) -> None:
        named = [self._surveyed(pool, each.path, epoch_name(self._broker, each.path)) for each in epochs]
        self._read(writer, pool, named, ())
        for epoch, surveyed in zip(epochs, named, strict=True):
            lines = sum(known.records for known in _known(writer, surveyed) if known.done)
            if lines != epoch.last - epoch.first + 1:
                raise StoreError(
                    "an epoch of the journal was not sealed whole",
                    where=str(epoch.path),
                    found=f"{lines} lines",
                    expected=f"{epoch.last - epoch.first + 1}",
                )

    def _file(self, writer: Writer, pool: Workers, file: Pushed, mapped: Sequence[mappings.Sealed]) -> Answer:
        try:
            surveyed = self._surveyed(pool, file.path, pushed_name(file.name))
            counts = self._read(writer, pool, [surveyed], mapped)
        except SourceError as error:
            return error
        known = _known(writer, surveyed)
        if not known or not all(each.done for each in known):
            return SourceError("a pushed file could not be read", where=file.name, found="; ".join(counts.problems))
        skips = {reason: 0 for read in counts.read for reason, _, _ in read.skips}
        for read in counts.read:
            for reason, count, _ in read.skips:
                skips[reason] += count
        return Taken(
            leaf=known[0].leaf,
            records=sum(each.records for each in known),
            duplicates=sum(each.duplicates for each in known),
            skips=tuple(sorted(skips.items())),
        )

    def _surveyed(self, pool: Workers, path: Path, name: str) -> Surveyed:
        """What a file holds, under the name that it has in the log. SourceError where it cannot be read at all."""
        found = next(each for each in pool.run([Survey(path, self._limits)]) if isinstance(each, Surveyed))
        if not found.found:
            raise SourceError("nothing in it can be read", where=name, found="; ".join(found.problems))
        renamed = tuple(msgspec.structs.replace(each, path=name) for each in found.found)
        return Surveyed(path, renamed, found.problems)

    def _read(
        self, writer: Writer, pool: Workers, surveyed: Sequence[Surveyed], mapped: Sequence[mappings.Sealed]
    ) -> Counts:
        counts = Counts()
        tasks = mappings.assigned(audit.seal(writer, surveyed, self._limits), mapped)
        audit.read(writer, pool, tasks, counts, Progress(), lambda _: None)
        return counts


def _known(writer: Writer, surveyed: Surveyed) -> list[Known]:
    """The acquisitions of a file, as the log has them now."""
    wanted = [(each.received, each.member) for each in surveyed.found]
    found = {(each.received, each.member): each for received, _ in wanted for each in writer.known(received)}
    return sorted((found[each] for each in dict.fromkeys(wanted) if each in found), key=lambda each: each.leaf)
