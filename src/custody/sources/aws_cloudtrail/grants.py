# ruff: noqa: N815 - fields have the names that they have in the log
"""Successful IAM calls: keys that were made or ended, principals that ended, and grants that changed.

A change stands under the principal (role, user, group) or the policy that it changes. IAM names these without their
path, so the keys are without path too (see ``principals``).
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.model.events import Part, Stage
from custody.sources.aws_cloudtrail import principals
from custody.sources.aws_cloudtrail.call import Call
from custody.sources.aws_cloudtrail.records import first, listed
from custody.sources.aws_cloudtrail.times import event_time

REVOKE_POLICY = "AWSRevokeOlderSessions"
"""The inline policy by which the console revokes a role's active sessions."""

_QUARANTINE = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/AWSCompromisedKeyQuarantine(?:V[0-9]{1,3})?")
"""The policies that AWS attaches to a user when it has found a key of theirs in public. They refuse some actions."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the IAM calls are asked with."""

    roleName: str | None = None
    userName: str | None = None
    groupName: str | None = None
    policyName: str | None = None
    policyArn: str | None = None
    policyDocument: str | None = None
    instanceProfileName: str | None = None
    permissionsBoundary: str | None = None
    serviceName: str | None = None
    serviceSpecificCredentialId: str | None = None
    newUserName: str | None = None
    versionId: str | None = None
    accessKeyId: str | None = None
    status: str | None = None


class Named(msgspec.Struct, frozen=True, gc=False):
    """A role, user or policy in a response."""

    arn: str | None = None


class AccessKey(msgspec.Struct, frozen=True, gc=False):
    """A long-lived key in a response."""

    accessKeyId: str | None = None
    userName: str | None = None


class Response(msgspec.Struct, frozen=True, gc=False):
    """What the IAM calls answer."""

    role: Named | None = None
    user: Named | None = None
    policy: Named | None = None
    accessKey: AccessKey | None = None


class Statement(msgspec.Struct, frozen=True, gc=False):
    """The fields of a policy statement that tell whether it revokes sessions."""

    Effect: str = ""
    Condition: dict[str, dict[str, str | list[str]]] | None = None


class Policy(msgspec.Struct, frozen=True, gc=False):
    """A policy document."""

    Statement: "list[Statement] | Statement | None" = None


class Grant(NamedTuple):
    """How a call is told: to which kind of thing, with which effect, and which field names the object."""

    kind: str
    effect: str
    object: str = ""


_REQUEST = msgspec.json.Decoder(Request)
_RESPONSE = msgspec.json.Decoder(Response)
_POLICY = msgspec.json.Decoder(Policy)

CHANGES: dict[str, Grant] = {
    "CreateRole": Grant("role", "role.create"),
    "CreateServiceLinkedRole": Grant("role", "role.create", "serviceName"),
    "UpdateAssumeRolePolicy": Grant("role", "trust.change"),
    "PutRolePolicy": Grant("role", "policy.put", "policyName"),
    "DeleteRolePolicy": Grant("role", "policy.delete", "policyName"),
    "AttachRolePolicy": Grant("role", "policy.attach", "policyArn"),
    "DetachRolePolicy": Grant("role", "policy.detach", "policyArn"),
    "PutRolePermissionsBoundary": Grant("role", "boundary.put", "permissionsBoundary"),
    "DeleteRolePermissionsBoundary": Grant("role", "boundary.delete"),
    "AddRoleToInstanceProfile": Grant("role", "profile.add", "instanceProfileName"),
    "RemoveRoleFromInstanceProfile": Grant("role", "profile.remove", "instanceProfileName"),
    "CreateUser": Grant("user", "user.create"),
    "UpdateUser": Grant("user", "user.update", "newUserName"),
    "PutUserPolicy": Grant("user", "policy.put", "policyName"),
    "DeleteUserPolicy": Grant("user", "policy.delete", "policyName"),
    "AttachUserPolicy": Grant("user", "policy.attach", "policyArn"),
    "DetachUserPolicy": Grant("user", "policy.detach", "policyArn"),
    "PutUserPermissionsBoundary": Grant("user", "boundary.put", "permissionsBoundary"),
    "DeleteUserPermissionsBoundary": Grant("user", "boundary.delete"),
    "CreateLoginProfile": Grant("user", "login.create"),
    "UpdateLoginProfile": Grant("user", "login.update"),
    "DeleteLoginProfile": Grant("user", "login.delete"),
    "AddUserToGroup": Grant("user", "group.add", "groupName"),
    "RemoveUserFromGroup": Grant("user", "group.remove", "groupName"),
    "CreateServiceSpecificCredential": Grant("user", "credential.create", "serviceName"),
    "ResetServiceSpecificCredential": Grant("user", "credential.reset", "serviceSpecificCredentialId"),
    "DeleteServiceSpecificCredential": Grant("user", "credential.delete", "serviceSpecificCredentialId"),
    "CreateGroup": Grant("group", "group.create"),
    "DeleteGroup": Grant("group", "group.delete"),
    "PutGroupPolicy": Grant("group", "policy.put", "policyName"),
    "DeleteGroupPolicy": Grant("group", "policy.delete", "policyName"),
    "AttachGroupPolicy": Grant("group", "policy.attach", "policyArn"),
    "DetachGroupPolicy": Grant("group", "policy.detach", "policyArn"),
    "CreatePolicy": Grant("policy", "policy.create", "policyName"),
    "DeletePolicy": Grant("policy", "policy.delete"),
    "CreatePolicyVersion": Grant("policy", "policy.version"),
    "SetDefaultPolicyVersion": Grant("policy", "policy.default", "versionId"),
    "DeletePolicyVersion": Grant("policy", "policy.version-delete", "versionId"),
}
"""Calls that change what a principal may do."""


