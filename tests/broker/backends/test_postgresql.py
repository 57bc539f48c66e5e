"""Roles of a real server: what they may do, that they and their sessions die, and what is said where they do not."""

import contextlib
import json
from collections.abc import Iterator

import psycopg
import pytest

from custody.broker.backends.backend import Held, Made, Secret
from custody.broker.backends.postgresql import PostgresqlBackend
from custody.errors import BackendFailed, UsageError
from custody.model.brokered import Effect
from tests.broker import postgres
from tests.broker.backends import rigs
from tests.broker.backends.rigs import BROKER, Rig, held, new_chain
from tests.postgresql.server import Server, wait_for

Session = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def rig(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rigs.postgresql(tmp_path_factory.getbasetemp(), server) as made:
        yield made


@contextlib.contextmanager
def session(server: Server, made: Made, database: str = "postgres") -> Iterator[Session]:
    """What the workload does with its credential."""
    connection = psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        dbname=database,
        user=made.secrets["username"].reveal(),
        password=made.secrets["password"].reveal(),
        autocommit=True,
    )
    try:
        yield connection
    finally:
        connection.close()


def one(connection: Session, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def superuser(server: Server, *statements: str, database: str = "postgres") -> None:
    with postgres.admin(server, database) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_the_broker_is_no_superuser(server: Server) -> None:
    with postgres.admin(server) as connection:
        found = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = %s",
            (postgres.BROKER,),
        ).fetchone()

    assert found == (False, True, False, False)


