"""An incident and its timeline in the forms that people and other tools take, to a file or to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from custody.errors import UsageError
from custody.model.incident_view import IncidentView
from custody.pipeline import output
from custody.reports.incident import page, table, text, timesketch
from custody.reports.terminal.incident_timeline import timeline
from custody.reports.terminal.style import PLAIN, Style

FORMATS = ("terminal", "json", "csv", "timesketch")
SUFFIX = ".jsonl"


def check(form: str, path: Path | None) -> None:
    """UsageError where ``path`` cannot be written, or what is to read it would refuse its name: before the work."""
    if path is None:
        return
    if form == "timesketch" and path.suffix != SUFFIX:
        raise UsageError("Timesketch imports no file of this name", where=str(path), expected=f"a name with {SUFFIX}")
    output.check(path)


def pieces(view: IncidentView, form: str, style: Style = PLAIN) -> Iterable[bytes]:
    """The timeline in ``form``, one of FORMATS, a piece at a time."""
    made: dict[str, Callable[[], Iterable[bytes]]] = {
        "terminal": lambda: [timeline(view, style).encode("utf-8", "backslashreplace")],
        "json": lambda: [text.timeline(view)],
        "csv": lambda: table.rows(view.timeline),
        "timesketch": lambda: timesketch.lines(view),
    }
    return made[form]()


def write(view: IncidentView, form: str, path: Path | None, style: Style = PLAIN) -> None:
    """Write the timeline: a file whole or not at all and without colours, else to stdout."""
    if path is not None:
        output.write_stream(path, pieces(view, form))
        return
    sys.stdout.flush()
    sys.stdout.buffer.writelines(pieces(view, form, style))
    sys.stdout.buffer.flush()


def write_page(view: IncidentView, path: Path) -> None:
    """Write the HTML page, whole or not at all."""
    output.write(path, page.page(view))
