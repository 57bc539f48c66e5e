"""The typed meaning of a record: events, and their parts, one part to a key and a stage.

Times are microseconds since 1970-01-01T00:00:00Z, UTC. Strings are as the log has them; absence is ``None``.
"""

from enum import StrEnum

import msgspec

MICROSECONDS = 1_000_000


class Stage(StrEnum):
    """What a part is to its key. The order here breaks ties within a source's time resolution."""

    START = "start"
    REQUEST = "request"
    APPROVE = "approve"
    DECIDE = "decide"
    ISSUE = "issue"
    USE = "use"
    REFRESH = "refresh"
    REVOKE = "revoke"
    EXPIRE = "expire"
    END = "end"
    CHANGE = "change"
    INVENTORY = "inventory"


STAGE_ORDER: dict[str, int] = {stage.value: position for position, stage in enumerate(Stage)}


class Asserter(StrEnum):
    """Who says that a fact is so. Only the first two can carry a proof."""

    ISSUER = "issuer"
    VERIFIER = "verifier"
    SELF_REPORTED = "self-reported"
    CLIENT = "client"
    DECLARED = "declared"


class Outcome(StrEnum):
    """How the call ended. A denied call proves enforcement and violates nothing."""

    SUCCESS = "success"
    DENIED = "denied"
    ERROR = "error"


class Granularity(StrEnum):
    """How finely an issuer bound a credential to a workload, coarsest first."""

    ACCOUNT = "account"
    INSTANCE = "instance"
    NODE = "node"
    POD = "pod"
    PROCESS = "process"
    RUN = "run"


class Part(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an event is to one key.

    ``key`` is a credential key for issue, use, refresh, revoke and expire; a principal or workload key for start, end
    and change. For ``issue``: ``parent`` is the key of the credential that asked, ``subject`` the key of the principal
    that the credential speaks for, ``workload`` the key of what it is bound to (``granularity``, ``bound_by`` say how
    finely and on whose word), ``not_after`` its expiry as the issuer states it. For start, end, revoke and change:
    ``effect`` names what happened in dotted words (``role.delete``, ``key.deactivate``, ``address.allocate``), and
    ``object`` and ``related`` name the things it happened to. ``cutoff`` is the time before which issued sessions end.
    """

    stage: Stage
    key: str | None = None
    parent: str | None = None
    subject: str | None = None
    session_name: str | None = None
    workload: str | None = None
    granularity: Granularity | None = None
    bound_by: Asserter | None = None
    method: str | None = None
    not_after: int | None = None
    effect: str | None = None
    object: str | None = None
    related: str | None = None
    cutoff: int | None = None
    alias: str | None = None
    population: str | None = None
    asserter: Asserter | None = None


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One typed event. The fields up to ``parts`` are those that every part of it shares.

    ``principal`` is the key of the principal that acted (for a role session the role's ARN key), ``session`` the ARN
    of the session, ``created`` the creation time of the session presented. ``origin`` is the address or service name
    as the verifier recorded it, ``agent`` is the client's own word. ``invoked_by`` names the service that made the
    call for the principal. ``shared_id`` is common to the copies of one action that several accounts received.
    ``policy`` names the policy by which the verifier decided, ``trace`` the W3C trace id (hex) of the request.
    """

    id: str
    time: int
    service: str
    action: str
    outcome: Outcome
    parts: tuple[Part, ...]
    error: str | None = None
    account: str | None = None
    region: str | None = None
    category: str | None = None
    origin: str | None = None
    endpoint: str | None = None
    agent: str | None = None
    principal: str | None = None
    principal_id: str | None = None
    principal_kind: str | None = None
    session: str | None = None
    created: int | None = None
    invoked_by: str | None = None
    console: bool = False
    source_identity: str | None = None
    request_id: str | None = None
    shared_id: str | None = None
    resource: str | None = None
    tags: str | None = None
    policy: str | None = None
    trace: str | None = None


class Skip(msgspec.Struct, frozen=True, gc=False):
    """A record that gave no event, and why: ``reason`` is one of SKIP_REASONS, ``detail`` says where and what."""

    reason: str
    detail: str = ""


SKIP_REASONS: dict[str, str] = {
    "duplicate-keys": "an object of the record has the same key twice: two parsers could read it differently",
    "not-json": "the bytes are not JSON",
    "invalid-utf8": "the bytes are not UTF-8",
    "too-deep": "nested deeper than the limit",
    "too-large": "larger than the record size limit; the payload is withheld, its hash is sealed",
    "unknown": "no source understands this record",
    "malformed": "recognised, but a field that its meaning needs is missing or of the wrong type",
    "erased": "its bytes and their salt were erased; the sealed entry and its proof stay",
    "withheld": "it could hold a secret whose place is unsure; the payload is withheld, its hash is sealed",
}
