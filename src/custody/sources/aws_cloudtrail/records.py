# ruff: noqa: N815 - fields have the names that they have in the log
"""The fields of a CloudTrail record that custody reads, as types. Everything else is left in the bytes.

Names are those of the log. Requests and responses stay raw until a kind of event asks for them, because each has its
own shape. A field of the wrong type is refused by the decoder, with its path.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from custody.errors import SourceError

T = TypeVar("T")


class SessionIssuer(msgspec.Struct, frozen=True, gc=False):
    """The role or user that a session speaks for; ``{}`` for a user's own console session."""

    arn: str | None = None


class SessionAttributes(msgspec.Struct, frozen=True, gc=False):
    """When the session was created, as AWS says."""

    creationDate: str | None = None


class SessionContext(msgspec.Struct, frozen=True, gc=False):
    """What AWS says of the session whose key was presented."""

    sessionIssuer: SessionIssuer | None = None
    attributes: SessionAttributes | None = None
    sourceIdentity: str | None = None


class UserIdentity(msgspec.Struct, frozen=True, gc=False):
    """Who acted."""

    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    accessKeyId: str | None = None
    userName: str | None = None
    identityProvider: str | None = None
    invokedBy: str | None = None
    sessionContext: SessionContext | None = None


class Resource(msgspec.Struct, frozen=True, gc=False):
    """A resource that the call touched. Copies in other tools write ``arn``."""

    ARN: str | None = None
    arn: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One CloudTrail record."""

    eventID: str
    eventTime: str
    eventSource: str
    eventName: str
    userIdentity: UserIdentity | None = None
    awsRegion: str | None = None
    sourceIPAddress: str | None = None
    userAgent: str | None = None
    errorCode: str | None = None
    requestParameters: msgspec.Raw = msgspec.Raw(b"null")
    responseElements: msgspec.Raw = msgspec.Raw(b"null")
    requestID: str | None = None
    recipientAccountId: str | None = None
    eventCategory: str | None = None
    sharedEventID: str | None = None
    vpcEndpointId: str | None = None
    sessionCredentialFromConsole: str | bool | None = None
    resources: list[Resource] | None = None


_NULL = b"null"


def part_of(raw: msgspec.Raw, decoder: msgspec.json.Decoder[T], where: str) -> T | None:
    """The request or response decoded, None where it is null; raises SourceError that names the path at fault."""
    if bytes(raw) == _NULL:
        return None
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise SourceError(_at(str(error), where)) from None


def _at(message: str, where: str) -> str:
    """The decoder's message with its path put below ``where``."""
    said, found, path = message.partition("`$")
    return f"{said}`$.{where}{path}" if found else f"{said} - at `$.{where}`"


def listed(items: "list[T] | T | str | None") -> list[T]:
    """What a list, a single object or nothing says as a list: services write one element without its array."""
    if items is None or isinstance(items, str):
        return []
    return items if isinstance(items, list) else [items]


def first(values: Iterable[str | None]) -> str | None:
    """The first value that says something."""
    return next((value for value in values if value), None)
