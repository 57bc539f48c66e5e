"""Which intake opens incidents, and for what is pushed to it."""

from __future__ import annotations

from custody.pipeline.incidents.alerting import Rule
from custody.serve.intake_forms import Form
from custody.settings.broker_file import BrokerFile

ALERTS = frozenset({Form.CLOUD_EVENT.value, Form.CLOUD_EVENTS.value, Form.EVENT_TOKEN.value})
"""The forms that alerts come in; any other is a log."""


def rule_of(file: BrokerFile, name: str, content_type: str) -> Rule | None:
    """What the intake opens for a push of this form, None for nothing."""
    door = next((each for each in file.intake if each.name == name), None)
    if door is None or door.opens is None or content_type not in ALERTS:
        return None
    return Rule(intake=door.name, severity=door.opens, most=door.most)
