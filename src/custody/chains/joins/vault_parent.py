"""Vault, OpenBao: the token that asked is the parent of the token, lease or database role that it got."""

from custody.chains.join import parent_equality

JOIN = parent_equality(
    "vault_parent",
    ("vault_accessor", "vault_token", "vault_lease", "db_role", "db_role_hmac"),
    "auth.accessor of the request → response.auth.accessor or response.secret.lease_id",
    "orphan tokens name no parent; a login has none, its external token is hashed",
    ("vault_accessor", "vault_token", "vault_lease"),
)
