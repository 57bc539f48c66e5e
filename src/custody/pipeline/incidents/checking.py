"""A folder of policies for incidents: is it sound?"""

from __future__ import annotations

from pathlib import Path

from custody.broker.policy.folder import texts
from custody.broker.policy.policy_set import Checked
from custody.incidents.policy import deciding


def check(folder: Path) -> Checked:
    """Everything in the folder, checked against the schema of incidents. UsageError where it cannot be read at all."""
    return deciding.check(*texts(folder))


def schema() -> str:
    """The schema that the policies of incidents are checked with."""
    return deciding.schema_text()


def shipped() -> str:
    """The policies that hold where the response file names no folder."""
    return deciding.shipped()
