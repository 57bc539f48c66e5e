# ruff: noqa: N815 - fields have the names that they have in the log
"""Calls that issue credentials: who asked, for whom the key speaks, to what it is bound, until when.

A key is issued only where the response carries it. The caller's key is its parent, except for ``CreateAccessKey``:
a user's key does not act by its creator's session. A session name is the client's word, except where EC2 names an
instance's own session: there, and for web identities, pods and services, AWS itself says whom the key is bound to.
"""

from typing import NamedTuple

import msgspec

from custody.model import keys
from custody.model.events import Asserter, Granularity, Part, Stage
from custody.sources.aws_cloudtrail import principals
from custody.sources.aws_cloudtrail.call import Call
from custody.sources.aws_cloudtrail.records import first
from custody.sources.aws_cloudtrail.times import expiry
from custody.sources.secret_names import is_secret_name

Text = str | int | float | bool | None
_NOTHING = msgspec.Raw(b"null")
_EMPTY = (b"null", b'""', b"[]")


class Tag(msgspec.Struct, frozen=True, gc=False):
    """One session tag."""

    key: str = ""
    value: Text = None


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the issuing calls are asked with."""

    roleArn: str | None = None
    roleSessionName: str | None = None
    sourceIdentity: str | None = None
    name: str | None = None
    targetPrincipal: str | None = None
    tags: list[Tag] | None = None
    principalTags: dict[str, Text | list[Text]] | None = None
    incomingTransitiveTags: dict[str, Text | list[Text]] | None = None
    policy: msgspec.Raw = _NOTHING
    policyArns: msgspec.Raw = _NOTHING


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """The credentials of a response: CloudTrail keeps all of them but the secret key."""

    accessKeyId: str | None = None
    expiration: str | int | float | None = None


class AssumedRoleUser(msgspec.Struct, frozen=True, gc=False):
    """The session that was made; missing where EC2 or Lambda asked."""

    arn: str | None = None


class CredentialSet(msgspec.Struct, frozen=True, gc=False):
    """One entry of what IAM Roles Anywhere hands out."""

    credentials: Credentials | None = None
    assumedRoleUser: AssumedRoleUser | None = None
    roleArn: str | None = None


class Response(msgspec.Struct, frozen=True, gc=False):
    """What the issuing calls answer."""

    credentials: Credentials | None = None
    assumedRoleUser: AssumedRoleUser | None = None
    federatedUser: AssumedRoleUser | None = None
    credentialSet: list[CredentialSet] | None = None
    roleCredentials: Credentials | None = None
    subjectFromWebIdentityToken: str | None = None
    provider: str | None = None
    issuer: str | None = None
    subject: str | None = None
    subjectArn: str | None = None
    sourceIdentity: str | None = None


class Login(msgspec.Struct, frozen=True, gc=False):
    """What a console login answers."""

    ConsoleLogin: str | None = None


class Asked(NamedTuple):
    """What the requester said of the session: session tags as compact JSON text, and its source identity."""

    tags: str | None
    source_identity: str | None


class Bound(NamedTuple):
    """What a key is bound to, how finely, and who says so."""

    workload: str | None
    granularity: Granularity | None
    by: Asserter


NOTHING_ASKED = Asked(None, None)
_REQUEST = msgspec.json.Decoder(Request)
_RESPONSE = msgspec.json.Decoder(Response)
_LOGIN = msgspec.json.Decoder(Login)
_NONE = Request()
_UNBOUND = Bound(None, None, Asserter.CLIENT)
_HIDDEN_TAG = "custody-masked"


def parts(call: Call) -> tuple[Part, ...]:
    """The keys that a successful call of a token service issued."""
    match call.record.eventName:
        case "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity" | "AssumeRoot":
            return _session(call)
        case "GetSessionToken" | "GetFederationToken":
            return _own_session(call)
        case "CreateSession" if call.record.eventSource == "rolesanywhere.amazonaws.com":
            return _roles_anywhere(call)
        case "GetRoleCredentials":
            return _identity_center(call)
    return ()


def asked(call: Call) -> Asked:
    """The session tags and the source identity of an issuing call."""
    if call.record.eventSource == "iam.amazonaws.com":
        return NOTHING_ASKED
    request, response = call.request(_REQUEST) or _NONE, call.response(_RESPONSE) or Response()
    return Asked(_tag_text(request), request.sourceIdentity or response.sourceIdentity)


def console_login(call: Call) -> tuple[Part, ...]:
    """A console login that succeeded starts the principal's console sessions; they carry no key in this record."""
    answer = call.response(_LOGIN) if call.record.eventName == "ConsoleLogin" else None
    if answer is None or answer.ConsoleLogin != "Success" or call.principal is None:
        return ()
    return (Part(stage=Stage.START, key=call.principal, effect="console.login"),)


def _session(call: Call) -> tuple[Part, ...]:
    request, response = call.request(_REQUEST) or _NONE, call.response(_RESPONSE)
    issued = _visible(response.credentials) if response else None
    if response is None or issued is None:
        return ()
    role = request.roleArn or first((item.ARN or item.arn) for item in call.record.resources or ())
    if call.record.eventName == "AssumeRoot" and request.targetPrincipal:
        role = _root(call, request.targetPrincipal)
    bound = _bound(call, request, response, role)
    return _limited(request, _issued(call, issued, role, bound, session_name=request.roleSessionName))


