"""The answer of ``get-account-authorization-details``: users, groups, roles and managed policies of an AWS account.

Log format: "GetAccountAuthorizationDetails", AWS IAM API Reference, as the command line prints it (policy documents are
objects) or as the API sends it (documents are URL-encoded JSON in strings). Each element of the arrays is a record.
It resolves unique ids (``AROA…``, ``AIDA…``) to names and tells who may do what; it holds no access key ids.
"""

import hashlib
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.model.keys import aws_arn
from custody.model.records import Identity, Wrapping
from custody.sources import moments, pasted_secrets, secret_names
from custody.sources.aws_cloudtrail.principals import principal_key
from custody.sources.secret_names import is_secret_name
from custody.sources.source import Source

SCHEME = "iam-detail/1"
_HIDDEN = "custody-masked"
_MARKS = (
    (b'"RoleId"', b'"AssumeRolePolicyDocument"'),
    (b'"UserId"', b'"UserName"'),
    (b'"GroupId"', b'"GroupName"'),
    (b'"PolicyId"', b'"PolicyVersionList"'),
)


class Boundary(msgspec.Struct, frozen=True, gc=False):
    """A permissions boundary."""

    PermissionsBoundaryArn: str | None = None


class Attached(msgspec.Struct, frozen=True, gc=False):
    """A managed policy that is attached."""

    PolicyArn: str | None = None
    PolicyName: str | None = None


class Inline(msgspec.Struct, frozen=True, gc=False):
    """A policy inside a principal; its document stays in the record."""

    PolicyName: str | None = None


class Tag(msgspec.Struct, frozen=True, gc=False):
    """A tag."""

    Key: str
    Value: str = ""


class LastUsed(msgspec.Struct, frozen=True, gc=False):
    """When a role was last used, within the tracking period."""

    LastUsedDate: str | None = None
    Region: str | None = None


class Profile(msgspec.Struct, frozen=True, gc=False):
    """An instance profile that a role is in."""

    Arn: str | None = None


class Statement(msgspec.Struct, frozen=True, gc=False):
    """One statement of a trust policy, as far as it says who."""

    Effect: str | None = None
    Principal: str | dict[str, str | list[str]] | None = None
    Action: str | list[str] | None = None


class Trust(msgspec.Struct, frozen=True, gc=False):
    """A trust policy."""

    Statement: "list[Statement] | Statement | None" = None


class Detail(msgspec.Struct, frozen=True, gc=False):
    """A user, group, role or policy; which of them, its id member says."""

    Arn: str
    CreateDate: str
    RoleId: str | None = None
    UserId: str | None = None
    GroupId: str | None = None
    PolicyId: str | None = None
    UserName: str | None = None
    DefaultVersionId: str | None = None
    AssumeRolePolicyDocument: str | Trust | None = None
    AttachedManagedPolicies: list[Attached] | None = None
    RolePolicyList: list[Inline] | None = None
    UserPolicyList: list[Inline] | None = None
    GroupPolicyList: list[Inline] | None = None
    GroupList: list[str] | None = None
    InstanceProfileList: list[Profile] | None = None
    PermissionsBoundary: Boundary | None = None
    RoleLastUsed: LastUsed | None = None
    Tags: list[Tag] | None = None


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes an object an element of the answer."""

    Arn: str
    CreateDate: msgspec.Raw
    Path: msgspec.Raw


_DETAIL = msgspec.json.Decoder(Detail)
_TRUST = msgspec.json.Decoder(Trust)
_HEAD = msgspec.json.Decoder(_Head)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like one element of the answer, by its bytes alone."""
    return b'"Arn"' in raw and any(one in raw and other in raw for one, other in _MARKS)


