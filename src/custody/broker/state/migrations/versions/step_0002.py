"""The second shape: open leases are found by every identity that takes part, and by every chain they descend from."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
LONGEST = 500
OVER = ("ended", "failed")


def upgrade() -> None:
    """Make the table and the index, and link what is open."""
    links = op.create_table(
        "links",
        sa.Column("link", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("chain", NAME, primary_key=True),
    )
    op.create_index("leases_held", "leases", ["identity", "standing", "ends", "not_after"])
    leases = sa.table("leases", *map(sa.column, ("chain", "standing", "value")))
    several = leases.c.value.like('%"identities":["%')
    wanted = sa.select(leases.c.chain, leases.c.value).where(leases.c.standing.not_in(OVER), several)
    found = op.get_bind().execute(wanted).all()
    rows = [row for chain, value in found for row in _linked(chain, json.loads(value))]
    if rows:
        op.bulk_insert(links, rows)


def _linked(chain: str, lease: dict[str, object]) -> list[dict[str, str]]:
    """A lease of the first shape names no parents but the one that stands in its row."""
    named = lease["identities"]
    names = dict.fromkeys(each for each in named if each != lease["identity"]) if isinstance(named, list) else {}
    return [{"link": "identity", "name": _column(str(name)), "chain": chain} for name in names]


def _column(text: str) -> str:
    from custody.broker.state.writing import column

    return column(text)
