"""A CloudTrail record's typed meaning.

Every record gives one event. It is a use of the key that signed it, and, where the call succeeded, what the call did
to other keys and principals: one part each. Event kinds that this module does not know are plain uses.
"""

from functools import lru_cache

import msgspec

from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.sources.aws_cloudtrail import compute, grants, issue, principals
from custody.sources.aws_cloudtrail.call import Call
from custody.sources.aws_cloudtrail.identity import document
from custody.sources.aws_cloudtrail.records import Record, UserIdentity, first
from custody.sources.aws_cloudtrail.times import time_at
from custody.sources.decoding import told

_RECORD = msgspec.json.Decoder(Record)
_NOBODY = UserIdentity()
_CREATED = "$.userIdentity.sessionContext.attributes.creationDate"
_AT_ENDPOINT = "NetworkActivity"
"""The category of what the owner of a VPC endpoint sees of a call: that it was let pass, not how the service ended it.

A success of this category is no success of the call: a revoked key passes an endpoint too.
"""
NOTHING_DONE: tuple[Part, ...] = ()
_IAM = "iam.amazonaws.com"
_REFUSED = (
    "AccessDenied",
    "Unauthorized",
    "NotAuthorized",
    "Forbidden",
    "ExpiredToken",
    "AuthFailure",
    "InvalidClientTokenId",
)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept record, or why there is none. Raises nothing; the bytes themselves tell the form."""
    return told(lambda: _read(kept))


def _read(kept: bytes) -> tuple[Event, ...]:
    record = _RECORD.decode(document(kept))
    return (_event(record, record.userIdentity or _NOBODY),)


def _event(record: Record, who: UserIdentity) -> Event:
    time = time_at(record.eventTime, "$.eventTime")
    used = principals.presented(who)
    principal = principals.acting(who)
    account = record.recipientAccountId or who.accountId
    context = who.sessionContext
    created = context.attributes.creationDate if context and context.attributes else None
    outcome = _outcome(record.errorCode)
    passed = record.eventCategory == _AT_ENDPOINT and outcome is Outcome.SUCCESS
    use = ((_pass(used) if passed else _use(used, principals.path(who))),) if used else NOTHING_DONE
    asked, done = issue.NOTHING_ASKED, NOTHING_DONE
    if outcome is Outcome.SUCCESS and record.eventSource in _SERVICES and not passed:
        call = Call(record=record, who=who, key=used, principal=principal, account=account or "-")
        done = _done(call)
        if record.eventName == "ConsoleLogin" and not done:
            outcome = Outcome.DENIED
        if done and done[0].stage is Stage.ISSUE:
            asked = issue.asked(call)
    elif outcome is not Outcome.SUCCESS and record.eventSource == _IAM:
        done = grants.refused(Call(record=record, who=who, key=used, principal=principal, account=account or "-"))
    return Event(
        id=record.eventID,
        time=time,
        service=record.eventSource,
        action=record.eventName,
        outcome=outcome,
        parts=use + done if done else use,
        error=record.errorCode,
        account=account,
        region=record.awsRegion,
        category=record.eventCategory,
        origin=record.sourceIPAddress,
        endpoint=record.vpcEndpointId,
        agent=record.userAgent,
        principal=principal,
        principal_id=who.principalId,
        principal_kind=who.type,
        session=who.arn if who.type in ("AssumedRole", "FederatedUser") else None,
        created=time_at(created, _CREATED) if created else None,
        invoked_by=who.invokedBy,
        console=record.sessionCredentialFromConsole in ("true", True),
        source_identity=asked.source_identity or (context.sourceIdentity if context else None),
        request_id=record.requestID,
        shared_id=record.sharedEventID,
        resource=_resource(record, done),
        tags=asked.tags,
    )


@lru_cache(maxsize=4096)
def _use(key: str, path: str | None) -> Part:
    """The use of a key: equal for all of its uses, so made once. ``object`` is its role's ARN where that has a path."""
    return Part(stage=Stage.USE, key=key, object=path)


@lru_cache(maxsize=1024)
def _pass(key: str) -> Part:
    """That the policy of a VPC endpoint let a call with a key pass."""
    return Part(stage=Stage.DECIDE, key=key, effect="endpoint.pass")


def _done(call: Call) -> tuple[Part, ...]:
    """What a successful call did, beyond being a use."""
    match call.record.eventSource:
        case "sts.amazonaws.com" | "sso.amazonaws.com" | "rolesanywhere.amazonaws.com":
            return issue.parts(call)
        case "iam.amazonaws.com":
            return grants.parts(call)
        case "ec2.amazonaws.com" | "lambda.amazonaws.com":
            return compute.parts(call)
        case "signin.amazonaws.com":
            return issue.console_login(call)
    return ()


_SERVICES = frozenset(
    f"{name}.amazonaws.com" for name in ("sts", "sso", "rolesanywhere", "iam", "ec2", "lambda", "signin")
)


@lru_cache(maxsize=1024)
def _outcome(error: str | None) -> Outcome:
    """How the call ended, by its error code. A refusal is not an error: it proves that the check was made."""
    if not error:
        return Outcome.SUCCESS
    return Outcome.DENIED if any(word in error for word in _REFUSED) else Outcome.ERROR


def _resource(record: Record, done: tuple[Part, ...]) -> str | None:
    """The first resource that the record names, else the first principal or thing that the call did something to."""
    named = first([resource.ARN or resource.arn for resource in record.resources]) if record.resources else None
    return named or (first([_thing(part) for part in done]) if done else None)


def _thing(part: Part) -> str | None:
    """What a part is about: the value of its key, or for an issued key what it speaks for."""
    return part.object if part.stage is Stage.ISSUE or part.key is None else part.key.split(":", 2)[2]
