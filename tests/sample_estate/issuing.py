"""The calls that issue credentials, as CloudTrail records them: temporary keys by STS, long-lived keys by IAM."""

from custody.model.verdicts import Population
from tests.sample_estate.cloudtrail import Call, Caller, Fields, Session, by_service, spelled
from tests.sample_estate.estate import VIRGINIA, Role, User
from tests.sample_estate.journal import Journal


def by_aws(
    journal: Journal, service: str, session: Session, seconds: int, region: str, tags: dict[str, str] | None = None
) -> Session:
    """A service issues ``session`` to a workload of the account. Its key is a machine's, or the provider's own."""
    internal = session.role.path.startswith("/aws-service-role/")
    journal.issued[session.key] = Population.PROVIDER if internal else Population.MACHINE
    params: Fields = {"roleArn": session.role.arn, "roleSessionName": session.name}
    if tags is not None:
        params |= {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        params |= {"transitiveTagKeys": list(tags)}
    if internal or tags is not None:
        params["durationSeconds"] = seconds
    response: Fields = {"credentials": _credentials(journal, session, seconds, region)}
    if internal:
        response |= _assumed(session)
    extra = _target(session.role) | {"sharedEventID": journal.invent.uuid()}
    call = Call(service="sts", action="AssumeRole", params=params, response=response, extra=extra)
    journal.say(by_service(service, session.role.account), session.created, call, region)
    return session


def by_role_chain(
    journal: Journal, caller: Caller, session: Session, seconds: int, *, tags: dict[str, str] | None = None
) -> Session:
    """``caller`` assumes a role: one record, or two with one ``sharedEventID`` where the role is another account's.

    The copy that the role's account receives names the caller by account and principal only, without its key.
    """
    assert caller.key is not None
    journal.issued[session.key] = journal.population(caller.key)
    params: Fields = {"roleArn": session.role.arn, "roleSessionName": session.name, "durationSeconds": seconds}
    if session.source_identity is not None:
        params["sourceIdentity"] = session.source_identity
    if tags is not None:
        params["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
    response: Fields = {"credentials": _credentials(journal, session, seconds, VIRGINIA)} | _assumed(session)
    crosses = caller.account != session.role.account
    extra = _target(session.role) | ({"sharedEventID": journal.invent.uuid()} if crosses else {})
    call = Call(service="sts", action="AssumeRole", params=params, response=response, extra=extra)
    request_id = journal.invent.uuid()
    journal.say(caller, session.created, call, VIRGINIA, request_id=request_id)
    if crosses:
        journal.say(_as_seen_abroad(caller, session.role), session.created, call, VIRGINIA, request_id=request_id)
    return session


def by_web_identity(journal: Journal, session: Session, subject: str, seconds: int, origin: str, agent: str) -> Session:
    """A token of the session's provider is exchanged for a role session; the token's subject is in the record."""
    journal.issued[session.key] = Population.MACHINE
    provider = str(session.provider)
    identity: Fields = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:{subject}",
        "userName": subject,
        "identityProvider": provider,
    }
    response: Fields = {
        "credentials": _credentials(journal, session, seconds, VIRGINIA),
        "subjectFromWebIdentityToken": subject,
        **_assumed(session),
        "provider": provider,
        "audience": "sts.amazonaws.com",
    }
    params: Fields = {"roleArn": session.role.arn, "roleSessionName": session.name, "durationSeconds": seconds}
    call = Call(
        service="sts",
        action="AssumeRoleWithWebIdentity",
        params=params,
        response=response,
        extra=_target(session.role),
    )
    caller = Caller(account=session.role.account, identity=identity, origin=origin, agent=agent)
    journal.say(caller, session.created, call, VIRGINIA)
    return session


def session_token(journal: Journal, caller: Caller, key: str, time: int, seconds: int) -> None:
    """A user exchanges a long-lived key for a temporary one (GetSessionToken)."""
    assert caller.key is not None
    journal.issued[key] = journal.population(caller.key)
    response: Fields = {"credentials": _raw_credentials(journal, key, time + seconds, comma=True)}
    params: Fields = {"durationSeconds": seconds, "serialNumber": f"arn:aws:iam::{caller.account}:mfa/phone"}
    call = Call(service="sts", action="GetSessionToken", params=params, response=response)
    journal.say(caller, time, call, VIRGINIA)


def access_key(journal: Journal, caller: Caller, user: User, time: int) -> str:
    """A long-lived key is made for ``user``, of whom nothing says whether it is a person."""
    key = journal.invent.key("AKIA", user.account)
    journal.issued[key] = Population.UNKNOWN
    made: Fields = {
        "userName": user.name,
        "accessKeyId": key,
        "status": "Active",
        "createDate": spelled(time, comma=False),
    }
    call = Call(
        service="iam",
        action="CreateAccessKey",
        params={"userName": user.name},
        response={"accessKey": made},
        writes=True,
    )
    journal.say(caller, time, call, VIRGINIA)
    return key


def _credentials(journal: Journal, session: Session, seconds: int, region: str) -> Fields:
    return _raw_credentials(journal, session.key, session.created + seconds, comma=region == VIRGINIA)


def _raw_credentials(journal: Journal, key: str, expires: int, *, comma: bool) -> Fields:
    token = journal.invent.token()
    journal.tokens.append(token)
    return {"accessKeyId": key, "sessionToken": token, "expiration": spelled(expires, comma=comma)}


def _assumed(session: Session) -> Fields:
    return {"assumedRoleUser": {"assumedRoleId": session.principal_id, "arn": session.arn}}


def _target(role: Role) -> Fields:
    return {"resources": [{"accountId": role.account, "type": "AWS::IAM::Role", "ARN": role.arn}]}


def _as_seen_abroad(caller: Caller, role: Role) -> Caller:
    identity: Fields = {
        "type": "AWSAccount",
        "principalId": caller.identity["principalId"],
        "accountId": caller.account,
    }
    return Caller(account=role.account, identity=identity, origin=caller.origin, agent=caller.agent)
