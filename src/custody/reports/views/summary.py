"""The first page: one sentence, the three numbers, the answers by question, and what to do first."""

from collections import Counter

import msgspec

from custody.model.annex import Cover
from custody.model.report import QuestionCounts, Ratio, Report
from custody.model.verdicts import Finding
from custody.reports.words import SEVERITIES, counted, number

DO_FIRST = 3


class Card(msgspec.Struct, frozen=True):
    """One coverage number. ``share`` is in percent, None where there is nothing to divide."""

    title: str
    population: str
    count: str
    of: str | None
    share: float | None
    why: str


class Segment(msgspec.Struct, frozen=True):
    """A part of a bar: its state and how many."""

    state: str
    count: int


class QuestionRow(msgspec.Struct, frozen=True):
    """One question: its counts, the parts of its bar, and what a number alone would not say."""

    counts: QuestionCounts
    bar: tuple[Segment, ...]
    note: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The first page."""

    headline: str
    severities: tuple[tuple[str, int], ...]
    cards: tuple[Card, ...]
    questions: tuple[QuestionRow, ...]
    first: tuple[Finding, ...]
    events: int
    sources: int


def summary(report: Report, cover: Cover | None = None) -> Summary:
    """Everything the first page says that is not a plain field of the report; ``cover`` is that of a pack."""
    found = Counter(finding.severity.value for finding in report.findings)
    coverage = report.coverage
    return Summary(
        headline=_headline(report, found),
        severities=tuple((name, found[name]) for name in SEVERITIES if found[name]),
        cards=(
            _card("Population", "runs with a chain, of the runs known", coverage.population)
            if cover is None
            else _chosen(cover),
            _card("Complete chains", _of_chains(coverage.exempt), coverage.chains),
            _card("Complete identities", "machine identities whose every chain is complete", coverage.identities),
        ),
        questions=tuple(_question(one, report) for one in coverage.questions),
        first=report.findings[:DO_FIRST],
        events=sum(part.events for part in report.scope.read),
        sources=len({part.source for part in report.scope.read}),
    )


def _headline(report: Report, found: Counter[str]) -> str:
    top = next((name for name in SEVERITIES if found[name]), None)
    findings = f"{counted(found[top], f'{top} finding')}" if top else "No findings"
    chains = report.coverage.chains
    if not chains.of:
        return f"{findings}; no machine credential was seen."
    whole = "unknown" if chains.count is None else number(chains.count)
    return f"{findings}; {whole} of {counted(chains.of, 'machine chain')} complete."


def _chosen(cover: Cover) -> Card:
    """Of how many credentials a pack is."""
    whole = cover.sample is None
    return Card(
        title="In this pack",
        population="credentials, all that fit" if whole else "credentials, drawn from all that fit",
        count=number(cover.chosen),
        of=number(cover.population),
        share=cover.chosen / cover.population * 100 if cover.population else None,
        why="" if whole else f"a sample, drawn by the seed {cover.seed}",
    )


def _of_chains(exempt: int) -> str:
    """What complete chains are counted of; an exempt one is never complete."""
    told = "machine credentials with every applicable question proved"
    return f"{told}; {number(exempt)} exempt by an exception of their class" if exempt else told


def _card(title: str, population: str, ratio: Ratio) -> Card:
    """A percentage is never given without its counts, and a violation never enters one."""
    share = ratio.count / ratio.of * 100 if ratio.count is not None and ratio.of else None
    count = "unknown" if ratio.count is None else number(ratio.count)
    of = None if ratio.of is None else number(ratio.of)
    return Card(title, population, count, of, share, ratio.why)


def _question(one: QuestionCounts, report: Report) -> QuestionRow:
    weak = max(one.unproven - one.indicated - one.claimed, 0)
    parts = (
        ("proved", one.proved),
        ("violated", one.violated),
        ("indicated", one.indicated),
        ("claimed", one.claimed),
        ("unproven", weak),
        ("open", one.open),
        ("na", one.not_applicable),
    )
    if not one.judged:
        note = "not judged yet: no rule answers it"
    elif one.question == "approved" and one.not_applicable and report.contract.digest is None:
        note = "n/a: there is no contract that could ask for it"
    else:
        note = ""
    return QuestionRow(one, tuple(Segment(state, count) for state, count in parts if count), note)
