"""What the broker refuses, as errors of the tree: from RFC 9457 problem details and OAuth errors (RFC 6749)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from custody.client.carrying import Answer
from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    BrokerError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    PolicyDenied,
)

INTERVAL = 5.0
"""Seconds between two questions whether people approved, where the broker names none (RFC 8628 section 3.5)."""
LONGEST_INTERVAL = 60.0

IDENTITY = frozenset(
    "no-proof malformed untrusted-issuer token-type algorithm unknown-key bad-signature wrong-issuer wrong-audience "
    "token-expired not-yet-valid too-old unconfirmed replayed issuer-unreachable issuer-address issuer-document "
    "svid-name svid-usage svid-chain svid-expired act-malformed actor-not-allowed actor-delegated not-registered "
    "unknown-chain token-revoked token-missing another-requester another-holder no-people not-signed-in".split()
)
"""Reasons that are about who asks: on the token endpoint every refusal has the status 400."""

_BY_REASON: Mapping[str, type[BrokerError]] = {
    **dict.fromkeys(IDENTITY, IdentityRefused),
    "approval-pending": ApprovalNeeded,
    "request-rejected": PolicyDenied,
    "request-lapsed": PolicyDenied,
    "rate-limited": PolicyDenied,
}
_BY_CODE: Mapping[str, type[BrokerError]] = {
    "authorization_pending": ApprovalNeeded,
    "slow_down": ApprovalNeeded,
    "access_denied": PolicyDenied,
    "expired_token": PolicyDenied,
    "server_error": BackendFailed,
    "temporarily_unavailable": EvidenceUnavailable,
}
_BY_STATUS: Mapping[int, type[BrokerError]] = {
    401: IdentityRefused,
    403: PolicyDenied,
    429: PolicyDenied,
    502: BackendFailed,
    503: EvidenceUnavailable,
}

_REASON = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_REQUEST = re.compile(r"rq-[0-9a-hjkmnp-tv-z]{26}", re.ASCII)
_TRACE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ADVICE = {
    "idempotency-key-used": "The answer to this request was lost: what it issued ends at its expiry. Ask anew.",
    "not-registered": "Have the workload declared in a register document of the broker.",
    "token-expired": "Ask the issuer for a new token.",
    "wrong-audience": "Ask the issuer for a token for exactly the broker's audience.",
    "contained": "Nothing is issued to this identity until a containment is ended.",
}


class Refusal(msgspec.Struct, frozen=True):
    """An error, and the seconds after which it makes sense to ask again (0: not said)."""

    error: BrokerError
    pause: float = 0.0


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """The members of both forms, as far as they are looked at."""

    error: str = ""
    error_description: str = ""
    title: str = ""
    detail: str = ""
    advice: str = ""
    reason: str = ""
    trace: str = ""
    instance: str = ""
    request_id: str = ""
    interval: float = 0.0
    uri: str = ""


def refusal_of(answer: Answer, where: str, secrets: tuple[str, ...] = ()) -> Refusal:
    """Why the broker refuses. A text of the answer that holds one of ``secrets`` is not repeated."""
    try:
        told = msgspec.json.decode(answer.body, type=_Told)
    except msgspec.DecodeError:
        told = None
    if told is None or not (told.reason or told.error):
        return Refusal(_strange(answer, where), answer.retry)
    kind = _kind(told, answer.status)
    reason = told.reason if _REASON.fullmatch(told.reason) else told.error.replace("_", "-")
    message = _shown(told.error_description or told.detail or told.title, secrets) or "the broker refuses"
    trace = next((each for each in (told.trace, told.instance) if _TRACE.fullmatch(each)), "")
    advice = _shown(told.advice, secrets) or _ADVICE.get(reason, "")
    if trace:
        advice = f"{advice} The broker's log tells of it under trace {trace}.".lstrip()
    request = told.request_id if _REQUEST.fullmatch(told.request_id) else ""
    error = kind(
        message,
        reason=reason if _REASON.fullmatch(reason) else "unnamed",
        where=where,
        found=request,
        advice=advice,
    )
    pause = min(told.interval or answer.retry or INTERVAL, LONGEST_INTERVAL) if kind is ApprovalNeeded else answer.retry
    return Refusal(error, max(0.0, pause))


def _kind(told: _Told, status: int) -> type[BrokerError]:
    if told.request_id:
        return ApprovalNeeded
    found = _BY_REASON.get(told.reason) or _BY_CODE.get(told.error) or _BY_STATUS.get(status)
    if found is not None:
        return found
    return IntentRefused if 400 <= status < 500 else BrokerError


def _strange(answer: Answer, where: str) -> BrokerError:
    """An answer that is not a broker's: something in between gives it, or a broker that is too busy to say more."""
    if answer.status in (502, 503, 504):
        return BrokerError(
            "the broker does not answer now", reason="busy", where=where, found=f"status {answer.status}",
            advice="Ask again in a moment.",
        )  # fmt: skip
    redirect = "; redirects are not followed" if 300 <= answer.status < 400 else ""
    return BrokerError(
        "this is no answer of a broker",
        reason="malformed-answer",
        where=where,
        found=f"status {answer.status}{redirect}",
        advice="See that the address is that of a broker and of no proxy.",
    )


def _shown(text: str, secrets: tuple[str, ...]) -> str:
    """A text of the broker, fit to be shown."""
    if any(each in text for each in secrets if each):
        return ""
    return "".join(each if each.isprintable() else " " for each in text[:500])
