# ruff: noqa: N815 - fields have the names that they have in the log
"""The fields of an audit event (``audit.k8s.io/v1``) that custody reads, as types. All else is left in the bytes.

Request and response objects stay raw until a kind of call asks for them: each has its own shape, most levels leave
them out, and a patch is an array or half an object.
"""

from typing import TypeVar

import msgspec

from custody.errors import SourceError

T = TypeVar("T")
Extra = dict[str, list[str] | str | None]
NOTHING = msgspec.Raw(b"null")


class User(msgspec.Struct, frozen=True, gc=False):
    """Who acted, as the server authenticated them. ``extra`` is the authenticator's word, not the client's."""

    username: str | None = None
    uid: str | None = None
    groups: list[str] | None = None
    extra: Extra | None = None


class ObjectRef(msgspec.Struct, frozen=True, gc=False):
    """What the call was about."""

    resource: str | None = None
    subresource: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    apiGroup: str | None = None


class Status(msgspec.Struct, frozen=True, gc=False):
    """How the call ended: an HTTP status code, and a reason in one word."""

    code: int | None = None
    status: str | None = None
    reason: str | None = None


class AuthenticationMetadata(msgspec.Struct, frozen=True, gc=False):
    """What the server says of how the request was authenticated."""

    impersonationConstraint: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One audit event."""

    verb: str
    auditID: str | None = None
    stage: str | None = None
    level: str | None = None
    requestURI: str | None = None
    user: User | None = None
    impersonatedUser: User | None = None
    sourceIPs: list[str] | None = None
    userAgent: str | None = None
    objectRef: ObjectRef | None = None
    responseStatus: Status | None = None
    requestObject: msgspec.Raw = NOTHING
    responseObject: msgspec.Raw = NOTHING
    requestReceivedTimestamp: str | None = None
    stageTimestamp: str | None = None
    annotations: dict[str, str] | None = None
    authenticationMetadata: AuthenticationMetadata | None = None


class Meta(msgspec.Struct, frozen=True, gc=False):
    """The metadata of an object."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    annotations: dict[str, str | None] | None = None
    deletionGracePeriodSeconds: int | None = None


def object_of(raw: msgspec.Raw, decoder: msgspec.json.Decoder[T], where: str) -> T | None:
    """A request or response decoded; None where there is none or it is no object (a JSON patch is an array).

    Raises SourceError that names the path at fault.
    """
    if bytes(raw)[:1] != b"{":
        return None
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise SourceError(f"{error} in $.{where}") from None


def first(values: list[str] | str | None) -> str | None:
    """The first of several values, or the value itself; None where it says nothing."""
    value = values[0] if isinstance(values, list) and values else values
    return value if isinstance(value, str) and value else None
