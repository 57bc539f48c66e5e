"""Tokens that a response hands out: by login, by creation, and the wrapping tokens around an answer."""

from custody.errors import SourceError
from custody.model import keys
from custody.model.events import Asserter, Part, Stage
from custody.sources import moments
from custody.sources.vault_audit import workloads
from custody.sources.vault_audit.call import Call, accessor, hashed, token
from custody.sources.vault_audit.records import NO_AUTH, NO_RESPONSE, Auth, WrapInfo
from custody.sources.vault_audit.shapes import cleaned

NOTHING: tuple[Part, ...] = ()
_EXTERNAL = ("jwt", "secret_id", "token", "password", "identity", "pkcs7")
_ORPHAN = "auth/token/create-orphan"
_LIFETIME = "response.auth.token_ttl"


def login(call: Call, mount: str) -> tuple[Part, ...]:
    """The token that a login gave: for which role, and to whom the method says that it is bound."""
    issued = _issued_by_login(call)
    key = token(issued)
    if key is None:
        return NOTHING
    request, metadata = call.entry.request, issued.metadata or {}
    method = workloads.method_of(mount, request.mount_type, call.path)
    role = login_role(call, mount, metadata)
    bound = workloads.bound(method, role, metadata)
    first = Part(
        stage=Stage.ISSUE,
        key=key,
        subject=role or workloads.person_of(method, call.space + mount, metadata) or call.entity(issued),
        workload=bound.workload if bound else None,
        granularity=bound.granularity if bound else None,
        bound_by=Asserter.ISSUER if bound else None,
        method=f"login:{method}" if method else "login",
        not_after=call.after(issued.token_ttl, _LIFETIME),
        related=presented(call) or (workloads.certificate(metadata) if method == "cert" else None),
        population=workloads.population(method),
    )
    return (first, *_by_token(issued, key))


def login_role(call: Call, mount: str, metadata: dict[str, object]) -> str | None:
    """The key of the role that a login names."""
    role = workloads.role_of(metadata)
    return call.role(f"{mount}/{role}") if role else None


def presented(call: Call) -> str | None:
    """The external credential that a login was asked with, by its HMAC: a JSON Web Token, a secret id, a password."""
    return next((key for name in _EXTERNAL if (key := hashed("vault_input", call.asked.get(name)))), None)


def _issued_by_login(call: Call) -> Auth:
    """The token that a login gave; of one whose answer was wrapped the log has it at the top."""
    wrap = (call.entry.response or NO_RESPONSE).wrap_info
    if token(call.given) is None and wrap is not None and wrap.wrapped_accessor:
        return call.auth if call.auth.accessor == wrap.wrapped_accessor else Auth(accessor=wrap.wrapped_accessor)
    return call.given


def _by_token(issued: Auth, key: str) -> tuple[Part, ...]:
    """The same token by the HMAC of itself: how denied calls and ``auth/token/revoke`` name it."""
    other = hashed("vault_token", issued.client_token)
    return (Part(stage=Stage.ISSUE, key=other, alias=key),) if other and other != key else NOTHING


def created(call: Call) -> tuple[Part, ...]:
    """A token that another one made. An orphan has no parent: the end of its maker does not end it."""
    wrap = (call.entry.response or NO_RESPONSE).wrap_info
    issued = call.given if token(call.given) else Auth(accessor=wrap.wrapped_accessor if wrap else None)
    key = token(issued)
    if key is None:
        return NOTHING
    word = call.path.removeprefix("auth/token/")
    role = word.removeprefix("create/") if word.startswith("create/") else None
    orphan = call.path == _ORPHAN or call.asked.get("no_parent") is True
    name = cleaned(issued.display_name) if issued.display_name != "token" else None
    first = Part(
        stage=Stage.ISSUE,
        key=key,
        parent=None if orphan else call.key,
        subject=call.role(f"auth/token/{role}") if role else call.entity(issued),
        session_name=name,
        bound_by=Asserter.CLIENT if name else None,
        method="token:create-role" if role else f"token:{'create-orphan' if orphan else 'create'}",
        not_after=call.after(issued.token_ttl, _LIFETIME),
        related=call.key if orphan else None,
    )
    return (first, *_by_token(issued, key))


def secret_id(call: Call, role: str | None, method: str = "approle:secret-id") -> tuple[Part, ...]:
    """A secret id of an AppRole, by its HMAC: a login with it names it by the same.

    The line that unwraps one does not say of which role.
    """
    key = hashed("vault_input", call.answered.get("secret_id"))
    if key is None:
        return NOTHING
    return (
        Part(
            stage=Stage.ISSUE,
            key=key,
            parent=call.key,
            subject=call.role(role) if role else None,
            method=method,
            not_after=call.after(call.answered.get("secret_id_ttl"), "response.data.secret_id_ttl"),
        ),
    )


def wrapped(call: Call) -> tuple[Part, ...]:
    """The wrapping token that stands in the place of an answer; ``related`` is the token inside it, if one is.

    The accessor of what is inside can be that of a secret id: only logins and creations wrap tokens.
    """
    wrap = (call.entry.response or NO_RESPONSE).wrap_info
    issued = Auth(accessor=wrap.accessor, client_token=wrap.token) if wrap else NO_AUTH
    key = token(issued)
    if wrap is None or key is None:
        return NOTHING
    first = Part(
        stage=Stage.ISSUE,
        key=key,
        parent=call.key,
        subject=call.entity(call.auth) if call.key else None,
        method="wrap",
        not_after=_wrapped_until(call, wrap),
        object=cleaned(wrap.creation_path),
        related=accessor(wrap.wrapped_accessor) if call.login or call.path.startswith("auth/token/create") else None,
    )
    return (first, *_by_token(issued, key))


def _wrapped_until(call: Call, wrap: WrapInfo) -> int | None:
    until = call.after(wrap.ttl, "response.wrap_info.ttl")
    if until is None or not wrap.creation_time:
        return until
    return until - call.time + moments.rfc3339(wrap.creation_time, "response.wrap_info.creation_time")


def approved(call: Call) -> tuple[Part, ...]:
    """What a control group's authorizer allowed (Enterprise): the request is named by its wrapping token's accessor."""
    asked = call.asked.get("accessor")
    key = accessor(asked if isinstance(asked, str) else None)
    if key is None:
        return NOTHING
    return (
        Part(
            stage=Stage.APPROVE,
            key=keys.scoped("approval", "vault", key.split(":", 1)[1]),
            subject=call.entity(call.auth) or call.key,
            effect="approval.grant",
            object=key,
            related=key,
        ),
    )


def certificate_expiry(value: object) -> int | None:
    """The end of a certificate (seconds since 1970), None where the log has none. SourceError for no such time."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if not 0 < value < 10**11:
        raise SourceError("not a time", where="response.data.expiration", found=str(value)[:40], expected="seconds")
    return moments.of_seconds(value, "response.data.expiration")
