"""Tables as CSV (RFC 4180): UTF-8 without a mark, a line of names first, lines that end in CR and LF.

Texts are quoted and safe against formulas (``safe.csv_cell``), numbers stand bare, what is not there is an empty cell.
Leaves are those of the operations log, as ``custody show`` takes them. Every table is a stream: a store may hold any
number of credentials.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from custody.engine.duck import Cell, Engine
from custody.model.report import Answer, Chain, Ratio, Report
from custody.model.times import text as time_text
from custody.model.verdicts import Finding, Question
from custody.reports.safe import csv_cell
from custody.reports.words import LOG, state_word

Value = str | int | bool | None

FINDINGS = (
    "finding", "severity", "rule", "title", "who", "subject", "credential", "state", "basis", "question", "text", "why",
    "action", "controls", "records", "leaves", "suppressed_by", "suppressed_until", "suppressed_because",
)  # fmt: skip
IDENTITIES = (
    "identity", "kind", "population", "declared", "account", "first_seen", "last_seen", "credentials", "leaf",
)  # fmt: skip
NAMES_OF = """
    SELECT i.identity, i.kind, i.population, i.declared, i.account, i.first_seen, i.last_seen,
           CAST(i.credentials AS BIGINT), i.leaf, n.names
    FROM identities i
    LEFT JOIN (
        SELECT identity, string_agg(DISTINCT name, ' ' ORDER BY name) AS names FROM identity_names GROUP BY identity
    ) n ON n.identity = i.identity
    ORDER BY i.identity
"""
TIMES = ("first_seen", "last_seen")


class CredentialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One credential with its answers: ``answers`` holds for each question the state, or the best that there is.

    Times are RFC 3339; ``findings`` are the ids of what was found about it.
    """

    credential: str
    key: str
    who: str
    population: str
    identity_class: str | None
    subject: str | None
    workload: str | None
    run: str | None
    parent: str | None
    root: str | None
    lineage: str | None
    issued_at: str | None
    not_after: str | None
    uses: int
    successes: int
    denied: int
    findings: tuple[str, ...]
    answers: Mapping[str, str]


CREDENTIALS = tuple(name for name in CredentialRow.__struct_fields__ if name not in ("findings", "answers"))


def findings(report: Report) -> Iterator[bytes]:
    """A row for each finding in the order of the report, then for each that is suppressed."""
    yield _line(FINDINGS)
    for found in (*report.findings, *report.suppressed):
        yield _line(_finding(found))


def credentials(chains: Iterable[Chain]) -> Iterator[bytes]:
    """A row for each chain, with its answer to every question."""
    return credential_rows(map(of_chain, chains))


def credential_rows(rows: Iterable[CredentialRow]) -> Iterator[bytes]:
    """The same from rows that were made without their chains."""
    yield _line((*CREDENTIALS, *(question.value for question in Question), "findings"))
    for row in rows:
        facts = [getattr(row, name) for name in CREDENTIALS]
        answers = [row.answers.get(question.value) for question in Question]
        yield _line((*facts, *answers, " ".join(row.findings)))


def identities(engine: Engine) -> Iterator[bytes]:
    """A row for each non-human identity, from the table ``identities``, with every name that leads to it."""
    yield _line((*IDENTITIES, "names"))
    for cells in engine.stream(NAMES_OF):
        yield _line([_cell(name, cell) for name, cell in zip((*IDENTITIES, "names"), cells, strict=True)])


def population(report: Report) -> Iterator[bytes]:
    """The counts behind every percentage: what was read, who is counted, and the answers to each question."""
    yield _line(("about", "name", "count", "of", "note"))
    for row in (*_read(report), *_coverage(report)):
        yield _line(row)


def of_chain(chain: Chain) -> CredentialRow:
    """The row of a chain."""
    return CredentialRow(
        credential=chain.credential,
        key=chain.keys[0] if chain.keys else "",
        who=chain.who,
        population=chain.population,
        identity_class=chain.identity_class,
        subject=chain.subject,
        workload=chain.workload,
        run=chain.run,
        parent=None if chain.parent is None else chain.parent.key,
        root=chain.root,
        lineage=chain.lineage,
        issued_at=chain.issued_at,
        not_after=chain.not_after,
        uses=chain.uses,
        successes=chain.successes,
        denied=chain.denied,
        findings=chain.findings,
        answers={each.question: _answer(each) for each in chain.verdicts},
    )


def _answer(answer: Answer) -> str:
    return state_word(answer.state, answer.best)


def _finding(found: Finding) -> Sequence[Value]:
    borne = found.suppressed
    return (
        found.id,
        found.severity.value,
        found.rule,
        found.title,
        found.who,
        found.subject,
        found.credential,
        found.state.value,
        None if found.basis is None else found.basis.value,
        found.question,
        found.text,
        found.why,
        found.action,
        "; ".join(found.controls),
        found.count,
        " ".join(f"{LOG}:{leaf}" for leaf in found.leaves),
        *((None, None, None) if borne is None else (borne.owner, borne.until, borne.reason)),
    )


def _read(report: Report) -> Iterator[Sequence[Value]]:
    for name in ("records", "understood", "skips", "duplicates", "conflicts", "events", "acquisitions"):
        number: int = getattr(report, name)
        yield ("records", name, number, None, None)
    for name, number in sorted(report.skipped.items()):
        yield ("records skipped", name, number, report.skips, None)
    for name, number in report.credentials.items():
        yield ("credentials", name, number, sum(report.credentials.values()), None)
    for part in report.scope.read:
        yield (f"read of {part.source}", part.account or "-", part.events, None, f"{part.first} to {part.last}")
    for missing in report.scope.not_read:
        yield ("not read", missing, None, None, None)


def _coverage(report: Report) -> Iterator[Sequence[Value]]:
    ratios: dict[str, Ratio] = {
        "population": report.coverage.population,
        "complete chains": report.coverage.chains,
        "complete identities": report.coverage.identities,
    }
    for name, ratio in ratios.items():
        yield ("coverage", name, ratio.count, ratio.of, ratio.why)
    for each in report.coverage.questions:
        states = {
            "proved": each.proved, "violated": each.violated, "unproven": each.unproven, "indicated": each.indicated,
            "claimed": each.claimed, "open": each.open, "n/a": each.not_applicable,
        }  # fmt: skip
        total = each.proved + each.violated + each.unproven + each.open + each.not_applicable
        for state, number in states.items():
            yield (each.question, state, number, total, None if each.judged else "not judged yet")


def _cell(name: str, cell: Cell) -> Value:
    if name in TIMES:
        return time_text(cell) if isinstance(cell, int) else None
    return cell if cell is None or isinstance(cell, str | int) else str(cell)


def _line(values: Sequence[Value]) -> bytes:
    return (",".join(map(_written, values)) + "\r\n").encode("utf-8", "backslashreplace")


def _written(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else csv_cell(value)
