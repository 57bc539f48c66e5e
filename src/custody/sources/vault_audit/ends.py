"""Renewals and revocations that were asked for. What ends without being asked for is in no audit log."""

from custody.model.events import Part, Stage
from custody.sources.vault_audit.call import Call, accessor, hashed, lease, token
from custody.sources.vault_audit.records import NO_RESPONSE, NO_SECRET
from custody.sources.vault_audit.tokens import NOTHING

_REVOKE = ("sys/leases/revoke", "sys/revoke")
_RENEW = ("sys/leases/renew", "sys/renew")
_MANY = {
    "sys/leases/revoke-prefix/": "leases.revoke_prefix",
    "sys/revoke-prefix/": "leases.revoke_prefix",
    "sys/leases/revoke-force/": "leases.revoke_prefix",
    "sys/revoke-force/": "leases.revoke_prefix",
}
_ENTITY = "identity/entity/id/"


def token_renewed(call: Call) -> tuple[Part, ...]:
    """A token that lives on; the answer says which and how long."""
    key = token(call.given) or _asked_for(call)
    if key is None:
        return NOTHING
    until = call.after(call.given.token_ttl, "response.auth.token_ttl")
    return (Part(stage=Stage.REFRESH, key=key, not_after=until, method=call.path.removeprefix("auth/token/")),)


def token_revoked(call: Call) -> tuple[Part, ...]:
    """A token that was revoked. By ``revoke-orphan`` its children live on."""
    key = _asked_for(call)
    if key is None:
        return NOTHING
    method = call.path.removeprefix("auth/token/").split("/")[0]
    return (Part(stage=Stage.REVOKE, key=key, effect="credential.revoke", method=method),)


def _asked_for(call: Call) -> str | None:
    """The token that a call to the token store is about: itself, or one named by accessor or by HMAC."""
    if call.path.endswith("-self"):
        return call.key
    named = call.asked.get("accessor")
    return accessor(named if isinstance(named, str) else None) or hashed("vault_token", call.asked.get("token"))


def leases_changed(call: Call) -> tuple[Part, ...] | None:
    """What a call to the leases did; None where it is no such call."""
    for start in _RENEW:
        if call.path == start or call.path.startswith(f"{start}/"):
            return _renewed(call, start)
    for start in _REVOKE:
        if call.path == start or call.path.startswith(f"{start}/"):
            return _revoked(call, start)
    for start, effect in _MANY.items():
        if call.path.startswith(start):
            return _all_revoked(call, call.path.removeprefix(start).strip("/"), start, effect)
    return None


def _renewed(call: Call, start: str) -> tuple[Part, ...]:
    """A lease that lives on: its id is plain in the answer, its new lifetime is nowhere."""
    answered = ((call.entry.response or NO_RESPONSE).secret or NO_SECRET).lease_id
    key = lease(answered) or _lease(call, start)
    return (Part(stage=Stage.REFRESH, key=key, method="renew"),) if key else NOTHING


def _revoked(call: Call, start: str) -> tuple[Part, ...]:
    """A lease whose revocation was accepted: done at once with ``sync``, else put in a queue."""
    key = _lease(call, start)
    method = "sync" if call.asked.get("sync") is True else "queued"
    return (Part(stage=Stage.REVOKE, key=key, effect="credential.revoke", method=method),) if key else NOTHING


def _lease(call: Call, start: str) -> str | None:
    """The lease that a call names: in its body, which has precedence, or in its path."""
    named = call.asked.get("lease_id")
    if named is None:
        return lease(call.path.removeprefix(start).lstrip("/"))
    if hashed("vault_lease", named) is None and call.path.startswith(f"{start}/"):
        return lease(call.path.removeprefix(f"{start}/"))
    return lease(named)


def _all_revoked(call: Call, prefix: str, start: str, effect: str) -> tuple[Part, ...]:
    if not prefix:
        return NOTHING
    method = start.strip("/").rsplit("/", 1)[-1]
    return (Part(stage=Stage.CHANGE, key=call.role(prefix), effect=effect, object=call.space + prefix, method=method),)


def entity_deleted(call: Call) -> tuple[Part, ...]:
    """An entity that was deleted: its tokens are refused from then on."""
    name = call.path.removeprefix(_ENTITY)
    if call.entry.request.operation != "delete" or not call.path.startswith(_ENTITY) or not name or "/" in name:
        return NOTHING
    return (Part(stage=Stage.END, key=f"vault_entity:vault:{name}", effect="principal.delete"),)
