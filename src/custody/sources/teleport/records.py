"""The members of Teleport's audit events that are read. A member of another type makes the event malformed."""

import msgspec

NO_NAME = (b"*", b"custody-masked")
"""How a name begins that stands for a masked token."""


class Target(msgspec.Struct, frozen=True, gc=False):
    """What a lock locks."""

    user: str | None = None
    access_request: str | None = None
    bot_instance_id: str | None = None


class Route(msgspec.Struct, frozen=True, gc=False):
    """The application that a certificate is for."""

    name: str | None = None
    aws_role_arn: str | None = None


class Certified(msgspec.Struct, frozen=True, gc=False):
    """The identity in a certificate."""

    user: str | None = None
    impersonator: str | None = None
    roles: list[str] | None = None
    expires: str | None = None
    bot_name: str | None = None
    bot_instance_id: str | None = None
    client_ip: str | None = None
    access_requests: list[str] | None = None
    route_to_app: Route | None = None


class ResourceId(msgspec.Struct, frozen=True, gc=False):
    """A resource that is asked for."""

    cluster: str | None = None
    kind: str | None = None
    name: str | None = None


class Pod(msgspec.Struct, frozen=True, gc=False):
    """The pod in a Kubernetes token."""

    uid: str | None = None


class Kubernetes(msgspec.Struct, frozen=True, gc=False):
    """The private claim of a Kubernetes token."""

    pod: Pod | None = None


class Claims(msgspec.Struct, frozen=True, gc=False):
    """The claims by which a bot or host joined, as the auth server verified them."""

    iss: str | None = None
    sub: str | None = None
    jti: str | None = None
    run_id: str | int | None = None
    run_attempt: str | int | None = None
    kubernetes: Kubernetes | None = msgspec.field(name="kubernetes.io", default=None)


class Joined(Claims, frozen=True, gc=False):
    """The attributes of a join: claims, or claims under ``raw``."""

    raw: Claims | None = None


class Audited(msgspec.Struct, frozen=True, gc=False):
    """One audit event: the members of all kinds together."""

    uid: str
    event: str
    code: str
    time: str
    cluster_name: str | None = None
    user: str | None = None
    user_name: str | None = None
    user_kind: int | None = None
    bot_name: str | None = None
    bot_instance_id: str | None = None
    login: str | None = None
    success: bool | None = None
    error: str | None = None
    remote: str | None = msgspec.field(name="addr.remote", default=None)
    remote_panther: str | None = msgspec.field(name="addr_remote", default=None)
    user_agent: str | None = None
    sid: str | None = None
    server_id: str | None = None
    server_hostname: str | None = None
    access_requests: list[str] | None = None
    aws_role_arn: str | None = None
    app_name: str | None = None
    db_service: str | None = None
    db_protocol: str | None = None
    db_user: str | None = None
    db_name: str | None = None
    kubernetes_cluster: str | None = None
    id: str | None = None
    state: str | None = None
    proposed_state: str | None = None
    reviewer: str | None = None
    updated_by: str | None = None
    delegator: str | None = None
    submitted_by: str | None = None
    reason: str | None = None
    roles: list[str] | None = None
    resource_ids: list[ResourceId] | None = None
    expires: str | None = None
    name: str | None = None
    role: str | None = None
    host_id: str | None = None
    method: str | None = None
    join_method: str | None = None
    token_name: str | None = None
    generation: int | None = None
    attributes: msgspec.Raw = msgspec.Raw(b"null")
    cert_type: str | None = None
    identity: Certified | None = None
    target: msgspec.Raw = msgspec.Raw(b"null")
    spiffe_id: str | None = None
    serial_number: str | None = None
    svid_type: str | None = None
