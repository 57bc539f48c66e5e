"""The tables that the migrations make: those that the code knows, all of them or none, and never a newer one's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from custody.broker.desk import Standing
from custody.broker.state.database import DatabaseTables
from custody.broker.state.migrating import shape_of
from custody.broker.state.opening import opened as open_engine
from custody.broker.state.rows import METADATA, SHAPE
from custody.broker.state.tables import Changes
from custody.errors import StoreError, StoreNewer
from tests.broker.state.conftest import KINDS
from tests.broker.state.life import NOON
from tests.broker.state.rows import lease

Open = Callable[..., DatabaseTables]
both = pytest.mark.parametrize("url", KINDS, indirect=True)


@both
def test_the_migrations_make_the_tables_that_the_code_knows(url: str, opened: Open) -> None:
    engine = opened(url)._engine
    with engine.connect() as connection:
        options = {"version_table": SHAPE, "compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
        assert found == []
        assert shape_of(connection) == "0002"
    indexes = {each["name"] for name in METADATA.tables for each in inspect(engine).get_indexes(name)}
    assert indexes == {each.name for table in METADATA.tables.values() for each in table.indexes}


@both
def test_opening_again_changes_nothing(url: str, opened: Open) -> None:
    one = opened(url)
    one.load(NOON)
    one.save(Changes(through=3, leases=(lease(1),)))

    assert opened(url).load(NOON).leases == (lease(1),)


@both
def test_several_may_open_at_once(url: str, opened: Open) -> None:
    with ThreadPoolExecutor(4) as pool:
        every = list(pool.map(opened, [url] * 4))

    assert [each.leases for each in every] != []
    assert every[3].load(NOON).through == 0


@both
def test_a_migration_that_is_cut_off_leaves_nothing(url: str, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(op, "create_index", cut)
        with pytest.raises(StoreError, match="failed while opening"):
            DatabaseTables(url)
    assert _tables(url) == []

    assert opened(url).load(NOON).through == 0


@both
def test_what_was_open_before_is_found_by_all_of_its_names_after(url: str, opened: Open) -> None:
    one = opened(url)
    one.load(NOON)
    open_, over = lease(1, identities=("payments", "orders")), lease(2, identities=("payments", "orders"))
    over = msgspec.structs.replace(over, standing=Standing.ENDED)
    one.save(Changes(through=3, leases=(open_, over, lease(3))))
    with one._engine.begin() as connection:  # as the first shape was
        connection.execute(text("DROP TABLE links"))
        connection.execute(text("DROP INDEX leases_held"))
        connection.execute(text(f"UPDATE {SHAPE} SET version_num = '0001'"))

    two = opened(url)
    assert list(two.held_by("orders", now=NOON)) == [open_]
    assert list(two.held_by("payments", now=NOON)) == [open_, lease(3)]
    two.load(NOON)
    two.save(Changes(through=4, leases=(msgspec.structs.replace(open_, standing=Standing.ENDED),)))
    with two._engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM links")).scalar() == 0


@both
def test_tables_of_a_newer_custody_are_refused(url: str, opened: Open) -> None:
    one = opened(url)
    with one._engine.begin() as connection:
        connection.execute(text(f"UPDATE {SHAPE} SET version_num = '9999'"))

    with pytest.raises(StoreNewer, match=r"newer custody \(found 9999, expected 0002\)") as caught:
        DatabaseTables(url)
    assert caught.value.advice == "Run the newer version."


@both
def test_tables_of_two_shapes_at_once_are_refused(url: str, opened: Open) -> None:
    one = opened(url)
    with one._engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {SHAPE} VALUES ('0000')"))

    with pytest.raises(StoreError, match="failed while opening"):
        DatabaseTables(url)


@both
def test_what_another_program_keeps_in_the_database_stays(url: str, opened: Open) -> None:
    _, engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
    tables = opened(url)
    tables.load(NOON)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["theirs"]
    engine.dispose()


def _tables(url: str) -> list[str]:
    engine: Engine
    _, engine = open_engine(url)
    found = inspect(engine).get_table_names()
    engine.dispose()
    return found