def identify(raw: bytes) -> Identity | None:
    """The ARN and the hash of the element: what a principal is on one day is another record than on the next."""
    return pasted_secrets.identified(SCHEME, raw, _name)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept element, or why there is none. Raises nothing."""
    return pasted_secrets.events_of(kept, _DETAIL, lambda found: (_event(found),))


def _name(raw: bytes) -> str | None:
    arn = _HEAD.decode(raw).Arn
    if not arn.startswith("arn:aws"):
        return None
    value = msgspec.json.encode(msgspec.json.decode(raw), order="sorted")
    return f"{arn} {hashlib.sha256(value).hexdigest()}"


def _event(found: Detail) -> Event:
    created = moments.rfc3339(found.CreateDate, "$.CreateDate")
    unique = found.RoleId or found.UserId or found.GroupId or found.PolicyId
    return Event(
        id=f"{found.Arn} {unique}",
        time=created,
        service="iam.amazonaws.com",
        action="GetAccountAuthorizationDetails",
        outcome=Outcome.SUCCESS,
        parts=tuple(_parts(found)),
        account=found.Arn.split(":", 5)[4] if found.Arn.count(":") >= 5 else None,
        created=created,
        principal_id=found.RoleId or found.UserId,
        resource=found.Arn,
        tags=_tags(found.Tags),
    )


def _parts(found: Detail) -> Iterator[Part]:
    """What there is, its grants, its limits, and for a role who may take it on."""
    key = principal_key(found.Arn)
    unique = found.RoleId or found.UserId
    related = f"aws_principal:aws:{unique}" if unique else None
    yield _part(key, f"inventory.{_kind(found)}", found.DefaultVersionId or found.Arn, related)
    for policy in found.AttachedManagedPolicies or ():
        if policy.PolicyArn:
            yield _part(key, "inventory.grant", policy.PolicyArn, aws_arn(policy.PolicyArn))
    for inline in _inline(found):
        yield _part(key, "inventory.inline_grant", inline.PolicyName)
    if found.PermissionsBoundary and found.PermissionsBoundary.PermissionsBoundaryArn:
        arn = found.PermissionsBoundary.PermissionsBoundaryArn
        yield _part(key, "inventory.boundary", arn, aws_arn(arn))
    for group in found.GroupList or ():
        yield _part(key, "inventory.membership", group)
    for profile in found.InstanceProfileList or ():
        yield _part(key, "inventory.instance_profile", profile.Arn)
    for principal, action in _trusted(found.AssumeRolePolicyDocument):
        yield _part(key, "inventory.trust", principal, method=action)
    if found.RoleLastUsed and found.RoleLastUsed.LastUsedDate:
        yield _part(key, "inventory.last_used", found.RoleLastUsed.LastUsedDate, found.RoleLastUsed.Region)


def _part(key: str, effect: str, thing: str | None, related: str | None = None, method: str | None = None) -> Part:
    return Part(stage=Stage.INVENTORY, key=key, effect=effect, object=thing, related=related, method=method)


def _kind(found: Detail) -> str:
    if found.RoleId:
        return "role"
    if found.UserId:
        return "user"
    return "group" if found.GroupId else "policy"


def _inline(found: Detail) -> Iterator[Inline]:
    for some in (found.RolePolicyList, found.UserPolicyList, found.GroupPolicyList):
        yield from some or ()


def _trusted(document: str | Trust | None) -> Iterator[tuple[str, str | None]]:
    """Who an allowing statement of a trust policy names, and for what; its conditions stay in the record."""
    trust = _decoded(document) if isinstance(document, str) else document
    if trust is None or trust.Statement is None:
        return
    for statement in trust.Statement if isinstance(trust.Statement, list) else [trust.Statement]:
        if statement.Effect == "Allow":
            action = ",".join(_listed(statement.Action)) or None
            yield from ((name, action) for name in _principals(statement.Principal))


def _decoded(document: str) -> Trust:
    try:
        return _TRUST.decode(unquote(document))
    except msgspec.DecodeError as error:
        raise SourceError("not a trust policy", where="$.AssumeRolePolicyDocument", found=str(error)) from None


def _principals(named: str | dict[str, str | list[str]] | None) -> Iterator[str]:
    """``*`` or each name under its kind; AWS names stand by themselves, others behind theirs (``Service:…``)."""
    if isinstance(named, str):
        yield named
        return
    for kind, names in (named or {}).items():
        yield from (name if kind == "AWS" else f"{kind}:{name}" for name in _listed(names))


def _listed(names: str | Sequence[str] | None) -> Sequence[str]:
    return [names] if isinstance(names, str) else names or ()


def _tags(tags: list[Tag] | None) -> str | None:
    """All tags as compact JSON, sorted by name; what is called like a secret is masked."""
    shown = {tag.Key: _HIDDEN if is_secret_name(tag.Key) else tag.Value for tag in tags or ()}
    return msgspec.json.encode(dict(sorted(shown.items()))).decode() if shown else None


SOURCE = Source(
    name="aws.iam_details",
    title="AWS IAM account authorization details",
    wrappings=(
        Wrapping(form="iam-users", container="UserDetailList"),
        Wrapping(form="iam-groups", container="GroupDetailList"),
        Wrapping(form="iam-roles", container="RoleDetailList"),
        Wrapping(form="iam-policies", container="Policies"),
    ),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"Arn"',),
    glance=secret_names.SUSPECTS.look,
    time_resolution=1_000_000,
    delivery_delay=60 * 60 * 1_000_000,
    proves=(
        "which roles, users, groups and managed policies an account had, their unique ids, attached policies, "
        "boundaries, trust and tags, at an unknown moment after the last time that they speak of"
    ),
    enable="aws iam get-account-authorization-details > account-authorization-details.json",
)
