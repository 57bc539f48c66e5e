"""Tables in a real database: whose they are, what happens side by side, and what an error may say."""

import os
import sqlite3
import stat
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event, select, text

from custody.broker.backends.backend import Secret
from custody.broker.desk import Page
from custody.broker.state import opening
from custody.broker.state.database import DatabaseTables
from custody.broker.state.rows import PROGRESS
from custody.broker.state.tables import Changes
from custody.errors import CustodyError, StoreError, UsageError
from tests.broker.state.conftest import KINDS
from tests.broker.state.life import NOON
from tests.broker.state.rows import lease
from tests.postgresql.server import Server

Open = Callable[..., DatabaseTables]
both = pytest.mark.parametrize("url", KINDS, indirect=True)
SECRET = "must-not-stay"


@both
def test_who_loads_takes_over_and_the_earlier_one_writes_no_more(url: str, opened: Open) -> None:
    one, other = opened(url), opened(url)
    one.load(NOON)
    one.save(Changes(through=1, leases=(lease(1),)))
    assert other.load(NOON).through == 1

    with pytest.raises(StoreError, match="another broker took the tables over"):
        one.save(Changes(through=9, leases=(lease(9),)))
    with pytest.raises(StoreError, match="another broker took the tables over"):
        one.save(Changes(through=1))
    other.save(Changes(through=2, leases=(lease(2),)))
    assert [each.chain for each in one.leases(Page(), now=NOON)] == [lease(1).chain, lease(2).chain]

    assert one.load(NOON).through == 2
    one.save(Changes(through=3))
    with pytest.raises(StoreError):
        other.save(Changes(through=4))


@both
def test_nothing_is_saved_by_who_has_not_loaded(url: str, opened: Open) -> None:
    tables = opened(url)

    with pytest.raises(StoreError, match="not loaded"):
        tables.save(Changes(through=1, leases=(lease(1),)))
    assert tables.lease(lease(1).chain) is None


@both
def test_of_many_that_load_at_once_one_may_write(url: str, opened: Open) -> None:
    every = [opened(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda each: each.load(NOON), every))

    def saves(tables: DatabaseTables) -> bool:
        try:
            tables.save(Changes(through=1))
        except StoreError:
            return False
        return True

    assert sorted(map(saves, every)) == [False] * 5 + [True]


@both
def test_a_take_over_during_a_save_sees_all_of_it_or_nothing(url: str, opened: Open) -> None:
    one, other = opened(url), opened(url)
    one.load(NOON)

    def saves() -> int:
        for through in range(1, 2000):
            try:
                one.save(Changes(through=through, leases=tuple(lease(10 * through + each) for each in range(10))))
            except StoreError:
                return through - 1
            time.sleep(0.001)
        raise AssertionError("it was never taken over")

    with ThreadPoolExecutor(1) as pool:
        last = pool.submit(saves)
        for _ in range(10_000):
            if one.leases(Page(limit=1), now=NOON) or last.done():
                break
        loaded = other.load(NOON)
        assert last.result(30) == loaded.through > 0
    assert len(loaded.leases) == 10 * loaded.through


@both
def test_a_reader_beside_the_writer_sees_whole_saves(url: str, opened: Open) -> None:
    one, reader = opened(url), opened(url)
    one.load(NOON)
    seen: set[str] = set()

    def reads() -> None:
        for _ in range(20_000):
            if "40" in seen:
                break
            causes = {each.cause for each in reader.leases(Page(limit=100), now=NOON)}
            assert len(causes) <= 1
            seen.update(causes)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reads)
        for through in range(1, 41):
            one.save(Changes(through=through, leases=tuple(lease(each, cause=str(through)) for each in range(20))))
        reading.result(30)
    assert "40" in seen


@both
def test_a_broker_does_not_load_the_tables_of_another(url: str, opened: Open) -> None:
    opened(url, broker="north").load(NOON)
    south = opened(url, broker="south")

    with pytest.raises(StoreError, match=r"another broker's tables \(found north, expected south\)"):
        south.load(NOON)
    assert opened(url, broker="north").load(NOON).through == 0
    assert opened(url).load(NOON).through == 0


