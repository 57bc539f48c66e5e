"""The report as one HTML file: no script, no reference to anything outside of it, whatever the logs say.

Three things stand between a hostile log and the page: every text is made plain before anything is laid out, every
expression of a template is made plain and escaped once more, and the file's own policy forbids to load or run anything.
"""

from collections.abc import Sequence
from functools import cache

import jinja2
import msgspec
from markupsafe import Markup

from custody.model.annex import NO_ANNEX, Annex
from custody.model.report import Chain, Report
from custody.reports import words
from custody.reports.format import ReportFormat
from custody.reports.kinds import kind
from custody.reports.safe import cleaned, plain, shortened
from custody.reports.views.chains import MOST, chains_view, leaf_words
from custody.reports.views.controls import controls_view
from custody.reports.views.register import register_view
from custody.reports.views.summary import summary

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render(report: Report, chains: Sequence[Chain], annex: Annex = NO_ANNEX) -> bytes:
    """The whole file, UTF-8. ``chains`` are most important first; the first 200 are shown, the rest counted.

    With a cover it is the report of a pack: its credentials are those of the pack, its scope that of the store.
    """
    report, annex = cleaned(report), cleaned(annex)
    cover = annex.cover
    if cover is not None:
        report = msgspec.structs.replace(report, credentials=cover.populations)
    shown = [cleaned(chain) for chain in chains[:MOST]]
    page = environment().get_template("report.html.j2")
    text = page.render(
        report=report,
        annex=annex,
        cover=cover,
        summary=summary(report, cover),
        section=chains_view(report, shown),
        register=None if annex.register is None else register_view(annex.register),
        controls=controls_view(report.findings, annex.controls),
        policy=POLICY,
        promise=words.PROMISE,
        not_judged=words.NOT_JUDGED,
        clocks=words.pairs(report.clocks),
    )
    return text.encode()


@cache
def environment() -> jinja2.Environment:
    """The templates, with everything that they may call: whatever is shown is escaped."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("custody.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters.update(
        number=words.number,
        counted=words.counted,
        stamp=words.stamp,
        day=words.day,
        span=words.span,
        period=words.period,
        short_key=words.short_key,
        kind=kind,
        capitalized=lambda text: text[:1].upper() + text[1:],
        apart=words.apart,
        population=words.population,
        shortened=shortened,
        leaf_words=leaf_words,
        leaf_text=words.leaf_text,
    )
    return found


def _shown(value: object) -> object:
    """What every expression goes through before it is escaped; only macros give markup."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else plain(value)


FORMAT = ReportFormat(id="html", title="one self-contained page", media_type="text/html", suffix=".html", render=render)
