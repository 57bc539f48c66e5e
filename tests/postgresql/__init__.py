"""PostgreSQL: the source against a server of its own."""
