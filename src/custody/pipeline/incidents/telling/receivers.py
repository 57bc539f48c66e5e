"""Those who are told of steps, and how one message reaches them.

A receiver takes a message (any 2xx), refuses it (it will not take this one later either), or is away (nothing is known
of the message; it is sent again, under the same id). What a receiver answers is never shown beyond its status: it is
theirs to choose, and the message was ours.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult

import msgspec

from custody.broker.approvals.webhooks import Message as Signed
from custody.broker.approvals.webhooks import Secret
from custody.broker.keys.signer import Jwk, encoded
from custody.incidents.telling import forms, signals
from custody.incidents.telling.forms import Secretive, Telling
from custody.incidents.telling.signals import Shown
from custody.pipeline.incidents.references import value_of
from custody.pipeline.incidents.telling import delivering
from custody.pipeline.incidents.telling.delivering import Answer, Away, Message, Refused, Resolve
from custody.pipeline.incidents.telling.token_keys import RsaJwk, Signing, opened
from custody.settings.hooks import CAEP, Caep, Hook, is_reference

WHOLE = 60.0
"""Seconds for one answer, where nothing else is said."""
LATER = frozenset({401, 403, 404, 407, 408, 410, 425, 429})
"""Answers below 500 that are about the receiver and not about the message: it may take it later."""
LASTING = frozenset({301, 308, 401, 403, 404, 407, 410})
"""Answers that somebody has to mend something for."""
SET_UP = frozenset({"invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"})
"""Error codes of RFC 8935 section 2.4 that are about what was agreed, not about the one token."""
_WORDS = SET_UP | {"invalid_request"}
LONGEST_REST = 3600.0
"""Seconds for which a receiver can have itself left alone (``Retry-After``)."""


class Receiver(Protocol):
    """Who is told."""

    name: str

    def wants(self, telling: Telling) -> bool:
        """Whether this step is told to them."""
        ...

    def send(self, telling: Telling) -> bool:
        """Have a step taken. Whether there is nothing more to tell of it later. Refused, Away."""
        ...

    def confirm(self, telling: Telling) -> bool:
        """Tell once more of a step that was told as claimed, where its effect is seen now. Whether it was."""
        ...


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """What is not pure: the environment, the time (µs), and how long to wait for one answer (seconds).

    ``source`` names the store in events, ``store`` is its id.
    """

    environment: Mapping[str, str]
    folder: Path
    source: str
    store: str
    secretive: Secretive
    now: Callable[[], int] = lambda: time.time_ns() // 1000
    whole: float = WHOLE
    resolve: Resolve = delivering.resolved


class Webhook:
    """A receiver of CloudEvents. UsageError where a reference leads nowhere, or the address may not be used."""

    def __init__(self, hook: Hook, edge: Edge) -> None:
        self.name, self._hook, self._edge = hook.name, hook, edge
        where = f"hooks.{hook.name}"
        self._url = _address(hook.url, edge, where, private=hook.private)
        secret = value_of(hook.secret, edge.folder, edge.environment, f"{where}.secret")
        self._signer = Secret(secret, f"{where}.secret") if hook.auth == "hmac" else None
        self._bearer = "" if hook.auth == "hmac" else secret

    def wants(self, telling: Telling) -> bool:  # noqa: ARG002  # as the protocol has it
        """Every step."""
        return True

    def send(self, telling: Telling) -> bool:
        """Send the event in structured mode (CloudEvents HTTP binding 1.0.2), signed or with the token."""
        body = forms.cloud_event(
            telling, self._edge.source, brief=self._hook.detail == "brief", secretive=self._edge.secretive
        )
        headers, private = self._headers(telling, body), self._hook.private
        answer = _sent(self._edge, self._url, body, forms.MEDIA_TYPE, headers, private=private)
        if not 200 <= answer.status < 300:
            raise _untaken(answer)
        return True

    def confirm(self, telling: Telling) -> bool:  # noqa: ARG002  # as the protocol has it
        """Nothing: an event says that a step was said, and that stays so."""
        return True

    def _headers(self, telling: Telling, body: bytes) -> dict[str, str]:
        if self._signer is None:
            return {"Authorization": f"Bearer {self._bearer}"}
        name = f"{self._edge.store}.{telling.name.replace(':', '.')}"
        stamp = str(self._edge.now() // 1_000_000)
        code = self._signer.code(Signed(id=name, timestamp=stamp, signature="", body=body))
        return {
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{b64encode(code).decode()}",
        }


class Tokens:
    """The keys that sign security event tokens, and the receiver that they are pushed to (RFC 8935).

    ``shown`` says of a step what the system's own log shows of its effect, None where it does not. UsageError as for
    ``Webhook``, and where the keys cannot be trusted.
    """

    def __init__(self, caep: Caep, keys: Path, edge: Edge, shown: Callable[[Telling], Shown | None]) -> None:
        self.name, self._caep, self._edge, self._shown = CAEP, caep, edge, shown
        self._url = _address(caep.url, edge, CAEP, private=caep.private)
        self._bearer = value_of(caep.token, edge.folder, edge.environment, f"{CAEP}.token") if caep.token else ""
        self._signer = opened(caep, keys, edge.folder, edge.now()).signer

    def wants(self, telling: Telling) -> bool:
        """What was contained, revoked or rotated."""
        return signals.is_told(telling)

    def send(self, telling: Telling) -> bool:
        """Push a token for each target. Where one of them is not taken, all of them are sent again."""
        shown = self._shown(telling)
        self._push(telling, shown)
        return shown is not None

    def confirm(self, telling: Telling) -> bool:
        """Push them with the time at which the end was seen, where it is seen now."""
        shown = self._shown(telling)
        if shown is not None:
            self._push(telling, shown)
        return shown is not None

    def _push(self, telling: Telling, shown: Shown | None) -> None:
        headers = {"Accept": "application/json"}
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        for claims in signals.claims_of(telling, self._edge.store, shown, self._edge.secretive):
            token = signed(claims, self._caep, self._signer, self._edge.now())
            answer = _sent(self._edge, self._url, token, signals.MEDIA_TYPE, headers, private=self._caep.private)
            _acknowledged(answer)


def signed(claims: signals.Claims, caep: Caep, signer: Signing, now: int) -> bytes:
    """A security event token (RFC 8417) in compact serialisation (RFC 7515); ``iat`` is ``now`` (µs)."""
    header = {"alg": signer.jwk.alg, "kid": signer.jwk.kid, "typ": signals.TYPE}
    plain: dict[str, object] = msgspec.to_builtins(claims)
    whole = {"iss": caep.issuer, "aud": caep.audience, "iat": now // 1_000_000, **plain}
    text = ".".join(encoded(msgspec.json.encode(each)) for each in (header, whole)).encode()
    return text + b"." + encoded(signer.sign(text)).encode()


def published(caep: Caep, keys: Path, folder: Path, now: int) -> dict[str, list[Jwk | RsaJwk]]:
    """The public keys (RFC 7517) that verify the tokens: for the receiver."""
    return {"keys": list(opened(caep, keys, folder, now).published)}


def _address(given: str, edge: Edge, where: str, *, private: bool) -> SplitResult:
    """An address that may be used. What it is, is shown nowhere: it may be a secret itself."""
    place = f"{where}.url"
    url = value_of(given, edge.folder, edge.environment, place) if is_reference(given) else given
    return delivering.checked(url, private=private, where=place)


def _sent(edge: Edge, url: SplitResult, body: bytes, kind: str, headers: Mapping[str, str], *, private: bool) -> Answer:
    message = Message(body=body, kind=kind, headers=headers, whole=edge.whole, private=private)
    return delivering.post(url, message, edge.resolve)


def _acknowledged(answer: Answer) -> None:
    """RFC 8935 section 2.2 and 2.3: only 202 says that a token was taken; 400 says in one word why it was not."""
    if answer.status == 202:
        return
    if 200 <= answer.status < 300:
        raise Away("the receiver does not say that it took the token", found=f"status {answer.status}", expected="202")
    word = _code(answer) if answer.status == 400 else ""
    if word in SET_UP:
        error = Away("the receiver takes no token from here", found=f"status 400, {word}")
        error.lasting = True
        raise error
    raise _untaken(answer, f", {word}" if word else "")


def _untaken(answer: Answer, more: str = "") -> Refused | Away:
    """What an answer that is none of success means for the message."""
    found = f"status {answer.status}{more}"
    if 400 <= answer.status < 500 and answer.status not in LATER:
        return Refused("the receiver does not take it", found=found)
    redirect = ": redirects are not followed" if 300 <= answer.status < 400 else ""
    away = Away("the receiver takes nothing now", found=f"{found}{redirect}")
    away.after, away.lasting = min(answer.after, LONGEST_REST), answer.status in LASTING
    return away


class _Err(msgspec.Struct, frozen=True):
    err: str = ""


def _code(answer: Answer) -> str:
    """The error code of RFC 8935 section 2.4, where it is one of its words."""
    try:
        word = msgspec.json.decode(answer.body, type=_Err).err
    except (msgspec.DecodeError, RecursionError):
        return ""
    return word if word in _WORDS else ""


__all__ = ["Away", "Edge", "Receiver", "Refused", "Tokens", "Webhook", "published", "signed"]