@both
def test_a_save_that_fails_leaves_nothing(url: str, opened: Open) -> None:
    tables = opened(url)
    tables.load(NOON)

    with pytest.raises(StoreError, match="failed while saving"):
        tables.save(Changes(through=5, leases=(lease(1), lease(2, cause=f"{SECRET} \udc80"))))
    assert tables.lease(lease(1).chain) is None
    assert tables.load(NOON).through == 0


@both
def test_a_row_that_cannot_be_read_is_an_error_that_does_not_quote_it(url: str, opened: Open) -> None:
    tables = opened(url)
    tables.load(NOON)
    tables.save(Changes(through=1, leases=(lease(1),)))
    with tables._engine.begin() as connection:
        connection.execute(text(f'UPDATE leases SET value = \'{{"chain": "{SECRET}"\''))

    with pytest.raises(StoreError, match="failed while reading") as caught:
        tables.lease(lease(1).chain)
    assert SECRET not in _told(caught.value)


def test_what_is_open_is_searched_for_and_what_is_over_is_walked_in_order(tmp_path: Path, opened: Open) -> None:
    tables = opened(f"sqlite:///{tmp_path / 'state.db'}")
    statements: list[str] = []
    event.listen(tables._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    tables.load(NOON)
    tables.leases(Page(), now=NOON, standing="live")
    tables.leases(Page(), now=NOON, standing="ended")
    tables.leases(Page(), now=NOON, identity="orders")
    tables.below(lease(1).chain, now=NOON)
    tables.held_by("orders", now=NOON)
    wanted = [each for each in statements if each.startswith("SELECT leases")]
    with sqlite3.connect(tmp_path / "state.db") as connection:
        plans = [_plan(connection, each) for each in wanted]
    connection.close()

    assert ["SCAN leases" in each for each in plans] == [False, False, True, False, False, False]
    assert "leases_open" in plans[0]
    assert ("sqlite_autoindex_leases_1" in plans[2], "TEMP" in plans[2]) == (True, False)
    assert "leases_identity" in plans[3]
    assert "leases_parent" in plans[4]
    assert ("leases_held" in plans[5], "leases_identity" in plans[5]) == (True, False)


def test_a_broker_that_falls_silent_while_it_writes_is_cut_off(
    state_server: Server, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.broker.state.conftest import empty

    url = empty(state_server)
    monkeypatch.setattr(opening, "IDLE", "0.1")
    silent, other = opened(url), opened(url)
    silent.load(NOON)

    def goes_on() -> None:
        with silent._writing("saving") as held:
            held.execute(PROGRESS.update().values(through=7))
            assert other.load(NOON).through == 0
            held.execute(select(PROGRESS.c.through))

    with pytest.raises(StoreError, match=r"failed while saving \(found \w+ 25P03"):
        goes_on()
    assert other.load(NOON).through == 0


def test_the_files_are_their_owners_alone(tmp_path: Path, opened: Open) -> None:
    before = os.umask(0o022)
    try:
        tables = opened(f"sqlite:///{tmp_path / 'broker' / 'state.db'}")
    finally:
        os.umask(before)
    tables.load(NOON)
    tables.save(Changes(through=1))
    found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "broker").iterdir()}

    assert found == dict.fromkeys(("state.db", "state.db-wal", "state.db-shm"), 0o600)
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700


