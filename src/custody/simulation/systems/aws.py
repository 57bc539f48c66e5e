"""CloudTrail records: who called (a Caller), what was called (a Call), and the record of both.

Log format: CloudTrail record contents, event version 1.11. Times in records are whole seconds.
"""

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import CLOUDTRAIL, About, Entry, Thing, encoded
from custody.simulation.estate import Estate
from custody.simulation.times import seconds, whole
from custody.simulation.world import OFFICE, REGION, Role, User

Fields = dict[str, object]

BOTO = "Boto3/1.37.4 md/Botocore#1.37.4 ua/2.0 os/linux#6.1.128 md/arch#x86_64 lang/python#3.12.9 md/pyimpl#CPython"
GO = "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.6 md/GOOS#linux md/GOARCH#amd64 m/E"
CLI = "aws-cli/2.24.12 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.9 exec-env/none"
RUNNER_CLI = "aws-cli/2.24.12 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0-1021 lang/python#3.12.9 exec-env/GitHubActions"
ACTIONS = "configure-aws-credentials-for-github-actions"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"


def key_of(access_key: str) -> str:
    """The key of a credential by its access key id."""
    return f"aws_akid:aws:{access_key}"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who called: ``identity`` as the record's userIdentity, and where the call came from.

    ``key`` is the access key presented, None where the record shows none.
    """

    account: str
    identity: Fields
    origin: str
    agent: str
    key: str | None = None
    console: bool = False


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What was called. ``service`` without the domain; ``extra`` further members of the record.

    ``touched`` is what it did something to; what has no name of its own in the record goes by the service.
    """

    service: str
    action: str
    params: Fields | None = None
    response: Fields | None = None
    writes: bool = False
    error: tuple[str, str] | None = None
    kind: str = "AwsApiCall"
    extra: Fields = {}
    touched: tuple[Thing, ...] = ()

    @property
    def things(self) -> tuple[Thing, ...]:
        """What it did something to."""
        return self.touched or (("resource", f"{self.service}.amazonaws.com"),)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A role session and its access key. ``delivery`` is the version of the instance metadata service."""

    key: str
    role: Role
    name: str
    created: int
    delivery: str | None = None
    provider: str | None = None
    function: str | None = None
    source_identity: str | None = None

    @property
    def principal_id(self) -> str:
        """The role's unique id and the session's name."""
        return f"{self.role.id}:{self.name}"

    @property
    def arn(self) -> str:
        """The session's ARN, which leaves the role's path out."""
        return f"arn:aws:sts::{self.role.account}:assumed-role/{self.role.name}/{self.name}"


def read(service: str, action: str, /, **params: object) -> Call:
    """A call that changes nothing."""
    return Call(service=service, action=action, params=params or None)


def write(service: str, action: str, response: Fields | None = None, /, **params: object) -> Call:
    """A call that changes something."""
    return Call(service=service, action=action, params=params or None, response=response, writes=True)


def on(call: Call, name: str, kind: str = "resource") -> Call:
    """The call, which did something to what is called so."""
    return msgspec.structs.replace(call, touched=((kind, name),))


def say(
    estate: Estate,
    chance: Chance,
    caller: Caller,
    call: Call,
    time: int,
    *,
    region: str = REGION,
    request_id: str | None = None,
    about: tuple[About, ...] = (),
) -> str:
    """Write one record down; gives its request id."""
    request_id = request_id or chance.uuid()
    record = _record(caller, call, estate.clock(CLOUDTRAIL, time), region, chance.uuid(), request_id)
    used: tuple[About, ...] = ((Stage.USE, key_of(caller.key)),) if caller.key else ()
    entry = Entry(
        time=whole(time),
        source=CLOUDTRAIL,
        line=encoded(record),
        about=used + about,
        place=f"{caller.account}/{region}",
        delay=chance.seconds(60, 280),
        touched=call.things,
    )
    estate.say(entry)
    return request_id


def work(
    estate: Estate, chance: Chance, caller: Caller, calls: tuple[Call, ...], times: list[int], region: str = REGION
) -> None:
    """One call after the other, one at each of ``times``, beginning again when they are through."""
    for turn, time in enumerate(times):
        say(estate, chance, caller, calls[turn % len(calls)], time, region=region)


def by_user(user: User, key: str, origin: str, agent: str) -> Caller:
    """A user with a long-lived key."""
    return Caller(
        account=user.account, identity=_user(user) | {"accessKeyId": key}, origin=origin, agent=agent, key=key
    )


def by_console(user: User, key: str, login: int) -> Caller:
    """A user at the console, with one of the keys that the login gave."""
    attributes: Fields = {"creationDate": seconds(login), "mfaAuthenticated": "true"}
    identity = _user(user) | {"accessKeyId": key, "sessionContext": {"attributes": attributes}}
    return Caller(account=user.account, identity=identity, origin=OFFICE, agent=BROWSER, key=key, console=True)


def by_login(user: User) -> Caller:
    """A user at the console's login page: no key yet."""
    return Caller(account=user.account, identity=_user(user), origin=OFFICE, agent=BROWSER)