def _bound(call: Call, request: Request, response: Response, role: str | None) -> Bound:
    """What AWS itself says the session is bound to; a plain AssumeRole is bound to nothing but the client's word."""
    match call.record.eventName:
        case "AssumeRoleWithWebIdentity":
            provider = response.provider or call.who.identityProvider
            subject = response.subjectFromWebIdentityToken or call.who.userName
            return Bound(principals.web_subject(provider, subject), Granularity.ACCOUNT, Asserter.ISSUER)
        case "AssumeRoleWithSAML":
            issuer, subject = response.issuer or call.who.identityProvider, response.subject or call.who.userName
            workload = keys.scoped("saml_subject", issuer, subject) if issuer and subject else None
            return Bound(workload, Granularity.ACCOUNT, Asserter.ISSUER)
    if call.who.type == "AWSService":
        return _bound_by_service(call, request, role)
    return _UNBOUND


def _bound_by_service(call: Call, request: Request, role: str | None) -> Bound:
    service, name = call.who.invokedBy, request.roleSessionName or ""
    if service == "ec2.amazonaws.com" and name.startswith("i-") and name[2:].isalnum():
        return Bound(f"aws_instance:{call.account}:{name}", Granularity.INSTANCE, Asserter.ISSUER)
    if service == "pods.eks.amazonaws.com":
        told = {tag.key: tag.value for tag in request.tags or ()}
        cluster, pod = told.get("eks-cluster-arn"), told.get("kubernetes-pod-uid")
        if isinstance(cluster, str) and isinstance(pod, str) and cluster and pod:
            return Bound(keys.scoped("aws_pod", cluster, pod), Granularity.POD, Asserter.ISSUER)
    return Bound(principals.principal_key(role) if role else None, Granularity.ACCOUNT, Asserter.ISSUER)


def _own_session(call: Call) -> tuple[Part, ...]:
    """A session of the caller itself, or of a federated user that speaks with the caller's rights."""
    request, response = call.request(_REQUEST) or _NONE, call.response(_RESPONSE)
    issued = _visible(response.credentials) if response else None
    if response is None or issued is None:
        return ()
    federated = response.federatedUser.arn if response.federatedUser else None
    subject = federated or call.who.arn
    return _limited(request, _issued(call, issued, subject, _UNBOUND, session_name=request.name))


def _limited(request: Request, issued: Part) -> tuple[Part, ...]:
    """The key, and whether it was asked for with a session policy, which takes away of what its principal may do."""
    named = bytes(request.policyArns) not in _EMPTY
    if not named and bytes(request.policy) in _EMPTY:
        return (issued,)
    what = "managed" if named else "inline"
    return (issued, Part(stage=Stage.DECIDE, key=issued.key, effect="session.policy", object=what))


def _roles_anywhere(call: Call) -> tuple[Part, ...]:
    """Sessions for the holder of an X.509 certificate; the subject's ARN stands for the certificate's name."""
    response = call.response(_RESPONSE)
    if response is None:
        return ()
    request = call.request(_REQUEST) or _NONE
    workload = keys.aws_arn(response.subjectArn) if response.subjectArn else None
    bound = Bound(workload, Granularity.ACCOUNT if workload else None, Asserter.ISSUER)
    found = []
    for entry in response.credentialSet or ():
        if (issued := _visible(entry.credentials)) is not None:
            session = entry.assumedRoleUser.arn if entry.assumedRoleUser else None
            name = session.rpartition("/")[2] if session else request.roleSessionName
            role = entry.roleArn or request.roleArn
            found.append(_issued(call, issued, role, bound, session_name=name))
    return tuple(found)


def _identity_center(call: Call) -> tuple[Part, ...]:
    response = call.response(_RESPONSE)
    issued = _visible(response.roleCredentials) if response else None
    if issued is None:
        return ()
    return (_issued(call, issued, None, _UNBOUND, session_name=None),)


def _visible(credentials: Credentials | None) -> Credentials | None:
    """The credentials where they name a key; AWS hides some."""
    shown = credentials is not None and credentials.accessKeyId not in (None, "", principals.HIDDEN)
    return credentials if shown else None


def _issued(call: Call, issued: Credentials, subject: str | None, bound: Bound, *, session_name: str | None) -> Part:
    where = "responseElements.credentials"
    return Part(
        stage=Stage.ISSUE,
        key=principals.access_key(issued.accessKeyId, f"{where}.accessKeyId"),
        parent=call.key,
        subject=principals.principal_key(subject) if subject else None,
        session_name=session_name,
        workload=bound.workload,
        granularity=bound.granularity if bound.workload else None,
        bound_by=bound.by,
        method=call.record.eventName,
        not_after=expiry(issued.expiration, f"$.{where}.expiration"),
        object=subject,
    )


def _root(call: Call, target: str) -> str:
    """AssumeRoot names a member account by its id or its root's ARN."""
    return (
        target if target.startswith("arn:") else f"arn:{principals.partition(call.record.awsRegion)}:iam::{target}:root"
    )


def _tag_text(request: Request) -> str | None:
    """All session tags as compact JSON, sorted by name; what is called like a secret is masked as in the bytes."""
    told: dict[str, Text | list[Text]] = {}
    for inherited in (request.incomingTransitiveTags, request.principalTags):
        told.update(inherited or {})
    told.update((tag.key, tag.value) for tag in request.tags or ())
    if not told:
        return None
    shown = {name: _HIDDEN_TAG if is_secret_name(name) else value for name, value in sorted(told.items())}
    return msgspec.json.encode(shown).decode()
