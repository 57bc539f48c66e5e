"""What the entries of a broker's log are made of: who proved what, what was asked, decided and planned.

See ``model.brokered`` for the format; times, keys and digests are written as it says.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Ending(StrEnum):
    """How the credentials of a backend end."""

    KILLED = "killed"
    """The credential can be ended at once; sessions opened with it may live on."""
    KILLED_WITH_SESSIONS = "killed-with-sessions"
    """The credential and every session opened with it can be ended at once."""
    EXPIRY = "expiry"
    """Nothing ends it but its own expiry."""


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An identity that the broker verified itself.

    ``method`` is ``oidc``, ``spiffe-jwt``, ``spiffe-x509`` or ``break-glass``. ``issuer`` is the issuer's URL or the
    trust domain, ``subject`` the name that it gives. ``workload`` is the key of the workload, ``run`` that of the one
    execution where the token names one; ``granularity`` says how finely the token is bound (``model.events``).
    ``credential`` is the key of what was presented (``jwt_jti:…``, ``k8s_cred:…``, ``x509_sha256:…``), None where it
    has no id; ``digest`` the SHA-256 (hex) of its bytes. ``key`` is the RFC 7638 thumbprint of the verifying key, or
    the SHA-256 of the authority's certificate; ``trust`` the SHA-256 of the key set or bundle that was used.
    ``claims`` are the public facts of the token, as text. ``person`` says that it names a person, no workload.
    """

    method: str
    issuer: str
    subject: str
    workload: str
    digest: str
    key: str
    trust: str
    expires: str
    granularity: str | None = None
    run: str | None = None
    credential: str | None = None
    claims: dict[str, str] = {}
    person: bool = False


class Actor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One link of an ``act`` chain (RFC 8693 section 4.1), the outermost first: who acts for the subject.

    ``proof`` is there for an actor who presented a token of their own; without it the link is the word of the
    ``issuer`` of the subject token, or (``claimed``) only the requester's.
    """

    subject: str
    issuer: str | None = None
    proof: Proof | None = None
    claimed: bool = False


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a workload asks for and why: RFC 8693 parameters and custody's own.

    ``backend`` names one of the broker's backends. ``details`` are RFC 9396 ``authorization_details``, each a JSON
    object in its text form as it was sent. ``ttl`` is in seconds, None: as long as policy and backend allow. ``run``,
    ``ticket`` and ``purpose`` are the requester's word. ``parent`` is the chain whose credential this one descends
    from, ``renews`` the chain that it takes over from: with it ``reason`` is needed. ``break_glass``: nobody is there
    to approve before, and somebody has to afterwards; with it ``reason`` and ``ticket`` are needed.
    """

    backend: str
    resource: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    purpose: str | None = None
    ticket: str | None = None
    run: str | None = None
    ttl: int | None = None
    parent: str | None = None
    renews: str | None = None
    reason: str | None = None
    break_glass: bool = False


class PolicyRef(msgspec.Struct, frozen=True, gc=False):
    """A policy that determined a decision: its id and the SHA-256 (hex) of its text."""

    id: str
    sha256: str


class Verdict(StrEnum):
    """What the policies say of a request."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVAL = "approval-required"


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The approvals that a decision asks for: ``count`` different people of ``group`` within ``within`` seconds."""

    count: int
    group: str
    within: int


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was decided, by what, on what: enough to decide it again elsewhere.

    ``policies`` are those that determined the verdict, none for a default deny (``why`` is then ``no-permit-matched``).
    The digests are SHA-256 (hex): of the policy set, its schema, the entities and the request with its context as they
    were given to the engine. ``commit`` names the version of the policy folder where it is under version control.
    ``errors`` are what the engine said; with any of them the verdict is deny. ``max_ttl`` is in seconds.
    """

    verdict: Verdict
    engine: str
    policy_set: str
    schema: str
    entities: str
    request: str
    policies: tuple[PolicyRef, ...] = ()
    errors: tuple[str, ...] = ()
    why: str = ""
    commit: str | None = None
    max_ttl: int | None = None
    asked: Asked | None = None
    context: dict[str, str] = {}


class Registered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The entry of the register that the workload was found by: its stable id, and what it declared then."""

    identity: str
    document: str
    leaf: int | None = None
    owner: str | None = None
    purpose: str | None = None
    environments: tuple[str, ...] = ()
    risk: str | None = None
    depends_on: tuple[str, ...] = ()


class ApprovalRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One approval that counted: who gave it, and its leaf in the log of approvals."""

    approver: str
    leaf: int
    at: str


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the backend will be asked to make, known before it is called.

    ``name`` is the name that the broker chooses (a jti, a role name, a source identity). ``key`` is the credential key
    where the name alone is the credential, None where the server chooses it. ``ttl`` is in seconds.
    """

    backend: str
    kind: str
    ends: Ending
    name: str
    ttl: int
    not_after: str
    scope: tuple[str, ...] = ()
    key: str | None = None
    subject: str | None = None
