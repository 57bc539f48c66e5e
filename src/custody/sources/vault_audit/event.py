"""An audit line's typed meaning: one event, and what it is to each token and lease that it concerns.

The response line is the use of a token, and what the call did; the request line is that it was asked, so that a call
whose response never came is seen, and none is counted twice.
"""

import re

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.sources import moments
from custody.sources.decoding import told
from custody.sources.vault_audit import ends, leases, tokens
from custody.sources.vault_audit.call import Call, hashed, login_mount, token
from custody.sources.vault_audit.declared import agent, tags, trace
from custody.sources.vault_audit.document import PREFIXED, document
from custody.sources.vault_audit.identity import identify, named
from custody.sources.vault_audit.masks import cleaned_error
from custody.sources.vault_audit.pairs import has_a_name_twice
from custody.sources.vault_audit.records import ENTRY, NO_AUTH, NO_RESPONSE, Auth, Entry

_SECRET_ID = re.compile(r"(auth/.+)/role/([^/]+)/(?:custom-)?secret-id")
_REFUSED = (
    "permission denied",
    "bad token",
    "invalid token",
    "missing client token",
    "wrapping token is not valid",
    "invalid username or password",
    "invalid credential",
)
_FORWARD = "please forward to the active node"
_STORES = frozenset({"kv", "generic", "cubbyhole"})
_TYPES = frozenset({"service", "batch"})


