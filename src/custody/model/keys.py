"""Typed credential and principal keys: ``type:scope:value`` in one canonical form.

Two keys of different types are never compared. A key names what a server issued or what a log calls a thing by; the
credential that a key belongs to has a stable id derived from the key alone, never from a position or a time of receipt.
"""

import hashlib

import msgspec

from custody.errors import SourceError

KEY_TYPES: dict[str, str] = {
    "aws_akid": "AWS access key id, long-lived or temporary; scope is always 'aws'",
    "aws_arn": "an AWS principal or resource by ARN; scope is its account id, or '-' where the ARN has none",
    "aws_principal": "an AWS principal by unique id (AIDA…, AROA…); scope is 'aws'",
    "aws_instance": "an EC2 instance id; scope is the account id",
    "aws_address": "an elastic address by allocation id; scope is the account id",
    "aws_nat": "a NAT gateway by id; scope is the account id",
    "aws_pod": "an EKS pod by uid; scope is the cluster ARN",
    "aws_service": "an AWS service principal (ec2.amazonaws.com); scope is 'aws'",
    "oidc_subject": "a web identity by token subject; scope is the provider ARN or issuer",
    "saml_subject": "a SAML subject; scope is the provider or issuer",
}
"""Every key type, and what its scope is. A new type is one line here."""


class Key(msgspec.Struct, frozen=True, gc=False):
    """A parsed key. ``value`` may hold colons, ``type`` and ``scope`` may not."""

    type: str
    scope: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}:{self.scope}:{self.value}"


def parse(text: str) -> Key:
    """Parse ``type:scope:value``; raises SourceError where the type is unknown or a part is missing."""
    kind, _, rest = text.partition(":")
    scope, colon, value = rest.partition(":")
    if kind not in KEY_TYPES or not scope or not colon or not value:
        raise SourceError("not a key", found=repr(text), expected="type:scope:value with a known type")
    return Key(kind, scope, value)


def aws_arn(arn: str) -> str:
    """The key of an AWS principal or resource: its account is the scope, '-' where it has none."""
    parts = arn.split(":", 5)
    account = parts[4] if len(parts) == 6 and parts[4] else "-"
    return f"aws_arn:{account}:{arn}"


def scoped(kind: str, scope: str, value: str) -> str:
    """A key whose scope may hold colons (an ARN, a URL): in the scope ``%`` becomes ``%25`` and ``:`` ``%3A``."""
    return f"{kind}:{scope.replace('%', '%25').replace(':', '%3A')}:{value}"


GITHUB_ISSUER = "token.actions.githubusercontent.com"
"""Who issues the tokens of GitHub's workflow runs; enterprises have an issuer of their own below it."""


def names_of(text: str) -> tuple[str, ...]:
    """Every name by which people may call a key, the key itself first; nothing for an empty text.

    An ARN goes by itself, a role or user also by ``aws:role/NAME`` and ``aws:ACCOUNT:role/NAME``, an instance by its
    id, a subject of GitHub's own issuer (``repo:owner/repo:…``) by ``github:owner/repo:…``. A subject that any other
    issuer chose lends itself no short name: it could be that of another workload.
    """
    kind, _, rest = text.partition(":")
    scope, _, value = rest.partition(":")
    if not value:
        return (text,) if text else ()
    match kind:
        case "aws_arn":
            return (text, value, *_principal_names(scope, value))
        case "aws_instance":
            return (text, value)
        case "oidc_subject" if value.startswith("repo:") and scope.partition("/")[0] == GITHUB_ISSUER:
            return (text, "github:" + value.removeprefix("repo:"))
    return (text,)


def _principal_names(account: str, arn: str) -> tuple[str, ...]:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or parts[5].partition("/")[0] not in ("role", "user"):
        return ()
    return (f"aws:{parts[5]}", f"aws:{account}:{parts[5]}")


def stable_id(prefix: str, *parts: str) -> str:
    """A short id made of record identities or keys alone: ``prefix-`` and 16 hex digits of SHA-256.

    The parts are joined with NUL, which no key or identity can hold unescaped.
    """
    return f"{prefix}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def credential_id(key: str) -> str:
    """The stable id of the credential that ``key`` names."""
    return stable_id("c", key)
