"""Policies that hold together: parsed, each under its own id, and valid against the schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

import cedarpy
import msgspec

from custody.broker.policy.schema import PolicySchema, combined
from custody.broker.policy.texts import Flaw, Policy, flaw, taken_apart
from custody.errors import UsageError
from custody.model.broker_terms import PolicyRef

MOST_POLICIES = 5000
_ACTION = re.compile(r' in context for Action::"[A-Za-z]+"')
_ALL: object = {"op": "All"}


class PolicySet(msgspec.Struct, frozen=True, kw_only=True):
    """A set of policies that may decide.

    ``sha256`` (hex) is of the lines ``ID SHA256`` of its policies, each ended by a newline, sorted by id. ``commit``
    names the version of the folder where that is known.
    """

    policies: Mapping[str, Policy]
    schema: PolicySchema
    handle: cedarpy.PolicySet
    sha256: str
    commit: str | None = None

    def refs(self, ids: list[str]) -> tuple[PolicyRef, ...]:
        """The policies of these ids with their digests, by id. KeyError where one is not of this set."""
        return tuple(PolicyRef(name, self.policies[name].sha256) for name in sorted(set(ids)))


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of checking texts: the set, None where there is any flaw; ``notes`` are no flaws."""

    found: PolicySet | None
    flaws: tuple[Flaw, ...] = ()
    notes: tuple[Flaw, ...] = ()
    policies: tuple[Policy, ...] = ()


def checked(
    files: Mapping[str, str],
    extension: str | None = None,
    *,
    schema_name: str = "",
    commit: str | None = None,
    base: str | None = None,
) -> Checked:
    """Check the texts of policy files (by name) against the schema, strictly; gives everything that is wrong.

    ``base`` is the text of another schema than the broker's.
    """
    policies: list[Policy] = []
    flaws: list[Flaw] = []
    for name in sorted(files):
        some, wrong = taken_apart(files[name], name)
        policies += some
        flaws += wrong
    flaws += _same_ids(policies)
    try:
        schema = combined(extension, schema_name, base)
    except UsageError as error:
        return Checked(found=None, flaws=(*flaws, flaw(error)), policies=tuple(policies))
    flaws += _invalid(policies, schema)
    if len(policies) > MOST_POLICIES:
        flaws.append(Flaw(where="", message="too many policies", expected=f"{MOST_POLICIES} at most"))
    if flaws:
        return Checked(found=None, flaws=tuple(flaws), policies=tuple(policies))
    found = made(policies, schema, commit)
    return Checked(found=found, notes=tuple(_notes(policies)), policies=tuple(policies))


def made(policies: list[Policy], schema: PolicySchema, commit: str | None = None) -> PolicySet:
    """The set of policies that are known to be sound, each under its own id."""
    ordered = sorted(policies, key=lambda each: each.id)
    return PolicySet(
        policies={each.id: each for each in ordered},
        schema=schema,
        handle=handle({each.id: each.body for each in ordered}),
        sha256=sha256("".join(f"{each.id} {each.sha256}\n" for each in ordered).encode()).hexdigest(),
        commit=commit,
    )


def handle(bodies: Mapping[str, dict[str, object]]) -> cedarpy.PolicySet:
    """Policies in Cedar's JSON form, parsed under ids of one's own, so that the engine's reasons name them."""
    form = {"staticPolicies": dict(bodies), "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(msgspec.json.encode(form).decode())


def _same_ids(policies: list[Policy]) -> list[Flaw]:
    seen: dict[str, str] = {}
    flaws = []
    for each in policies:
        if each.id in seen:
            flaws.append(
                Flaw(where=each.place, message="an @id twice", found=each.id, expected=f"not {seen[each.id]}'s")
            )
        seen.setdefault(each.id, each.place)
    return flaws


def _invalid(policies: list[Policy], schema: PolicySchema) -> list[Flaw]:
    """What Cedar's strict validation says, each thing once; it numbers the policies of a text from zero."""
    result = cedarpy.validate_policies("\n".join(each.text for each in policies), schema.handle)
    found: list[Flaw] = []
    for error in result.errors:
        place = error.policy_id.removeprefix("policy")
        known = policies[int(place)] if place.isdecimal() and int(place) < len(policies) else None
        said = _ACTION.sub(" in the context", error.error.removeprefix(f"for policy `{error.policy_id}`, "))[:300]
        message = f"{known.id}: {said}" if known else said
        wrong = Flaw(where=known.place if known else "", message=message)
        if wrong not in found:
            found.append(wrong)
    if not found and not result.validation_passed:
        found.append(Flaw(where="", message="the policies are not valid, and Cedar does not say why"))
    return found


def _notes(policies: list[Policy]) -> list[Flaw]:
    notes = [
        Flaw(where=each.place, message=f"{each.id}: permits everything to everybody that is registered")
        for each in policies
        if each.effect == "permit" and not each.body.get("conditions") and _unbound(each) and each.asked is None
    ]
    if not any(each.effect == "permit" for each in policies):
        notes.append(Flaw(where="", message="no permit: every request is denied"))
    return notes


def _unbound(policy: Policy) -> bool:
    return all(policy.body.get(slot) == _ALL for slot in ("principal", "action", "resource"))
