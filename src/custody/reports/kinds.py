"""What a typed key names, in words: its kind, and the system that knows it."""

from custody.chains import naming
from custody.model.keys import KEY_TYPES
from custody.reports.words import short_key

OTHERS = {
    "aws_akid": "access key",
    "aws_arn": "AWS principal",
    "aws_principal": "AWS principal",
    "aws_instance": "instance",
    "aws_address": "address",
    "aws_nat": "NAT gateway",
    "aws_pod": "pod",
    "aws_service": "AWS service",
    "oidc_subject": "web identity",
    "saml_subject": "SAML subject",
    "aws_function": "function",
    "aws_invocation": "invocation",
    "vault_role": "Vault role",
    "vault_entity": "Vault entity",
    "vault_input": "external token",
    "db_session": "database session",
    "k8s_service_account": "service account",
    "k8s_user": "Kubernetes user",
    "k8s_pod": "pod",
    "k8s_node": "node",
    "github_run": "workflow run",
    "github_job": "job",
    "github_workflow": "workflow",
    "github_environment": "environment",
    "github_user": "GitHub user",
    "ssh_key": "SSH key",
    "spiffe": "workload",
    "spire_entry": "registration entry",
    "otel_trace": "trace",
    "otel_span": "span",
    "otel_service": "service",
    "agent": "agent",
    "agent_task": "agent task",
    "ci_run": "pipeline run",
    "container": "container",
    "approval": "approval",
    "ticket": "ticket",
    "person": "person",
}
"""Kinds that are no credential, and access keys."""

WORDS: dict[str, str] = {**OTHERS, **naming.WORDS}

SYSTEMS = {
    "aws": "AWS",
    "cloudevents": "Approvals",
    "custody": "Broker",
    "db": "PostgreSQL",
    "envoy": "Envoy",
    "github": "GitHub",
    "jira": "Jira",
    "k8s": "Kubernetes",
    "kubernetes": "Kubernetes",
    "lambda": "AWS Lambda",
    "oidc": "web identity",
    "otel": "OpenTelemetry",
    "postgresql": "PostgreSQL",
    "sarif": "Secret scanner",
    "spiffe": "SPIFFE",
    "spire": "SPIRE",
    "ssf": "Security events",
    "teleport": "Teleport",
    "vault": "Vault",
}
"""Systems by the first word of a source's name or of a key's type."""


def kind(key: str) -> str:
    """``Vault token``, ``pod``; of a text that is no typed key ``key``."""
    name = key.partition(":")[0]
    return WORDS.get(name, "key" if name not in KEY_TYPES else name.replace("_", " "))


def alias_kind(key: str) -> str:
    """The kind of one more name of a credential: what an audit device hashed is a name of the token, no token."""
    name, _, rest = key.partition(":")
    if name in ("vault_accessor", "vault_token") and rest.startswith("hmac:"):
        return "hashed accessor" if name == "vault_accessor" else "hashed token"
    return "hashed name" if name == "db_role_hmac" else kind(key)


def named(key: str) -> str:
    """The kind of ``key`` and its value: ``Vault token aqXS…``."""
    return f"{kind(key)} {short_key(key)}"


def system(name: str) -> str:
    """The system behind the name of a source (``vault.audit``) or a key: ``Vault``. A name not known stays."""
    first = name.partition(":")[0].partition(".")[0].partition("_")[0]
    return SYSTEMS.get(first, name if ":" not in name else "")
