"""One successful call, as the functions for its kinds get it."""

from typing import TypeVar

import msgspec

from custody.sources.aws_cloudtrail import principals
from custody.sources.aws_cloudtrail.records import Record, UserIdentity, part_of

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The record, who acted (``principal`` is its key), the key presented, and the account that it happened in."""

    record: Record
    who: UserIdentity
    key: str | None
    principal: str | None
    account: str

    def request(self, decoder: msgspec.json.Decoder[T]) -> T | None:
        """The request parameters; raises SourceError with the path of a field of the wrong type."""
        return part_of(self.record.requestParameters, decoder, "requestParameters")

    def response(self, decoder: msgspec.json.Decoder[T]) -> T | None:
        """The response elements; raises SourceError with the path of a field of the wrong type."""
        return part_of(self.record.responseElements, decoder, "responseElements")

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a role, user or group of this account that the log gives by name."""
        return principals.iam_arn(self.record.awsRegion, self.account, kind, name)
