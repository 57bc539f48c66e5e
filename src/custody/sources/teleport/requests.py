"""Access requests: who asked for which roles, and who decided."""

import msgspec

from custody.model.events import Part, Stage
from custody.sources.teleport import names
from custody.sources.teleport.records import Audited

_DECIDED = {"APPROVED": "approval.grant", "DENIED": "approval.deny"}


def parts(found: Audited) -> tuple[Part, ...]:
    """What an event says of an access request; nothing where it does not name one."""
    if not found.id:
        return ()
    key = names.approval(found.id)
    match found.event:
        case "access_request.create":
            return (_part(found, key, Stage.REQUEST, "approval.request"),)
        case "access_request.review":
            return (_reviewed(found, key),)
        case "access_request.update":
            effect = _DECIDED.get(found.state or "")
            if effect:
                return (_part(found, key, Stage.APPROVE, effect),)
            return (_part(found, key, Stage.CHANGE, "approval.update", found.state),)
        case "access_request.expire" | "access_request.delete":
            return (Part(stage=Stage.CHANGE, key=key, effect=found.event.replace("access_request", "approval")),)
    return ()


def decider(found: Audited) -> str | None:
    """The key of who reviewed or updated a request. A plugin's ``delegator`` is the plugin's word, and is not it."""
    name = found.reviewer if found.event == "access_request.review" else found.updated_by or found.user
    return names.person(name) if name else None


def _reviewed(found: Audited, key: str) -> Part:
    """A review decides where the request then has the state that it proposed; otherwise it is one voice."""
    effect = _DECIDED.get(found.proposed_state or "")
    if effect and found.state == found.proposed_state:
        return _part(found, key, Stage.APPROVE, effect)
    return _part(found, key, Stage.CHANGE, "approval.review", found.proposed_state)


def _part(found: Audited, key: str, stage: Stage, effect: str, thing: str | None = None) -> Part:
    who = names.actor(found) if stage is Stage.REQUEST else decider(found)
    return Part(
        stage=stage,
        key=key,
        effect=effect,
        subject=who,
        object=thing or ",".join(found.roles or ()) or None,
        not_after=names.expiry(found.expires, "$.expires"),
    )


def resources(found: Audited) -> str | None:
    """The resources that are asked for, as ``cluster/kind/name``."""
    every = [(one.cluster, one.kind, one.name) for one in found.resource_ids or ()]
    return ",".join("/".join(filter(None, one)) for one in every) or None


def told(found: Audited) -> dict[str, str]:
    """What the request says beside: reasons are people's own words, delegators a plugin's."""
    said = {"delegator": found.delegator, "reason": found.reason, "submitted_by": found.submitted_by}
    return {name: text for name, text in said.items() if text}


def declared(found: Audited) -> str | None:
    """``told`` as compact JSON."""
    said = told(found)
    return msgspec.json.encode(said).decode() if said else None
