"""What would settle a question that a chain leaves open: every such answer, and the change that would bring it.

Rules name a member of ``Settles`` and nothing else; ``FIXES`` has one row for each. Where a row gives no setting of its
own, the setting is how its sources are switched on.
"""

from enum import StrEnum

import msgspec


class Settles(StrEnum):
    """What would settle an unproven answer: a source, or a field of one."""

    CONTRACT = "a contract with owner and purpose"
    CONTRACT_TTL = "a contract with a ttl for its class"
    SCOPE = "declared scope and dependencies"
    REGISTER_OWNER = "a register with signed ownership"
    REGISTER_PURPOSE = "a register with signed purpose"

    ISSUER = "the log of its issuer"
    AWS_ISSUER = "the log of the account, region or service that issued it"
    OLDER = "older logs"
    VAULT_LOGIN = "the audit device of the Vault cluster, from before its login"
    VAULT_LEASE = "the audit device of the Vault cluster"
    VAULT_ROLE = "the audit device of the Vault that makes the role"
    DATABASE_ROLE = "log_statement = ddl in PostgreSQL, or the audit device of the Vault that makes its roles"
    KUBERNETES_TOKEN = "an audit policy that keeps TokenRequest, and an API server of 1.30 or later"  # noqa: S105
    GITHUB_TOKEN = "a kind of token whose issue GitHub records; it does not record that of this one"  # noqa: S105
    GITHUB_GRANT = "the audit log of the organisation, from before the grant"
    AUTHORITY_SERIAL = "the log of the signing authority, with serial numbers (SPIRE: log_level = DEBUG)"
    AUTHORITY = "the log of the signing authority"
    TOKEN_ISSUER = "the log of the token's issuer, with jti"  # noqa: S105

    POLICY = "an issuer that records the policy by which it decides"
    AWS_POLICY = "the policies in force at the time: CloudTrail names one only where it refuses"
    KUBERNETES_POLICY = "an audit policy of level Metadata or more, which keeps the authorization reason"

    IAM_GRANTS = "an inventory of IAM with the texts of its policies"
    KUBERNETES_GRANTS = "an inventory of the cluster's roles and bindings"
    DATABASE_GRANTS = "log_statement = ddl in PostgreSQL, from before its grants"
    VAULT_GRANTS = "the texts of the policies of Vault"
    GRANTS = "a list of what its issuer grants"
    WHOLE_HISTORY = "a trail proved whole from the making of its principal on"

    EXPIRY = "the issuer's own log"
    BINDING = "a source identity or tag that the issuer asserts"
    RUN_BINDING = "a binding of the credential to its run that the issuer asserts"
    ORCHESTRATOR = "the log of the orchestrator that runs it"
    COMPLETE = "a source known to be complete"

    APPROVALS = "a source of approvals that is known to be complete"
    BOUND_APPROVALS = "a binding of the credential to its run, and a source of approvals"

    BROKER = "the log of the broker, whole from the request on"

    ORIGINS = "a source that records origins"
    ADDRESSES = "the addresses of the workload: its network's log or the contract's origins"
    OWN_ADDRESSES = "a log that gives these addresses to the workload"
    NEIGHBOURS = "who works there: another principal's key, or the workload's own address in a log"
    SERVICE = "the service's own log"
    ISSUER_NOTICE = "a notice of the issuer that names the key"


class Fix(msgspec.Struct, frozen=True):
    """What to change: the sources (names as in ``custody sources``, or ``contract``, ``register``) and the setting.

    ``setting`` is empty where it is how the sources are switched on. ``available`` is False where no change to what
    custody reads today settles it: the product records nothing of the kind, or custody does not judge it yet.
    """

    sources: tuple[str, ...]
    setting: str = ""
    available: bool = True


