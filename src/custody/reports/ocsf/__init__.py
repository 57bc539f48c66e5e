"""OCSF 1.8.0: what the sealed records say as events, and what asks for action as findings.

Each is a stream of lines, one JSON object a line (NDJSON), in an order that depends on nothing but the store.
"""

from custody.reports.ocsf.events import events
from custody.reports.ocsf.findings import findings
from custody.reports.ocsf.holes import holes

__all__ = ["events", "findings", "holes"]
