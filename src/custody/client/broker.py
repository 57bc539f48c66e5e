"""A broker as a workload sees it: ask for a credential, renew it, give it back."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, Unpack
from urllib.parse import quote, urlencode

import msgspec

from custody.client.address import checked, shown
from custody.client.answers import Ended, Lease, Leases, credential_of, decoded
from custody.client.carrying import Answer, Carrier
from custody.client.credential import Credential
from custody.client.identities import Identity, Svid, Token
from custody.client.leasing import Leasing
from custody.client.refusals import Refusal, refusal_of
from custody.errors import ApprovalNeeded, BrokerError, UsageError

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TIMEOUT = 30.0
PAUSES = (0.1, 0.4, 1.2)
"""Seconds before each further try where nothing, or the same again, comes of it."""
LONGEST_PAUSE = 5.0
AGAIN = frozenset({"unreachable", "no-answer", "standby", "busy", "rate-limited"})
"""Reasons for which the same request is sent again: its idempotency key makes sure that it is done once."""

_KEY = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"


class Asked(TypedDict, total=False):
    """What is asked for beside the backend: RFC 8693 parameters and custody's own; ``str`` stands for one value.

    ``details`` are RFC 9396 ``authorization_details``. ``ttl`` and ``wait`` are in seconds: ``wait`` is how long to
    wait for the approval of people (None: not at all), and ``on_pending`` is told the request's id when that begins.
    ``parent`` is the chain that this one descends from, ``actor`` who acts for the identity. ``idempotency`` is made
    where it is left out. ``break_glass``: nobody can approve first, and somebody else will have to afterwards; it takes
    a ``reason`` and a ``ticket``.
    """

    audience: str | Sequence[str]
    resource: str | Sequence[str]
    scope: str | Sequence[str]
    details: Sequence[Mapping[str, object]]
    purpose: str | None
    ticket: str | None
    run: str | None
    ttl: int | None
    parent: str | None
    reason: str | None
    break_glass: bool
    actor: Identity | None
    idempotency: str | None
    wait: float | None
    on_pending: Callable[[str], object] | None


class Broker:
    """The broker at ``url``, for the workload that ``identity`` proves.

    ``authority`` is a PEM file of the only authorities that count for the broker's certificate; ``timeout`` is for one
    request in seconds. Every method raises the BrokerError branch of the tree (``reason`` says why; ``unreachable``,
    ``no-answer`` and ``tls`` are about the connection), and UsageError where what was given cannot be used. One thread
    at a time.
    """

    def __init__(
        self,
        url: str,
        identity: Identity,
        *,
        authority: str | Path | None = None,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = checked(url, "the broker's URL")
        if isinstance(identity, Svid) and not self._url.startswith("https:"):
            raise UsageError("a certificate proves nothing without TLS", where="the broker's URL", expected="https://…")
        self._identity = identity
        self._sleep, self._monotonic = sleep, monotonic
        own = (identity.certificate, identity.key) if isinstance(identity, Svid) else None
        trusted = None if authority is None else Path(authority)
        self._carrier = Carrier(timeout=timeout, authority=trusted, own=own, monotonic=monotonic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._carrier.close()

    def exchange(self, backend: str, **asked: Unpack[Asked]) -> Credential:
        """A credential. ApprovalNeeded (``found``: the request's id) where people did not approve in time."""
        form = _form(backend, asked)
        return self._obtained(form, asked)

    def fetch(self, request: str, **asked: Unpack[Asked]) -> Credential:
        """The credential of a request that people had to approve; only ``wait``, ``actor`` and the like count."""
        return self._obtained([("request", request)], asked, request)

    def lease(self, backend: str, **asked: Unpack[Asked]) -> Leasing:
        """A credential for the length of a ``with`` block."""
        return Leasing(lambda: self.exchange(backend, **asked), self.complete)

    def renew(self, chain: str, *, reason: str, ttl: int | None = None, idempotency: str | None = None) -> Credential:
        """A successor for a live credential, decided afresh; the old one is ended."""
        body = {"reason": reason} if ttl is None else {"reason": reason, "ttl": ttl}
        return credential_of(self._posted(f"/leases/{quote(chain, safe='')}/renew", body, _key(idempotency)))

    def complete(self, chain: str) -> Ended:
        """Give a credential back: what the broker saw of its end, and of what descends from it."""
        return decoded(self._posted(f"/leases/{quote(chain, safe='')}/complete", None, None), Ended)

    def leases(self, *, identity: str | None = None, standing: str | None = None) -> Iterator[Lease]:
        """Leases, the oldest first: for people with a role, whose ID token the identity is."""
        after: str | None = None
        while True:
            filters = {"after": after, "identity": identity, "standing": standing}
            query = urlencode({name: value for name, value in filters.items() if value})
            page = decoded(self._bearer("GET", f"/leases?{query}".rstrip("?"), {}, None), Leases)
            yield from page.items
            if page.next is None or (after is not None and page.next <= after):
                return
            after = page.next

    def _obtained(self, form: list[tuple[str, str]], asked: Asked, request: str = "") -> Credential:
        """Ask until there is a credential, a refusal, or the time to wait for people is over."""
        key, wait = _key(asked.get("idempotency")), asked.get("wait") or 0.0
        until: float | None = None
        pending: ApprovalNeeded | None = None
        while True:
            found = self._exchanged(form, key, asked.get("actor"))
            if isinstance(found, Answer):
                return credential_of(found)
            if isinstance(found.error, ApprovalNeeded):
                request = found.error.found or request
                found.error.found, form = request, [("request", request)] if request else form
                if pending is None and wait and (told := asked.get("on_pending")) is not None:
                    told(request)
                pending = found.error
            elif pending is None or found.error.reason not in AGAIN:
                raise found.error
            now, pause = self._monotonic(), found.pause or LONGEST_PAUSE
            until = now + wait if until is None else until
            if now + pause > until:
                raise pending
            self._sleep(pause)

    def _exchanged(self, form: list[tuple[str, str]], key: str, actor: Identity | None) -> Answer | Refusal:
        def once() -> Answer | Refusal:
            tokens = [("subject", self._identity.token())]
            if actor is not None:
                tokens.append(("actor", actor.token()))
            pairs = [("grant_type", GRANT), *form]
            for whose, token in tokens:
                if token is not None:
                    pairs += [(f"{whose}_token", token.reveal()), (f"{whose}_token_type", token.type)]
            headers = {"content-type": _FORM, "idempotency-key": f'"{key}"'}
            return self._asked("POST", "/token", headers, urlencode(pairs).encode(), [each for _, each in tokens])

        return self._tried(once)

    def _posted(self, path: str, body: object, key: str | None) -> Answer:
        headers = {} if key is None else {"idempotency-key": f'"{key}"'}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["content-type"] = "application/json"
        return self._bearer("POST", path, headers, content)

    def _bearer(self, method: str, path: str, headers: Mapping[str, str], content: bytes | None) -> Answer:
        """What is asked with the token in the header, or with the certificate of the connection."""

        def once() -> Answer | Refusal:
            token = self._identity.token()
            shows = {} if token is None else {"authorization": f"Bearer {token.reveal()}"}
            return self._asked(method, path, {**headers, **shows}, content, [token])

        found = self._tried(once)
        if isinstance(found, Refusal):
            raise found.error
        return found

    def _asked(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None, shows: list[Token | None]
    ) -> Answer | Refusal:
        try:
            answer = self._carrier.ask(method, self._url + path, headers, content)
        except BrokerError as error:
            return Refusal(error)
        if answer.status == 200:
            return answer
        return refusal_of(answer, shown(self._url), tuple(each.reveal() for each in shows if each is not None))

    def _tried(self, once: Callable[[], Answer | Refusal]) -> Answer | Refusal:
        for pause in PAUSES:
            found = once()
            if isinstance(found, Answer) or found.error.reason not in AGAIN:
                return found
            self._sleep(min(max(pause, found.pause), LONGEST_PAUSE))
        return once()


def _form(backend: str, asked: Asked) -> list[tuple[str, str]]:
    """The parameters of a token exchange, without those that prove who asks."""
    pairs = [("backend", backend)]
    pairs += [("audience", each) for each in _several(asked.get("audience"))]
    pairs += [("resource", each) for each in _several(asked.get("resource"))]
    details, ttl = asked.get("details"), asked.get("ttl")
    texts = {
        "scope": " ".join(_several(asked.get("scope"))),
        "authorization_details": msgspec.json.encode(list(details)).decode() if details else None,
        "purpose": asked.get("purpose"),
        "ticket": asked.get("ticket"),
        "run": asked.get("run"),
        "ttl": None if ttl is None else str(ttl),
        "parent": asked.get("parent"),
        "reason": asked.get("reason"),
        "break_glass": "true" if asked.get("break_glass") else None,
    }
    return pairs + [(name, value) for name, value in texts.items() if value]


def _key(given: str | None) -> str:
    """The idempotency key: one that nobody used before, where none is given. UsageError."""
    if given is not None and not _KEY.fullmatch(given):
        raise UsageError("not an idempotency key", expected="1 to 255 printable ASCII characters without quotes")
    return given or secrets.token_hex(16)


def _several(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)
