"""The tables of the broker's state, as SQLAlchemy knows them; ``migrations`` makes them.

What is searched by is a column; the whole value stands beside it as JSON. Times are µs since 1970-01-01T00:00:00Z.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, SmallInteger, Table, Text

METADATA = MetaData()

PROGRESS = Table(
    "progress",
    METADATA,
    Column("broker", SmallInteger, primary_key=True, autoincrement=False),
    Column("through", BigInteger, nullable=False),
    Column("approvals", BigInteger, nullable=False),
    Column("owner", BigInteger, nullable=False),
)
"""One row: the last ``seq`` that the tables have, the next leaf of the log of approvals, and who may write."""

LEASES = Table(
    "leases",
    METADATA,
    Column("chain", Text, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("ends", Text, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("parent", Text),
    Column("value", Text, nullable=False),
    Index("leases_identity", "identity", "chain"),
    Index("leases_standing", "standing", "not_after"),
    Index("leases_parent", "parent"),
)

REQUESTS = Table(
    "requests",
    METADATA,
    Column("request", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    Index("requests_state", "state", "request"),
)

CONTAINMENTS = Table(
    "containments",
    METADATA,
    Column("identity", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

ONCE = Table(
    "once",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    Index("once_until", "until"),
)
