"""The parts of the PostgreSQL source by themselves: tokens, expiries, places of characters, secrets in SQL."""

import pytest

from custody.model.events import Event, Skip
from custody.sources.masking import mask
from custody.sources.postgresql import SOURCE
from custody.sources.postgresql.expiry import Expiry, expiry
from custody.sources.postgresql.mapped import doubled_bytes, of_json, of_utf8
from custody.sources.postgresql.roles import Asked
from custody.sources.postgresql.secrets import covered
from custody.sources.postgresql.statements import command, parts, trace
from custody.sources.postgresql.tokens import kept_name, statements, tokens

NOON = 1_772_452_800_000_000
"""2026-03-02T12:00:00Z."""

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT 'it''s' -- 'no'", ["SELECT", "it's", ""]),
        (r"E'a\'b\n\x41B' U&'d\0061t\+000061'", ["a'b\nAB", "data"]),
        ('"a""b" U&"\\0041b"', ['a"b', "Ab"]),
        ("$$a'b$$ $t$ $$ $t$ $1", ["a'b", " $$ ", "$1"]),
        ("/* a /* b */ c */ x", ["", "X"]),
        ("straße$1 = 'x", ["STRAßE$1", "=", "x"]),
        ("a::text:=b<>1.5", ["A", "::", "TEXT", ":=", "B", "<>", "1.5"]),
        ("/* open", [""]),
        ("$t$ open", [" open"]),
    ],
)
def test_tokens(sql: str, values: list[str]) -> None:
    assert [token.value for token in tokens(sql)] == values


def test_statements_are_cut_at_semicolons_outside_brackets_and_strings() -> None:
    found = statements("SELECT ';'; CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);; -- ;\nEND")
    assert [statement[0].value for statement in found] == ["SELECT", "CREATE", "END"]


def test_names_are_kept_as_the_server_keeps_them() -> None:
    assert kept_name("x" * 64) == "x" * 63
    assert kept_name("x" * 62 + "é") == "x" * 62
    (part,) = parts("DROP ROLE " + "X" * 70, Asked(None, NOON), None)
    assert part.key == "db_role:postgresql:" + "x" * 63


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02 13:00:00+00", Expiry(at=NOON + HOUR)),
        ("2026-03-02T13:00:00Z", Expiry(at=NOON + HOUR)),
        ("2026-03-02 13:00:00.5 UTC", Expiry(at=NOON + HOUR + 500_000)),
        ("2026-03-02 14:00:00 +02:00", Expiry(at=NOON, past=True)),
        ("2026-3-2 6:30-0530", Expiry(at=NOON, past=True)),
        ("2026-03-02 13:00:00", Expiry()),
        ("2026-03-01 19:59:59", Expiry(past=True)),
        ("2026-03-01 20:00:01", Expiry()),
        ("1970-01-01", Expiry(past=True)),
        ("infinity", Expiry(never=True)),
        (" -INFINITY", Expiry(past=True)),
        ("now", Expiry(past=True)),
        ("2026-02-30", Expiry()),
        ("tomorrow", Expiry()),
        ("2026-03-02 13:00:00 America/New_York", Expiry()),
        ("", Expiry()),
    ],
)
def test_expiry(text: str, expected: Expiry) -> None:
    assert expiry(text, NOON) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("/* x */ (select 1)", "SELECT"),
        ("create or replace function f()", "CREATE FUNCTION"),
        ("CREATE TEMP TABLE t()", "CREATE TABLE"),
        ("ALTER USER MAPPING FOR x", "ALTER USER MAPPING"),
        ("SET search_path = x", "SET SEARCH_PATH"),
        ("'x'", None),
        ("", None),
    ],
)
def test_command(sql: str, expected: str | None) -> None:
    assert command(sql) == expected


