"""Mutated and made-up records of PostgreSQL: events, a Skip and nothing else, and masking that changes no meaning."""

import itertools
import random
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Part, Skip, Stage
from custody.sources.masking import mask
from custody.sources.postgresql import SOURCE
from custody.sources.postgresql.roles import Asked
from custody.sources.postgresql.secrets import covered, spots
from custody.sources.postgresql.statements import command, parts, trace
from custody.sources.postgresql.tokens import statements, tokens

ODD: list[object] = [None, 0, -1, 1.5, 10**30, True, "", "x", "\x00", "ÿ\u202f", [], {}, {"a": {}}, "PASSWORD 'x'"]
PIECES = (
    "CREATE ROLE ", "ALTER USER ", "DROP ROLE ", "GRANT ", "REVOKE ", " TO ", " FROM ", "a", '"b""c"', "PASSWORD ",
    "password=", "VALID UNTIL ", "'", "''", "'x'", "E'", "\\", "\\'", "$$", "$t$", "--", "/*", "*/", "\n", ";", "(",
    ")",    ",", "=", ":", ": ", "NULL", "LOGIN", "infinity", "2030-01-01", "U&", "token", '"token"', "secret",
    "custody-masked:",    "custody-masked:password", "://u:p@h", "SCRAM-SHA-256$1:a$b:c", "md5" + "0" * 32,
    "$1 = '", "parameters: ",
    "statement: ", "duration: 1.0 ms", "  ", "execute n: ", "AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,", "at or near \"",
    "pg_terminate_backend(", "ROLLBACK", "SET ROLE ", "INSERT INTO ", "é", "\U0001f511", "<REDACTED>", "prepare: ",
)  # fmt: skip
SQL = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
TEXT_MEMBERS = ("message", "detail", "hint", "internal_query", "context", "statement", "application_name")


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    folder = Path(__file__).resolve().parents[1] / "cases" / "postgresql"
    found = [path for path in sorted(folder.glob("*")) if not path.name.endswith(".expected.json")]
    return [path.read_bytes().removesuffix(b"\n") for path in found]


def given_everything(raw: bytes) -> None:
    identity = SOURCE.identify(raw)
    result = SOURCE.read(raw, "lines")
    if isinstance(result, Skip):
        assert result.reason in SKIP_REASONS
    else:
        assert len(result) == 1
    if identity is None:
        return
    kept = mask(raw, identity.secrets)
    again = SOURCE.identify(kept)
    assert again is not None
    assert again.id == identity.id
    assert mask(kept, again.secrets) == kept
    assert SOURCE.read(kept, "lines") == result


def test_every_field_of_every_type(records: list[bytes]) -> None:
    chosen = random.Random(7)
    for raw in records:
        if raw[:1] != b"{":
            continue
        record = msgspec.json.decode(raw)
        for name in record:
            given_everything(msgspec.json.encode({**record, name: chosen.choice(ODD)}))


def test_flipped_cut_and_doubled_bytes(records: list[bytes]) -> None:
    chosen = random.Random(11)
    for raw in records:
        for _ in range(6):
            at = chosen.randrange(len(raw))
            given_everything(raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(raw[:at])
            given_everything(raw[:at] + raw[at // 2 :])


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    given_everything(raw)
    given_everything(b"2026-03-02 10:00:05.250 UTC," + raw)
    given_everything(b"2026-03-02 10:00:05 UTC::a@b:[1]:LOG:  " + raw)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(TEXT_MEMBERS), SQL | st.text(max_size=30)), st.sampled_from(["LOG", "ERROR"]))
def test_any_text_in_any_member(texts: dict[str, str], severity: str) -> None:
    base: dict[str, object] = {
        "timestamp": "2026-03-02 10:00:05.250 UTC",
        "session_id": "69a5618a.1c2f",
        "line_num": 1,
        "error_severity": severity,
        "user": "app",
        "vxid": "3/7",
    }
    given_everything(msgspec.json.encode({**base, **texts}))
    row = ["2026-03-02 10:00:05.250 UTC", '"app"', '"db"', "1", '"192.0.2.1:5"', "69a5618a.1c2f", "1", '"idle"']
    row += ["2026-03-02 10:00:02 UTC", "3/7", "0", severity, "00000", quoted(texts.get("message", ""))]
    row += [quoted(texts.get("detail", "")), "", "", "", "", quoted(texts.get("statement", "")), "", "", '"x"']
    given_everything(",".join(row).encode())
    given_everything(f"2026-03-02 10:00:05 UTC::a@b:[1]:{severity}:  {texts.get('message', '')}".encode())


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SQL)
def test_any_sql(sql: str) -> None:
    found = list(tokens(sql))
    assert all(0 <= t.start <= t.first <= t.last <= t.end <= len(sql) for t in found)
    assert all(before.end <= after.start for before, after in itertools.pairwise(found))
    between = [sql[a.end : b.start] for a, b in itertools.pairwise(found)]
    assert not "".join(between).strip()
    assert sum(len(each) for each in statements(sql)) <= len(found)
    assert all(isinstance(part, Part) for part in parts(sql, Asked("k", 0), None))
    command(sql)
    trace(sql)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SQL, st.sampled_from([*TEXT_MEMBERS, "name", ""]))