def test_a_file_that_others_can_read_is_closed_to_them(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "state.db"
    path.touch()
    path.chmod(0o644)
    opened(f"sqlite:///{path}")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_journal_of_the_file_is_ahead_of_it_and_not_synced_at_each_commit(tmp_path: Path, opened: Open) -> None:
    tables = opened(f"sqlite:///{tmp_path / 'state.db'}")
    with tables._engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {each}").scalar() for each in ("journal_mode", "synchronous")]

    assert found == ["wal", 1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        SECRET,
        f"mysql://custody:{SECRET}@db.example/custody",
        f"postgresql+asyncpg://custody:{SECRET}@db.example/custody",
        f"postgresql+psycopg2://custody:{SECRET}@db.example/custody",
        f"postgresql://custody:a@{SECRET}@db.example/custody",
        f"postgresql://db.example:{SECRET}/custody",
        "sqlite+aiosqlite:///state.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:state.db?uri=true",
        f"sqlite://{SECRET}/state.db",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        DatabaseTables(url)
    assert SECRET not in _told(caught.value)


@pytest.mark.parametrize("url", ["custody:{}@db.example/custody", "db.example/custody?{}", "db.example/c?ssl{}"])
def test_a_password_in_the_url_is_refused_with_the_way_to_give_it(url: str) -> None:
    given = SECRET if "@" in url else f"password={SECRET}"
    with pytest.raises(UsageError, match="a password stands in the URL") as caught:
        DatabaseTables(f"postgresql+psycopg://{url.format(given)}")

    assert "state_password" in caught.value.advice
    assert "password file" in caught.value.advice
    assert SECRET not in _told(caught.value)


def test_the_password_is_asked_for_at_each_connection_and_in_no_error(state_server: Server) -> None:
    asked: list[Secret] = []

    def password() -> Secret:
        asked.append(Secret(SECRET))
        return asked[-1]

    with pytest.raises(StoreError, match="failed while opening") as caught:
        DatabaseTables(f"postgresql://nobody@127.0.0.1:{state_server.port}/postgres", password=password)

    assert len(asked) == 1
    assert SECRET not in _told(caught.value)
    assert f"127.0.0.1:{state_server.port}/postgres" in caught.value.where


@both
def test_a_password_goes_with_a_server_alone(url: str, opened: Open) -> None:
    assert opened(url).load(NOON).through == 0
    if url.startswith("sqlite"):
        with pytest.raises(UsageError, match="a password for a file"):
            DatabaseTables(url, password=lambda: Secret(SECRET))
    else:
        other = DatabaseTables(url, password=lambda: Secret(SECRET))  # trusted here: the server asks for none
        assert other.load(NOON).through == 0
        other.close()


@pytest.mark.parametrize("query", ["", f"?options=-cx={SECRET}"])
def test_an_error_of_the_server_does_not_repeat_the_query(state_server: Server, query: str) -> None:
    with pytest.raises(StoreError, match="failed while opening") as caught:
        DatabaseTables(f"postgresql://custody@127.0.0.1:{state_server.port}/postgres{query}")

    assert SECRET not in _told(caught.value)
    assert f"127.0.0.1:{state_server.port}/postgres" in caught.value.where


def test_a_server_that_is_not_there_is_an_error_of_the_store() -> None:
    with pytest.raises(StoreError, match="failed while opening"):
        DatabaseTables("postgresql://custody@127.0.0.1:1/postgres", password=lambda: Secret(SECRET))


def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"something else, longer than a header of SQLite is. " * 9)
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"failed while opening \(found DatabaseError SQLITE_NOTADB"):
        DatabaseTables(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        DatabaseTables(f"sqlite:///{tmp_path / 'file' / 'state.db'}")


def test_a_file_that_another_writes_for_too_long_is_an_error(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "WAIT", 0.05)
    tables = opened(f"sqlite:///{tmp_path / 'state.db'}")
    tables.load(NOON)
    holder = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match=r"failed while saving \(found OperationalError SQLITE_BUSY\)"):
        tables.save(Changes(through=1))
    assert tables.leases(Page(), now=NOON) == []
    holder.close()
    tables.save(Changes(through=1))


def _plan(connection: sqlite3.Connection, statement: str) -> str:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", ["x"] * statement.count("?"))
    return " / ".join(str(row[3]) for row in rows)


def _told(error: CustodyError) -> str:
    return "".join([*traceback.format_exception(error), error.advice, repr(error), str(error.__reduce__())])
