"""What one step of following changed: records, findings, and answers that are open no more."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import msgspec

from custody.model.report import Report
from custody.model.verdicts import State
from custody.pipeline.tables import answers
from custody.rules.judging import machine_states
from custody.settings.catalog import Settings


class FindingChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of findings that are new, and of those that are none any more: late records repair earlier answers."""

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class AnswerChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Answers about machine credentials: how many were open before and are not now, by what they are now; totals."""

    settled: dict[str, int] = {}
    open: int = 0
    proved: int = 0
    violated: int = 0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step. ``at`` is the time of this machine, ``seconds`` what reading took and ``judging`` what judging took.

    ``judged`` is False for a step that only read: its records are sealed, and judged by a later one.
    """

    step: int
    at: str
    files: int
    records: int
    new: int
    duplicates: int
    judged: bool
    as_of: str | None
    findings: FindingChanges
    answers: AnswerChanges
    seconds: float
    judging: float

    @property
    def tells(self) -> bool:
        """Whether anything changed."""
        return bool(self.records or self.findings.new or self.findings.gone or self.answers.settled)


class Judgement:
    """What the last judging said, as far as the next is compared with it."""

    def __init__(self) -> None:
        self._findings: frozenset[str] = frozenset()
        self._open: frozenset[bytes] = frozenset()
        self.report: Report | None = None

    def renew(self, settings: Settings, report: Report) -> tuple[FindingChanges, AnswerChanges]:
        """Take ``report`` as the last; gives what changed since the one before."""
        now = frozenset(found.id for found in report.findings)
        before, self._findings = self._findings, now
        findings = FindingChanges(new=tuple(sorted(now - before)), gone=tuple(sorted(before - now)))
        settled = self._settled(settings, report)
        self.report = report
        return findings, answered(report, settled)

    def _settled(self, settings: Settings, report: Report) -> Counter[str]:
        """Judge the questions again that have, or had, open answers: the tables hold no verdicts."""
        was = {one.question for one in self.report.coverage.questions if one.open} if self.report else set[str]()
        asked = was | {one.question for one in report.coverage.questions if one.open}
        settled: Counter[str] = Counter()
        still: set[bytes] = set()
        if asked:
            with answers(settings) as tables:
                for rule in tables.rules:
                    if rule.question is None or rule.question.value not in asked:
                        continue
                    for key, state in machine_states(tables.engine, rule, tables.versions):
                        mark = _mark(rule.id, key)
                        if state is State.OPEN:
                            still.add(mark)
                        elif mark in self._open:
                            settled[state.value] += 1
        self._open = frozenset(still)
        return settled


def answered(report: Report, settled: Counter[str]) -> AnswerChanges:
    """The totals of a report beside what was settled."""
    questions = report.coverage.questions
    return AnswerChanges(
        settled=dict(sorted(settled.items())),
        open=sum(one.open for one in questions),
        proved=sum(one.proved for one in questions),
        violated=sum(one.violated for one in questions),
    )


def _mark(rule: str, key: str) -> bytes:
    return blake2b(f"{rule}\0{key}".encode(), digest_size=8).digest()
