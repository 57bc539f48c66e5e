"""Typed credential and principal keys: ``type:scope:value`` in one canonical form.

Two keys of different types are never compared. A key names what a server issued or what a log calls a thing by; the
credential that a key belongs to has a stable id derived from the key alone, never from a position or a time of receipt.
"""

import hashlib
import re

import msgspec

from custody.errors import SourceError

KEY_TYPES: dict[str, str] = {
    "aws_akid": "AWS access key id, long-lived or temporary; scope is 'aws', 'hmac' where an audit device hashed it",
    "aws_arn": "an AWS principal or resource by ARN; scope is its account id, or '-' where the ARN has none",
    "aws_principal": "an AWS principal by unique id (AIDA…, AROA…); scope is 'aws'",
    "aws_instance": "an EC2 instance id; scope is the account id",
    "aws_address": "an elastic address by allocation id; scope is the account id",
    "aws_nat": "a NAT gateway by id; scope is the account id",
    "aws_pod": "an EKS pod by uid; scope is the cluster ARN",
    "aws_service": "an AWS service principal (ec2.amazonaws.com); scope is 'aws'",
    "oidc_subject": "a web identity by token subject; scope is the provider ARN or issuer",
    "saml_subject": "a SAML subject; scope is the provider or issuer",
    "aws_function": "a Lambda function by name; scope is the account id, '-' where the log has none",
    "aws_invocation": "one invocation of a function by request id; scope is 'lambda'",
    "vault_accessor": "a Vault or OpenBao token by accessor; scope is 'hmac' or 'plain', as the audit device wrote it",
    "vault_token": "a Vault or OpenBao batch token, which has no accessor, by its HMAC; scope is 'hmac'",
    "vault_lease": "a lease of Vault or OpenBao by lease id; scope is 'vault'",
    "vault_role": "a role by mount and name (database/creds/app, auth/kubernetes/app); scope is 'vault'",
    "vault_entity": "an entity of Vault or OpenBao by id; scope is 'vault'",
    "vault_input": "an external token presented to Vault, by its HMAC; scope is 'hmac'",
    "db_role": "a database role by name; scope is 'postgresql'",
    "db_role_hmac": "a database role by the HMAC that an audit device wrote for its name; scope is 'hmac'",
    "db_session": "a database session by its id; scope is 'postgresql'",
    "k8s_cred": "a Kubernetes credential by credential id (JTI=…, X509SHA256=…); scope is the cluster, '-' if unnamed",
    "k8s_service_account": "a service account as namespace/name; scope is the cluster, '-' if unnamed",
    "k8s_user": "a Kubernetes user by name; scope is the cluster, '-' if unnamed",
    "k8s_pod": "a pod by uid; scope is 'k8s'",
    "k8s_node": "a node by name; scope is the cluster, '-' if unnamed",
    "github_run": "a workflow run attempt as run_id/attempt; scope is 'github'",
    "github_job": "a job of a run as run_id/attempt/job; scope is 'github'",
    "github_workflow": "a workflow as owner/repository/path or name; scope is 'github'",
    "github_environment": "a deployment environment as owner/repository/name; scope is 'github'",
    "github_user": "a person or app by login; scope is 'github'",
    "github_token_id": "a GitHub token by id; scope is 'github'",
    "github_token_sha256": "a GitHub token by the lower-case hex SHA-256 of it; scope is 'github'",
    "ssh_key": "an SSH key by fingerprint or id; scope is the system that knows it",
    "x509_sha256": "a certificate by the lower-case hex SHA-256 of its DER; scope is 'x509'",
    "x509_serial": "a certificate by lower-case hex serial, no leading zeros; scope: trust domain, issuer, or 'hmac'",
    "spiffe": "a workload by SPIFFE id, the path with its slash; scope is the trust domain",
    "spire_entry": "a registration entry by id; scope is the trust domain, '-' if unnamed",
    "jwt_jti": "a JSON Web Token by jti; scope is its issuer, without the scheme where that is https",
    "otel_trace": "a trace by lower-case hex trace id; scope is 'w3c'",
    "otel_span": "a span as trace id/span id in lower-case hex; scope is 'w3c'",
    "otel_service": "a service as namespace/name; scope is 'otel'",
    "agent": "an AI agent by id or name; scope is the service that runs it",
    "agent_task": "one task of an agent as trace id/span id; scope is the service that runs it",
    "ci_run": "a run of a pipeline by id; scope is the service that runs it",
    "container": "a container by id; scope is 'container'",
    "approval": "a request for approval by id; scope is the system that keeps it",
    "broker": "a custody broker by id; scope is 'custody'",
    "broker_chain": "what a custody broker was asked for, by chain id; scope is the broker",
    "break_glass": "a break-glass credential by id (a ULID); scope is 'custody'",
    "ticket": "a ticket by key; scope is the system that keeps it",
    "person": "a person as a system names them; scope is that system",
    "custom": "a key of a source that a mapping file describes; scope is the mapping's name and the key's",
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


def token_key(issuer: str, jti: str) -> str:
    """The key of a JSON Web Token: most logs name an https issuer without its scheme, so no key has it."""
    return scoped("jwt_jti", issuer.removeprefix("https://"), jti)


GITHUB_ISSUER = "token.actions.githubusercontent.com"
"""Who issues the tokens of GitHub's workflow runs; enterprises have an issuer of their own below it."""


MADE_UP = re.compile(r"db_role:postgresql:(?:v-.*-[A-Za-z0-9]{20}-[0-9]{10}|cc_[0-9a-hjkmnp-tv-z]{26})")
"""A role that Vault's default template named, or a custody broker: twenty random characters are in it, or eighty random
bits. It is one credential, no identity."""


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


def lineage_id(lineage: str) -> str:
    """The stable id of a lineage: of its subject and workload, which a NUL parts."""
    return stable_id("l", *lineage.split("\0"))
