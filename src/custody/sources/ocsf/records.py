"""The members of OCSF events that are read, as the schema types them. Everything else is passed over."""

import msgspec

Number = int | float


class _Record(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What all of them have in common."""


class Product(_Record, frozen=True, gc=False, kw_only=True):
    """The product that the event came from."""

    name: str | None = None
    vendor_name: str | None = None


class Metadata(_Record, frozen=True, gc=False, kw_only=True):
    """What is said of the event itself."""

    version: str | None = None
    uid: str | None = None
    original_event_uid: str | None = None
    correlation_uid: str | None = None
    event_code: str | None = None
    product: Product | None = None


class Named(_Record, frozen=True, gc=False, kw_only=True):
    """Anything that has a name or an id: an account, a policy, a group, a service."""

    name: str | None = None
    uid: str | None = None


class Credential(_Record, frozen=True, gc=False, kw_only=True):
    """A programmatic credential or a token, by its id."""

    uid: str | None = None
    type: str | None = None
    expiration_time: Number | None = None


class User(_Record, frozen=True, gc=False, kw_only=True):
    """A user, role or service."""

    name: str | None = None
    uid: str | None = None
    uid_alt: str | None = None
    uuid: str | None = None
    type: str | None = None
    type_id: int | None = None
    email_addr: str | None = None
    credential_uid: str | None = None
    account: Named | None = None
    account_uid: str | None = None
    programmatic_credentials: tuple[Credential, ...] | None = None


class Session(_Record, frozen=True, gc=False, kw_only=True):
    """A session. ``issuer`` of one that AWS gave is the role's ARN."""

    uid: str | None = None
    uid_alt: str | None = None
    issuer: str | None = None
    credential_uid: str | None = None
    created_time: Number | None = None
    expiration_time: Number | None = None


class Policy(_Record, frozen=True, gc=False, kw_only=True):
    """A policy, and whether it was the one that counted."""

    name: str | None = None
    uid: str | None = None
    is_applied: bool | None = None


class Authorization(_Record, frozen=True, gc=False, kw_only=True):
    """A decision, and the policy that made it."""

    decision: str | None = None
    policy: Policy | None = None


class Actor(_Record, frozen=True, gc=False, kw_only=True):
    """Who acted."""

    user: User | None = None
    session: Session | None = None
    invoked_by: str | None = None
    authorizations: tuple[Authorization, ...] | None = None


class Failure(_Record, frozen=True, gc=False, kw_only=True):
    """How a call was answered."""

    code: Number | None = None
    error: str | None = None


class Api(_Record, frozen=True, gc=False, kw_only=True):
    """The call of an API."""

    operation: str | None = None
    service: Named | None = None
    request: Named | None = None
    response: Failure | None = None
    token: Credential | None = None


class Cloud(_Record, frozen=True, gc=False, kw_only=True):
    """Where in which cloud."""

    account: Named | None = None
    account_uid: str | None = None
    region: str | None = None


class Endpoint(_Record, frozen=True, gc=False, kw_only=True):
    """One side of a connection."""

    ip: str | None = None
    hostname: str | None = None
    domain: str | None = None
    svc_name: str | None = None
    port: int | None = None


class Request(_Record, frozen=True, gc=False, kw_only=True):
    """The HTTP request."""

    user_agent: str | None = None


class Fingerprint(_Record, frozen=True, gc=False, kw_only=True):
    """A hash; algorithm 3 is SHA-256."""

    algorithm_id: int | None = None
    value: str | None = None


class Certificate(_Record, frozen=True, gc=False, kw_only=True):
    """A certificate."""

    fingerprints: tuple[Fingerprint, ...] | None = None
    expiration_time: Number | None = None


class Record(_Record, frozen=True, gc=False, kw_only=True):
    """An event of any class."""

    class_uid: int
    time: Number
    metadata: Metadata
    class_name: str | None = None
    activity_id: int | None = None
    activity_name: str | None = None
    action_id: int | None = None
    disposition_id: int | None = None
    status_id: int | None = None
    status_code: str | None = None
    status_detail: str | None = None
    actor: Actor | None = None
    user: User | None = None
    group: Named | None = None
    session: Session | None = None
    privileges: tuple[str, ...] | None = None
    policy: Named | None = None
    authentication_token: Credential | None = None
    certificate: Certificate | None = None
    service: Named | None = None
    api: Api | None = None
    cloud: Cloud | None = None
    src_endpoint: Endpoint | None = None
    dst_endpoint: Endpoint | None = None
    http_request: Request | None = None
    resources: tuple[Named, ...] | None = None
    resource: Named | None = None
    trace: Named | None = None

    @property
    def final(self) -> bool:
        """Whether its numbers of classes are those of 1.0 and later: the drafts before had others."""
        return "-rc" not in (self.metadata.version or "") and not (self.metadata.version or "").startswith("0.")

    @property
    def origin(self) -> str:
        """The product that the event came from, by vendor and name; '-' where it is not said."""
        product = self.metadata.product or Product()
        return " ".join(text for text in (product.vendor_name, product.name) if text) or "-"
