"""The chains of the report: the ones given, most important first, and the rest as counts."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from custody.model.report import Answer, Chain, ClockRef, Report, Step
from custody.reports.broker_rows import FactRow, rows
from custody.reports.clock import Clock, clock
from custody.reports.kinds import alias_kind
from custody.reports.steps import TOLD, sort
from custody.reports.views.drawing import Timeline
from custody.reports.views.timeline import timeline
from custody.reports.words import LOG, MARKS, NOT_JUDGED, answered, counted, population, short_key, state_word

MOST = 200
OPEN_STEPS = 12
CITED = 8


class AnswerView(msgspec.Struct, frozen=True):
    """A verdict as shown: ``kind`` is the state as a style, ``mark`` and ``word`` say it without colour."""

    kind: str
    mark: str
    word: str
    short: str
    answer: Answer
    cited: str


class StepRow(msgspec.Struct, frozen=True):
    """A step as shown: ``told`` says that its word proves nothing, ``said_by`` whose it is."""

    step: Step
    label: str
    time: str
    text: str
    told: bool
    said_by: str


class ChainView(msgspec.Struct, frozen=True, kw_only=True):
    """A chain with what is drawn of it.

    ``severity`` is that of its worst finding; ``waiting`` names the questions that no rule judged.
    """

    chain: Chain
    key: str
    meta: str
    answers: tuple[AnswerView, ...]
    waiting: str
    tally: str
    timeline: Timeline | None
    aliases: tuple[tuple[str, str], ...]
    rows: tuple[StepRow, ...]
    day: str | None
    unfold_steps: bool
    severity: str | None
    broker: tuple[FactRow, ...] = ()


class Shown(msgspec.Struct, frozen=True):
    """How many credentials of a population there are, and how many of them are shown."""

    name: str
    shown: int
    total: int


class ChainsView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole section."""

    chains: tuple[ChainView, ...]
    populations: tuple[Shown, ...]
    total: int


def chains_view(report: Report, chains: Sequence[Chain]) -> ChainsView:
    """At most ``MOST`` chains, in the order given."""
    severities = {finding.id: finding.severity.value for finding in reversed(report.findings)}
    shown = tuple(chains[:MOST])
    per_population = Counter(chain.population for chain in shown)
    return ChainsView(
        chains=tuple(_chain(chain, severities, report.clocks) for chain in shown),
        populations=tuple(
            Shown(population(name), per_population[name], total) for name, total in report.credentials.items()
        ),
        total=sum(report.credentials.values()),
    )


def leaf_words(leaves: Sequence[int], total: int, most: int | None = None, log: str = LOG) -> str:
    """``operations:1204 1311 …``: at most ``most`` of them, each whole."""
    if not leaves:
        return ""
    shown = leaves[:most]
    return f"{log}:{' '.join(str(leaf) for leaf in shown)}{' …' if total > len(shown) else ''}"


def _chain(chain: Chain, severities: dict[str, str], clocks: Sequence[ClockRef]) -> ChainView:
    states = Counter(answer.state for answer in chain.verdicts)
    times = clock(step.time for step in chain.stages)
    worst = [severities[name] for name in chain.findings if name in severities]
    uses = [counted(chain.uses, "use")] + ([f"{chain.denied} denied"] if chain.denied else [])
    return ChainView(
        chain=chain,
        key=short_key(chain.keys[0]) if chain.keys else chain.credential,
        meta=" · ".join([chain.population, *uses, *([chain.unissued] if chain.unissued else [])]),
        answers=tuple(map(_answer, chain.verdicts)),
        waiting=", ".join(answered(one.question) for one in chain.verdicts if one.text == NOT_JUDGED),
        tally=", ".join(f"{count} {state}" for state in MARKS if (count := states[state])),
        timeline=timeline(chain, clocks),
        aliases=tuple((alias_kind(key), key) for key in chain.keys[1:]),
        rows=tuple(_row(step, times) for step in chain.stages),
        day=times.day,
        unfold_steps=len(chain.stages) <= OPEN_STEPS,
        broker=() if chain.brokered is None else tuple(rows(chain.brokered, times)),
        severity=min(worst, key=["critical", "high", "medium", "low"].index, default=None),
    )


def _row(step: Step, times: Clock) -> StepRow:
    told = step.asserter in TOLD
    label = "told" if told else sort(step)
    said_by = TOLD.get(step.asserter, step.asserter)
    text = f"{step.stage}: {step.text}" if told else times.within(step.text)
    return StepRow(step, label, times.show(step.time), text, told, said_by)


def _answer(answer: Answer) -> AnswerView:
    word = state_word(answer.state, answer.best)
    return AnswerView(
        kind="na" if answer.state == "n/a" else word if answer.state in MARKS else "unproven",
        mark=MARKS.get(answer.state, "?"),
        word=word,
        short=answered(answer.question),
        answer=answer,
        cited=leaf_words([leaf.index for leaf in answer.leaves], answer.count, CITED),
    )
