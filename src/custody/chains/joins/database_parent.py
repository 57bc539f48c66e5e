"""PostgreSQL: the role that executed CREATE ROLE is the parent of the role that it made."""

from custody.chains.join import parent_equality

JOIN = parent_equality(
    "database_parent",
    ("db_role", "db_role_hmac"),
    "user of the session that executed CREATE ROLE → name of the role that it made",
    "where Vault made the role the token that asked Vault says more, and is taken where its log was read",
    ("db_role", "db_role_hmac"),
)
