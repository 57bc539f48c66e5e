"""A row for every credential with its answers, some at a time: a chain each would take too long for a whole store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from custody.engine.duck import Cell
from custody.model.keys import lineage_id
from custody.model.times import text
from custody.model.verdicts import Verdict
from custody.pipeline.tables import Answers
from custody.reports.csv_tables import CredentialRow
from custody.reports.words import state_word
from custody.rules import judging

AT_A_TIME = 5000
COLUMNS = (
    "credential", "key", "who", "population", "identity_class", "subject", "workload", "run", "parent", "root",
    "lineage", "issued_at", "not_after", "uses", "successes", "denied",
)  # fmt: skip
TIMES = ("issued_at", "not_after")
COUNTS = ("uses", "successes", "denied")
PAGE = f"SELECT {', '.join(COLUMNS)} FROM judged WHERE key > ? ORDER BY key LIMIT CAST(? AS BIGINT)"


def credential_rows(tables: Answers) -> Iterator[CredentialRow]:
    """Every credential, in the order of their keys."""
    blamed: dict[str, list[str]] = {}
    for found in tables.report.findings:
        blamed.setdefault(found.subject, []).append(found.id)
    last = ""
    while rows := tables.engine.rows(PAGE, [last, AT_A_TIME]):
        keys = [str(row[1]) for row in rows]
        verdicts = judging.verdicts_of(tables.engine, tables.rules, tables.versions, keys)
        for key, row in zip(keys, rows, strict=True):
            yield _row(row, verdicts[key], blamed.get(key, ()))
        last = keys[-1]


def _row(cells: Sequence[Cell], verdicts: Mapping[str, Verdict], findings: Sequence[str]) -> CredentialRow:
    facts = dict(zip(COLUMNS, cells, strict=True))
    said = {name: None if cell is None else str(cell) for name, cell in facts.items()}
    moments = {name: text(cell) if isinstance(cell := facts[name], int) else None for name in TIMES}
    counts = {name: cell if isinstance(cell := facts[name], int) else 0 for name in COUNTS}
    return CredentialRow(
        credential=said["credential"] or "",
        key=said["key"] or "",
        who=said["who"] or "",
        population=said["population"] or "",
        identity_class=said["identity_class"],
        subject=said["subject"],
        workload=said["workload"],
        run=said["run"],
        parent=said["parent"],
        root=said["root"],
        lineage=None if said["lineage"] is None else lineage_id(said["lineage"]),
        issued_at=moments["issued_at"],
        not_after=moments["not_after"],
        uses=counts["uses"],
        successes=counts["successes"],
        denied=counts["denied"],
        findings=tuple(findings),
        answers={question: _answer(verdict) for question, verdict in verdicts.items()},
    )


def _answer(verdict: Verdict) -> str:
    return state_word(verdict.state.value, None if verdict.best is None else verdict.best.value)
