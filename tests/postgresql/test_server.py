"""A real server: a role is made, used and dropped under an open session, and both logs are read back."""

import subprocess
import time
from collections.abc import Iterator

import msgspec
import pytest

from custody.model.events import Event, Outcome, Part, Stage
from custody.sources.masking import mask
from custody.sources.postgresql import SOURCE
from tests.postgresql import server as servers

SECRET = 'it\'s-"must-not-stay"\\'
ROLE = "v-kubernet-app-8Kq2xXJ4mN1pR7sT9vWz-1772445605"
KEY = f"db_role:postgresql:{ROLE}"
ADMIN = "db_role:postgresql:custody"
UNTIL = 2_524_608_000_000_000
"""2050-01-01T00:00:00Z."""

FORGED = "\n2026-03-02 10:00:05.250 UTC,,,LOG: statement: DROP ROLE x"
LAST = b"that was all"


@pytest.fixture(scope="module")
def logs() -> dict[str, bytes]:
    why = servers.missing()
    if why is not None:
        pytest.skip(why)
    with servers.running() as server:
        happens(server)
        return {suffix: servers.wait_for(server, suffix, LAST) for suffix in ("json", "csv")}


def happens(server: servers.Server) -> None:
    literal = "'" + SECRET.replace("'", "''") + "'"
    server.psql(
        f"CREATE ROLE \"{ROLE}\" WITH LOGIN\nPASSWORD {literal} VALID UNTIL '2050-01-01 00:00:00+00'",
        f'GRANT pg_read_all_data TO "{ROLE}"',
        f"ALTER ROLE \"{ROLE}\" VALID UNTIL '2050-01-01 01:00:00+01'",
        "CREATE ROLE owner NOLOGIN",
        "CREATE TABLE thing (a int)",
        "ALTER TABLE thing OWNER TO owner",
        "DROP ROLE owner",
        "CREATE ROLE sleeper LOGIN PASSWORD 'must-not-stay'",
        "ALTER ROLE sleeper NOLOGIN",
        "CREATE ROLE unquoted PASSWORD must_not_stay",
        "DO $b$ BEGIN EXECUTE 'CREATE ROLE inner1 PASSWORD ''must-not-stay''';"
        f" RAISE LOG 'statement: DROP ROLE \"{ROLE}\"'; END $b$",
    )
    server.psql("SELECT 1", user=ROLE, password="wrong")
    server.psql("SELECT 1", user="sleeper", password="must-not-stay")
    server.psql("SELECT 1", user=FORGED, password="wrong")
    with server.session(ROLE, SECRET) as session:
        outlives(server, session)
    server.psql(f"SELECT '{LAST.decode()}'")


def outlives(server: servers.Server, session: "subprocess.Popen[str]") -> None:
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(
        "SELECT 'before', 7 /*traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/;\n"
    )
    assert session.stdout.readline() == "before|7\n"
    server.psql(f'DROP ROLE "{ROLE}"')
    time.sleep(0.01)
    session.stdin.write("SELECT 'after', 8;\nCREATE ROLE another LOGIN;\n")
    assert session.stdout.readline() == "after|8\n"
    session.stdin.close()
    session.wait(timeout=30)


@pytest.fixture(scope="module")
def events(logs: dict[str, bytes]) -> list[Event]:
    return [read(raw) for raw in logs["json"].splitlines()]


def read(raw: bytes) -> Event:
    assert SOURCE.recognise(raw)
    identity = SOURCE.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)
    assert b"must-not-stay" not in kept
    assert b"must_not_stay" not in kept
    found = SOURCE.read(kept, "lines")
    assert isinstance(found, tuple)
    assert found == SOURCE.read(raw, "lines")
    return found[0]


def rows(log: bytes) -> Iterator[bytes]:
    """The rows of a CSV file, whose quoted fields hold line ends."""
    held = b""
    for line in log.splitlines(keepends=True):
        held += line
        if held.count(b'"') % 2 == 0:
            yield held.removesuffix(b"\n")
            held = b""
    assert not held


def about(events: list[Event], key: str, *stages: Stage) -> list[tuple[Event, Part]]:
    return [(event, part) for event in events for part in event.parts if part.key == key and part.stage in stages]


def test_both_layouts_say_the_same(logs: dict[str, bytes], events: list[Event]) -> None:
    of_csv = {event.id.removesuffix("@csv"): event for event in map(read, rows(logs["csv"]))}
    of_json = {event.id.removesuffix("@json"): event for event in events}

    assert len(of_json) == len(events)
    both = of_csv.keys() & of_json.keys()
    late = {name.partition("/")[0] for name in of_csv.keys() ^ of_json.keys()}
    assert len(late) <= 1, "the last session may have ended between the reading of one file and of the other"
    assert len(both) > 40
    for name in both:
        event = of_json[name]
        assert msgspec.structs.replace(of_csv[name], id=event.id) == event


