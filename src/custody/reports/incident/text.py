"""An incident, or its timeline alone, as one JSON object (docs/incident-timeline.md)."""

import json

import msgspec

from custody.model.incident_view import IncidentView


def whole(view: IncidentView) -> bytes:
    """Everything: two spaces deep, fields in their documented order, a newline at the end.

    The values are exact; whatever is not ASCII stands as a JSON escape, so that it can be looked at in a terminal.
    """
    return _written(msgspec.to_builtins(view, order="deterministic"))


def timeline(view: IncidentView) -> bytes:
    """The timeline with the incident that it is of, and as it was known when."""
    built = msgspec.to_builtins(view.timeline, order="deterministic")
    return _written({"incident": view.incident, "as_of": view.as_of, "known_at": view.known_at, **built})


def _written(built: object) -> bytes:
    return (json.dumps(built, indent=2).replace("\x7f", "\\u007f") + "\n").encode()
