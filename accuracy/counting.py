"""Links, verdicts and findings held against the truth: counts that add up over many estates."""

from collections import Counter

import msgspec

from accuracy.estate import Told, at_least
from custody.model.verdicts import Finding
from custody.simulation.truth import Planted, Truth

LOUD = ("proved", "violated")


class Score(msgspec.Struct):
    """How many true facts there are, how many custody told, and how many of the told are true."""

    true: int = 0
    told: int = 0
    both: int = 0

    @property
    def precision(self) -> float | None:
        """Of what was told, how much is true; None where nothing was told."""
        return self.both / self.told if self.told else None

    @property
    def recall(self) -> float | None:
        """Of what is true, how much was told; None where nothing was true."""
        return self.both / self.true if self.true else None


class Counts(msgspec.Struct):
    """Everything that is counted, over all estates."""

    joins: dict[str, Score] = msgspec.field(default_factory=dict)
    candidates: dict[int, Score] = msgspec.field(default_factory=dict)
    rules: dict[str, Score] = msgspec.field(default_factory=dict)
    faults: dict[str, Score] = msgspec.field(default_factory=dict)
    questions: dict[str, Counter[str]] = msgspec.field(default_factory=dict)
    wrong: list[str] = msgspec.field(default_factory=list)
    missed: list[str] = msgspec.field(default_factory=list)
    noise: list[str] = msgspec.field(default_factory=list)
    estates: int = 0
    records: int = 0


def count(truth: Truth, told: Told, counts: Counts) -> None:
    """Add one estate."""
    counts.estates += 1
    counts.records += sum(truth.records.values())
    _joins(truth, told, counts)
    _verdicts(truth, told, counts)
    _findings(truth, told, counts)


def _joins(truth: Truth, told: Told, counts: Counts) -> None:
    for join in truth.complete_joins:
        true = {(told.name(e.from_key), told.name(e.to_key)) for e in truth.links if e.join == join and e.true}
        found = told.links.get(join, ())
        pairs = {(child, parent) for child, parent, _ in found}
        if join in CANDIDATES:
            _calibrate(true, found, counts)
        score = counts.joins.setdefault(join, Score())
        score.true += len(true)
        score.told += len(pairs)
        score.both += len(true & pairs)
        if join not in CANDIDATES:
            where = f"seed {truth.seed}: {join}"
            counts.wrong += [f"{where}: {child} → {parent} is not true" for child, parent in sorted(pairs - true)]
            if not truth.faults:
                counts.missed += [f"{where}: {child} → {parent}" for child, parent in sorted(true - pairs)]


CANDIDATES = ("token_review", "database_role_name", "github_run_window", "span_request", "forward_session")
"""Joins that are not exact, or that only workloads assert: they are calibrated, not required to be right."""


def _calibrate(true: set[tuple[str, str]], found: tuple[tuple[str, str, int], ...], counts: Counts) -> None:
    for child, parent, many in found:
        score = counts.candidates.setdefault(many, Score())
        score.told += 1
        score.both += (child, parent) in true


def _verdicts(truth: Truth, told: Told, counts: Counts) -> None:
    for each in truth.expected:
        state = told.verdicts.get(told.name(each.key), {}).get(each.question)
        if state is None:
            continue
        kinds = counts.questions.setdefault(each.question, Counter())
        right = state in each.states
        kinds["right" if right and state in LOUD else "not known" if state not in LOUD else "wrong"] += 1
        if not right and state in LOUD:
            allowed = ", ".join(each.states)
            counts.wrong.append(f"seed {truth.seed}: {each.question} of {each.key} is {state}, not {allowed}")


def _findings(truth: Truth, told: Told, counts: Counts) -> None:
    findings = told.report.findings
    explained: set[str] = set()
    for planted in truth.planted:
        hits = [each for each in findings if _hits(each, planted, told)]
        explained |= {each.id for each in hits}
        if planted.rules:
            if not hits and not planted.required:
                continue  # a consequence: a finding is right, and none is no miss
            score = counts.faults.setdefault(planted.fault, Score())
            score.true += 1
            loud = any(at_least(each.severity.value, planted.severity) for each in hits)
            score.both += loud
            score.told += 1
            if not loud:
                what = f"{planted.fault}: {planted.subject}: {planted.text} (rules {', '.join(planted.rules)})"
                counts.missed.append(f"seed {truth.seed}: {what}")
    touched = _touched(truth, told)
    for finding in findings:
        score = counts.rules.setdefault(finding.rule, Score())
        score.told += 1
        if finding.id in explained or any(each in told.name(finding.subject) for each in touched):
            score.both += 1
        else:
            counts.noise.append(f"seed {truth.seed}: {finding.rule}: {finding.subject}: {finding.text}")


def _touched(truth: Truth, told: Told) -> set[str]:
    """What a planted fault or dropped telemetry reaches: credentials, their runs, and the workloads of those."""
    keys = {key for planted in truth.planted for key in (planted.subject, *planted.keys)}
    keys |= {key for dropped in truth.dropped for key in dropped.keys}
    runs = {each.run for each in truth.credentials if each.key in keys and each.run is not None}
    workloads = {each.workload for each in truth.runs if each.key in runs | keys}
    return {told.name(key) for key in keys} | runs | workloads


def _hits(finding: Finding, planted: Planted, told: Told) -> bool:
    if finding.rule not in planted.rules:
        return False
    if planted.fault == "truncated-log":  # the finding names the file, or the records that cannot be read
        return finding.subject.startswith(("file:", "records:"))
    keys = {told.name(key) for key in (planted.subject, *planted.keys)}
    return (
        told.name(finding.subject) in keys
        or finding.subject.startswith(planted.subject)
        or (finding.subject.endswith(planted.subject))
    )
