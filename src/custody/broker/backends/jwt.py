"""The backend that signs JSON Web Tokens: access tokens after RFC 9068, with the act chain of RFC 8693.

Nothing ends such a token but its expiry: whoever holds the key set believes it until then. A resource server that
wants to know sooner asks (RFC 7662, ``keys.published.introspected``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from custody.broker.backends import asking
from custody.broker.backends.backend import Door, Held, Made, Order, Secret, Seen
from custody.broker.keys.folder import KeyFolder
from custody.broker.keys.published import TYPE
from custody.broker.keys.ring import Ring, due
from custody.broker.keys.signer import Algorithm, Signer, encoded
from custody.errors import BackendFailed, StoreLocked, UsageError
from custody.model import keys
from custody.model.broker_terms import Ending, Plan
from custody.model.brokered import Effect

KIND = "jwt"
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name of RFC 8693
_SECOND = 1_000_000
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
"""A word of scope (RFC 6749 section 3.3)."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tokens may say: ``audiences`` that they may be for, words of ``scopes``, types of ``details`` (RFC 9396).

    ``subject`` is what ``sub`` is: the workload's key (a SPIFFE id as such), or its name in the register; ``subjects``
    gives another for single names of the register. A token is for one audience unless ``several_audiences``. Keys sign
    for ``rotate_every`` seconds and are published ``publish_ahead`` seconds before; ``leeway`` is how many seconds past
    its expiry a resource server may still take a token.
    """

    audiences: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    algorithm: Algorithm = "EdDSA"
    subject: Literal["workload", "identity"] = "workload"
    subjects: dict[str, str] = {}
    several_audiences: bool = False
    rotate_every: int = 30 * 86_400
    publish_ahead: int = 3600
    leeway: int = 60


OPTIONS = Options


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The claim ``custody``: where the intent behind the token is sealed."""

    chain: str
    broker: str
    seq: int


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of a token (RFC 9068 section 2.2, RFC 8693 section 4.1, RFC 9396 section 9.1, RFC 8705 section 3)."""

    iss: str
    sub: str
    aud: str | tuple[str, ...]
    client_id: str
    iat: int
    exp: int
    jti: str
    custody: Receipt
    scope: str = ""
    act: dict[str, object] | None = None
    authorization_details: tuple[dict[str, object], ...] = ()
    cnf: dict[str, str] | None = None


_ENCODER = msgspec.json.Encoder()


class JwtBackend:
    """Signs tokens in memory. ``ring`` is what is published; ``tend`` turns it when it is time."""

    kind = KIND
    ends = Ending.EXPIRY
    quick = True

    def __init__(self, name: str, options: Options, door: Door) -> None:
        self.name = name
        self.max_ttl = 86_400
        self._options = options
        self._door = door
        self._folder = KeyFolder(Path(door.keys) / f"jwt-{name}", options.algorithm)
        self._last = 0
        self._take(*self._folder.open(door.clock.now()))

    def plan(self, order: Order) -> Plan:
        """The chain id is the token's ``jti``, and with the issuer its key."""
        options, intent, name = self._options, order.intent, asking.chain_of(self.name, order)
        asking.within(self.name, order, least=1, most=self.max_ttl)
        self._audiences(order)
        asking.details(self.name, intent.details, options.details)
        return asking.planned(
            order,
            kind=KIND,
            ends=self.ends,
            name=name,
            not_after=self._expires(order) * _SECOND,
            scope=asking.listed(self.name, "scope", intent.scope, options.scopes),
            key=self._key(name),
            subject=order.subject,
        )

    def issue(self, order: Order, plan: Plan) -> Made:
        """The signed token."""
        not_after = asking.expiry_of(plan)
        signed = self._head + encoded(_ENCODER.encode(self._claims(order, plan, not_after // _SECOND))).encode()
        token = signed + b"." + encoded(self._signer.sign(signed)).encode()
        self._last = max(self._last, not_after)
        return Made(
            keys=(self._key(plan.name),),
            type=TOKEN_TYPE,
            not_after=not_after,
            scope=plan.scope,
            subject=plan.subject,
            secrets={"access_token": Secret(token.decode())},
            facts={"token_type": "Bearer"},
            server={"kid": self._signer.jwk.kid},
        )

    def end(self, held: Held) -> None:
        """Nothing: a signed token cannot be taken back."""

    def look(self, held: Held) -> Seen:
        """Waiting until the token has expired and every leeway is over; gone then."""
        ends = asking.expiry_of(held.plan) + self._options.leeway * _SECOND
        effect = Effect.GONE if self._door.clock.now() >= ends else Effect.WAITING
        return Seen(effect=effect, told={"not_after": held.plan.not_after, "leeway": f"{self._options.leeway} s"})

    def probe(self, held: Held, secret: Secret) -> Seen | None:  # noqa: ARG002  # as the protocol has it
        """None: only resource servers take the token."""
        return None

    def orphans(self, known: Callable[[str], bool]) -> tuple[str, ...]:  # noqa: ARG002  # the same
        """None: a token is kept nowhere."""
        return ()

    def take_up(self) -> None:
        """Read the keys again, as the broker before this one left them: it may have turned them meanwhile."""
        self._take(*self._folder.open(self._door.clock.now()))

    def tend(self) -> str | None:
        """Turn the ring if it is time; the id of the key that signs then, None where nothing changed."""
        every, ahead = self._options.rotate_every * _SECOND, self._options.publish_ahead * _SECOND
        return self.rotate() if due(self.ring, self._door.clock.now(), every=every, ahead=ahead) else None

    def rotate(self, *, distrusted: bool = False) -> str:
        """Turn the ring now; the id of the key that signs from here on. BackendFailed: the old one goes on signing.

        ``distrusted``: a key may be known to others. Both keys are new, and no token of before verifies any longer.
        """
        now = self._door.clock.now()
        until = max(self._last, now + self.max_ttl * _SECOND) + self._options.leeway * _SECOND
        try:
            self._take(*self._folder.turn(self.ring, now, until=until, distrusted=distrusted))
        except (OSError, StoreLocked) as error:
            found = str(error.strerror) if isinstance(error, OSError) else error.message
            raise BackendFailed("the keys could not be turned", reason="keys", where=self.name, found=found) from None
        return self._signer.jwk.kid

    def _take(self, ring: Ring, signer: Signer) -> None:
        header = msgspec.json.encode({"alg": self._options.algorithm, "kid": signer.jwk.kid, "typ": TYPE})
        self.ring, self._signer, self._head = ring, signer, encoded(header).encode() + b"."

    def _claims(self, order: Order, plan: Plan, expires: int) -> Claims:
        audiences = self._audiences(order)
        act: dict[str, object] | None = None
        for actor in reversed(order.actors):
            act = {"sub": actor} if act is None else {"sub": actor, "act": act}
        return Claims(
            iss=self._door.issuer,
            sub=self._subject(order),
            aud=audiences[0] if len(audiences) == 1 else audiences,
            client_id=order.identity,
            iat=order.now // _SECOND,
            exp=expires,
            jti=plan.name,
            custody=Receipt(order.chain, order.broker, order.decided),
            scope=" ".join(plan.scope),
            act=act,
            authorization_details=asking.details(self.name, order.intent.details, self._options.details),
            cnf=_bound(order.certificate),
        )

    def _audiences(self, order: Order) -> tuple[str, ...]:
        """RFC 8707: a resource is an audience by its URL."""
        asked = (*order.intent.audience, *order.intent.resource)
        found = asking.listed(self.name, "audience", asked, self._options.audiences)
        if not found:
            raise asking.refused(self.name, "no-audience", "a token must be for an audience")
        if len(found) > 1 and not self._options.several_audiences:
            raise asking.refused(
                self.name, "several-audiences", "a token is for one audience", found=" ".join(found), expected="one"
            )
        return found

    def _subject(self, order: Order) -> str:
        options = self._options
        if (mapped := options.subjects.get(order.identity)) is not None:
            return mapped
        if options.subject == "identity":
            return order.identity
        kind, _, rest = order.subject.partition(":")
        scope, _, path = rest.partition(":")
        return f"spiffe://{scope}{path}" if kind == "spiffe" else order.subject

    def _expires(self, order: Order) -> int:
        """A NumericDate has whole seconds here: a token never lives past what was asked for."""
        return asking.expiry(order) // _SECOND

    def _key(self, name: str) -> str:
        return keys.token_key(self._door.issuer, name)


def _bound(certificate: str | None) -> dict[str, str] | None:
    """The confirmation that binds a token to a client certificate by its SHA-256 (RFC 8705 section 3.1)."""
    return None if certificate is None else {"x5t#S256": encoded(bytes.fromhex(certificate))}


def build(name: str, options: Options, door: Door) -> JwtBackend:
    """The backend; its keys are made where there are none."""
    where = f"backends.{name}.options"
    if not options.audiences:
        raise UsageError("no audience", where=f"{where}.audiences", expected="whom tokens may be for")
    for word in options.scopes:
        if not _SCOPE.fullmatch(word):
            raise UsageError("not a word of scope", where=f"{where}.scopes", found=ascii(word[:60]))
    for field in ("rotate_every", "publish_ahead", "leeway"):
        if getattr(options, field) < 0:
            raise UsageError("a time below zero", where=f"{where}.{field}")
    return JwtBackend(name, options, door)
