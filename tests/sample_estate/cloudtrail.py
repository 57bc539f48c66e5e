"""The shapes of CloudTrail records: who called (a Caller), what was called (a Call), and the record of both.

Log format: CloudTrail record contents, event version 1.11. Times are whole seconds since 1970, UTC.
"""

import datetime as dt

import msgspec

from tests.sample_estate.estate import Role, User

Fields = dict[str, object]

BOTO = "Boto3/1.37.4 md/Botocore#1.37.4 ua/2.0 os/linux#6.1.128 md/arch#x86_64 lang/python#3.12.9 md/pyimpl#CPython"
GO = "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.6 md/GOOS#linux md/GOARCH#amd64 m/E"
CLI = "aws-cli/2.24.12 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.9 exec-env/none"
TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.10.5 (+https://www.terraform.io) terraform-provider-aws/5.89.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 os/linux lang/go#1.23.5"
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"
ACTIONS = "configure-aws-credentials-for-github-actions"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who called: ``identity`` as the record's userIdentity, and where the call came from.

    ``key`` is the access key presented, None where the record shows none; ``forwarded`` says that it is the key of a
    forward access session, ``console`` that the record calls it a console credential.
    """

    account: str
    identity: Fields
    origin: str
    agent: str
    key: str | None = None
    forwarded: bool = False
    console: bool = False


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What was called. ``service`` without the domain; ``extra`` further members of the record.

    ``error`` is code and message; a failed login has a message only, its code is empty.
    """

    service: str
    action: str
    params: Fields | None = None
    response: Fields | None = None
    writes: bool = False
    error: tuple[str, str] | None = None
    kind: str = "AwsApiCall"
    extra: Fields = {}


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A role session and its key. ``delivery`` is the version of the instance metadata service that handed it out."""

    key: str
    role: Role
    name: str
    created: int
    delivery: str | None = None
    source_identity: str | None = None
    provider: str | None = None
    function: str | None = None

    @property
    def principal_id(self) -> str:
        """The role's unique id and the session's name."""
        return f"{self.role.id}:{self.name}"

    @property
    def arn(self) -> str:
        """The session's ARN, which leaves the role's path out."""
        return f"arn:aws:sts::{self.role.account}:assumed-role/{self.role.name}/{self.name}"


def moment(time: int) -> str:
    """Seconds as ``eventTime`` has them: ``2026-03-02T06:05:00Z``."""
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spelled(time: int, *, comma: bool) -> str:
    """Seconds as issuers spell them: ``Mar 2, 2026, 6:05:00 AM``, with or without the second comma."""
    when = dt.datetime.fromtimestamp(time, dt.UTC)
    half = "AM" if when.hour < 12 else "PM"
    clock = f"{when.hour % 12 or 12}:{when:%M:%S} {half}"
    return f"{MONTHS[when.month - 1]} {when.day}, {when.year}{',' if comma else ''} {clock}"


def by_user(user: User, key: str, origin: str, agent: str) -> Caller:
    """A user with a long-lived key."""
    return Caller(account=user.account, identity=_user(user, key), origin=origin, agent=agent, key=key)


def by_user_session(user: User, key: str, created: int, origin: str, agent: str, *, console: bool) -> Caller:
    """A user with a temporary key: of a console session, or of GetSessionToken. Both logins used a second factor."""
    identity = _user(user, key) | {"sessionContext": _context(created, mfa=True)}
    return Caller(account=user.account, identity=identity, origin=origin, agent=agent, key=key, console=console)


def by_session(session: Session, origin: str, agent: str) -> Caller:
    """A role session with its key."""
    role = session.role
    context: Fields = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": role.id,
            "arn": role.arn,
            "accountId": role.account,
            "userName": role.name,
        }
    }
    context |= _context(session.created, mfa=False)
    if session.provider is not None:
        context["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": {}}
    optional = {"ec2RoleDelivery": session.delivery, "sourceIdentity": session.source_identity}
    context |= {name: value for name, value in optional.items() if value is not None}
    identity: Fields = {
        "type": "AssumedRole",
        "principalId": session.principal_id,
        "arn": session.arn,
        "accountId": role.account,
        "accessKeyId": session.key,
        "sessionContext": context,
    }
    if session.function is not None:
        identity["inScopeOf"] = {"issuerType": "AWS::Lambda::Function", "credentialsIssuedTo": session.function}
    return Caller(account=role.account, identity=identity, origin=origin, agent=agent, key=session.key)


def forwarded(caller: Caller, service: str, key: str | None, created: int) -> Caller:
    """``service`` calling on with a forward access session of ``caller``: the same principal, a key nobody issued.

    Without a ``key`` the record names the service and no key, as the newer ones do.
    """
    domain = f"{service}.amazonaws.com"
    identity = dict(caller.identity) | {"accessKeyId": key, "invokedBy": domain}
    before = identity.get("sessionContext")
    attributes: Fields = {"creationDate": moment(created), "mfaAuthenticated": "false"}
    identity["sessionContext"] = (dict(before) if isinstance(before, dict) else {}) | {"attributes": attributes}
    if key is None:
        del identity["accessKeyId"]
    return Caller(account=caller.account, identity=identity, origin=domain, agent=domain, key=key, forwarded=True)


def by_login(user: User, origin: str, agent: str) -> Caller:
    """A user at the console's login page: no key yet."""
    identity = _user(user, "")
    del identity["accessKeyId"]
    return Caller(account=user.account, identity=identity, origin=origin, agent=agent)


def by_service(service: str, account: str) -> Caller:
    """An AWS service that calls for itself, without a key."""
    domain = f"{service}.amazonaws.com"
    return Caller(account=account, identity={"type": "AWSService", "invokedBy": domain}, origin=domain, agent=domain)


def record(caller: Caller, call: Call, time: int, region: str, event_id: str, request_id: str) -> Fields:
    """The record of one call, its members in CloudTrail's order."""
    domain = f"{call.service}.amazonaws.com"
    out: Fields = {
        "eventVersion": "1.11",
        "userIdentity": caller.identity,
        "eventTime": moment(time),
        "eventSource": domain,
        "eventName": call.action,
        "awsRegion": region,
        "sourceIPAddress": caller.origin,
        "userAgent": caller.agent,
    }
    if call.error is not None:
        code, message = call.error
        out |= {"errorCode": code, "errorMessage": message} if code else {"errorMessage": message}
    out |= {"requestParameters": call.params, "responseElements": call.response}
    out |= {"requestID": request_id, "eventID": event_id, "readOnly": not call.writes, "eventType": call.kind}
    out |= {"managementEvent": True, "recipientAccountId": caller.account, **call.extra, "eventCategory": "Management"}
    if not caller.origin.endswith(".com") and call.kind == "AwsApiCall":
        host = domain if call.service == "iam" else f"{call.service}.{region}.amazonaws.com"
        out["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        }
    if caller.console:
        out["sessionCredentialFromConsole"] = "true"
    return out


def _user(user: User, key: str) -> Fields:
    return {
        "type": "IAMUser",
        "principalId": user.id,
        "arn": user.arn,
        "accountId": user.account,
        "accessKeyId": key,
        "userName": user.name,
    }


def _context(created: int, *, mfa: bool) -> Fields:
    attributes: Fields = {"creationDate": moment(created), "mfaAuthenticated": "true" if mfa else "false"}
    return {"attributes": attributes}
