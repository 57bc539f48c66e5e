"""Logs that are not what they were: changed after they were signed, cut off, stopped, or by a clock that is wrong."""

import gzip
from collections.abc import Iterator
from functools import partial

import msgspec

from custody.model.verdicts import Severity
from custody.simulation import entry as sources
from custody.simulation.entry import Entry
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import people
from custody.simulation.piece import Piece
from custody.simulation.systems import aws
from custody.simulation.times import HOUR, MINUTE
from custody.simulation.truth import Dropped, Skew
from custody.simulation.world import BUCKET, HOME, REGION, SECOND

TAMPERED, TRUNCATED, STOPPED, SKEWED = "tampered-log", "truncated-log", "stopped-log", "skewed-clock"
HOLES = ("source-with-holes",)
BEGUN = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"'
AHEAD = 3 * MINUTE


class Tamper:
    """Changes one CloudTrail file of the first hour after its digest was signed."""

    def __init__(self) -> None:
        self._piece: Piece | None = None

    def saw(self, piece: Piece) -> Piece:
        """Remember the first log file that has what is to be changed."""
        if self._piece is None and f"/CloudTrail/{REGION}/" in piece.path:
            self._piece = piece
        return piece

    def after(self) -> Iterator[Piece]:
        """The file again, with the user agent of a record changed."""
        if self._piece is not None:
            content = gzip.decompress(self._piece.data)
            start = content.index(b'"userAgent":"') + len(b'"userAgent":"')
            changed = content[:start] + b"curl/8.5.0" + content[content.index(b'"', start) :]
            yield Piece(self._piece.path, gzip.compress(changed, 6, mtime=0))


class Truncate:
    """Cuts one compressed file of flow logs in two, and leaves a line of the cluster's audit log half written."""

    def __init__(self) -> None:
        self._done = False

    def saw(self, piece: Piece) -> Piece:
        """The first file of flow logs goes on without its end."""
        if self._done or "/vpcflowlogs/" not in piece.path:
            return piece
        self._done = True
        return Piece(piece.path, piece.data[: len(piece.data) * 3 // 5])

    def after(self) -> Iterator[Piece]:
        """A record that was begun."""
        yield Piece("kubernetes/audit.log", BEGUN, append=True)


def _tamper(planting: Planting) -> None:
    planting.changes.append(Tamper())
    text = "a CloudTrail file was changed after its digest was signed"
    planting.enter(TAMPERED, sources.CLOUDTRAIL, text, HOLES, Severity.MEDIUM)


def _truncate(planting: Planting) -> None:
    planting.changes.append(Truncate())
    planting.enter(TRUNCATED, sources.FLOW, "a compressed file of flow logs ends in its middle", HOLES, Severity.MEDIUM)
    planting.enter(TRUNCATED, sources.KUBERNETES, "the last line of the audit log is cut off", HOLES, Severity.MEDIUM)


class Stop:
    """Lets nothing of one account's CloudTrail through from a moment on."""

    def __init__(self, planting: Planting, since: int) -> None:
        self._planting, self._since = planting, since
        self._count = 0
        self._keys: set[str] = set()

    def keeps(self, entry: Entry) -> bool:
        """Whether the record is delivered."""
        if entry.source != sources.CLOUDTRAIL or entry.time < self._since or not entry.place.startswith(SECOND):
            return True
        self._count += 1
        self._keys.update(key for _, key in entry.about)
        return False

    def saw(self, piece: Piece) -> Piece:
        """Files stay as they are."""
        return piece

    def after(self) -> Iterator[Piece]:
        """Enter what is missing; a gap is a finding where it is longer than the contract expects."""
        planting = self._planting
        until = planting.estate.until
        planting.estate.book.dropped.append(
            Dropped(
                source=sources.CLOUDTRAIL,
                stage="all",
                since=self._since,
                until=until,
                records=self._count,
                keys=tuple(sorted(self._keys)),
            )
        )
        rules, severity = (HOLES, Severity.MEDIUM) if until - self._since > HOUR + 15 * MINUTE else ((), None)
        text = f"somebody stopped the trail of account {SECOND}; {self._count} records are missing"
        planting.enter(STOPPED, sources.CLOUDTRAIL, text, rules, severity, tuple(sorted(self._keys)))
        return iter(())


def _stop(planting: Planting) -> None:
    since = planting.part(1, 2)
    stop = Stop(planting, since)
    planting.estate.kept.append(stop.keeps)
    planting.changes.append(stop)
    for region in (HOME, REGION):
        planting.deliveries.stopped[f"{SECOND}/{region}"] = since
    planting.estate.at(since - MINUTE, partial(_stop_logging, planting))


def _stop_logging(planting: Planting, time: int) -> None:
    """The last thing that the trail tells of."""
    name = f"arn:aws:cloudtrail:{HOME}:{SECOND}:trail/{BUCKET}"
    call = aws.write("cloudtrail", "StopLogging", name=name)
    caller = msgspec.structs.replace(people.operator(planting.estate, time), account=SECOND)
    planting.spared.add(aws.key_of(caller.key or ""))
    aws.say(planting.estate, planting.chance(STOPPED), caller, call, time, region=HOME)


def _skew(planting: Planting) -> None:
    planting.estate.ahead[sources.POSTGRESQL] = AHEAD
    planting.estate.book.skews.append(Skew(source=sources.POSTGRESQL, ahead=AHEAD))
    planting.enter(SKEWED, sources.POSTGRESQL, "the clock of the database server is three minutes ahead")


FAULTS = (
    Fault(TAMPERED, "a log file is changed after its digest was signed", _tamper),
    Fault(TRUNCATED, "a log file is cut off", _truncate),
    Fault(STOPPED, "the trail of one account is stopped", _stop),
    Fault(SKEWED, "the clock of one server is wrong", _skew),
)
