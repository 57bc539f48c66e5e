"""Vault, OpenBao and PostgreSQL: the role that logs in is the role that was made."""

from custody.chains.join import key_equality

JOIN = key_equality(
    "database_role",
    ("db_role", "db_role_hmac"),
    "user of the connection = name in CREATE ROLE, or username of the lease (plain, or translated by sys/audit-hash)",
    "static roles reuse a name; one log cannot tell the servers of two clusters apart",
)