def by_session(session: Session, origin: str, agent: str) -> Caller:
    """A role session with its key."""
    identity: Fields = {
        "type": "AssumedRole",
        "principalId": session.principal_id,
        "arn": session.arn,
        "accountId": session.role.account,
        "accessKeyId": session.key,
        "sessionContext": _context(session),
    }
    if session.function is not None:
        identity["inScopeOf"] = {"issuerType": "AWS::Lambda::Function", "credentialsIssuedTo": session.function}
    return Caller(account=session.role.account, identity=identity, origin=origin, agent=agent, key=session.key)


def forwarded(caller: Caller, service: str, key: str | None) -> Caller:
    """``service`` calling on for ``caller`` (a forward access session): with a key that nobody issued, or none."""
    domain = f"{service}.amazonaws.com"
    identity = dict(caller.identity) | {"accessKeyId": key, "invokedBy": domain}
    if key is None:
        del identity["accessKeyId"]
    return Caller(account=caller.account, identity=identity, origin=domain, agent=domain, key=key)


def by_service(service: str, account: str) -> Caller:
    """An AWS service that calls for itself, without a key."""
    domain = f"{service}.amazonaws.com"
    return Caller(account=account, identity={"type": "AWSService", "invokedBy": domain}, origin=domain, agent=domain)


def by_web_identity(role: Role, provider: str, subject: str, origin: str, agent: str) -> Caller:
    """The holder of a token of an OIDC provider."""
    identity: Fields = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:{subject}",
        "userName": subject,
        "identityProvider": provider,
    }
    return Caller(account=role.account, identity=identity, origin=origin, agent=agent)


def seen_abroad(caller: Caller, account: str) -> Caller:
    """The same caller in the copy that another account receives: its account and principal, no key."""
    identity: Fields = {
        "type": "AWSAccount",
        "principalId": caller.identity["principalId"],
        "accountId": caller.account,
    }
    return Caller(account=account, identity=identity, origin=caller.origin, agent=caller.agent)


def _record(caller: Caller, call: Call, time: int, region: str, event_id: str, request_id: str) -> Fields:
    """The record of one call, its members in CloudTrail's order."""
    out: Fields = {
        "eventVersion": "1.11",
        "userIdentity": caller.identity,
        "eventTime": seconds(time),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.action,
        "awsRegion": region,
        "sourceIPAddress": caller.origin,
        "userAgent": caller.agent,
    }
    if call.error is not None:
        out |= {"errorCode": call.error[0], "errorMessage": call.error[1]}
    out |= {"requestParameters": call.params, "responseElements": call.response}
    out |= {"requestID": request_id, "eventID": event_id, "readOnly": not call.writes, "eventType": call.kind}
    out |= {"managementEvent": True, "recipientAccountId": caller.account, **call.extra, "eventCategory": "Management"}
    if not caller.origin.endswith(".com") and call.kind == "AwsApiCall":
        host = "iam.amazonaws.com" if call.service == "iam" else f"{call.service}.{region}.amazonaws.com"
        out["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        }
    if caller.console:
        out["sessionCredentialFromConsole"] = "true"
    return out


def _user(user: User) -> Fields:
    return {
        "type": "IAMUser",
        "principalId": user.id,
        "arn": user.arn,
        "accountId": user.account,
        "userName": user.name,
    }


def _context(session: Session) -> Fields:
    role = session.role
    issuer = {"type": "Role", "principalId": role.id, "arn": role.arn, "accountId": role.account, "userName": role.name}
    context: Fields = {
        "sessionIssuer": issuer,
        "attributes": {"creationDate": seconds(session.created), "mfaAuthenticated": "false"},
    }
    if session.provider is not None:
        context["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": {}}
    if session.delivery is not None:
        context["ec2RoleDelivery"] = session.delivery
    if session.source_identity is not None:
        context["sourceIdentity"] = session.source_identity
    return context
