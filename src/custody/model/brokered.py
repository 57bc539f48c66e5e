"""The log of a broker: one entry a line, and what each kind of entry says. Format ``custody.broker/1``.

A broker writes one JSON object a line, compact, UTF-8, no key twice. ``seq`` counts from 1 without gaps for one broker
and ``prev`` is the SHA-256 (hex) of the line before (without its line end; 64 zeros before the first), so that a line
that is missing or changed shows. The identity of a record is ``broker`` and ``seq``. Times (``at``, ``not_after``) are
RFC 3339 in UTC with microseconds, by the broker's own clock. Credential keys and principals are custody keys
(``type:scope:value``, see ``model.keys``). No entry holds a token, password or key: of what was presented only a digest
and the names in it are kept.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Literal

import msgspec

from custody.model.broker_terms import Actor, ApprovalRef, Decision, Ending, Intent, Plan, PolicyRef, Proof, Registered

FORMAT = "custody.broker/1"
SOURCE = "custody.broker"
NO_LINE = "0" * 64
"""What ``prev`` is in the first line of a broker."""

CHAIN = r"cc-[0-9a-hjkmnp-tv-z]{26}"
"""A chain id as a regular expression: ``cc-`` and a ULID in lower-case Crockford base 32 (48 bits of milliseconds, 80
random bits). As a database role it is written with an underscore: ``cc_…``."""


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="request", omit_defaults=True):
    """A request of a proved workload and what was decided of it; with ``plan``, the intent to issue.

    ``request`` is the id of the request (``rq-`` and a ULID), the same when it is decided again with approvals;
    ``registered`` is the entry of the register of who will hold the credential; ``identities`` are all that take part,
    where there are more: of whom it is for, and of every actor.
    ``digest`` is the SHA-256 (hex) of the request as approvers are shown it (``broker.shown``), empty where nobody was.
    ``parents`` are the chains besides ``intent.parent`` that it descends from, as their tokens were presented too: the
    end of any of them ends it. Under break-glass ``review`` is the request in which people are asked afterwards, and
    ``review_by`` when they have to have approved it.
    """

    request: str
    digest: str
    proof: Proof
    intent: Intent
    decision: Decision
    actors: tuple[Actor, ...] = ()
    registered: Registered | None = None
    identities: tuple[str, ...] = ()
    approvals: tuple[ApprovalRef, ...] = ()
    plan: Plan | None = None
    origin: str | None = None
    idempotency: str | None = None
    trace: str | None = None
    parents: tuple[str, ...] = ()
    review: str | None = None
    review_by: str | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="refused", omit_defaults=True):
    """A request that ended before any decision: ``reason`` is a word (``broker.refusals``), ``detail`` says more.

    Of a token that did not verify only its digest is kept: what it claims is nobody's word.
    """

    reason: str
    detail: str
    digest: str | None = None
    proof: Proof | None = None
    origin: str | None = None
    count: int = 1
    trace: str | None = None


class Approved(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="approved", omit_defaults=True):
    """A decision of a person about a request, found in the log of approvals at ``leaf``.

    ``verdict`` is ``grant`` or ``deny``; ``approver`` the key of the person, ``requester`` that of who asked, where
    both systems agree on names. ``until`` bounds the grant. ``counts`` is False, with ``why``, where it cannot count.
    """

    request: str
    digest: str
    verdict: Literal["grant", "deny"]
    approver: str
    leaf: int
    given: str
    reason: str
    until: str | None = None
    requester: str | None = None
    counts: bool = True
    why: str = ""


class Issued(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="issued", omit_defaults=True):
    """A credential that the backend made, sealed before it is handed over.

    ``keys`` are the keys by which the target's log knows it, as the server answered them, the first the credential's
    own. It repeats what a reader of this entry alone needs: who asked (``requester``, ``run``), what was presented
    (``parent``: the credential key of the proof), by which policies, on whose approval. ``decided`` is the ``seq`` of
    the request's entry: with the chain id, the receipt that the credential carries. ``parents`` are the chains besides
    ``descends`` that it descends from.
    """

    request: str
    decided: int
    backend: str
    type: str
    ends: Ending
    keys: tuple[str, ...]
    not_after: str
    requester: str
    workload: str
    identity: str
    subject: str | None = None
    granularity: str | None = None
    run: str | None = None
    parent: str | None = None
    scope: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    policies: tuple[PolicyRef, ...] = ()
    policy_set: str = ""
    approval: str | None = None
    renews: str | None = None
    descends: str | None = None
    reason: str | None = None
    server: dict[str, str] = {}
    trace: str | None = None
    parents: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="failed", omit_defaults=True):
    """The backend made no credential, or nobody knows: ``left`` is ``nothing`` or ``unknown``."""

    backend: str
    reason: str
    left: Literal["nothing", "unknown"]


class EndAsked(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ending", omit_defaults=True):
    """The end of a credential was asked for: sealed before the backend is called.

    ``proof`` is of the workload that gave it back. ``cause`` is ``complete``, ``undelivered``, ``renewed``,
    ``expired``, ``parent``, ``containment``, ``operator``, ``recovered`` or ``break-glass``.
    """

    cause: str
    by: str
    reason: str = ""
    proof: Proof | None = None


class Probed(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="probe", omit_defaults=True):
    """The broker is about to try a credential that should be dead: what follows in the target's log is its own."""

    key: str
    target: str