def test_the_role_is_made_by_the_administrator_with_its_expiry(events: list[Event]) -> None:
    ((event, part),) = about(events, KEY, Stage.ISSUE)

    assert (part.parent, part.not_after, part.method) == (ADMIN, UNTIL, "CREATE ROLE")
    assert (event.principal, event.origin, event.agent) == (ADMIN, None, "custody test")
    ((_, renewed),) = about(events, KEY, Stage.REFRESH)
    assert renewed.not_after == UNTIL
    ((_, granted),) = about(events, KEY, Stage.CHANGE)
    assert (granted.effect, granted.object) == ("grant.create", "db_role:postgresql:pg_read_all_data")


def test_the_session_outlives_the_role(events: list[Event]) -> None:
    ((dropped, part),) = about(events, KEY, Stage.REVOKE)
    uses = [event for event, _ in about(events, KEY, Stage.USE)]
    opened = next(event for event in events if event.action == "connection authorized" and event.principal == KEY)
    within = [event for event in uses if event.session == opened.session]
    assert opened.session is not None
    ((_, start),) = about(events, opened.session, Stage.START)
    ((closed, end),) = about(events, opened.session, Stage.END)

    assert (part.effect, dropped.outcome) == ("credential.drop", Outcome.SUCCESS)
    assert (start.parent, start.effect, end.effect) == (KEY, "session.open", "session.close")
    assert opened.origin == "127.0.0.1"
    assert [(event.action, event.outcome) for event in within if event.time < dropped.time] == [
        ("connection authorized", Outcome.SUCCESS),
        ("SELECT", Outcome.SUCCESS),
    ]
    after = [(event.action, event.outcome) for event in within if event.time > dropped.time]
    assert after[0] == ("SELECT", Outcome.SUCCESS)
    assert {action for action, _ in after} == {"SELECT", "CREATE ROLE"}
    assert closed.time > dropped.time
    assert [event.trace for event in within if event.trace] == ["4bf92f3577b34da6a3ce929d0e0e4736"]


def test_a_wrong_password_is_a_refused_use(events: list[Event]) -> None:
    (event,) = [
        event for event, _ in about(events, KEY, Stage.USE) if event.outcome is Outcome.DENIED and not event.agent
    ]

    assert (event.error, event.origin) == ("28P01", "127.0.0.1")
    assert event.policy is not None
    assert event.policy.startswith("pg_hba.conf line ")


def test_a_role_that_could_not_be_dropped_is_said_to_be_alive(events: list[Event]) -> None:
    owner = "db_role:postgresql:owner"
    ((dropped, _),) = about(events, owner, Stage.REVOKE)
    failed = [(event, part) for event, part in about(events, owner, Stage.CHANGE) if part.effect != "role.create"]
    ((refused, part),) = failed

    assert part.effect == "credential.drop_failed"
    assert refused.outcome is Outcome.ERROR
    assert dropped.request_id is not None
    assert refused.request_id == dropped.request_id


def test_a_session_that_was_let_in_and_refused_after_that_is_closed(events: list[Event]) -> None:
    sleeper = "db_role:postgresql:sleeper"
    opened = next(event for event in events if event.principal == sleeper)
    session = next(event.session for event in events if event.principal == sleeper and event.session)
    changes = [part.effect for _, part in about(events, session, Stage.START, Stage.CHANGE, Stage.END)]

    assert opened.action == "connection authenticated"
    assert changes == ["session.open", "session.open_failed", "session.close"]
    assert [event.outcome for event, _ in about(events, sleeper, Stage.USE)] == [Outcome.SUCCESS, Outcome.DENIED]
    assert [part.effect for _, part in about(events, sleeper, Stage.REVOKE)] == ["key.deactivate"]


def test_no_client_can_make_the_log_say_what_did_not_happen(logs: dict[str, bytes], events: list[Event]) -> None:
    """Code that writes to the log and user names with line ends look like the server's own lines, and are not."""
    raised = [event for event in events if event.action == "DO" and event.outcome is Outcome.SUCCESS]

    assert logs["json"].count(b'"message":"statement: DROP ROLE \\"v-') == 2
    assert len(about(events, KEY, Stage.REVOKE)) == 1
    assert raised
    assert all(part.stage is Stage.USE for event in raised for part in event.parts)
    assert not about(events, "db_role:postgresql:x", Stage.REVOKE)
    assert [event.outcome for event, _ in about(events, f"db_role:postgresql:{FORGED}", Stage.USE)] == [Outcome.DENIED]
