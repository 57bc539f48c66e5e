"""The first shape: progress, leases, requests, containments, idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables, and the one row of progress."""
    progress = op.create_table(
        "progress",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("broker", sa.Text, nullable=False),
        sa.Column("through", sa.BigInteger, nullable=False),
        sa.Column("approvals", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(progress, [{"id": 1, "broker": "", "through": 0, "approvals": 0, "owner": 0}])
    op.create_table(
        "leases",
        sa.Column("chain", NAME, primary_key=True),
        sa.Column("identity", NAME, nullable=False),
        sa.Column("standing", NAME, nullable=False),
        sa.Column("ends", NAME, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("parent", NAME),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("leases_identity", "leases", ["identity", "chain"])
    op.create_index("leases_open", "leases", ["standing", "ends", "not_after"])
    descends = sa.text("parent IS NOT NULL")
    op.create_index("leases_parent", "leases", ["parent"], sqlite_where=descends, postgresql_where=descends)
    op.create_table(
        "requests",
        sa.Column("request", NAME, primary_key=True),
        sa.Column("state", NAME, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("requests_state", "requests", ["state", "request"])
    op.create_table(
        "containments",
        sa.Column("identity", NAME, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "once",
        sa.Column("key", NAME, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("once_until", "once", ["until"])