def test_a_trace_is_read_from_one_comment_alone() -> None:
    one, other = ("traceparent='00-" + digit * 32 + "-00f067aa0ba902b7-01'" for digit in "ab")
    assert trace(f"SELECT 1 /*{one}*/") == "a" * 32
    assert trace(f"SELECT 1 -- {one}") == "a" * 32
    assert trace(f"SELECT 1 /*{one}*/ /*{other}*/") is None
    assert trace(f'SELECT "/*{one}*/"') is None
    assert trace("SELECT 1 /*traceparent='00-" + "0" * 32 + "-00f067aa0ba902b7-01'*/") is None


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE role (a int)",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app",
        "DO $$ BEGIN DROP ROLE app; END $$",
        "SELECT 'DROP ROLE app'",
        "-- ; DROP ROLE app",
        "CREATE USER MAPPING FOR app SERVER s",
        "ALTER ROLE ALL SET work_mem = 1",
        "DROP ROLE current_user, session_user",
        "SET ROLE NONE",
        "RESET ROLE",
        "ROLLBACK TO SAVEPOINT a",
        "GRANT",
        "REVOKE x",
        "DROP ROLE 'app'",
        "ALTER GROUP",
        "pg_terminate_backend",
    ],
)
def test_statements_that_do_nothing_to_a_named_role(sql: str) -> None:
    assert parts(sql, Asked("db_role:postgresql:x", NOON), "db_session:postgresql:1.1") == ()


@pytest.mark.parametrize(
    ("sql", "safe"),
    [
        ("ALTER ROLE x PASSWORD 'a''b' VALID UNTIL '2030-01-01'", "ALTER ROLE x PASSWORD '#' VALID UNTIL '2030-01-01'"),
        ("ALTER ROLE x PASSWORD 'a'\n'b'", "ALTER ROLE x PASSWORD '#'\n'#'"),
        ("ALTER ROLE x PASSWORD/**/$q$a$q$", "ALTER ROLE x PASSWORD/**/$q$#$q$"),
        ("ALTER ROLE x PASSWORD U&'\\0061'", "ALTER ROLE x PASSWORD U&'#'"),
        ("ALTER ROLE x PASSWORD NULL", "ALTER ROLE x PASSWORD NULL"),
        ("ALTER ROLE x PASSWORD abc'def'", "ALTER ROLE x PASSWORD #'#'"),
        ("UPDATE u SET password = 'a', name = 'b'", "UPDATE u SET password = '#', name = 'b'"),
        (
            "SELECT * FROM u WHERE password IN ('a', 'b') AND c = 'd'",
            "SELECT * FROM u WHERE password IN ('#', '#') AND c = 'd'",
        ),
        ("SELECT crypt(password) FROM u WHERE c = 'd'", "SELECT crypt(password) FROM u WHERE c = 'd'"),
        ("SELECT set_config('app.password', 'a', false)", "SELECT set_config('app.password', '#', false)"),
        ("SET app.password TO 'a'", "SET app.password TO '#'"),
        ("SELECT next_token, 'a'", "SELECT next_token, 'a'"),
        ('SELECT \'{"password": "a", "b": "c"}\'', 'SELECT \'{"password": "#", "b": "c"}\''),
        ("SELECT dblink('host=x password=''a b'' user=y')", "SELECT dblink('host=x password=''#'' user=y')"),
        ("SELECT 1 /* password=a,b='c' */", "SELECT 1 /* password=#,b='c' */"),
    ],
)
def test_secrets_in_sql(sql: str, safe: str) -> None:
    assert covered([("statement", sql)]) == [safe.replace("#", "custody-masked:password")]


def test_parameters_are_covered_only_beside_a_statement_that_tells_of_secrets() -> None:
    harmless = [("message", "execute s: SELECT $1"), ("detail", "parameters: $1 = 'a', $2 = NULL")]
    telling = [("message", "execute s: SELECT f(token, $1)"), harmless[1]]
    assert covered(harmless) == [text for _, text in harmless]
    assert covered(telling)[1] == "parameters: $1 = 'custody-masked:parameter', $2 = NULL"


def test_every_character_knows_where_it_stands() -> None:
    raw = '"é\\"\\u00e9\\ud83d\\udd11🔑x"'.encode()
    found = of_json(raw, 1, len(raw) - 1)
    assert found.text == 'é"é🔑🔑x'
    spelt = [raw[a:b].decode() for a, b in zip(found.at, found.at[1:], strict=False)]
    assert spelt == ["é", '\\"', "\\u00e9", "\\ud83d\\udd11", "🔑", "x"]
    row = 'é""x""""'.encode()
    cell = doubled_bytes(row, 0, len(row))
    assert cell.text == 'é"x""'
    assert [row[a:b].decode() for a, b in zip(cell.at, cell.at[1:], strict=False)] == ["é", '""', "x", '""', '""']
    assert of_utf8(row, 0, 2).at == [0, 2]


