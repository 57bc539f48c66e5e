"""A made account, whose true story is known: each user is one case, with a key named after it.

Times are minutes of 2 March 2026, a Monday, UTC: ``at("11:05")``. What is asked for in the incidents of these tests is
asked at 11:00; the records end at 12:45.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from custody.model.contracts import Contract, ExpectedSource, Hours, IdentityClass
from custody.model.register import Declared, Document, IdentityKind, Party, SealedDocument, Signature
from custody.model.times import microseconds

ACCOUNT = "111122223333"
SECRET = "must-not-stay"

Record = dict[str, object]


def at(clock: str) -> int:
    """Microseconds of a time of the day."""
    found = microseconds(f"2026-03-02T{clock}:00Z" if clock.count(":") == 1 else f"2026-03-02T{clock}Z")
    assert found is not None
    return found


def akid(name: str, kind: str = "AKIA") -> str:
    """The access key of a case."""
    return f"{kind}{name.upper():0>16}"


def key(name: str, kind: str = "AKIA") -> str:
    """The key of the credential of a case."""
    return f"aws_akid:aws:{akid(name, kind)}"


def user(name: str) -> str:
    """The key of a user."""
    return f"aws_arn:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:user/bot-{name}"


class Trail:
    """Records in the order in which they are told."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def call(
        self,
        clock: str,
        name: str,
        action: str,
        service: str = "ec2",
        *,
        kind: str = "AKIA",
        asked: object = None,
        answer: object = None,
        origin: str = "198.51.100.7",
        error: str | None = None,
        session: str | None = None,
        **more: object,
    ) -> Record:
        """A call by the key of a case; with ``session`` by a session of that role."""
        number = len(self.records)
        found: Record = {
            "eventVersion": "1.09",
            "eventID": f"00000000-0000-4000-8000-{number:012d}",
            "eventTime": f"2026-03-02T{clock}:00Z" if clock.count(":") == 1 else f"2026-03-02T{clock}Z",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": action,
            "awsRegion": "us-east-1",
            "sourceIPAddress": origin,
            "userAgent": "t",
            "userIdentity": _identity(name, kind, session),
            "requestParameters": asked,
            "responseElements": answer,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
            **more,
        }
        if error is not None:
            found["errorCode"] = error
        self.records.append(found)
        return found

    def made(self, clock: str, name: str, new: str | None = None, by: str = "ops") -> None:
        """A key is made for the user of a case."""
        key_of = akid(new or name)
        answer = {"accessKey": {"accessKeyId": key_of, "userName": f"bot-{name}", "status": "Active"}}
        self.call(clock, by, "CreateAccessKey", "iam", asked={"userName": f"bot-{name}"}, answer=answer)

    def switched(self, clock: str, name: str, status: str, by: str = "ops") -> None:
        """The key of a case is made active or inactive."""
        asked = {"accessKeyId": akid(name), "userName": f"bot-{name}", "status": status}
        self.call(clock, by, "UpdateAccessKey", "iam", asked=asked)

    def used(self, clock: str, name: str, **more: object) -> None:
        """The key of a case works."""
        self.call(clock, name, "DescribeInstances", **more)  # type: ignore[arg-type]

    def policy(self, clock: str, name: str, action: str, policy: str = "ReadOnlyAccess", by: str = "ops") -> None:
        """A managed policy is attached to or detached from the user of a case."""
        asked = {"userName": f"bot-{name}", "policyArn": f"arn:aws:iam::aws:policy/{policy}"}
        self.call(clock, by, action, "iam", asked=asked)

    def assumed(self, clock: str, name: str, new: str, until: str) -> None:
        """The key of a case gets a session of the role of that case."""
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/role-{name}/s"
        answer = {
            "credentials": {
                "accessKeyId": akid(new, "ASIA"),
                "sessionToken": SECRET,
                "expiration": _twelve(until),
            },
            "assumedRoleUser": {"assumedRoleId": f"AROA{name.upper()}:s", "arn": arn},
        }
        asked = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/role-{name}", "roleSessionName": "s"}
        self.call(clock, name, "AssumeRole", "sts", asked=asked, answer=answer)

    def file(self, records: Sequence[Record] | None = None) -> bytes:
        """One NDJSON file of them."""
        return b"".join(json.dumps(each).encode() + b"\n" for each in records or self.records)


def _twelve(clock: str) -> str:
    """As STS writes a time."""
    hour = int(clock[:2])
    return f"Mar 2, 2026, {hour % 12 or 12}:{clock[3:]}:00 {'PM' if hour > 11 else 'AM'}"


def _identity(name: str, kind: str, session: str | None) -> Record:
    if session is not None:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/role-{session}/s"
        issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/role-{session}", "accountId": ACCOUNT}
        issuer |= {"principalId": f"AROA{session.upper()}", "userName": f"role-{session}"}
        context = {"sessionIssuer": issuer, "attributes": {"creationDate": "2026-03-02T10:30:00Z"}}
        found: Record = {"type": "AssumedRole", "principalId": f"AROA{session.upper()}:s", "arn": arn}
        return found | {"accountId": ACCOUNT, "accessKeyId": akid(name, kind), "sessionContext": context}
    owner = "ops" if name == "ops" else f"bot-{name}"
    found = {"type": "IAMUser", "principalId": f"AIDA{name.upper()}", "arn": f"arn:aws:iam::{ACCOUNT}:user/{owner}"}
    return found | {"accountId": ACCOUNT, "userName": owner, "accessKeyId": akid(name, kind)}


