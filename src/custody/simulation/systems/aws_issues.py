"""The calls that issue AWS credentials, as CloudTrail records them, and the entries of the book that go with them."""

import base64

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.systems import aws
from custody.simulation.systems.aws import Call, Caller, Fields, Session, key_of
from custody.simulation.times import SECOND, spelled, whole
from custody.simulation.truth import Credential
from custody.simulation.world import HOME, REGION, Role, User


def by_aws(
    estate: Estate,
    chance: Chance,
    service: str,
    session: Session,
    life: int,
    entry: Credential,
    *,
    tags: dict[str, str] | None = None,
) -> None:
    """A service issues ``session`` to a workload of the account, for ``life`` (s)."""
    params: Fields = {"roleArn": session.role.arn, "roleSessionName": session.name}
    if tags is not None:
        params |= {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        params |= {"transitiveTagKeys": list(tags), "durationSeconds": life}
    response: Fields = {"credentials": _credentials(chance, session, life)}
    if session.role.path != "/":
        response |= _assumed(session)
    extra = _target(session.role) | {"sharedEventID": chance.uuid()}
    call = Call(service="sts", action="AssumeRole", params=params, response=response, extra=extra)
    caller = aws.by_service(service, session.role.account)
    aws.say(estate, chance, caller, aws.on(call, session.role.arn), session.created, about=_issued(session))
    estate.book.credential(entry)


def by_chain(estate: Estate, chance: Chance, caller: Caller, session: Session, life: int, entry: Credential) -> None:
    """``caller`` assumes a role: one record, or two with one ``sharedEventID`` where the role is another account's."""
    params: Fields = {"roleArn": session.role.arn, "roleSessionName": session.name, "durationSeconds": life}
    response: Fields = {"credentials": _credentials(chance, session, life)} | _assumed(session)
    if session.source_identity is not None:
        params["sourceIdentity"] = response["sourceIdentity"] = session.source_identity
    crosses = caller.account != session.role.account
    extra = _target(session.role) | ({"sharedEventID": chance.uuid()} if crosses else {})
    call = aws.on(
        Call(service="sts", action="AssumeRole", params=params, response=response, extra=extra), session.role.arn
    )
    request = aws.say(estate, chance, caller, call, session.created, about=_issued(session))
    if crosses:
        abroad = aws.seen_abroad(caller, session.role.account)
        aws.say(estate, chance, abroad, call, session.created, request_id=request, about=_issued(session))
    estate.book.credential(entry)
    if caller.key is not None:
        estate.book.link(session.created, "parent_key", entry.key, key_of(caller.key))


def by_web_identity(
    estate: Estate,
    chance: Chance,
    session: Session,
    subject: str,
    life: int,
    origin: str,
    entry: Credential,
) -> None:
    """A token of the session's provider is exchanged for a role session; the token's subject is in the record."""
    provider = session.provider or ""
    caller = aws.by_web_identity(session.role, provider, subject, origin, aws.ACTIONS)
    response: Fields = {
        "credentials": _credentials(chance, session, life),
        "subjectFromWebIdentityToken": subject,
        **_assumed(session),
        "provider": provider,
        "audience": "sts.amazonaws.com",
    }
    params: Fields = {"roleArn": session.role.arn, "roleSessionName": session.name, "durationSeconds": life}
    call = Call(
        service="sts",
        action="AssumeRoleWithWebIdentity",
        params=params,
        response=response,
        extra=_target(session.role),
    )
    aws.say(estate, chance, caller, call, session.created, about=_issued(session))
    estate.book.credential(entry)


def access_key(estate: Estate, chance: Chance, caller: Caller, user: User, key: str, time: int) -> Credential:
    """A long-lived key is made for ``user``."""
    made: Fields = {
        "userName": user.name,
        "accessKeyId": key,
        "status": "Active",
        "createDate": spelled(time, comma=False),
    }
    call = aws.on(aws.write("iam", "CreateAccessKey", {"accessKey": made}, userName=user.name), key_of(key), "key")
    aws.say(estate, chance, caller, call, time, region=HOME, about=((Stage.ISSUE, key_of(key)),))
    return estate.book.credential(
        Credential(key=key_of(key), kind="access key", population="machine", issued_at=whole(time), subject=user.key)
    )


def entry_of(session: Session, life: int, kind: str, population: str = "machine") -> Credential:
    """The entry of a role session, as far as every one has it."""
    return Credential(
        key=key_of(session.key),
        kind=kind,
        population=population,
        issued_at=whole(session.created),
        not_after=whole(session.created) + life * SECOND,
        subject=session.role.key,
    )


def _issued(session: Session) -> tuple[tuple[Stage, str], ...]:
    return ((Stage.ISSUE, key_of(session.key)),)


def _credentials(chance: Chance, session: Session, life: int) -> Fields:
    token = base64.b64encode(b"!\n#must-not-stay" + chance.bytes(chance.between(300, 420))).decode()
    expiration = spelled(session.created + life * SECOND, comma=REGION != HOME)
    return {"accessKeyId": session.key, "sessionToken": token, "expiration": expiration}


def _assumed(session: Session) -> Fields:
    return {"assumedRoleUser": {"assumedRoleId": session.principal_id, "arn": session.arn}}


def _target(role: Role) -> Fields:
    return {"resources": [{"accountId": role.account, "type": "AWS::IAM::Role", "ARN": role.arn}]}