def test_secrets_are_found_however_the_json_spells_them() -> None:
    raw = (
        b'{"timestamp":"2026-03-02 10:00:05.250 UTC","session_id":"a.b","line_num":1,"error_severity":"LOG",'
        b'"m\\u0065ssage":"statement: ALTER ROLE x P\\u0041SSWORD\\n\\u0027\\u006dust-not-stay\\u0027"}'
    )
    identity = SOURCE.identify(raw)
    assert identity is not None
    assert b"must" not in mask(raw, identity.secrets)
    assert b"\\u0027custody-masked:password\\u0027" in mask(raw, identity.secrets)


def test_a_number_under_a_secret_name_that_a_shipper_added_withholds_the_payload() -> None:
    raw = (
        b'{"timestamp":"2026-03-02 10:00:05.250 UTC","session_id":"a.b","line_num":1,"error_severity":"LOG",'
        b'"message":"x","password":12345}'
    )
    identity = SOURCE.identify(raw)
    assert identity is not None
    assert identity.withheld


def test_a_client_can_not_withhold_its_own_statement() -> None:
    raw = (
        b'{"timestamp":"2026-03-02 10:00:05.250 UTC","session_id":"a.b","line_num":1,"error_severity":"LOG",'
        b'"user":"x","message":"statement: DROP ROLE app /* \\"password\\": 5 */"}'
    )
    identity = SOURCE.identify(raw)
    assert identity is not None
    assert not identity.withheld
    read = SOURCE.read(mask(raw, identity.secrets), "lines")
    assert isinstance(read, tuple)
    assert [part.effect for part in read[0].parts] == [None, "credential.drop"]


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"session_id":"a.b","line_num":1}',
        b'{"timestamp":"x","session_id":"no","line_num":1,"error_severity":"LOG"}',
        b'{"timestamp":"x","session_id":"a.b","line_num":"1","error_severity":"LOG"}',
        b"2026-03-02 10:00:05.250 UTC,a,b",
        b"2026-03-02 10:00:05.250 UTC" + b"," * 22,
        b"2026-03-02 10:00:05.250 UTC" + b"," * 40,
        b"2026-03-02 10:00:05 UTC LOG:  statement: SELECT 1",
        b"\tcontinued",
    ],
)
def test_what_is_no_record_of_this_log(raw: bytes) -> None:
    assert SOURCE.identify(raw) is None


def test_json_and_csv_of_one_event_say_the_same_under_two_identities() -> None:
    raw = (
        b'{"timestamp":"2026-03-02 10:00:05.250 UTC","user":"v","dbname":"d","pid":7,"remote_host":"192.0.2.1",'
        b'"remote_port":5,"session_id":"a.b","line_num":4,"ps":"idle","vxid":"3/7","txid":0,"error_severity":"LOG",'
        b'"message":"statement: DROP ROLE \\"a\\"","application_name":"x","backend_type":"client backend","query_id":0}'
    )
    row = (
        b'2026-03-02 10:00:05.250 UTC,"v","d",7,"192.0.2.1:5",a.b,4,"idle",2026-03-02 10:00:02 UTC,3/7,0,LOG,00000,'
        b'"statement: DROP ROLE ""a""",,,,,,,,,"x","client backend",,0'
    )
    one, other = event(raw), event(row)
    assert (one.id, other.id) == ("a.b/4@json", "a.b/4@csv")
    assert (one.time, one.parts, one.request_id, one.origin) == (other.time, other.parts, "a.b/3/7", "192.0.2.1")
    assert (one.action, one.agent, one.category) == (other.action, other.agent, other.category)


def event(raw: bytes) -> Event:
    read = SOURCE.read(raw, "lines")
    assert not isinstance(read, Skip)
    return read[0]
