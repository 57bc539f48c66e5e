"""The tables of the broker's state, as SQLAlchemy knows them; ``migrations`` makes them.

What is searched by is a column; the whole value stands beside it as JSON. Times are µs since 1970-01-01T00:00:00Z.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, SmallInteger, Table, Text, text

SHAPE = "custody_broker_shape"
"""The table in which Alembic keeps the revision: a name of the broker's own, as a database may hold others' tables."""

METADATA = MetaData()

NAME = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is put in order: by code point in every database, whatever its language."""

_DESCENDS = text("parent IS NOT NULL")

PROGRESS = Table(
    "progress",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("broker", Text, nullable=False),
    Column("through", BigInteger, nullable=False),
    Column("approvals", BigInteger, nullable=False),
    Column("owner", BigInteger, nullable=False),
)
"""One row: whose tables these are, the last ``seq`` that they have, the next leaf of the log of approvals, and the
number of the broker process that may write: each that loads takes the next."""

LEASES = Table(
    "leases",
    METADATA,
    Column("chain", NAME, primary_key=True),
    Column("identity", NAME, nullable=False),
    Column("standing", NAME, nullable=False),
    Column("ends", NAME, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("parent", NAME),
    Column("value", Text, nullable=False),
    Index("leases_identity", "identity", "chain"),
    Index("leases_open", "standing", "ends", "not_after"),
    Index("leases_held", "identity", "standing", "ends", "not_after"),
    Index("leases_parent", "parent", sqlite_where=_DESCENDS, postgresql_where=_DESCENDS),
)

LINKS = Table(
    "links",
    METADATA,
    Column("link", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("chain", NAME, primary_key=True),
)
"""What else an open lease is found by: ``parent`` (a chain that it descends from besides ``leases.parent``) and
``identity`` (one that takes part besides ``leases.identity``). Most leases have neither."""

REQUESTS = Table(
    "requests",
    METADATA,
    Column("request", NAME, primary_key=True),
    Column("state", NAME, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    Index("requests_state", "state", "request"),
)

CONTAINMENTS = Table(
    "containments",
    METADATA,
    Column("identity", NAME, primary_key=True),
    Column("value", Text, nullable=False),
)

ONCE = Table(
    "once",
    METADATA,
    Column("key", NAME, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    Index("once_until", "until"),
)
