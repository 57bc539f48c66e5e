"""The chains of a pack, in batches on their way to disk: memory holds a few hundred, whatever the number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from custody.errors import StoreError
from custody.model.report import Chain, Coverage, QuestionCounts, Ratio, Report
from custody.model.verdicts import Best, Finding, Population, Question, State
from custody.packs import documents
from custody.pipeline.report import MOST
from custody.pipeline.tables import answers
from custody.pipeline.trace import chains_of
from custody.settings.catalog import Settings

BATCH = 200

_decode = msgspec.json.Decoder(Chain).decode


class Chains:
    """The chains of some credentials: spooled to a file, with what the rest of the pack needs of them."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._weights: list[tuple[tuple[int, int, int, str], int]] = []
        self.leaves: set[int] = set()
        self.counts: dict[str, Counter[str]] = {question.value: Counter() for question in Question}
        self.machines = self.complete = 0
        self.subjects: dict[str, bool] = {}
        """The principals of machines, and whether every chain of each is complete."""

    def gather(self, settings: Settings, keys: Sequence[str], progress: Callable[[int], None]) -> None:
        """Judge and spool the chains of ``keys``, in that order."""
        with self._spool.open("wb") as file:
            for start in range(0, len(keys), BATCH):
                with answers(settings) as tables:
                    found = chains_of(tables, keys[start : start + BATCH])
                if [chain.keys[0] for chain in found] != list(keys[start : start + BATCH]):
                    raise StoreError("a credential has no chain", advice="`custody rebuild` makes the tables anew.")
                for chain in found:
                    self._take(chain, file.tell())
                    file.write(msgspec.json.encode(chain) + b"\n")
                progress(len(found))

    def __iter__(self) -> Iterator[Chain]:
        with self._spool.open("rb") as file:
            for line in file:
                yield _decode(line)

    def weightiest(self) -> list[Chain]:
        """The chains that a report shows: those with findings, then machines, then those used most."""
        with self._spool.open("rb") as file:
            shown = []
            for _, at in sorted(self._weights)[:MOST]:
                file.seek(at)
                shown.append(_decode(file.readline()))
            return shown

    def report(self, report: Report, findings: tuple[Finding, ...], suppressed: tuple[Finding, ...]) -> Report:
        """The report about these chains alone: their findings and counts, and the scope and records of the store."""
        why = "counted over this pack alone"
        coverage = Coverage(
            population=Ratio(count=None, of=None, why=f"{why}: population.json says of how many"),
            chains=Ratio(count=self.complete, of=self.machines, why=why),
            identities=Ratio(count=sum(self.subjects.values()), of=len(self.subjects), why=why),
            questions=tuple(self._counted(each) for each in report.coverage.questions),
            cheapest_fix=None,
            cheapest_fix_settles=0,
            contract=report.coverage.contract,
        )
        return msgspec.structs.replace(report, coverage=coverage, findings=findings, suppressed=suppressed)

    def _take(self, chain: Chain, at: int) -> None:
        self.leaves.update(leaf.index for leaf in documents.cited(msgspec.to_builtins(chain)))
        machine = chain.population == Population.MACHINE
        self._weights.append(((not chain.findings, not machine, -chain.uses, chain.keys[0]), at))
        if not machine:
            return
        complete = True
        for answer in chain.verdicts:
            self.counts[answer.question][answer.state] += 1
            if answer.best in (Best.INDICATED, Best.CLAIMED):
                self.counts[answer.question][str(answer.best)] += 1
            complete = complete and answer.state in (State.PROVED, State.NOT_APPLICABLE)
        self.machines, self.complete = self.machines + 1, self.complete + complete
        subject = str(chain.subject)
        self.subjects[subject] = complete and self.subjects.get(subject, True)

    def _counted(self, each: QuestionCounts) -> QuestionCounts:
        counts = self.counts[each.question]
        return msgspec.structs.replace(
            each,
            proved=counts[State.PROVED],
            violated=counts[State.VIOLATED],
            unproven=counts[State.UNPROVEN],
            open=counts[State.OPEN],
            not_applicable=counts[State.NOT_APPLICABLE],
            indicated=counts[Best.INDICATED],
            claimed=counts[Best.CLAIMED],
        )
