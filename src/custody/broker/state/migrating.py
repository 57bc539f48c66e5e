"""Brings the tables to the shape of this version (Alembic, run in the program: there is no file to configure)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from custody.errors import StoreNewer

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing, in one transaction. StoreNewer where the tables are of a newer custody."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.begin() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
        if now is not None and now not in known:
            raise StoreNewer(
                "the broker's tables were made by a newer custody",
                where=engine.url.render_as_string(hide_password=True),
                found=now,
                advice="Run the newer version.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
