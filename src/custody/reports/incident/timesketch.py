"""The timeline as JSON Lines that Timesketch imports (its guide "Create timeline from JSONL or CSV file").

Each line has the fields that it asks for: ``message``, ``datetime`` (ISO 8601), ``timestamp`` (µs since 1970) and
``timestamp_desc``. Both times are those of the event by the clock of its own source: nothing that is imported differs
from what the record says. Ours stand beside them (docs/incident-timeline.md); what is not there is left out. The file
has to be called ``.jsonl`` to be imported.
"""

import json
from collections.abc import Iterator
from datetime import timedelta

from custody.model.incident_view import IncidentView, MomentView
from custody.model.times import EPOCH
from custody.reports.words import leaf_text, moment

DESCRIPTIONS = {"system": "Event Time", "person": "Step Sealed", "custody": "Last Record Cited"}
"""What the time of a line is, by whose it is; of what somebody says they did, see ``_described``."""
SAID = ("done", "aware")


def lines(view: IncidentView) -> Iterator[bytes]:
    """A line a moment, in order of corrected time. ASCII: whatever is not, stands as a JSON escape."""
    for each in view.timeline.moments:
        written = json.dumps(_fields(view, each), ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f")
        yield f"{written}\n".encode()


def _fields(view: IncidentView, each: MomentView) -> dict[str, str | int | float]:
    found = moment(each.at)
    fields: dict[str, str | int | float | None] = {
        "message": f"{each.text} [{each.grade}, {leaf_text(each.leaf)}]",
        "datetime": each.at if found is None else found.isoformat(),
        "timestamp": 0 if found is None else (found - EPOCH) // timedelta(microseconds=1),
        "timestamp_desc": _described(each),
        "data_type": f"custody:incident:{each.party}",
        "incident": view.incident,
        "lane": each.lane,
        "kind": each.kind,
        "who": each.who,
        "grade": each.grade,
        "said_by": each.asserter,
        "outcome": each.outcome,
        "leaf": leaf_text(each.leaf),
        "count": each.count,
        "last_datetime": each.last,
        "known_at": each.known,
        "corrected_datetime": each.corrected,
        "shift_seconds": each.shifted,
        "unsure_seconds": each.unsure,
        "source_log": each.source or None,
        "credential_key": each.key or None,
        "action": each.action or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _described(each: MomentView) -> str:
    return (
        "Time As Told" if each.party == "person" and each.kind in SAID else DESCRIPTIONS.get(each.party, "Event Time")
    )
