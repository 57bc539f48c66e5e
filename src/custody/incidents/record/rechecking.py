"""Whether a sealed request is what the sealed policies and limits give: made again, and compared.

The decision of the policies stands in the request, and whoever can write the operations log could write another there.
So it is not believed: it is decided again from what is sealed, at the moment that the request names.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from custody.errors import UsageError
from custody.incidents.policy.asking import CLOSE, Situation
from custody.incidents.policy.deciding import decide, policies_of
from custody.incidents.record.acting import Asking, Draft, Who, asked, situation_of
from custody.incidents.record.folding import Action, Heard, Incident
from custody.incidents.record.response import Response
from custody.model.broker_terms import Decision, Verdict
from custody.model.incidents import Asked, Opened
from custody.model.times import microseconds

APART = 15 * 60 * 1_000_000
"""Microseconds that a request may be older than its seal: somebody had to sign it."""
AHEAD = 60 * 1_000_000


def rechecked(incident: Incident, response: Response) -> Incident:
    """The incident with every action whose sealed decision is not believed marked so."""
    return msgspec.structs.replace(
        incident, actions=tuple(_rechecked(incident, each, response) for each in incident.actions)
    )


def closing(opened: Heard, who: Who, now: int, response: Response) -> Situation:
    """Closing an incident at ``now`` (µs), as the policies see it."""
    assert isinstance(opened.step, Opened)
    return Situation(
        kind=CLOSE,
        now=now,
        opened=opened.at,
        severity=opened.step.severity,
        author=who.author,
        signed=who.signed,
        groups=response.groups_of(who.principals),
        targets=(opened.step.incident,),
    )


def void_close(opened: Heard, heard: Heard, response: Response) -> str:
    """Why a sealed close ends nothing; empty where the sealed policies let its author close the incident."""
    situation = closing(opened, who_of(heard), heard.at, response)
    decision = _decided(situation, tuple(sorted(response.policies.items())), response.extension)
    allowed = decision is not None and decision.verdict is Verdict.ALLOW
    return "" if allowed else "the policies do not let its author close it"


def who_of(heard: Heard) -> Who:
    """Who said a sealed step, as the policies were told it."""
    return Who(author=heard.author, principals=heard.signature.principals if heard.signature is not None else ())


def _rechecked(incident: Incident, action: Action, response: Response) -> Action:
    return msgspec.structs.replace(action, overruled=_overruled(incident, action, response))


def _overruled(incident: Incident, action: Action, response: Response) -> str:
    request = action.request
    try:
        now = microseconds(request.decision.context.get("now"))
    except (ValueError, OverflowError, TypeError):
        now = None
    if now is None or not now - AHEAD <= action.asked.at <= now + APART:
        return "it was decided at another time than it was sealed"
    draft = Draft(**{name: getattr(request, name) for name in Draft.__struct_fields__})
    who, index = who_of(action.asked), action.asked.leaf.index
    before = tuple(each for each in incident.actions if each.asked.leaf.index < index)
    then = msgspec.structs.replace(incident, actions=before)
    try:
        files = tuple(sorted(response.policies.items()))
        decision = _decided(situation_of(then, draft, who, response, now), files, response.extension)
    except UsageError as error:
        return f"it could not have been asked for: {error.message}"
    if decision is None:
        return "the sealed policies cannot decide"
    asking = Asking(incident=incident.id, action=action.id, who=who, now=now, log=request.log)
    again = asked(asking, draft, decision, response)
    other = decision.schema != request.decision.schema
    same = _plain(again, other=other) == _plain(request, other=other)
    return "" if same else "the sealed policies and limits come to something else"


@lru_cache(maxsize=1024)
def _decided(situation: Situation, files: tuple[tuple[str, str], ...], extension: str | None) -> Decision | None:
    """The same is decided several times by one command, and comes to the same."""
    policies = policies_of(files, extension)
    return None if policies is None else decide(situation, policies)


def _plain(request: Asked, *, other: bool) -> Asked:
    """The request without what ``other`` versions of custody, or of its engine, would write otherwise."""
    decision = msgspec.structs.replace(request.decision, engine="")
    if other:
        decision = msgspec.structs.replace(decision, schema="", entities="", request="")
    return msgspec.structs.replace(request, decision=decision)
