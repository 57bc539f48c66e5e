"""Who a key speaks for, as typed keys: roles, users, services, web identities.

Roles and users are keyed WITHOUT their path: names are unique in an account whatever the path, sessions name the role
with it (``role/aws-service-role/…/Name``), ``DeleteRole`` gives the name alone, and all must meet in one key. The ARN
with its path stays visible in ``object`` of the issue and in ``resource``.
"""

import re
from functools import lru_cache

from custody.errors import SourceError
from custody.model import keys
from custody.sources.aws_cloudtrail.records import UserIdentity

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_LONGEST_KEY = 128
_KEY_AS_PRINCIPAL = re.compile(r"A[KS]IA[A-Z0-9]{8,124}")
_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-isob-", "aws-iso-b"), ("us-iso-", "aws-iso"))


def access_key(value: str | None, where: str) -> str | None:
    """The key of an access key id; None where there is none or AWS hid it. Raises SourceError for what is no id."""
    if not value or value == HIDDEN:
        return None
    if len(value) > _LONGEST_KEY or not (value.isascii() and value.isalnum()):
        raise SourceError("not an access key id", where=f"$.{where}", expected="letters and digits")
    return f"aws_akid:aws:{value}"


def presented(who: UserIdentity) -> str | None:
    """The key that signed the call, None where the record has none.

    The owner of a VPC endpoint gets calls of other accounts with the access key id for the principal's id.
    """
    own = who.principalId if who.type == "AWSAccount" and _names_a_key(who) else None
    named = who.accessKeyId or own
    return access_key(named, "userIdentity.accessKeyId") if named else None


def _names_a_key(who: UserIdentity) -> bool:
    return who.principalId is not None and _KEY_AS_PRINCIPAL.fullmatch(who.principalId) is not None


@lru_cache(maxsize=4096)
def principal_key(arn: str) -> str:
    """The key of a principal's ARN: without path for roles and users, the role for an assumed-role session."""
    parts = arn.split(":", 5)
    if len(parts) == 6 and parts[2] in ("iam", "sts"):
        kind, _, rest = parts[5].partition("/")
        if kind in ("role", "user") and "/" in rest:
            return keys.aws_arn(":".join((*parts[:5], f"{kind}/{rest.rpartition('/')[2]}")))
        if kind == "assumed-role":
            return keys.aws_arn(f"{parts[0]}:{parts[1]}:iam::{parts[4]}:role/{rest.partition('/')[0]}")
    return keys.aws_arn(arn)


def path(who: UserIdentity) -> str | None:
    """The full ARN of the role of a session, None where it has no path: keys leave the path out."""
    issuer = who.sessionContext.sessionIssuer if who.sessionContext else None
    return issuer.arn if issuer and issuer.arn and issuer.arn.count("/") > 1 else None


def iam_arn(region: str | None, account: str, kind: str, name: str) -> str:
    """The ARN of a role, user or group that the log gives by name."""
    return f"arn:{partition(region)}:iam::{account}:{kind}/{name}"


def partition(region: str | None) -> str:
    """The partition that a region is in."""
    return next((name for start, name in _PARTITIONS if region and region.startswith(start)), "aws")


def web_subject(provider: str | None, subject: str | None) -> str | None:
    """The key of a web identity. Its scope is the issuer: what stands after ``oidc-provider/`` in a provider's ARN."""
    if not provider or not subject:
        return None
    return keys.scoped("oidc_subject", provider.rpartition(":oidc-provider/")[2], subject)


def acting(who: UserIdentity) -> str | None:
    """The key of the principal that acted, None where the record does not name one."""
    issuer = who.sessionContext.sessionIssuer if who.sessionContext else None
    match who.type:
        case "AssumedRole" | "FederatedUser" if issuer and issuer.arn:
            return principal_key(issuer.arn)
        case "AWSService":
            return f"aws_service:aws:{who.invokedBy}" if who.invokedBy else None
        case "WebIdentityUser":
            return web_subject(who.identityProvider, who.userName)
        case "SAMLUser":
            subject = who.userName or who.principalId
            return (
                keys.scoped("saml_subject", who.identityProvider, subject) if who.identityProvider and subject else None
            )
    if who.arn:
        return principal_key(who.arn)
    if _names_a_key(who):
        return None
    return f"aws_principal:aws:{who.principalId.partition(':')[0]}" if who.principalId else None
