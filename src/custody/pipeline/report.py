"""The report about a committed store, in any format."""

from __future__ import annotations

from pathlib import Path

from custody.model.report import Chain, Report
from custody.pipeline import output
from custody.pipeline.annex import annex
from custody.pipeline.export import controls
from custody.pipeline.tables import Answers, answers, current_report
from custody.pipeline.trace import chains_of
from custody.reports.registry import named
from custody.settings.catalog import Settings
from custody.store.reader import Reader

MOST = 200
"""Chains that a report shows; the rest are counts."""


def stored(settings: Settings) -> Report:
    """The report object of the committed store."""
    with Reader.open(settings.store) as reader:
        report, _ = current_report(reader, settings.store)
    return report


def render(settings: Settings, form: str) -> bytes:
    """The report in the format ``form``."""
    chosen = named(form)
    with answers(settings) as tables:
        return chosen.render(tables.report, weightiest(tables), annex(tables, controls(tables)))


def write(settings: Settings, form: str, path: Path) -> None:
    """Write the report to a file."""
    output.check(path)
    output.write(path, render(settings, form))


def weightiest(tables: Answers) -> list[Chain]:
    """The chains that matter most: those with findings, then machines, then what is alive, then by uses."""
    blamed = list(dict.fromkeys(found.subject for found in tables.report.findings if found.credential))[:MOST]
    rows = tables.engine.rows(
        "SELECT c.key FROM judged c ORDER BY CASE c.population WHEN 'machine' THEN 0 WHEN 'unknown' THEN 1 "
        "WHEN 'person' THEN 2 ELSE 3 END, CASE WHEN c.uses > 0 THEN 0 ELSE 1 END, c.uses DESC, c.key "
        f"LIMIT {MOST}"
    )
    keys = list(dict.fromkeys([*blamed, *(str(key) for (key,) in rows)]))[:MOST]
    return chains_of(tables, keys) if keys else []
