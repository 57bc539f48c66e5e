"""What would settle a question that a chain leaves open, by the kind of its key: words of one kind in one place."""

ISSUER_LOG: dict[str, str] = {
    "aws_akid": "the log of the account, region or service that issued it",
    "vault_accessor": "the audit device of the Vault cluster, from before its login",
    "vault_token": "the audit device of the Vault cluster, from before its login",
    "vault_lease": "the audit device of the Vault cluster",
    "db_role": "log_statement = ddl in PostgreSQL, or the audit device of the Vault that makes its roles",
    "db_role_hmac": "the audit device of the Vault that makes the role",
    "k8s_cred": "an audit policy that keeps TokenRequest, and an API server of 1.30 or later",
    "github_token_sha256": "nothing: GitHub does not record the issue of this kind of token",
    "github_token_id": "the audit log of the organisation, from before the grant",
    "x509_serial": "the log of the signing authority, with serial numbers (SPIRE: log_level = DEBUG)",
    "x509_sha256": "the log of the signing authority",
    "jwt_jti": "the log of the token's issuer, with jti",
}

DECISION_LOG: dict[str, str] = {
    "aws_akid": "the policies in force at the time: CloudTrail names one only where it refuses",
    "k8s_cred": "an audit policy of level Metadata or more, which keeps the authorization reason",
}


def issuer_log(key: str) -> str:
    """The log that would show the issue of ``key``."""
    return ISSUER_LOG.get(key.partition(":")[0], "the log of its issuer")


def decision_log(key: str) -> str:
    """The log that would show by which policy ``key`` was issued."""
    return DECISION_LOG.get(key.partition(":")[0], "an issuer that records the policy by which it decides")