def read(kept: bytes, form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept line, or why there is none. Raises nothing."""
    if form == PREFIXED and has_a_name_twice(kept):
        return Skip("duplicate-keys")
    return told(lambda: _read(kept))


def _read(kept: bytes) -> tuple[Event, ...]:
    found = document(kept)
    if found is None:
        raise SourceError("no audit entry", expected="type, time and request")
    return (_event(kept, ENTRY.decode(kept[found.offset :])),)


def _event(kept: bytes, entry: Entry) -> Event:
    call = _call(entry)
    outcome = _outcome(call)
    who = call.auth if call.login is None else _logged_in(call)
    request = entry.request
    mount = request.mount_type or None
    return Event(
        id=named(kept) or _hash(kept),
        time=call.time,
        service="vault",
        action=request.operation or entry.type,
        outcome=outcome,
        parts=_parts(call, outcome),
        error=cleaned_error(entry.error),
        account=call.space.strip("/") or (request.namespace.id if request.namespace else None) or None,
        category=mount,
        origin=request.remote_address or None,
        agent=agent(request.headers),
        principal=_principal(call, who, outcome),
        principal_id=who.entity_id or None,
        principal_kind=who.token_type if token(who) and who.token_type in _TYPES else None,
        request_id=request.id or None,
        resource=(call.space + call.path) or None,
        tags=tags(who, request),
        policy=_policy(call.auth),
        trace=trace(request.headers),
    )


def _call(entry: Entry) -> Call:
    login = login_mount(entry)
    time = moments.rfc3339(entry.time, "time")
    return Call(entry=entry, time=time, key=None if login else _presented(entry), login=login)


def _presented(entry: Entry) -> str | None:
    """The token that the call was made with. The token that a two-phase login hands out is not."""
    auth, request = entry.auth or NO_AUTH, entry.request
    given = (entry.response or NO_RESPONSE).auth or NO_AUTH
    text = request.client_token_accessor or auth.accessor
    if text and text == given.accessor and request.client_token_accessor is None:
        return None
    return token(Auth(accessor=text, client_token=auth.client_token or request.client_token))


def _presented_as(call: Call) -> str | None:
    """The HMAC of the token within the server, which is all that a call after its end has of it.

    Vault hands out a longer form of the token: its HMAC, in the issuance, is another.
    """
    inner = hashed("vault_token", call.entry.request.client_token)
    return inner if inner != call.key else None


def _logged_in(call: Call) -> Auth:
    return call.given if token(call.given) else call.auth


def _principal(call: Call, who: Auth, outcome: Outcome) -> str | None:
    """The entity; of a login without one the role that it was made for. Other calls name no one else."""
    entity = call.entity(who)
    if entity or call.login is None or outcome is not Outcome.SUCCESS:
        return entity
    return tokens.login_role(call, call.login, who.metadata or {})


def _policy(auth: Auth) -> str | None:
    """The policies that allowed the call, as the server decided; the policies that a token merely has do not tell."""
    granting = (auth.policy_results.granting_policies if auth.policy_results else None) or []
    names = [f"{policy.namespace_path or ''}{policy.name}" for policy in granting if policy.name]
    return ", ".join(dict.fromkeys(names)) or None


def _outcome(call: Call) -> Outcome:
    error = call.entry.error
    if error:
        results = call.auth.policy_results
        refused = any(word in error for word in _REFUSED) or (results is not None and results.allowed is False)
        return Outcome.DENIED if refused else Outcome.ERROR
    status = call.answered.get("http_status_code")
    if isinstance(status, int) and status >= 400:
        return Outcome.DENIED if status in (401, 403) else Outcome.ERROR
    return Outcome.ERROR if _is_error(call) else Outcome.SUCCESS


def _is_error(call: Call) -> bool:
    """Whether the answer is an error alone, as Vault itself tells it; in a key-value store it can be a user's name."""
    names = call.answered.keys()
    return names in ({"error"}, {"error", "data"}) and call.entry.request.mount_type not in _STORES


def _parts(call: Call, outcome: Outcome) -> tuple[Part, ...]:
    if not call.entry.type.endswith("response"):
        return _asked(call)
    if call.entry.error and _FORWARD in call.entry.error:
        return ()
    used = (Part(stage=Stage.USE, key=call.key, related=_presented_as(call)),) if call.key else ()
    return used + (_done(call) + tokens.wrapped(call) if outcome is Outcome.SUCCESS else ())


def _asked(call: Call) -> tuple[Part, ...]:
    key = call.key or (tokens.presented(call) if call.login else None)
    if key is None:
        return ()
    return (Part(stage=Stage.REQUEST, key=key, effect="call.request", related=call.entry.request.id or None),)


def _done(call: Call) -> tuple[Part, ...]:
    """What a successful call did, beyond being a use."""
    path = call.path
    if call.login or path == "sys/mfa/validate":
        return tokens.login(call, call.login or "sys/mfa")
    if path.startswith("auth/token/"):
        return _token_store(call, path.removeprefix("auth/token/"))
    if path in ("sys/wrapping/unwrap", "sys/wrapping/rewrap"):
        return _unwrapped(call)
    if path == "sys/control-group/authorize":
        return tokens.approved(call)
    if found := _SECRET_ID.fullmatch(path):
        return tokens.secret_id(call, f"{found[1]}/{found[2]}")
    changed = ends.leases_changed(call)
    return (ends.entity_deleted(call) or leases.issued(call)) if changed is None else changed


def _token_store(call: Call, word: str) -> tuple[Part, ...]:
    if word.startswith("renew"):
        return ends.token_renewed(call)
    if word.startswith("revoke"):
        return ends.token_revoked(call)
    return tokens.created(call) if word.startswith("create") else ()


def _unwrapped(call: Call) -> tuple[Part, ...]:
    """The one use that a wrapping token has, which ends it; what was inside it is known from here on.

    One that came in the body was used beside the token that the call was made with.
    """
    from_body = hashed("vault_token", call.asked.get("token"))
    used = (Part(stage=Stage.USE, key=from_body),) if from_body and from_body != call.key else ()
    wrapping = msgspec.structs.replace(call, key=from_body) if from_body else call
    if wrapping.key is None:
        return ()
    method = call.path.rpartition("/")[2]
    ended = Part(stage=Stage.REVOKE, key=wrapping.key, effect="credential.revoke", method=method)
    return (*used, *leases.unwrapped(wrapping), *tokens.secret_id(wrapping, None, "unwrap:secret-id"), ended)


def _hash(kept: bytes) -> str:
    found = identify(kept)
    return found.id if found else ""