LIVED = (
    "good",
    "late",
    "open",
    "lied",
    "before",
    "back",
    "child",
    "rot",
    "conf",
    "emerg",
    "victim",
    "exp",
    "persist",
    "self",
)


def trail() -> Trail:
    """Everything that happened."""
    found = Trail()
    for name in LIVED:
        found.made("09:30", name)
        found.used("09:40", name)
    _endings(found)
    _grants(found)
    _theft(found)
    found.call("12:45", "ops", "DescribeInstances")
    return found


def _endings(found: Trail) -> None:
    found.switched("10:50", "before", "Inactive")
    for name in ("good", "late", "back", "rot", "conf"):
        found.switched("11:05", name, "Inactive")
    found.made("11:02", "rot", new="rotb")
    found.made("11:02", "persist", new="persistb", by="persist")
    found.switched("11:05", "persist", "Inactive")
    found.switched("11:10", "back", "Active")
    for name, clock in (("late", "11:20"), ("lied", "11:30"), ("open", "10:30"), ("good", "11:04")):
        found.used(clock, name)
    found.assumed("10:30", "child", "kid", "14:00")
    found.assumed("10:30", "exp", "soon", "11:30")
    found.assumed("09:45", "exp", "past", "10:45")
    found.switched("11:05", "child", "Inactive")
    found.used("11:30", "kid", kind="ASIA", session="child")
    twice = found.call("11:30", "conf", "DescribeInstances")
    found.records.append({**twice, "errorCode": "AccessDenied"})


def _grants(found: Trail) -> None:
    for name in ("narrow", "again", "open"):
        found.policy("10:00", name, "AttachUserPolicy")
    for name in ("narrow", "again"):
        found.policy("11:05", name, "DetachUserPolicy")
    found.policy("11:10", "again", "AttachUserPolicy")
    found.policy("10:00", "self", "AttachUserPolicy")
    found.policy("11:05", "self", "DetachUserPolicy", by="self")
    found.policy("10:00", "refused", "AttachUserPolicy", "AWSDenyAll")
    found.policy("11:05", "refused", "DetachUserPolicy", "AWSDenyAll")
    put = {"userName": "bot-text", "policyName": "less", "policyDocument": "{}"}
    found.call("11:05", "ops", "PutUserPolicy", "iam", asked=put)
    for name in ("emerg", "emlate", "emopen"):
        found.policy("11:05", name, "AttachUserPolicy")
    found.policy("11:50", "emerg", "DetachUserPolicy")
    found.policy("12:30", "emlate", "DetachUserPolicy")


def _theft(found: Trail) -> None:
    """The key of ``victim`` in other hands, from 203.0.113.66."""
    there = {"origin": "203.0.113.66"}
    found.call("10:31", "victim", "GetCallerIdentity", "sts", **there)
    for clock in ("10:32", "10:33"):
        found.call(clock, "victim", "GetSecretValue", "secretsmanager", asked={"secretId": "pay"}, **there)
    for name, open_ in (("/db/password", True), ("/db/host", False)):
        parameters = {"name": name, "withDecryption": open_}
        found.call("10:34", "victim", "GetParameter", "ssm", asked=parameters, **there)
    found.call(
        "10:35", "victim", "GetSecretValue", "secretsmanager", asked={"secretId": "no"}, error="AccessDenied", **there
    )
    made = {"user": {"arn": f"arn:aws:iam::{ACCOUNT}:user/bot-evil", "userName": "bot-evil"}}
    found.call("10:36", "victim", "CreateUser", "iam", asked={"userName": "bot-evil"}, answer=made, **there)
    found.made("10:37", "evil", by="victim")
    policy = {"userName": "bot-evil", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    found.call("10:38", "victim", "AttachUserPolicy", "iam", asked=policy, **there)
    trust = {"roleName": "role-open", "policyDocument": "{}"}
    found.call("10:39", "victim", "UpdateAssumeRolePolicy", "iam", asked=trust, **there)
    found.assumed("10:40", "victim", "thief", "13:00")
    bucket = [{"ARN": "arn:aws:s3:::invoices/2026.csv", "type": "AWS::S3::Object"}]
    found.call("10:41", "thief", "GetObject", "s3", kind="ASIA", session="victim", resources=bucket, **there)
    found.used("10:42", "evil", **there)


CONTRACT = Contract(
    classes=(
        IdentityClass(
            name="bots",
            match=(("subject", "*user/bot-em*"),),
            hours=Hours(days=(0, 1, 2, 3, 4), start=7 * 60, end=19 * 60, zone="UTC"),
        ),
    ),
    sources=(ExpectedSource(source="aws.cloudtrail"),),
)

OWNED = SealedDocument(
    document=Document(
        name="bots",
        digest="0" * 64,
        identities=tuple(
            Declared(
                identity=name,
                kind=IdentityKind.USER,
                names=(user(name),),
                owner="team-bots",
                purpose="a case",
            )
            for name in ("good", "rot", "late")
        ),
        parties=(Party(name="team-bots", members=("person:ssh:olga",)), Party(name="gone", members=("gil",), ended=1)),
    ),
    leaf=1,
    at=at("08:00"),
    by="olga",
    signature=Signature(method="ssh", principals=("olga",), key="SHA256:olga", anchor="0" * 64),
)
