"""Telemetry that is never delivered: the records of one stage, for a while, of each source that has it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial

from custody.model.events import Stage
from custody.model.verdicts import Severity
from custody.simulation import entry as sources
from custody.simulation.entry import Entry
from custody.simulation.fault import Fault, Planting
from custody.simulation.piece import Piece
from custody.simulation.systems import github
from custody.simulation.truth import Dropped

STAGES: dict[str, tuple[Stage, tuple[str, ...]]] = {
    "dropped-start": (Stage.START, (sources.KUBERNETES, sources.GITHUB_WORKFLOW, sources.GITHUB_AUDIT)),
    "dropped-approval": (Stage.APPROVE, (sources.APPROVALS, sources.GITHUB_WORKFLOW, sources.GITHUB_AUDIT)),
    "dropped-issue": (
        Stage.ISSUE,
        (sources.CLOUDTRAIL, sources.KUBERNETES, sources.VAULT, sources.POSTGRESQL, sources.SPIRE),
    ),
    "dropped-use": (
        Stage.USE,
        (sources.CLOUDTRAIL, sources.KUBERNETES, sources.VAULT, sources.POSTGRESQL, sources.ENVOY),
    ),
    "dropped-revoke": (Stage.REVOKE, (sources.VAULT, sources.POSTGRESQL, sources.CLOUDTRAIL)),
    "dropped-expire": (Stage.EXPIRE, (sources.VAULT_SERVER,)),
    "dropped-end": (
        Stage.END,
        (sources.KUBERNETES, sources.GITHUB_WORKFLOW, sources.GITHUB_AUDIT, sources.POSTGRESQL, sources.LAMBDA),
    ),
}
TELLS = (sources.POSTGRESQL,)
"""Sources whose own numbering shows that lines are missing."""
PERCENT = 40


class Filter:
    """Drops of one stage so many of a hundred records, by key, and remembers them."""

    def __init__(self, planting: Planting, fault: str) -> None:
        self._planting, self._fault = planting, fault
        self._stage, self._sources = STAGES[fault]
        self._since, self._until = planting.part(1, 3), planting.part(2, 3)
        self._chance = planting.chance(fault)
        self._counts: Counter[str] = Counter()
        self._keys: dict[str, set[str]] = defaultdict(set)

    def keeps(self, entry: Entry) -> bool:
        """Whether the record is delivered."""
        keys = [key for stage, key in entry.about if stage is self._stage]
        in_time = self._since <= entry.time < self._until
        if not keys or not in_time or entry.source not in self._sources or not self._may_go(entry):
            return True
        if not self._chosen(entry.source, keys):
            return True
        self._counts[entry.source] += 1
        self._keys[entry.source].update(keys)
        return False

    def _may_go(self, entry: Entry) -> bool:
        """Not what another fault shows by; and where uses are dropped, no record that issues a key besides."""
        if any(key in self._planting.spared for _, key in entry.about):
            return False
        return self._stage is not Stage.USE or all(stage is Stage.USE for stage, _ in entry.about)

    def _chosen(self, source: str, keys: list[str]) -> bool:
        """All of a key or nothing: the first of a source is always among them."""
        known = self._keys[source]
        return not known or any(key in known for key in keys) or self._chance.fork(*keys).happens(PERCENT)

    def saw(self, piece: Piece) -> Piece:
        """Files stay as they are."""
        return piece

    def after(self) -> Iterator[Piece]:
        """Enter what was dropped."""
        for source, count in sorted(self._counts.items()):
            self._enter(source, count, tuple(sorted(self._keys[source])))
        if self._stage is Stage.ISSUE:
            self._traceless()
        return iter(())

    def _enter(self, source: str, count: int, keys: tuple[str, ...]) -> None:
        dropped = Dropped(
            source=source,
            stage=self._stage.value,
            since=self._since,
            until=self._until,
            records=count,
            keys=keys,
        )
        self._planting.estate.book.dropped.append(dropped)
        text = f"{count} records of the stage {self._stage.value} of {source} were never delivered"
        rules, severity = (("source-with-holes",), Severity.MEDIUM) if source in TELLS else ((), None)
        self._planting.enter(self._fault, source, text, rules, severity, keys)
        if self._stage is Stage.ISSUE and source == sources.CLOUDTRAIL:
            self._unexplained(keys)
        if self._stage is Stage.APPROVE:
            self._unapproved(keys)

    def _unexplained(self, keys: tuple[str, ...]) -> None:
        """Keys of sessions that were made while the log ran, and that no record issues."""
        for key in keys:
            book = self._planting.estate.book
            entry, stages = book.credentials.get(key), book.stages(key)
            if entry is not None and entry.population == "machine" and stages[Stage.USE.value]:
                text = "a session that was made while the log ran, and whose issue was never delivered"
                self._planting.enter(self._fault, key, text, ("no-known-issuance",), Severity.MEDIUM)

    def _traceless(self) -> None:
        """Workloads with runs of whose credentials some were issued, and no file says so any more."""
        book = self._planting.estate.book
        dropped = set().union(*self._keys.values())
        runs = {book.credentials[key].run for key in dropped if key in book.credentials} - {None}
        workloads = {book.runs[run].workload for run in runs if run in book.runs}
        named = {each.replace(github.PATH, github.NAME) for each in workloads}
        for workload in sorted(workloads | named):
            text = "runs of which no credential was seen, because its issue was never delivered"
            self._planting.enter(self._fault, workload, text, ("runs-without-telemetry",), Severity.LOW, required=False)

    def _unapproved(self, keys: tuple[str, ...]) -> None:
        """Sessions of runs that were approved, though no file says so any more."""
        book = self._planting.estate.book
        for each in book.credentials.values():
            asked = each.kind == "role session of a job" and each.run_visible != "none"
            known = each.run in keys and book.seen(each.run or "", Stage.START)
            if asked and known and each.run and not book.stages(each.run)[Stage.APPROVE.value]:
                text = "a session of a run whose approval was never delivered"
                named = each.run_visible == "client"
                self._planting.enter(self._fault, each.key, text, ("approved",), Severity.MEDIUM, required=named)


def _plant(fault: str, planting: Planting) -> None:
    dropping = Filter(planting, fault)
    planting.estate.kept.append(dropping.keeps)
    planting.changes.append(dropping)


FAULTS = tuple(
    Fault(name, f"records of the stage {stage.value} are never delivered for a while", partial(_plant, name))
    for name, (stage, _) in STAGES.items()
)
