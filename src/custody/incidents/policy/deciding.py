"""What the policies of an incident say of a request. Anything but a clean Allow is a deny; nothing is raised.

A request about several targets is asked about each: what denies one denies all. Where the policies ask for different
approvals for them it is a deny, too: nobody could say what was approved.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib import resources

import cedarpy
import msgspec

from custody.broker.policy.caught import Caught
from custody.broker.policy.cedar import engine_name, evaluated
from custody.broker.policy.policy_set import Checked, PolicySet, checked
from custody.broker.policy.settling import Settled, failed, settled
from custody.broker.policy.situations import Asking
from custody.incidents.policy.asking import BREAK_GLASS, Situation, askings, recordable
from custody.model.broker_terms import Decision, Verdict

UNNAMED = "break-glass-not-named"
ALONE = "break-glass-without-approval"
DIFFERENT = "different-approvals"
TOO_LONG = "too-long"
DEFAULT = "default.cedar"


@functools.cache
def schema_text() -> str:
    """The schema of incidents (Cedar schema syntax)."""
    return _resource("incidents.cedarschema")


@functools.cache
def shipped() -> str:
    """The policies that hold where there are none of one's own."""
    return _resource(DEFAULT)


def check(files: dict[str, str], extension: str | None = None) -> Checked:
    """Check the texts of policy files (by name) against the schema of incidents; gives everything that is wrong."""
    return checked(files, extension, base=schema_text())


@functools.lru_cache(maxsize=8)
def policies_of(files: tuple[tuple[str, str], ...], extension: str | None = None) -> PolicySet | None:
    """The set of policies in these files (name, text), None where they cannot decide."""
    return check(dict(files), extension).found


def decide(situation: Situation, policies: PolicySet) -> Decision:
    """Allow, deny, or what approvals it takes."""
    recorded: dict[str, str] = {}
    digests, result = ("", ""), failed("the engine was not asked")
    with Caught() as caught:
        recorded = recordable(situation)
        asked = askings(situation, BREAK_GLASS if situation.break_glass else situation.kind)
        digests = _digest(each.entities for each in asked), _digest(each.request for each in asked)
        result = _within(_whole(situation, asked, policies), situation)
    if caught.error:
        result = failed(caught.error)
    return Decision(
        verdict=result.verdict,
        engine=engine_name(),
        policy_set=policies.sha256,
        schema=policies.schema.sha256,
        entities=digests[0],
        request=digests[1],
        policies=policies.refs(list(result.ids)),
        errors=result.errors,
        why=result.why,
        max_ttl=result.max_ttl,
        asked=result.asked,
        context=recorded,
    )


def _whole(situation: Situation, asked: Sequence[Asking], policies: PolicySet) -> Settled:
    if not situation.break_glass:
        return combined([_settled(each, policies) for each in asked])
    usual = combined([_settled(each, policies) for each in askings(situation, situation.kind)])
    if usual.errors or (usual.verdict is Verdict.DENY and usual.ids):
        return usual  # what is forbidden is forbidden in a hurry, too
    return combined([_broken(each, situation, policies) for each in asked])


def _broken(asked: Asking, situation: Situation, policies: PolicySet) -> Settled:
    """As ``broker.intent.broken``: a permit counts only where it speaks of break-glass and says who decides after."""
    found = _settled(asked, policies)
    if found.verdict is Verdict.DENY:
        return found
    target = asked.resource["id"]
    plainly = msgspec.structs.replace(situation, break_glass=False)
    (same,) = (each for each in askings(plainly, BREAK_GLASS) if each.resource["id"] == target)
    plain = _settled(same, policies)
    if plain.errors or not set(found.ids) - set(plain.ids):
        return Settled(verdict=Verdict.DENY, why=UNNAMED)
    return Settled(verdict=Verdict.DENY, why=ALONE) if found.asked is None else found


def _settled(asked: Asking, policies: PolicySet) -> Settled:
    entities = cedarpy.Entities.from_json_str(asked.entities.decode(), policies.schema.handle)
    said, reasons, errors = evaluated(asked, policies.handle, entities, policies.schema.handle)
    return settled(said, reasons, errors, policies, [])


def combined(every: Sequence[Settled]) -> Settled:
    """What holds for all targets together."""
    ids = tuple(sorted({name for each in every for name in each.ids}))
    denied = [each for each in every if each.verdict is Verdict.DENY]
    if denied or not every:
        errors = tuple(dict.fromkeys(error for each in denied for error in each.errors))
        named = tuple(sorted({name for each in denied for name in each.ids}))
        return Settled(verdict=Verdict.DENY, ids=named, errors=errors, why=denied[0].why if denied else "no-target")
    asked = {(each.asked.count, each.asked.group, each.asked.within): each.asked for each in every if each.asked}
    if len(asked) > 1:
        return Settled(verdict=Verdict.DENY, why=DIFFERENT)
    bounds = [each.max_ttl for each in every if each.max_ttl is not None]
    return Settled(
        verdict=Verdict.APPROVAL if asked else Verdict.ALLOW,
        ids=ids,
        asked=next(iter(asked.values()), None),
        max_ttl=min(bounds, default=None),
    )


def _within(found: Settled, situation: Situation) -> Settled:
    """``@max_ttl`` bounds what is given: something without an end, or with a later one, is a deny."""
    if found.max_ttl is None or (situation.lasting is not None and situation.lasting <= found.max_ttl):
        return found
    return Settled(verdict=Verdict.DENY, why=TOO_LONG)


def _digest(texts: Iterable[bytes]) -> str:
    return sha256(b"\n".join(texts)).hexdigest()


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
