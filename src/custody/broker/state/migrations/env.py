"""Alembic's environment: the connection is handed in by ``migrating``."""

from alembic import context

from custody.broker.state.rows import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