class Effect(StrEnum):
    """What was found of a credential after its end was asked for."""

    GONE = "gone"
    """The server's own state shows neither the credential nor a session of it."""
    SESSIONS = "sessions"
    """The credential is gone, sessions of it live."""
    ALIVE = "alive"
    """It still works."""
    WAITING = "waiting"
    """Nothing can end it before its expiry."""
    UNKNOWN = "unknown"
    """The server could not be asked."""


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ended", omit_defaults=True):
    """What was found after the end was asked for. ``basis``: ``state``, ``probe``, ``expiry`` or ``none``.

    ``cause`` is that of the ending, ``keys`` the credential's. ``seen`` is what the server answered, as text.
    """

    effect: Effect
    basis: Literal["state", "probe", "expiry", "none"]
    keys: tuple[str, ...] = ()
    sessions: int | None = None
    cause: str = ""
    seen: dict[str, str] = {}


class Contained(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="contained", omit_defaults=True):
    """Nothing is issued to an identity from here on, and what it holds is ended."""

    identity: str
    by: str
    reason: str
    incident: str | None = None


class Enabled(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="enabled", omit_defaults=True):
    """A containment is over: every item of the checklist with its grade and what shows it (``proved``, ``claimed``)."""

    identity: str
    by: str
    reason: str
    items: tuple[tuple[str, str, str], ...]
    approvals: tuple[ApprovalRef, ...] = ()


class Glass(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="break-glass", omit_defaults=True):
    """A step of a break-glass credential: ``prepared``, ``opened``, ``used``, ``ended``, ``rotated`` or ``reviewed``.

    ``issued``: the broker gave one to a workload that asked for it so; its id is that of the chain with ``bg-``.
    ``rotate-by`` and ``review-by`` say by when (``not_after``) it has to be rotated, or what was given has to be
    approved by a second one.
    ``people`` are those who took part, as keys. ``offline`` says that it was written without the broker and taken in
    later; ``signature`` is then the detached signature over the entry of the journal, as text.
    """

    step: str
    glass: str
    people: tuple[str, ...] = ()
    reason: str = ""
    keys: tuple[str, ...] = ()
    not_after: str | None = None
    offline: bool = False
    signature: str | None = None


class Drilled(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="drill", omit_defaults=True):
    """A drill that was played: each step's time in seconds beside its target, and whether it was met."""

    drill: str
    steps: tuple[tuple[str, float, float, bool], ...]
    met: bool


class Service(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="service", omit_defaults=True):
    """The broker itself: ``started``, ``stopped``, ``took-over``, ``policies``, ``keys`` (changed), ``recovered``.

    Also ``repeated`` (a credential was given again to who asked for it before), ``orphan`` (a backend listed what the
    broker did not know, or thought ended) and ``lapsed`` (a request that nobody approved in time).
    """

    what: str
    version: str
    fields: dict[str, str] = {}


Body = (
    Request
    | Refused
    | Approved
    | Issued
    | Failed
    | EndAsked
    | Probed
    | Ended
    | Contained
    | Enabled
    | Glass
    | Drilled
    | Service
)


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log. ``chain`` is the credential's chain id, None where the entry is about none."""

    custody: str
    broker: str
    seq: int
    prev: str
    at: str
    body: Body
    chain: str | None = None

    @property
    def id(self) -> str:
        """The identity of the record."""
        return f"{self.broker}/{self.seq}"


ENCODER = msgspec.json.Encoder(order="deterministic")
DECODER = msgspec.json.Decoder(Entry)


def line(entry: Entry) -> bytes:
    """The entry as it stands in the log, without its line end."""
    return ENCODER.encode(entry)


def digest_of(line_: bytes) -> str:
    """What the next line has as ``prev``."""
    return sha256(line_).hexdigest()
