"""Security event tokens about what was contained, revoked or rotated: OpenID CAEP 1.0 events in RFC 8417 claims. Pure.

One token for each target, as the Shared Signals Framework 1.0 asks: the subject (RFC 9493, ``jwt_id`` of SSF) in
``sub_id``, one event. They say what is known and no more: ``event_timestamp`` is when the system's own log shows the
end, else when somebody says that they did it, and ``custody.basis`` and ``reason_admin`` say which of the two. Nothing
is told of what the broker itself says lives on.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from custody.errors import SourceError
from custody.incidents.telling.answered import lives_on
from custody.incidents.telling.forms import WITHHELD, Secretive, Telling
from custody.model import keys
from custody.model.incidents import ActionKind, Done
from custody.model.times import microseconds, text

MEDIA_TYPE = "application/secevent+jwt"
TYPE = "secevent+jwt"
REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
CHANGED = "https://schemas.openid.net/secevent/caep/event-type/credential-change"

TOLD = frozenset({ActionKind.CONTAIN, ActionKind.REVOKE, ActionKind.ROTATE})
"""The actions that tokens tell of."""

SESSIONS = frozenset({"jwt_jti", "k8s_cred", "vault_token", "vault_accessor", "db_session", "oidc_subject", "spiffe"})
"""Keys whose end is that of sessions; the end of any other credential is its change. What is no key is an identity."""

CREDENTIAL_TYPES: Mapping[str, str] = {
    "aws_akid": "aws-access-key",
    "x509_sha256": "x509",
    "x509_serial": "x509",
    "ssh_key": "ssh-key",
    "jwt_jti": "jwt",
    "k8s_cred": "kubernetes-token",
    "vault_token": "vault-token",
    "vault_accessor": "vault-token",
    "vault_lease": "vault-lease",
    "db_role": "database-role",
    "github_token_id": "github-token",
    "github_token_sha256": "github-token",
}
"""``credential_type`` by type of key: ``x509`` is CAEP's word, the others are to be agreed with the receiver."""
OTHER_TYPE = "credential"

_SECOND = 1_000_000


