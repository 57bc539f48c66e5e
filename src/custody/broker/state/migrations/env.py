"""Alembic's environment: the connection is handed in by ``migrating``."""

from alembic import context

from custody.broker.state.rows import METADATA, SHAPE

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=SHAPE)
with context.begin_transaction():
    context.run_migrations()
