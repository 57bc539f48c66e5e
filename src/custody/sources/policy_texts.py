# ruff: noqa: N815 - fields have the names that they have in the log
"""The texts of policies and roles in a kept record: what an event's parts only name.

CloudTrail has a policy in the request, as JSON in a string (IAM's console sends it URL-encoded); IAM's inventory has it
as an object or URL-encoded; Kubernetes has the rules of a role. Parts leave them out: they are long, and are asked for
by leaf.
"""

from collections.abc import Callable, Iterator
from urllib.parse import unquote

import msgspec

from custody.errors import SourceError
from custody.model.privileges import PolicyText, TextKind
from custody.sources import moments
from custody.sources.aws_cloudtrail import identity as cloudtrail
from custody.sources.kubernetes_audit import gke
from custody.sources.kubernetes_audit import identity as kubernetes

_NULL = msgspec.Raw(b"null")


class _Request(msgspec.Struct, frozen=True, gc=False):
    policyName: str | None = None
    policyDocument: str | None = None
    assumeRolePolicyDocument: str | None = None
    policy: str | None = None
    setAsDefault: bool | str | None = None


class _Version(msgspec.Struct, frozen=True, gc=False):
    versionId: str | None = None
    isDefaultVersion: bool | str | None = None


class _Response(msgspec.Struct, frozen=True, gc=False):
    policyVersion: _Version | None = None


class _Call(msgspec.Struct, frozen=True, gc=False):
    eventName: str
    requestParameters: _Request | None = None
    responseElements: msgspec.Raw = _NULL


class _Inline(msgspec.Struct, frozen=True, gc=False):
    PolicyName: str | None = None
    PolicyDocument: msgspec.Raw = _NULL


class _Listed(msgspec.Struct, frozen=True, gc=False):
    VersionId: str | None = None
    IsDefaultVersion: bool = False
    CreateDate: str | None = None
    Document: msgspec.Raw = _NULL


class _Detail(msgspec.Struct, frozen=True, gc=False):
    AssumeRolePolicyDocument: msgspec.Raw = _NULL
    RolePolicyList: list[_Inline] | None = None
    UserPolicyList: list[_Inline] | None = None
    GroupPolicyList: list[_Inline] | None = None
    PolicyVersionList: list[_Listed] | None = None


class _Object(msgspec.Struct, frozen=True, gc=False):
    kind: str | None = None
    rules: msgspec.Raw = _NULL


class _Audited(msgspec.Struct, frozen=True, gc=False):
    requestObject: msgspec.Raw = _NULL
    responseObject: msgspec.Raw = _NULL


_CALL = msgspec.json.Decoder(_Call)
_RESPONSE = msgspec.json.Decoder(_Response)
_DETAIL = msgspec.json.Decoder(_Detail)
_OBJECT = msgspec.json.Decoder(_Object)
_AUDITED = msgspec.json.Decoder(_Audited)
_ENTRY = msgspec.json.Decoder(gke.Entry)
_STRING = msgspec.json.Decoder(str)


def texts(source: str, kept: bytes | None) -> tuple[PolicyText, ...]:
    """Every text in a kept record of ``source``; nothing where it holds none, or cannot be read. Raises nothing."""
    read = _READERS.get(source)
    if read is None or kept is None:
        return ()
    try:
        return tuple(read(kept))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, SourceError):
        return ()


def _cloudtrail(kept: bytes) -> Iterator[PolicyText]:
    call = _CALL.decode(cloudtrail.document(kept))
    asked = call.requestParameters or _Request()
    match call.eventName:
        case "PutRolePolicy" | "PutUserPolicy" | "PutGroupPolicy":
            yield PolicyText(kind=TextKind.INLINE, text=_plain(asked.policyDocument), name=asked.policyName)
        case "CreateRole":
            yield PolicyText(kind=TextKind.TRUST, text=_plain(asked.assumeRolePolicyDocument))
        case "UpdateAssumeRolePolicy":
            yield PolicyText(kind=TextKind.TRUST, text=_plain(asked.policyDocument))
        case "CreatePolicy":
            yield PolicyText(kind=TextKind.VERSION, text=_plain(asked.policyDocument), name="v1", default=True)
        case "CreatePolicyVersion":
            yield _version(asked, call.responseElements)
        case _ if asked.policy is not None:
            yield PolicyText(kind=TextKind.SESSION, text=_plain(asked.policy))


def _version(asked: _Request, answer: msgspec.Raw) -> PolicyText:
    made = (_RESPONSE.decode(answer) if bytes(answer)[:1] == b"{" else _Response()).policyVersion or _Version()
    default = any(told in (True, "true") for told in (asked.setAsDefault, made.isDefaultVersion))
    text = _plain(asked.policyDocument)
    return PolicyText(kind=TextKind.VERSION, text=text, name=made.versionId, default=default)


def _plain(text: str | None) -> bytes | None:
    """The document as JSON; one that begins with a percent sign is URL-encoded."""
    if not text:
        return None
    return (unquote(text) if text.startswith("%") else text).encode()


def _iam(kept: bytes) -> Iterator[PolicyText]:
    found = _DETAIL.decode(kept)
    if bytes(found.AssumeRolePolicyDocument) != b"null":
        yield PolicyText(kind=TextKind.TRUST, text=_document(found.AssumeRolePolicyDocument))
    for some in (found.RolePolicyList, found.UserPolicyList, found.GroupPolicyList):
        for one in some or ():
            yield PolicyText(kind=TextKind.INLINE, text=_document(one.PolicyDocument), name=one.PolicyName)
    for version in found.PolicyVersionList or ():
        yield PolicyText(
            kind=TextKind.VERSION,
            text=_document(version.Document),
            name=version.VersionId,
            default=version.IsDefaultVersion,
            created=moments.rfc3339(version.CreateDate, "$.CreateDate") if version.CreateDate else None,
        )


def _document(raw: msgspec.Raw) -> bytes | None:
    """The document as it stands, or out of its string."""
    given = bytes(raw)
    if given[:1] == b'"':
        return _plain(_STRING.decode(given))
    return given if given[:1] == b"{" else None


def _audited(kept: bytes) -> Iterator[PolicyText]:
    """The rules of a role as they are after the call, else as they were asked for; half a role has no rules to tell."""
    text = kubernetes.document(kept)
    if kubernetes.is_entry(kubernetes.head_of(text)):
        payload = gke.record(_ENTRY.decode(text))
        bodies = (payload.responseObject, payload.requestObject)
    else:
        record = _AUDITED.decode(text)
        bodies = (record.responseObject, record.requestObject)
    for body in bodies:
        rules = _rules(body)
        if rules is not None:
            yield PolicyText(kind=TextKind.RULES, text=rules)
            return


def _listing(kept: bytes) -> Iterator[PolicyText]:
    rules = _rules(msgspec.Raw(kept))
    if rules is not None:
        yield PolicyText(kind=TextKind.RULES, text=rules)


def _rules(body: msgspec.Raw) -> bytes | None:
    if bytes(body)[:1] != b"{":
        return None
    found = _OBJECT.decode(body)
    return bytes(found.rules) if bytes(found.rules)[:1] == b"[" else None


_READERS: dict[str, Callable[[bytes], Iterator[PolicyText]]] = {
    "aws.cloudtrail": _cloudtrail,
    "aws.iam_details": _iam,
    "kubernetes.audit": _audited,
    "kubernetes.inventory": _listing,
}