class Shown(msgspec.Struct, frozen=True):
    """That the log of a system shows the effect of an action: since when (µs), and the leaf."""

    at: int
    leaf: str


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """The claim ``custody``: where it is sealed, and whether the effect was ``observed`` or is only ``claimed``."""

    incident: str
    action: str
    step: str
    basis: str
    approved: bool


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of a token but for ``iss``, ``aud`` and ``iat``, which who signs it adds."""

    jti: str
    txn: str
    sub_id: Mapping[str, str]
    events: Mapping[str, Mapping[str, object]]
    custody: Marked


def is_told(telling: Telling) -> bool:
    """Whether a step is one that tokens tell of."""
    return bool(_targets(telling))


def claims_of(telling: Telling, store: str, shown: Shown | None, secretive: Secretive) -> tuple[Claims, ...]:
    """The claims of a token for each target of what was done; none for any other step.

    ``store`` makes ``jti`` that of no other store's. It is the same whenever it is told, but another once it is seen.
    """
    found = []
    for number, target in enumerate(_targets(telling)):
        action, done = _action(telling)
        kind, payload = _event(action.kind, target)
        common = _common(telling, shown, secretive)
        found.append(
            Claims(
                jti=f"{store}.{telling.heard.leaf.index}.{number}{'' if shown is None else '.seen'}",
                txn=action.incident,
                sub_id=subject_of(target),
                events={kind: {**payload, **common}},
                custody=Marked(
                    incident=action.incident,
                    action=done.action,
                    step=telling.name,
                    basis="claimed" if shown is None else "observed",
                    approved=telling.standing.unapproved is None,
                ),
            )
        )
    return tuple(found)


def subject_of(target: str) -> dict[str, str]:
    """The subject of a target: by a format of RFC 9493 where its key is sure to mean that, else ``opaque``."""
    key = _key(target)
    if key is None:
        return {"format": "opaque", "id": target}
    issuer = _issuer(key.scope)
    match key.type:
        case "jwt_jti" if issuer:
            return {"format": "jwt_id", "iss": issuer, "jti": key.value}
        case "oidc_subject" if issuer:
            return {"format": "iss_sub", "iss": issuer, "sub": key.value}
        case "spiffe" if key.value.startswith("/"):
            return {"format": "uri", "uri": f"spiffe://{key.scope}{key.value}"}
    return {"format": "opaque", "id": target}


def _targets(telling: Telling) -> tuple[str, ...]:
    if not isinstance(telling.heard.step, Done) or telling.standing.odd is not None:
        return ()
    done, incident = telling.heard.step, telling.incident
    action = None if incident is None else incident.action(done.action)
    if action is None or action.request.kind not in TOLD:
        return ()
    return tuple(each for each in action.request.targets if not lives_on(done.did, each))


class _Asked(msgspec.Struct, frozen=True):
    incident: str
    kind: ActionKind
    reason: str


def _action(telling: Telling) -> tuple[_Asked, Done]:
    done, incident = telling.heard.step, telling.incident
    assert isinstance(done, Done)
    assert incident is not None
    action = incident.action(done.action)
    assert action is not None
    return _Asked(incident.id, action.request.kind, action.request.reason), done


def _event(kind: ActionKind, target: str) -> tuple[str, dict[str, object]]:
    """The type of the event, and what is its own."""
    key = _key(target)
    if kind is not ActionKind.ROTATE and (key is None or key.type in SESSIONS):
        return REVOKED, {}
    payload: dict[str, object] = {
        "credential_type": CREDENTIAL_TYPES.get("" if key is None else key.type, OTHER_TYPE),
        "change_type": "update" if kind is ActionKind.ROTATE else "revoke",
    }
    if key is not None and key.type == "x509_serial" and "=" in key.scope:  # a name of an issuer, no trust domain
        payload |= {"x509_issuer": _unescaped(key.scope), "x509_serial": key.value}
    return CHANGED, payload


def _common(telling: Telling, shown: Shown | None, secretive: Secretive) -> dict[str, object]:
    """The members that every event has. Who did it is said only where they signed that they did."""
    asked, done = _action(telling)
    at = min(microseconds(done.at) or telling.heard.at, telling.heard.at) if shown is None else shown.at
    who = telling.heard.author if telling.heard.signature is not None else "an account that signed nothing"
    seen = (
        f"Claimed: {who} says that it was done at {text(at)}; no log of the system shows it yet."
        if shown is None
        else f"Observed: the log of the system shows it since {text(at)} ({shown.leaf})."
    )
    approved = telling.standing.unapproved
    glass = "" if approved is None else f" Done without approval: {approved}."
    reason = WITHHELD if secretive(asked.reason) else asked.reason
    told: dict[str, object] = {
        "event_timestamp": at // _SECOND,
        "reason_admin": {"en": f"{asked.incident}, {done.action}: {asked.kind.value}. {reason}. {seen}{glass}"},
    }
    return told if telling.heard.signature is None else {"initiating_entity": "admin", **told}


def _issuer(scope: str) -> str | None:
    """The URL of an issuer from the scope of a key; None where the scope may be something else (an ARN, a cluster)."""
    plain = _unescaped(scope)
    if plain.startswith("http://"):
        return plain
    host = plain.partition("/")[0]
    known = (
        "." in host and not plain.startswith("arn:") and plain.isascii() and plain.isprintable() and " " not in plain
    )
    return f"https://{plain}" if known else None


def _unescaped(scope: str) -> str:
    return scope.replace("%3A", ":").replace("%25", "%")


def _key(target: str) -> keys.Key | None:
    try:
        return keys.parse(target)
    except SourceError:
        return None
