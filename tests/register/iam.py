"""Records of IAM and STS for tests: CloudTrail's calls and the answer of an inventory, as short as they are read."""

import json
from collections.abc import Mapping, Sequence

from custody.model.times import microseconds, text

ACCOUNT = "111122223333"
BUILDER = "AKIABUILDER000000001"
Fields = Mapping[str, object]


EIGHT = microseconds("2026-03-02T08:00:00Z") or 0


def us(minute: int) -> int:
    """A time of the tests in microseconds: minutes after eight on their day."""
    return EIGHT + minute * 60_000_000


def at(minute: int) -> str:
    """The same as logs write it."""
    return text(us(minute)) or ""


def role_key(name: str) -> str:
    """The key of a role."""
    return f"aws_arn:{ACCOUNT}:{role_arn(name)}"


def role_arn(name: str) -> str:
    """The ARN of a role."""
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def policy_arn(name: str) -> str:
    """The ARN of a customer's managed policy."""
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def document(*statements: Fields) -> str:
    """A policy as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: object, resource: object = "*", **more: object) -> Fields:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


SERVICE_TRUST = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


def call(
    name: str,
    minute: int,
    request: Fields | None = None,
    response: Fields | None = None,
    *,
    service: str = "iam",
    key: str = BUILDER,
    who: Fields | None = None,
    more: Fields | None = None,
) -> bytes:
    """One call: by default the builder's, with a long-lived key."""
    number = json.dumps([name, minute, request, response, key], sort_keys=True)
    record = {
        "eventVersion": "1.11",
        "userIdentity": who
        or {
            "type": "IAMUser",
            "principalId": "AIDABUILDER000000001",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/builder",
            "accountId": ACCOUNT,
            "accessKeyId": key,
            "userName": "builder",
        },
        "eventTime": at(minute),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.44",
        "userAgent": "terraform",
        "requestParameters": request,
        "responseElements": response,
        "eventID": f"{abs(hash_of(number)):032x}",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        **(more or {}),
    }
    return json.dumps(record).encode()


def hash_of(text: str) -> int:
    """A number for a text, the same in every run."""
    import hashlib

    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:12])


def created(name: str, minute: int, trust: str = SERVICE_TRUST, **more: object) -> bytes:
    """A role that is made."""
    request = {"roleName": name, "assumeRolePolicyDocument": trust, **more}
    return call("CreateRole", minute, request, {"role": {"arn": role_arn(name), "roleName": name}})


def assumed(name: str, minute: int, key: str, **request: object) -> bytes:
    """A key that EC2 got for a role."""
    who = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    asked = {"roleArn": role_arn(name), "roleSessionName": "i-0a0a0a0a0a0a0a0a0", **request}
    expires = "Mar 2, 2026, 11:59:59 PM"
    given = {"credentials": {"accessKeyId": key, "expiration": expires}}
    return call("AssumeRole", minute, asked, given, service="sts", who=who, key="")


def used(name: str, minute: int, key: str, service: str, action: str) -> bytes:
    """A use of a key of a role."""
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/i-0a0a0a0a0a0a0a0a0"
    issuer = {"type": "Role", "principalId": "AROA1", "arn": role_arn(name), "accountId": ACCOUNT, "userName": name}
    who = {
        "type": "AssumedRole",
        "principalId": "AROA1:i-0a0a0a0a0a0a0a0a0",
        "arn": session,
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"creationDate": at(minute)}},
    }
    return call(action, minute, None, None, service=service, who=who, key=key)


def lines(*records: bytes) -> bytes:
    """A file of records, one a line."""
    return b"\n".join(records) + b"\n"


def listed_role(
    name: str,
    *,
    attached: Sequence[str] = (),
    inline: Mapping[str, object] | None = None,
    trust: object = None,
    boundary: str | None = None,
    last_used: str | None = None,
    path: str = "/",
) -> Fields:
    """A role as an inventory has it; documents are objects."""
    found: dict[str, object] = {
        "Path": path,
        "RoleName": name,
        "RoleId": f"AROAEXAMPLE{hash_of(name) % 10**9:09d}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role{path}{name}",
        "CreateDate": "2026-01-01T08:00:00+00:00",
        "AssumeRolePolicyDocument": trust if trust is not None else json.loads(SERVICE_TRUST),
        "InstanceProfileList": [],
        "RolePolicyList": [{"PolicyName": key, "PolicyDocument": value} for key, value in (inline or {}).items()],
        "AttachedManagedPolicies": [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached],
    }
    if boundary is not None:
        found["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    if last_used is not None:
        found["RoleLastUsed"] = {"LastUsedDate": last_used, "Region": "us-east-1"}
    return found


def listed_policy(name: str, text: object, created: str = "2026-01-01T08:00:00+00:00") -> Fields:
    """A managed policy as an inventory has it, with one version."""
    version = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": created, "Document": text}
    return {
        "PolicyName": name,
        "PolicyId": f"ANPAEXAMPLE{hash_of(name) % 10**9:09d}",
        "Arn": policy_arn(name),
        "Path": "/",
        "DefaultVersionId": "v1",
        "IsAttachable": True,
        "CreateDate": "2026-01-01T08:00:00+00:00",
        "PolicyVersionList": [version],
    }


def inventory(*roles: Fields, policies: Sequence[Fields] = (), groups: Sequence[Fields] = ()) -> bytes:
    """The answer of ``get-account-authorization-details``."""
    return json.dumps(
        {
            "UserDetailList": [],
            "GroupDetailList": list(groups),
            "RoleDetailList": list(roles),
            "Policies": list(policies),
        }
    ).encode()
