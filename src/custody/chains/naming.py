"""What people call a credential: its kind, enough of its key to tell it apart, and whom it speaks for."""

WORDS = {
    "vault_accessor": "Vault token",
    "vault_token": "Vault batch token",
    "vault_lease": "lease",
    "db_role": "database role",
    "db_role_hmac": "database role (hashed)",
    "k8s_cred": "Kubernetes credential",
    "github_token_sha256": "GitHub token",
    "github_token_id": "GitHub token",
    "x509_serial": "certificate",
    "x509_sha256": "certificate",
    "jwt_jti": "web token",
    "broker": "broker",
    "broker_chain": "brokered chain",
    "break_glass": "break-glass credential",
}
"""Kinds of key with words of their own; AWS keys are told by their life."""

WHOLE = ("db_role",)
"""Keys whose value is a name that people read."""

_OTHERS = " ".join(f"WHEN c.key LIKE '{kind}:%' THEN '{word} '" for kind, word in WORDS.items())
_READ = " OR ".join(f"c.key LIKE '{kind}:%'" for kind in WHOLE)

WHO = (
    f"concat(CASE {_OTHERS} "
    "WHEN c.issued THEN CASE WHEN c.not_after IS NULL THEN 'long-lived key ' ELSE 'temporary key ' END "
    "ELSE 'key ' END, "
    f"CASE WHEN {_READ} THEN regexp_replace(c.key, '^[^:]*:[^:]*:', '') "
    "ELSE concat('…', substr(c.key, greatest(length(c.key) - 7, 1))) END, ' of ', "
    "coalesce(regexp_replace(coalesce(c.workload, c.subject), '^[^:]*:[^:]*:', ''), 'an unknown principal'))"
)
"""The SQL of a credential's name, over ``credentials c``."""
