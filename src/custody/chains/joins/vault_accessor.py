"""Vault, OpenBao: the accessor of the token presented is the accessor issued, on one audit device."""

from custody.chains.join import key_equality

JOIN = key_equality(
    "vault_accessor",
    ("vault_accessor", "vault_token", "vault_lease"),
    "auth.accessor or request.client_token_accessor = response.auth.accessor, both hashed by one device or both plain",
    "batch tokens have no accessor; another device hashes with another salt",
)
