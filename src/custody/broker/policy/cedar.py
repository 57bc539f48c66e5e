"""Cedar as the broker's policy engine (cedarpy, in process).

The trap that this file is about: Cedar skips a policy that errors, so a ``forbid`` that meets a missing attribute falls
away, and a matching ``permit`` allows. So the schema is always given, with entities and request checked against it, and
whatever is not Allow without any error is a deny.
"""

from __future__ import annotations

import functools
import re
from importlib.metadata import version

import cedarpy

from custody.broker.policy.caught import Caught
from custody.broker.policy.engine import Situation
from custody.broker.policy.folder import PolicyFolder
from custody.broker.policy.policy_set import PolicySet
from custody.broker.policy.settling import CONTAINED, Settled, failed, settled
from custody.broker.policy.situations import Asking, asking, counted, recordable
from custody.model.broker_terms import Decision, Verdict

LONGEST_ERROR = 200
MOST_ERRORS = 8
STOPPED = frozenset({"Issue", "Renew"})
"""What an identity with an open containment cannot have, whatever the policies say."""

_OF_POLICY = re.compile(r"error while evaluating policy `([^`]{1,128})`: (.*)", re.DOTALL)
_WORDS = (
    ("failed to build request", "the request does not fit the schema"),
    ("failed to parse entities", "the entities do not fit the schema"),
    ("failed to parse schema", "the schema does not parse"),
    ("failed to parse policies", "the policies do not parse"),
)
"""What the engine says of input that it refuses quotes the input: the record says only what was refused."""


@functools.cache
def engine_name() -> str:
    """The engine and its version, as decisions record it."""
    return f"cedarpy {version('cedarpy')}"


class CedarEngine:
    """Decides by the policies of a folder as they hold at the moment (``PolicyEngine``)."""

    def __init__(self, folder: PolicyFolder) -> None:
        self.folder = folder
        self._entities = functools.lru_cache(maxsize=1024)(_parsed)

    def decide(self, situation: Situation) -> Decision:
        """Allow, deny, or what approvals it takes. Anything but a clean Allow is a deny; nothing is raised."""
        policies = self.folder.current
        asked, recorded, result = None, {}, failed("the engine was not asked")
        with Caught() as caught:
            asked = asking(situation)
            recorded = recordable(situation)
            result = self._settled(asked, situation, policies)
        if caught.error:
            result = failed(caught.error)
        entities, request = asked.digests if asked else ("", "")
        return Decision(
            verdict=result.verdict,
            engine=engine_name(),
            policy_set=policies.sha256,
            schema=policies.schema.sha256,
            entities=entities,
            request=request,
            policies=policies.refs(list(result.ids)),
            errors=result.errors,
            why=result.why,
            commit=policies.commit,
            max_ttl=result.max_ttl,
            asked=result.asked,
            context=recorded,
        )

    def _settled(self, asked: Asking, situation: Situation, policies: PolicySet) -> Settled:
        if situation.contained and situation.action in STOPPED:
            return Settled(verdict=Verdict.DENY, why=CONTAINED)
        entities = self._entities(asked.entities, policies.schema.handle)
        said, reasons, errors = evaluated(asked, policies.handle, entities, policies.schema.handle)
        return settled(said, reasons, errors, policies, counted(situation))


def evaluated(
    asked: Asking, policies: cedarpy.PolicySet, entities: cedarpy.Entities, schema: cedarpy.Schema
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """What the engine says: its decision as a word, the policy ids that it names, its errors made fit to be kept."""
    request = {
        "principal": asked.principal,
        "action": asked.action,
        "resource": asked.resource,
        "context": asked.context,
    }
    result = cedarpy.is_authorized(request, policies, entities, schema)
    errors = result.diagnostics.errors
    some = tuple(cleaned(str(each)) for each in errors[:MOST_ERRORS])
    return result.decision.value, tuple(result.diagnostics.reasons), some


def cleaned(error: str) -> str:
    """What the engine said went wrong, without the input that it quotes: of a policy's error the id and the words."""
    found = _OF_POLICY.fullmatch(error)
    if found is None:
        return next((words for start, words in _WORDS if error.startswith(start)), "the engine refused the request")
    words = "".join(character if character.isprintable() else " " for character in found[2])
    return f"{found[1]}: {words}"[:LONGEST_ERROR]


def _parsed(entities: bytes, schema: cedarpy.Schema) -> cedarpy.Entities:
    return cedarpy.Entities.from_json_str(entities.decode(), schema)