def test_a_role_may_do_what_its_scope_gives_and_no_more(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()

    with session(server, made) as works:
        assert one(works, "SELECT count(*) FROM thing") == 0
        for beyond in ("INSERT INTO thing VALUES (1)", "CREATE ROLE other_role", "CREATE DATABASE mine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                works.execute(beyond.encode())
        role = works.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit,"
            " (extract(epoch FROM rolvaliduntil) * 1000000)::bigint FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert role == (False, False, False, False, False, 5, made.not_after)
    assert made.facts == {"host": "127.0.0.1", "port": str(server.port), "database": "postgres"}
    assert made.server["version"].startswith(("15.", "16.", "17.", "18.", "19."))
    rig.backend.end(held(order, plan, made))


def test_the_server_hears_the_verifier_of_the_password_and_never_the_password(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()

    with session(server, made) as works:
        works.execute(f"SELECT '{order.chain} was here'".encode())
    log = wait_for(server, "json", f"{order.chain} was here".encode()).decode()

    assert f'CREATE ROLE \\"{plan.name}\\"' in log
    assert "SCRAM-SHA-256$" in log
    assert made.secrets["password"].reveal() not in log
    assert "must-not-stay" not in log


def test_an_open_session_dies_with_the_credential_also_as_another_role(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    with session(server, made) as plain, session(server, made) as disguised:
        disguised.execute(f"SET ROLE {postgres.GROUP}".encode())
        before = rig.backend.look(held(order, plan, made))

        rig.backend.end(held(order, plan, made))

        for each in (plain, disguised):
            with pytest.raises(psycopg.OperationalError):
                each.execute("SELECT 1")
    assert (before.effect, before.sessions) == (Effect.ALIVE, 2)
    after = rig.backend.look(held(order, plan, made))
    assert (after.effect, after.sessions, after.told["role"]) == (Effect.GONE, 0, "absent")
    with pytest.raises(psycopg.OperationalError), session(server, made):
        pass


def test_sessions_of_other_roles_are_neither_counted_nor_killed(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    with (
        postgres.admin(server) as disguised,
        psycopg.connect(
            host="127.0.0.1", port=server.port, dbname="postgres", user="bystander", password="bystander"
        ) as bystander,
    ):
        disguised.autocommit = bystander.autocommit = True
        disguised.execute(f'SET SESSION AUTHORIZATION "{plan.name}"'.encode())
        bystander.execute(f"SET ROLE {postgres.GROUP}".encode())
        seen = rig.backend.look(held(order, plan, made))
        disguised.execute("RESET SESSION AUTHORIZATION")

        rig.backend.end(held(order, plan, made))

        assert seen.sessions == 0
        assert one(bystander, "SELECT 1") == one(disguised, "SELECT 1") == 1


def test_an_oid_that_came_round_again_is_somebody_elses(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    rig.backend.end(held(order, plan, made))
    with psycopg.connect(
        host="127.0.0.1", port=server.port, dbname="postgres", user="bystander", password="bystander", autocommit=True
    ) as bystander:
        oid = one(bystander, "SELECT oid::bigint FROM pg_roles WHERE rolname = 'bystander'")
        reused = Held(chain=order.chain, plan=plan, keys=made.keys, server={"oid": str(oid)})

        rig.backend.end(reused)

        assert rig.backend.look(reused).effect is Effect.GONE
        assert one(bystander, "SELECT 1") == 1


def test_a_session_that_outlives_its_role_is_found_by_its_oid_and_killed(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    with session(server, made) as lives:
        superuser(server, f'DROP ROLE "{plan.name}"')
        known, unknown = held(order, plan, made), held(order, plan)

        seen, guessed = rig.backend.look(known), rig.backend.look(unknown)
        assert (seen.effect, seen.sessions, seen.told["role"]) == (Effect.SESSIONS, 1, "absent")
        assert (guessed.effect, guessed.told["sessions"]) == (Effect.UNKNOWN, "1 of roles that are gone")
        assert one(lives, "SELECT 1") == 1

        rig.backend.end(known)

        with pytest.raises(psycopg.OperationalError):
            lives.execute("SELECT 1")
    assert rig.backend.look(known).effect is Effect.GONE
    assert rig.backend.look(unknown).effect is Effect.GONE


def test_sessions_that_the_broker_may_not_kill_are_said_to_live_and_can_do_nothing(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    superuser(server, f"REVOKE pg_signal_backend FROM {postgres.BROKER}")
    try:
        with session(server, made) as lives:
            with pytest.raises(BackendFailed) as failed:
                rig.backend.end(held(order, plan, made))
            seen = rig.backend.look(held(order, plan, made))

            assert (failed.value.reason, failed.value.left_unknown) == ("not-permitted", True)
            assert (seen.effect, seen.sessions, seen.told["role"]) == (Effect.SESSIONS, 1, "locked")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                lives.execute("SELECT * FROM thing")
            with pytest.raises(psycopg.OperationalError), session(server, made):
                pass
    finally:
        superuser(server, f"GRANT pg_signal_backend TO {postgres.BROKER}")
    rig.backend.end(held(order, plan, made))
    assert rig.backend.look(held(order, plan, made)).told["role"] == "absent"


def test_a_role_that_owns_something_stays_locked_until_that_is_settled(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    with session(server, made) as works:
        works.execute("CREATE TABLE scratch.kept (a int)")

    for _ in range(2):
        rig.backend.end(held(order, plan, made))
        seen = rig.backend.look(held(order, plan, made))
        assert (seen.effect, seen.told["role"], seen.told["links"]) == (Effect.GONE, "locked", "0")
        assert int(seen.told["depends"]) > 0
    with pytest.raises(psycopg.OperationalError), session(server, made):
        pass

    superuser(server, "DROP TABLE scratch.kept")
    rig.backend.end(held(order, plan, made))
    assert rig.backend.look(held(order, plan, made)).told["role"] == "absent"


def test_privileges_on_what_the_broker_owns_do_not_keep_a_role_in_any_database(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    for database in ("postgres", "other"):
        table = f"CREATE TABLE elsewhere (a int); ALTER TABLE elsewhere OWNER TO {postgres.BROKER}"
        superuser(server, table, f'GRANT ALL ON elsewhere TO "{plan.name}"', database=database)

    rig.backend.end(held(order, plan, made))

    assert rig.backend.look(held(order, plan, made)).told["role"] == "absent"
    for database in ("postgres", "other"):
        superuser(server, "DROP TABLE elsewhere", database=database)


def test_privileges_that_others_gave_keep_a_role_locked_until_they_take_them_back(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    superuser(server, f'GRANT SELECT ON thing TO "{plan.name}"')

    rig.backend.end(held(order, plan, made))

    seen = rig.backend.look(held(order, plan, made))
    assert (seen.effect, seen.told["role"], seen.told["depends"]) == (Effect.GONE, "locked", "1")
    superuser(server, f'REVOKE SELECT ON thing FROM "{plan.name}"')
    rig.backend.end(held(order, plan, made))
    assert rig.backend.look(held(order, plan, made)).told["role"] == "absent"


@pytest.mark.parametrize(("owned", "heir", "left"), [("drop", None, []), ("reassign", "heir", ["heir", "heir"])])
def test_what_a_role_made_is_dropped_or_given_on_in_every_database(
    rig: Rig, server: Server, owned: str, heir: str | None, left: list[str]
) -> None:
    order, plan, made = rig.issued()
    superuser(server, f"GRANT CREATE ON SCHEMA public TO {postgres.GROUP}", database="other")
    query = "SELECT tableowner FROM pg_tables WHERE tablename = 'mine'"
    for database, schema in (("postgres", "scratch"), ("other", "public")):
        with session(server, made, database) as works:
            works.execute(f"CREATE TABLE {schema}.mine (a int)".encode())

    rig.other(owned=owned, heir=heir).end(held(order, plan, made))

    assert rig.backend.look(held(order, plan, made)).told["role"] == "absent"
    owners = []
    for database in ("postgres", "other"):
        with postgres.admin(server, database) as connection:
            owners += [row[0] for row in connection.execute(query.encode()).fetchall()]
    assert owners == left
    for database, schema in (("postgres", "scratch"), ("other", "public")):
        superuser(server, f"DROP TABLE IF EXISTS {schema}.mine", database=database)
    superuser(server, f"REVOKE CREATE ON SCHEMA public FROM {postgres.GROUP}", database="other")


def test_members_that_a_role_took_in_keep_it_from_being_called_gone_until_they_go(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued()
    superuser(server, f'GRANT "{plan.name}" TO bystander')
    with session(server, made) as works:
        works.execute("CREATE TABLE scratch.shared (a int)")

    rig.backend.end(held(order, plan, made))

    seen = rig.backend.look(held(order, plan, made))
    assert (seen.effect, seen.told["role"], seen.told["links"]) == (Effect.ALIVE, "locked", "1")
    superuser(server, "DROP TABLE scratch.shared")
    rig.backend.end(held(order, plan, made))
    assert rig.backend.look(held(order, plan, made)).effect is Effect.GONE


@pytest.mark.parametrize(("cut", "there"), [("before", False), ("after", True)])
def test_a_line_that_breaks_at_the_commit_leaves_it_open_and_the_end_settles_it(
    rig: Rig, server: Server, cut: str, there: bool
) -> None:
    order = rig.order()
    with postgres.cuttable(server) as line:
        backend = rig.other(port=line.port)
        plan = backend.plan(order)
        line.cut = "before" if cut == "before" else "after"
        with pytest.raises(BackendFailed) as failed:
            backend.issue(order, plan)

    assert (failed.value.reason, failed.value.left_unknown) == ("unreachable", True)
    assert rig.backend.look(held(order, plan)).effect is (Effect.ALIVE if there else Effect.GONE)
    assert rig.backend.orphans(lambda chain: chain != order.chain) == ((order.chain,) if there else ())
    rig.backend.end(held(order, plan))
    assert rig.backend.look(held(order, plan)).effect is Effect.GONE


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"scopes": {"read": ["no such group"]}}, "not-permitted"),
        ({"scopes": {"read": [postgres.GROUP, 'postgres"; DROP TABLE thing']}}, "not-permitted"),
        ({"password": "env:AK"}, "not-let-in"),
        ({"user": "bystander", "password": "env:BY"}, "not-permitted"),
        ({"database": "no such database"}, "not-let-in"),
    ],
)
def test_what_fails_before_the_commit_made_nothing(
    rig: Rig, options: dict[str, object], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rigs.SECRETS, "env:BY", "bystander")
    backend, order = rig.other(**options), rig.order()
    plan = backend.plan(order)

    with pytest.raises(BackendFailed) as failed:
        backend.issue(order, plan)

    assert (failed.value.reason, failed.value.left_unknown) == (reason, False)
    assert failed.value.__cause__ is None
    assert rig.backend.look(held(order, plan)).effect is Effect.GONE


def test_a_group_with_an_odd_name_is_that_group_and_nothing_else(rig: Rig, server: Server) -> None:
    order, plan, made = rig.issued(rig.order(scope=("odd",)))

    with session(server, made) as works:
        query = "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = %s"
        member = works.execute(query, (int(made.server["oid"]),)).fetchall()

    assert member == [(postgres.ODD,)]
    rig.backend.end(held(order, plan, made))
    with postgres.admin(server) as connection:
        assert one(connection, "SELECT count(*) FROM thing") == 0
    assert rig.backend.look(held(order, plan, made)).told["role"] == "absent"


def test_past_its_time_nobody_logs_in_and_the_role_is_still_said_to_be_there(rig: Rig, server: Server) -> None:
    rig.clock.forward(-3600)
    order, plan, made = rig.issued()

    with pytest.raises(psycopg.OperationalError), session(server, made):
        pass
    seen = rig.backend.look(held(order, plan, made))

    assert (seen.effect, seen.told["password"]) == (Effect.ALIVE, "expired")
    rig.backend.end(held(order, plan, made))


def test_a_probe_shows_what_lives_and_never_that_all_is_gone(rig: Rig) -> None:
    order, plan, made = rig.issued()
    one_, secret = held(order, plan, made), made.secrets["password"]

    taken, wrong = rig.backend.probe(one_, secret), rig.backend.probe(one_, Secret("x"))
    rig.backend.end(one_)
    after = rig.backend.probe(one_, secret)

    assert taken is not None
    assert taken.effect is Effect.ALIVE
    for seen in (wrong, after):
        assert seen is not None
        assert (seen.effect, seen.told["login"]) == (Effect.UNKNOWN, "refused")


@pytest.mark.parametrize("name", ["bystander", "custody", "cc_", "cc-" + "0" * 26, 'cc_"' + "0" * 25])
def test_no_role_but_that_of_a_chain_is_ever_touched(rig: Rig, name: str) -> None:
    order = rig.order()
    plan = rig.backend.plan(order)
    wrong = Held(
        chain=order.chain,
        plan=plan.__class__(**{**{f: getattr(plan, f) for f in plan.__struct_fields__}, "name": name}),
    )

    for call in (rig.backend.end, rig.backend.look):
        with pytest.raises(BackendFailed) as failed:
            call(wrong)
        assert failed.value.reason == "not-a-chain"


def test_only_receipts_of_this_broker_on_their_own_role_are_orphans(rig: Rig, server: Server) -> None:
    chains = [new_chain() for _ in range(5)]
    names = [chain.replace("-", "_") for chain in chains]
    comments = (
        json.dumps({"chain": chains[0], "broker": "another", "seq": 1}),
        json.dumps({"chain": chains[0], "broker": BROKER, "seq": 1}),
        "not a receipt",
        None,
        json.dumps({"chain": chains[4], "broker": BROKER, "seq": 1}),
    )
    for name, comment in zip(names, comments, strict=True):
        superuser(server, f'CREATE ROLE "{name}"')
        if comment is not None:
            superuser(server, f"COMMENT ON ROLE \"{name}\" IS '{comment}'")
    try:
        assert set(chains) & set(rig.backend.orphans(lambda _: False)) == {chains[4]}
        assert set(chains) & set(rig.backend.orphans(lambda chain: chain == chains[4])) == set()
    finally:
        superuser(server, *(f'DROP ROLE "{name}"' for name in names))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"sslmode": "disable", "host": "db.example"}, "sslmode"),
        ({"sslmode": "require", "host": "10.0.0.1"}, "sslmode"),
        ({"sslmode": "prefer"}, "options"),
        ({"scopes": {}}, "scopes"),
        ({"scopes": {"read": []}}, "scopes"),
        ({"scopes": {"read": ["pg_\0"]}}, "scopes"),
        ({"scopes": {"read": [""]}}, "scopes"),
        ({"owned": "reassign"}, "heir"),
        ({"heir": "heir"}, "heir"),
        ({"owned": "reassign", "heir": postgres.BROKER}, "heir"),
        ({"connections": 0}, "options"),
        ({"port": "5432"}, "options"),
        ({"conninfo": "host=evil"}, "options"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(rig: Rig, options: dict[str, object], where: str) -> None:
    with pytest.raises(UsageError) as refused:
        rig.other(**options)

    assert where in refused.value.where
    assert "my-postgresql" in refused.value.where


def test_a_verified_connection_elsewhere_is_taken(rig: Rig) -> None:
    assert isinstance(rig.other(host="db.example", sslmode="verify-full"), PostgresqlBackend)