def test_covering_twice_is_covering_once(sql: str, name: str) -> None:
    once = covered([(name, sql)])
    assert covered([(name, once[0])]) == once
    (found,) = spots([(name, sql)])
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SQL)
def test_covering_secrets_hides_no_statement(sql: str) -> None:
    """What a role loses is told in the same words whatever secrets stand around it, so none can be hidden."""
    (safe,) = covered([("statement", sql)])

    assert ends(safe) == ends(sql)


def ends(sql: str) -> list[tuple[str | None, str | None]]:
    found = parts(sql, Asked("k", 0), None)
    return [(part.key, part.effect) for part in found if part.stage is Stage.REVOKE]


@pytest.mark.parametrize("depth", [500, 30_000])
def test_deep_nesting_raises_nothing(depth: int) -> None:
    head = b'{"timestamp":"2026-03-02 10:00:05.250 UTC","session_id":"a.b","line_num":1,"error_severity":"LOG","x":'
    given_everything(head + b"[" * depth + b"]" * depth + b"}")
    given_everything(head + b'1,"message":"statement: ' + b"(" * depth + b'"}')
    given_everything(head + b'1,"message":"statement: ' + b"/*" * depth + b' password"}')


HEAVY = ("'" * 60_000, "PASSWORD '" * 8_000, "password=" * 8_000, "$a" * 30_000, "\\" * 60_000, "E'\\''" * 12_000,
         "token \\" * 8_000, "DROP ROLE a," * 6_000, "://a" * 15_000, "/*" * 30_000, "(" * 60_000,
         "$1 = '" * 10_000)  # fmt: skip


@pytest.mark.parametrize("text", HEAVY, ids=lambda text: text[:12])
def test_time_is_in_proportion_to_length(text: str) -> None:
    started = time.perf_counter()
    for name in ("statement", "context"):
        covered([(name, f"parameters: {text} secret")])
    parts(f"DROP ROLE x; {text}", Asked("k", 0), None)
    assert time.perf_counter() - started < 5


def test_lone_surrogates_and_bad_utf8_raise_nothing() -> None:
    head = b'{"timestamp":"2026-03-02 10:00:05.250 UTC","line_num":1,"error_severity":"LOG",'
    for name in (b"\\ud800", b"\xff\xfe", b"\\udc00\\ud800", b"\xed\xa0\x80"):
        given_everything(head + b'"session_id":"' + name + b'"}')
        given_everything(head + b'"session_id":"a.b","user":"' + name + b'","message":"statement: SELECT 1"}')
        given_everything(head + b'"session_id":"a.b","message":"statement: ALTER ROLE x PASSWORD \'' + name + b"'\"}")


def test_a_member_that_is_there_twice_is_masked_twice() -> None:
    raw = (
        b'{"timestamp":"2026-03-02 10:00:05.250 UTC","session_id":"a.b","line_num":1,"error_severity":"LOG",'
        b'"message":"statement: ALTER ROLE x PASSWORD \'one-must-not-stay\'",'
        b'"message":"statement: ALTER ROLE x PASSWORD \'two-must-not-stay\'"}'
    )
    identity = SOURCE.identify(raw)
    assert identity is not None
    assert b"must-not-stay" not in mask(raw, identity.secrets)
