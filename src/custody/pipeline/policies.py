"""A folder of Cedar policies: is it sound, do its cases come out, and why does one come out as it does?"""

from __future__ import annotations

from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.model.broker_terms import Decision

try:
    from custody.broker.policy.cases import Ran, cases_of, run
    from custody.broker.policy.cedar import CedarEngine
    from custody.broker.policy.explaining import Weighed, weighed
    from custody.broker.policy.folder import SCHEMA_NAME, PolicyFolder, read
    from custody.broker.policy.policy_set import Checked
    from custody.broker.policy.schema import combined
    from custody.broker.policy.situation_files import MAX_BYTES, situation_of
except ImportError as error:
    if error.name != "cedarpy":
        raise
    raise UsageError("policies need the extra broker", advice="pip install 'custody[broker]'") from None


__all__ = ["MAX_BYTES", "Explained", "check", "explain", "schema", "test"]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and what every policy had to do with it.

    ``recorded`` is what an entry of the log says was decided, ``same`` whether it was decided on the same: policies,
    schema, entities and request by their digests.
    """

    decision: Decision
    policies: tuple[Weighed, ...]
    recorded: Decision | None = None
    same: dict[str, bool] = {}


def check(folder: Path) -> Checked:
    """Everything in the folder, checked. UsageError where it cannot be read at all."""
    return read(folder)


def schema(folder: Path | None) -> str:
    """The schema that policies are checked with: custody's own, and what the folder adds to it."""
    if folder is None:
        return combined(None).text
    path = folder / SCHEMA_NAME
    try:
        return combined(path.read_text("utf-8") if path.exists() else None, str(path)).text
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("cannot be read", where=str(path), found=str(getattr(error, "strerror", ""))) from None


def test(folder: Path) -> tuple[Ran, ...]:
    """Every case of the folder, decided. UsageError where the policies cannot decide or a case is wrong."""
    engine = CedarEngine(PolicyFolder(folder))
    return tuple(run(case, engine) for case in cases_of(folder))


def explain(folder: Path, data: bytes, name: str) -> Explained:
    """The decision of one situation, or again of an entry of a broker's log, by the policies in the folder as it is."""
    policies = PolicyFolder(folder)
    situation, recorded = situation_of(data, name)
    decision = CedarEngine(policies).decide(situation)
    same = {}
    if recorded is not None:
        digests = ("policy_set", "schema", "entities", "request", "verdict")
        same = {each: getattr(recorded, each) == getattr(decision, each) for each in digests}
    return Explained(decision=decision, policies=weighed(situation, policies.current), recorded=recorded, same=same)
