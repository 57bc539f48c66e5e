"""The fields of an audit entry that custody reads, as types. Everything else is left in the bytes.

Names are those of the log. A field of the wrong type is refused by the decoder, with its path.
"""

import msgspec

Data = dict[str, object]


class Policy(msgspec.Struct, frozen=True, gc=False):
    """A policy that allowed the call."""

    name: str | None = None
    namespace_path: str | None = None


class PolicyResults(msgspec.Struct, frozen=True, gc=False):
    """What the check of the token's policies gave."""

    allowed: bool | None = None
    granting_policies: list[Policy] | None = None


class Auth(msgspec.Struct, frozen=True, gc=False):
    """A token: at the top the one presented, in the response the one issued. ``token_ttl`` is in seconds."""

    client_token: str | None = None
    accessor: str | None = None
    display_name: str | None = None
    policy_results: PolicyResults | None = None
    metadata: dict[str, object] | None = None
    entity_id: str | None = None
    token_type: str | None = None
    token_ttl: int | None = None
    num_uses: int | None = None


class Namespace(msgspec.Struct, frozen=True, gc=False):
    """Where the call happened; the path ends in a slash, that of the root is empty."""

    id: str | None = None
    path: str | None = None


class Request(msgspec.Struct, frozen=True, gc=False):
    """What was asked."""

    id: str | None = None
    operation: str | None = None
    path: str | None = None
    data: Data | None = None
    client_token: str | None = None
    client_token_accessor: str | None = None
    mount_point: str | None = None
    mount_type: str | None = None
    namespace: Namespace | None = None
    remote_address: str | None = None
    headers: dict[str, object] | None = None
    client_certificate_serial_number: str | None = None


class Secret(msgspec.Struct, frozen=True, gc=False):
    """A leased secret, of which the log has the lease alone."""

    lease_id: str | None = None


class WrapInfo(msgspec.Struct, frozen=True, gc=False):
    """A wrapping token in the place of an answer. ``ttl`` is in seconds."""

    ttl: int | None = None
    token: str | None = None
    accessor: str | None = None
    creation_time: str | None = None
    creation_path: str | None = None
    wrapped_accessor: str | None = None


class Response(msgspec.Struct, frozen=True, gc=False):
    """What was answered."""

    auth: Auth | None = None
    secret: Secret | None = None
    data: Data | None = None
    wrap_info: WrapInfo | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One audit entry."""

    type: str
    time: str
    request: Request
    auth: Auth | None = None
    response: Response | None = None
    error: str | None = None


ENTRY = msgspec.json.Decoder(Entry)
NO_AUTH = Auth()
NO_RESPONSE = Response()
NO_SECRET = Secret()
NO_NAMESPACE = Namespace()
