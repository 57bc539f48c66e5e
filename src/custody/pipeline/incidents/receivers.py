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

import msgspec

from custody.broker.approvals.webhooks import Message, Secret
from custody.broker.keys.folder import KeyFolder
from custody.broker.keys.ring import Ring, key_set
from custody.broker.keys.signer import Jwk, Signer, encoded
from custody.errors import CustodyError, UsageError
from custody.incidents.telling import forms, signals
from custody.incidents.telling.forms import Secretive, Telling
from custody.incidents.telling.signals import Shown
from custody.pipeline import posting
from custody.pipeline.incidents.references import value_of
from custody.settings.hooks import CAEP, Caep, Hook, is_reference

MOST = 64 << 10
"""Bytes of an answer that are read; none of them is shown."""
LATER = frozenset({401, 403, 404, 407, 408, 425, 429})
"""Answers below 500 that are about the receiver and not about the message: it may take it later."""


class Refused(CustodyError):
    """The receiver will not take this message; it may take others."""


class Away(CustodyError):
    """Nothing can be sent to the receiver now."""


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
    whole: float = posting.WHOLE


class Webhook:
    """A receiver of CloudEvents. UsageError where a reference leads nowhere, or the address may not be used."""

    def __init__(self, hook: Hook, edge: Edge) -> None:
        self.name, self._hook, self._edge = hook.name, hook, edge
        where = f"hooks.{hook.name}"
        self._url = _address(hook.url, edge, where)
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
        _posted(self._edge, self._url, body, forms.MEDIA_TYPE, self._headers(telling, body), self.name)
        return True

    def confirm(self, telling: Telling) -> bool:  # noqa: ARG002  # as the protocol has it
        """Nothing: an event says that a step was said, and that stays so."""
        return True

    def _headers(self, telling: Telling, body: bytes) -> dict[str, str]:
        if self._signer is None:
            return {"Authorization": f"Bearer {self._bearer}"}
        name = f"{self._edge.store}.{telling.name.replace(':', '.')}"
        stamp = str(self._edge.now() // 1_000_000)
        code = self._signer.code(Message(id=name, timestamp=stamp, signature="", body=body))
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
        self._url = _address(caep.url, edge, CAEP)
        self._bearer = value_of(caep.token, edge.folder, edge.environment, f"{CAEP}.token") if caep.token else ""
        self._signer = opened(caep, keys, edge.folder, edge.now())[1]

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
            _posted(self._edge, self._url, token, signals.MEDIA_TYPE, headers, self.name)


def signed(claims: signals.Claims, caep: Caep, signer: Signer, now: int) -> bytes:
    """A security event token (RFC 8417) in compact serialisation (RFC 7515); ``iat`` is ``now`` (µs)."""
    header = {"alg": signer.jwk.alg, "kid": signer.jwk.kid, "typ": signals.TYPE}
    plain: dict[str, object] = msgspec.to_builtins(claims)
    whole = {"iss": caep.issuer, "aud": caep.audience, "iat": now // 1_000_000, **plain}
    text = ".".join(encoded(msgspec.json.encode(each)) for each in (header, whole)).encode()
    return text + b"." + encoded(signer.sign(text)).encode()


def opened(caep: Caep, keys: Path, folder: Path, now: int) -> tuple[Ring, Signer]:
    """The keys of the tokens; new ones where there are none. UsageError where others may know them."""
    place = folder / caep.key if caep.key else keys / CAEP
    return KeyFolder(place, caep.algorithm).open(now)


def published(caep: Caep, keys: Path, folder: Path, now: int) -> dict[str, list[Jwk]]:
    """The public keys (RFC 7517) that verify the tokens: for the receiver."""
    return key_set((opened(caep, keys, folder, now)[0],), now)


def _address(given: str, edge: Edge, where: str) -> str:
    """An address that may be used. One that a reference names is shown nowhere."""
    if not is_reference(given):
        return posting.check_url(given, f"{where}.url")
    try:
        return posting.check_url(value_of(given, edge.folder, edge.environment, f"{where}.url"), where)
    except UsageError as error:
        raise UsageError("not an address that may be used", where=f"{where}.url", expected=error.expected) from None


def _posted(edge: Edge, url: str, body: bytes, kind: str, headers: Mapping[str, str], where: str) -> None:
    try:
        answer = posting.post(url, body, kind, limit=MOST, where=where, headers=headers, direct=True, whole=edge.whole)
    except UsageError as error:
        raise Away("no answer", where=where, found="" if url in error.found else error.found) from None
    if 200 <= answer.status < 300:
        return
    found = f"status {answer.status}{_code(answer, kind)}"
    if 400 <= answer.status < 500 and answer.status not in LATER:
        raise Refused("the receiver does not take it", where=where, found=found)
    redirect = ": redirects are not followed" if 300 <= answer.status < 400 else ""
    raise Away("the receiver takes nothing now", where=where, found=f"{found}{redirect}")


class _Err(msgspec.Struct, frozen=True):
    err: str = ""


_WORDS = frozenset(
    {"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"}
)


def _code(answer: posting.Answer, kind: str) -> str:
    """The error code of RFC 8935 section 2.4, where it is one of its words."""
    if kind != signals.MEDIA_TYPE or answer.status != 400:
        return ""
    try:
        word = msgspec.json.decode(answer.body, type=_Err).err
    except msgspec.DecodeError:
        return ""
    return f", {word}" if word in _WORDS else ""