AWS_BINDING = (
    "AWS: aws sts assume-role --source-identity, demanded by sts:SourceIdentity in the role's trust policy, or a role "
    "assumed by web identity (a pod's or a job's token) in the place of a stored key"
)
ORIGIN_SETTINGS = (
    "contract: under origins, the workload's addresses or networks; or VPC flow logs with ${instance-id} and "
    "${pkt-srcaddr} in the format, and CloudTrail of the account whose instances and addresses they are"
)
REGISTER_SIGNED = (
    "custody register export, then name each owner and purpose; the owner signs the file (ssh-keygen -Y sign), and "
    "custody register import FILE --signature FILE.sig seals it. It counts for what is issued afterwards"
)
FIXES: dict[Settles, Fix] = {
    Settles.CONTRACT: Fix(
        ("contract",), "under classes: match, owner and purpose; then custody rebuild --contract FILE"
    ),
    Settles.CONTRACT_TTL: Fix(("contract",), "under classes: ttl; then custody rebuild --contract FILE"),
    Settles.SCOPE: Fix(("contract",), "depends_on of a class is accepted and not judged yet", available=False),
    Settles.REGISTER_OWNER: Fix(("register",), REGISTER_SIGNED),
    Settles.REGISTER_PURPOSE: Fix(("register",), REGISTER_SIGNED),
    Settles.ISSUER: Fix((), "read the log of the system that issues this kind of credential"),
    Settles.AWS_ISSUER: Fix(("aws.cloudtrail",)),
    Settles.OLDER: Fix(("aws.cloudtrail",), "audit older files too: what the trail's bucket keeps from before"),
    Settles.VAULT_LOGIN: Fix(("vault.audit",)),
    Settles.VAULT_LEASE: Fix(("vault.audit",)),
    Settles.VAULT_ROLE: Fix(("vault.audit",)),
    Settles.DATABASE_ROLE: Fix(("postgresql", "vault.audit")),
    Settles.KUBERNETES_TOKEN: Fix(("kubernetes.audit",)),
    Settles.GITHUB_TOKEN: Fix(
        ("github.audit",),
        "use fine-grained tokens of an app or a person, whose grants are recorded, or the job's OIDC token",
        available=False,
    ),
    Settles.GITHUB_GRANT: Fix(("github.audit",)),
    Settles.AUTHORITY_SERIAL: Fix(("spire",)),
    Settles.AUTHORITY: Fix(("spire", "kubernetes.audit")),
    Settles.TOKEN_ISSUER: Fix((), "read the log of the token's issuer, with the jti of every token"),
    Settles.POLICY: Fix((), "no setting of this issuer records it", available=False),
    Settles.AWS_POLICY: Fix((), "no setting of AWS records it", available=False),
    Settles.KUBERNETES_POLICY: Fix(
        ("kubernetes.audit",), "in the audit policy: level Metadata or more for every resource, no rule of level None"
    ),
    Settles.IAM_GRANTS: Fix(("aws.iam_details",)),
    Settles.KUBERNETES_GRANTS: Fix(("kubernetes.inventory",)),
    Settles.DATABASE_GRANTS: Fix(("postgresql",)),
    Settles.VAULT_GRANTS: Fix(
        (), "its audit device keeps an HMAC of them; custody reads no other copy", available=False
    ),
    Settles.GRANTS: Fix((), "custody reads no grants of this kind of issuer yet", available=False),
    Settles.WHOLE_HISTORY: Fix(("aws.cloudtrail_digest",)),
    Settles.EXPIRY: Fix((), "read the log of its issuer at the level that gives the expiry of what it issues"),
    Settles.BINDING: Fix(("aws.cloudtrail",), AWS_BINDING),
    Settles.RUN_BINDING: Fix(("aws.cloudtrail",), AWS_BINDING),
    Settles.ORCHESTRATOR: Fix(("kubernetes.audit", "github.workflow", "aws.lambda")),
    Settles.COMPLETE: Fix(
        ("aws.cloudtrail_digest",),
        "signed digests prove a trail whole; that a credential was never used is not judged by them yet",
        available=False,
    ),
    Settles.APPROVALS: Fix(("github.workflow", "jira", "teleport", "cloudevents")),
    Settles.BOUND_APPROVALS: Fix(("github.workflow", "jira", "teleport", "cloudevents")),
    Settles.BROKER: Fix(("custody.broker",)),
    Settles.ORIGINS: Fix((), "switch on the peer's address in the log of the service that checks the credential"),
    Settles.ADDRESSES: Fix(("contract", "aws.vpc_flow"), ORIGIN_SETTINGS),
    Settles.OWN_ADDRESSES: Fix(("aws.vpc_flow", "kubernetes.audit")),
    Settles.NEIGHBOURS: Fix(("aws.vpc_flow", "aws.cloudtrail")),
    Settles.ISSUER_NOTICE: Fix(("aws.health",)),
    Settles.SERVICE: Fix((), "no log of the service itself is read yet", available=False),
}
"""One row for each: a test holds the two together."""

ISSUER_LOG: dict[str, Settles] = {
    "aws_akid": Settles.AWS_ISSUER,
    "vault_accessor": Settles.VAULT_LOGIN,
    "vault_token": Settles.VAULT_LOGIN,
    "vault_lease": Settles.VAULT_LEASE,
    "db_role": Settles.DATABASE_ROLE,
    "db_role_hmac": Settles.VAULT_ROLE,
    "k8s_cred": Settles.KUBERNETES_TOKEN,
    "github_token_sha256": Settles.GITHUB_TOKEN,
    "github_token_id": Settles.GITHUB_GRANT,
    "x509_serial": Settles.AUTHORITY_SERIAL,
    "x509_sha256": Settles.AUTHORITY,
    "jwt_jti": Settles.TOKEN_ISSUER,
}

GRANTS_OF: dict[str, Settles] = {
    "aws_akid": Settles.IAM_GRANTS,
    "k8s_cred": Settles.KUBERNETES_GRANTS,
    "db_role": Settles.DATABASE_GRANTS,
    "vault_accessor": Settles.VAULT_GRANTS,
    "vault_token": Settles.VAULT_GRANTS,
    "vault_lease": Settles.VAULT_GRANTS,
}

DECISION_LOG: dict[str, Settles] = {
    "aws_akid": Settles.AWS_POLICY,
    "k8s_cred": Settles.KUBERNETES_POLICY,
}


def issuer_log(key: str) -> Settles:
    """The log that would show the issue of ``key``."""
    return ISSUER_LOG.get(key.partition(":")[0], Settles.ISSUER)


def decision_log(key: str) -> Settles:
    """The log that would show by which policy ``key`` was issued."""
    return DECISION_LOG.get(key.partition(":")[0], Settles.POLICY)


def grants_of(key: str) -> Settles:
    """What would show the grants of the principal of ``key``."""
    return GRANTS_OF.get(key.partition(":")[0], Settles.GRANTS)
