"""The report object as JSON, as docs/json.md describes it: the same object that ``--json`` prints."""

import json
from collections.abc import Sequence

import msgspec

from custody.model.annex import NO_ANNEX, Annex
from custody.model.report import Chain, Report
from custody.reports.format import ReportFormat
from custody.reports.safe import INVISIBLE

OPERATIONS = "operations"
"""The log that findings cite."""


def render(report: Report, chains: Sequence[Chain], annex: Annex = NO_ANNEX) -> bytes:  # noqa: ARG001  # what all take
    """UTF-8, two spaces deep, fields in their documented order, names within a count sorted, a newline at the end.

    The values are exact. Characters that are not visibly themselves stand as JSON escapes, so that the text can be
    looked at in a terminal.
    """
    built = cited(report)
    text = json.dumps(built, indent=2, ensure_ascii=False)
    return ("".join(map(_shown, text)) + "\n").encode()


def cited(value: object) -> object:
    """A report, or an object with findings, as plain values in which each leaf of a finding says of which log it is."""
    built = msgspec.to_builtins(value, order="deterministic")
    for found in (*built["findings"], *built.get("suppressed", ())):
        found["leaves"] = [{"log": OPERATIONS, "index": leaf} for leaf in found["leaves"]]
    return built


def _shown(character: str) -> str:
    """The newlines here are those of the layout: ``json`` has escaped the ones inside of strings."""
    if character == "\n" or (character.isprintable() and not INVISIBLE.match(character)):
        return character
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


FORMAT = ReportFormat(
    id="json",
    title="the report object",
    media_type="application/json",
    suffix=".json",
    render=render,
)