def parts(call: Call) -> tuple[Part, ...]:
    """What a successful IAM call did; nothing for the calls that only look."""
    name = call.record.eventName
    if (grant := CHANGES.get(name)) is not None:
        return _changed(call, grant)
    match name:
        case "CreateAccessKey":
            return _key_made(call)
        case "DeleteAccessKey" | "UpdateAccessKey":
            return _key_changed(call)
        case "DeleteRole":
            return _ended(call, "role", "role.delete")
        case "DeleteUser":
            return _ended(call, "user", "user.delete")
    return ()


def _changed(call: Call, grant: Grant) -> tuple[Part, ...]:
    request, response = call.request(_REQUEST) or Request(), call.response(_RESPONSE) or Response()
    arn = _arn(call, grant.kind, request, response)
    if arn is None:
        return ()
    key = principals.principal_key(arn)
    named: str | None = getattr(request, grant.object) if grant.object else None
    made = grant.effect.endswith(".create") and grant.kind in ("role", "user")
    change = Part(stage=Stage.CHANGE, key=key, effect=grant.effect, object=arn if made else named or arn)
    if made and request.permissionsBoundary:
        return (change, Part(stage=Stage.CHANGE, key=key, effect="boundary.put", object=request.permissionsBoundary))
    if grant.effect == "policy.put" and request.policyName == REVOKE_POLICY:
        return (change, *_sessions_revoked(key, request))
    if call.record.eventName == "AttachUserPolicy" and _QUARANTINE.fullmatch(request.policyArn or ""):
        return (change, Part(stage=Stage.CHANGE, key=key, effect="secret.exposed", object=request.policyArn))
    return (change,)


def refused(call: Call) -> tuple[Part, ...]:
    """The key that a call which did not succeed was to end: that nothing came of it is worth knowing."""
    try:
        asked = _key_changed(call) if call.record.eventName in ("DeleteAccessKey", "UpdateAccessKey") else ()
    except SourceError:
        return ()
    return tuple(part for part in asked if part.stage is Stage.REVOKE)


def _arn(call: Call, kind: str, request: Request, response: Response) -> str | None:
    """The ARN of what a call is about: as answered, else from the name asked for, else (users) the caller's own."""
    answered: Named | None = {"role": response.role, "user": response.user, "policy": response.policy}.get(kind)
    if answered and answered.arn:
        return answered.arn
    if kind == "policy":
        return request.policyArn
    name = {"role": request.roleName, "user": request.userName, "group": request.groupName}[kind]
    if name:
        return call.arn(kind, name)
    return call.who.arn if kind == "user" else None


def _sessions_revoked(key: str, request: Request) -> tuple[Part, ...]:
    cutoff = _cutoff(request.policyDocument or "")
    if cutoff is None:
        return ()
    return (Part(stage=Stage.REVOKE, key=key, effect="sessions.revoke", object=request.policyName, cutoff=cutoff),)


def _cutoff(document: str) -> int | None:
    """The time in a policy that denies sessions issued before it, None where the policy does something else."""
    text = unquote(document) if document.startswith("%") else document
    try:
        policy = _POLICY.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    for statement in listed(policy.Statement):
        if statement.Effect == "Deny":
            for value in _issued_before(statement.Condition or {}):
                return value
    return None


def _issued_before(condition: dict[str, dict[str, str | list[str]]]) -> list[int]:
    found = []
    for operator, tests in condition.items():
        for name, value in tests.items():
            if operator.lower().startswith("dateless") and name.lower() == "aws:tokenissuetime":
                found += [moment for text in listed_texts(value) if (moment := _moment(text)) is not None]
    return found


def listed_texts(value: str | list[str]) -> list[str]:
    """One text or several, as a list."""
    return [value] if isinstance(value, str) else value


def _moment(text: str) -> int | None:
    try:
        return event_time(text)
    except SourceError:
        return None


def _key_made(call: Call) -> tuple[Part, ...]:
    """A user's long-lived key. It has no parent: it does not act by its creator's session."""
    response = call.response(_RESPONSE)
    made = response.accessKey if response else None
    key = principals.access_key(made.accessKeyId, "responseElements.accessKey.accessKeyId") if made else None
    if made is None or key is None:
        return ()
    request = call.request(_REQUEST) or Request()
    name = first((made.userName, request.userName))
    arn = call.arn("user", name) if name else call.who.arn
    subject = principals.principal_key(arn) if arn else None
    return (Part(stage=Stage.ISSUE, key=key, subject=subject, method="CreateAccessKey", object=arn),)


def _key_changed(call: Call) -> tuple[Part, ...]:
    request = call.request(_REQUEST) or Request()
    key = principals.access_key(request.accessKeyId, "requestParameters.accessKeyId")
    if key is None:
        return ()
    if call.record.eventName == "DeleteAccessKey":
        return (Part(stage=Stage.REVOKE, key=key, effect="key.delete", object=request.userName),)
    match request.status:
        case "Inactive":
            return (Part(stage=Stage.REVOKE, key=key, effect="key.deactivate", object=request.userName),)
        case "Active":
            return (Part(stage=Stage.CHANGE, key=key, effect="key.activate", object=request.userName),)
    return ()


def _ended(call: Call, kind: str, effect: str) -> tuple[Part, ...]:
    request = call.request(_REQUEST) or Request()
    name = request.roleName if kind == "role" else request.userName
    if not name:
        return ()
    arn = call.arn(kind, name)
    return (Part(stage=Stage.END, key=keys.aws_arn(arn), effect=effect, object=arn),)
