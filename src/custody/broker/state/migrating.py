"""Brings the tables to the shape of this version (Alembic, run in the program: there is no file to configure)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select

from custody.broker.state.opening import AT_ONCE
from custody.broker.state.rows import SHAPE
from custody.errors import StoreNewer

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x637573746F6479
"""The advisory lock (PostgreSQL) under which one broker at a time looks at the shape and changes it."""


def upgrade(engine: Engine, where: str) -> None:
    """Run the migrations that are missing, in one transaction. StoreNewer where the tables are of a newer custody."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    known = {each.revision for each in scripts.walk_revisions()}
    with engine.execution_options(**AT_ONCE).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        now = shape_of(connection)
        if now is not None and now not in known:
            raise StoreNewer(
                "the broker's tables were made by a newer custody",
                where=where,
                found=now,
                expected=str(scripts.get_current_head()),
                advice="Run the newer version.",
            )
        if now != scripts.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def shape_of(connection: Connection) -> str | None:
    """The revision that the tables have, None where there are none."""
    return MigrationContext.configure(connection, opts={"version_table": SHAPE}).get_current_revision()
