"""From records to the files that a product delivers: appended to, cut by the hour, or delivered in windows and signed.

Nothing here writes: it gives pieces of files, in order, and holds back only what a window that is open needs.
"""

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator

import msgspec

from custody.simulation import entry as sources
from custody.simulation.deliveries import Deliveries
from custody.simulation.entry import Entry
from custody.simulation.piece import Piece
from custody.simulation.times import HOUR, START, day, hour

FLUSH = 256 * 1024
"""Bytes of one appended file that are held back, at most."""

APPENDED = {
    sources.KUBERNETES: "kubernetes/audit.log",
    sources.VAULT: "openbao/audit.log",
    sources.VAULT_SERVER: "openbao/server.log",
    sources.VAULT_HASH: "openbao/audit-hash.ndjson",
    sources.POSTGRESQL: "postgresql/postgresql.json",
    sources.GITHUB_WORKFLOW: "github/webhooks.ndjson",
    sources.APPROVALS: "approvals/approvals.ndjson",
    sources.OTEL: "otel/traces.jsonl",
    sources.SPIRE: "spire/server.log",
    sources.ENVOY: "envoy/access.log",
    sources.SARIF: "scans/leaks.sarif",
    sources.BROKER: "custody/broker.log",
}
FLOW_HEADER = (
    b"version account-id interface-id instance-id srcaddr dstaddr srcport dstport protocol packets bytes start end "
    b"action log-status pkt-srcaddr pkt-dstaddr"
)


class Hourly(msgspec.Struct, frozen=True):
    """A source whose files are cut by the hour and compressed: where a file lies, and its first line."""

    path: Callable[[Entry], str]
    header: bytes = b""


def _github(entry: Entry) -> str:
    return f"github/audit-log/{day(entry.time)}/{hour(entry.time)}/example-org.json.gz"


def _flow(entry: Entry) -> str:
    account, region = entry.place.split("/")
    name = (
        f"{account}_vpcflowlogs_{region}_fl-0a1b2c3d4e5f60718_{day(entry.time).replace('/', '')}T{hour(entry.time)}00Z"
    )
    return f"aws/AWSLogs/{account}/vpcflowlogs/{region}/{day(entry.time)}/{name}.log.gz"


def _lambda(entry: Entry) -> str:
    stream = f"{day(entry.time).replace('/', '-')}-{hour(entry.time)}"
    return f"aws/exportedlogs/lambda-{entry.place}/{stream}/000000.gz"


HOURLY = {
    sources.GITHUB_AUDIT: Hourly(_github),
    sources.FLOW: Hourly(_flow, FLOW_HEADER),
    sources.LAMBDA: Hourly(_lambda),
}


class Files:
    """Takes records in order of time and gives pieces of files."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._waiting: dict[str, list[bytes]] = defaultdict(list)
        self._sizes: dict[str, int] = defaultdict(int)
        self._hours: dict[str, list[bytes]] = {}
        self._hour = START

    def take(self, entry: Entry) -> Iterator[Piece]:
        """One record, and every piece that is ready by its time."""
        yield from self._advance(entry.time)
        if entry.source == sources.CLOUDTRAIL:
            self._deliveries.take(entry)
        elif entry.source in HOURLY:
            kind = HOURLY[entry.source]
            self._hours.setdefault(kind.path(entry), [kind.header] if kind.header else []).append(entry.line)
        else:
            yield from self._append(APPENDED[entry.source], entry.line)

    def finish(self, until: int) -> Iterator[Piece]:
        """Everything that is still held back; signed deliveries go on until all that happened is delivered."""
        yield from self._cut()
        for path in sorted(self._waiting):
            yield from self._flush(path)
        yield from self._deliveries.finish(until)

    def _advance(self, time: int) -> Iterator[Piece]:
        if time >= self._hour + HOUR:
            yield from self._cut()
            self._hour = time - (time - START) % HOUR
        yield from self._deliveries.advance(time)

    def _cut(self) -> Iterator[Piece]:
        """The files of the hour that is over."""
        for path, lines in sorted(self._hours.items()):
            yield Piece(path, gzip.compress(b"\n".join(lines) + b"\n", 6, mtime=0))
        self._hours.clear()

    def _append(self, path: str, line: bytes) -> Iterator[Piece]:
        self._waiting[path].append(line)
        self._sizes[path] += len(line) + 1
        if self._sizes[path] >= FLUSH:
            yield from self._flush(path)

    def _flush(self, path: str) -> Iterator[Piece]:
        lines = self._waiting[path]
        if lines:
            yield Piece(path, b"\n".join(lines) + b"\n", append=True)
        self._waiting[path], self._sizes[path] = [], 0
