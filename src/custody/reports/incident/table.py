"""The timeline as CSV (RFC 4180): a line of names, then a line a moment, in order of corrected time.

Texts are quoted and safe against formulas (``safe.csv_cell``), numbers stand bare, what is not there is an empty cell.
``time`` is by the clock of the moment's own source, ``corrected`` by the reference clock where that is known.
"""

from collections.abc import Iterator, Sequence

from custody.model.incident_view import MomentView, TimelineView
from custody.reports.safe import csv_cell
from custody.reports.words import leaf_text

Value = str | int | float | None

COLUMNS = (
    "time", "last", "count", "corrected", "shift_seconds", "unsure_seconds", "known_at", "lane", "party", "kind",
    "text", "who", "grade", "said_by", "outcome", "source", "key", "action", "leaf",
)  # fmt: skip


def rows(timeline: TimelineView) -> Iterator[bytes]:
    """The whole table, a line at a time."""
    yield _line(COLUMNS)
    for each in timeline.moments:
        yield _line(_cells(each))


def _cells(each: MomentView) -> Sequence[Value]:
    return (
        each.at, each.last, each.count, each.corrected, each.shifted, each.unsure, each.known, each.lane, each.party,
        each.kind, each.text, each.who, each.grade, each.asserter, each.outcome, each.source, each.key, each.action,
        leaf_text(each.leaf),
    )  # fmt: skip


def _line(values: Sequence[Value]) -> bytes:
    return (",".join(map(_written, values)) + "\r\n").encode("utf-8", "backslashreplace")


def _written(value: Value) -> str:
    if value is None:
        return ""
    return csv_cell(value) if isinstance(value, str) else repr(value)
