"""Values of GitHub's records by themselves: hashes of tokens, times, shapes of secrets, framing."""

import base64
import hashlib
from pathlib import Path

import msgspec
import pytest

from custody.errors import SourceError
from custody.model.events import Asserter, Event, Skip
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.sources.github_audit import SOURCE as AUDIT
from custody.sources.github_audit import token_shapes
from custody.sources.github_audit.records import moment
from custody.sources.github_workflow import SOURCE as WORKFLOW
from custody.sources.masking import mask

DIGEST = hashlib.sha256(b"one example token").digest()
PLAIN = base64.b64encode(DIGEST).decode()


@pytest.mark.parametrize(
    "text", [PLAIN, PLAIN.rstrip("="), base64.urlsafe_b64encode(DIGEST).decode(), DIGEST.hex(), DIGEST.hex().upper()]
)
def test_every_spelling_of_a_hash_is_one_key(text: str) -> None:
    assert token_shapes.digest(text) == DIGEST.hex()


@pytest.mark.parametrize(
    "text", [None, "", "x", "ab" * 20, PLAIN[:-4], PLAIN + "AAAA", "é" * 44, "=" * 44, "ghp_" + "a" * 40]
)
def test_what_is_no_hash_gives_no_key(text: str | None) -> None:
    assert token_shapes.digest(text) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1709287200123, 1709287200123000),
        (1709287200, 1709287200000000),
        ("2024-03-01T10:00:00.123Z", 1709287200123000),
        ("2024-03-01 10:00:00.123", 1709287200123000),
        ("2024-03-01 10:00:00.123000000", 1709287200123000),
        ("2024-03-01 10:00:00 UTC", 1709287200000000),
        ("2024-03-01 11:00:00 +0100", 1709287200000000),
        ("2024-03-01T11:00:00+01:00", 1709287200000000),
        (None, None),
        ("", None),
    ],
)
def test_times(written: str | int | None, expected: int | None) -> None:
    assert moment(written, "$") == expected


@pytest.mark.parametrize("written", [-1, 0, 1e300, "2024-03-01", "10:00", "now", 4102444800001])
def test_what_is_no_time_is_refused(written: str | float) -> None:
    with pytest.raises(SourceError, match="not a time of this log"):
        moment(written, "$")


SECRET = "0123456789abcdefmust-not-stay"


@pytest.mark.parametrize(
    "text",
    [
        f"ghp_{SECRET}",
        f"gho_{SECRET}",
        f"ghs_{SECRET}.eyJ{SECRET}",
        f"ghu_{SECRET}",
        f"ghr_{SECRET}",
        f"github_pat_{SECRET}",
        f"first line\nghp_{SECRET}",
        f"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.{SECRET}",
        f"https://x-access-token:{SECRET}@github.com/octo/app.git",
        f"https://raw.example.org/octo/app?token={SECRET}",
    ],
)
@pytest.mark.parametrize("levels", [0, 1, 2])
def test_tokens_go_wherever_they_stand(text: str, levels: int) -> None:
    value: object = {"note": f"see {text} here", "same": [text]}
    for _ in range(levels):
        value = {"body": msgspec.json.encode(value).decode()}
    raw = msgspec.json.encode(value)
    kept = mask(raw, token_shapes.find(raw).spans)
    assert b"must-not-stay" not in kept
    assert b"custody-masked:token" in kept
    assert msgspec.json.decode(kept)
    assert mask(kept, token_shapes.find(kept).spans) == kept


def test_tokens_go_however_they_are_spelt() -> None:
    raw = b'{"note":"gh\\u0070_0123456789\\u0061bcdefmust-not-stay"}'
    assert mask(raw, token_shapes.find(raw).spans) == b'{"note":"custody-masked:token"}'


def test_names_and_hashes_stay() -> None:
    record = {
        "hashed_token": PLAIN,
        "token_id": "1",
        "token_scopes": "repo",
        "secret_type": "x",
        "secrets_passed": ["A_TOKEN"],
        "head_sha": "0" * 40,
        "programmatic_access_type": "OAuth access token",
        "note": "ghp_short highs_and_lows",
    }
    assert token_shapes.find(msgspec.json.encode(record)).spans == ()


def test_a_hash_with_escaped_slashes_stays() -> None:
    digest = base64.b64encode(b"\xff" * 32).decode().replace("/", "\\/")
    assert token_shapes.find(b'{"hashed_token":"' + digest.encode() + b'"}').spans == ()


def test_a_legacy_token_in_place_of_its_hash_goes() -> None:
    raw = b'{"hashed_token":"' + b"ab" * 20 + b'"}'
    assert mask(raw, token_shapes.find(raw).spans) == b'{"hashed_token":"custody-masked:token"}'


def test_a_token_as_a_number_withholds_the_record() -> None:
    raw = b'{"action":"git.push","_document_id":"d","@timestamp":1709287200123,"hashed_token":12345}'
    identity = AUDIT.identify(raw)
    assert identity is not None
    assert identity.withheld


@pytest.mark.parametrize("text", [b"eyJ" * 100_000, b"ghp_" * 100_000, b"://a:" * 100_000, b"?token=" * 100_000])
def test_hostile_text_costs_time_in_proportion(text: bytes) -> None:
    assert len(token_shapes.find(b'{"note":"' + text + b'"}').spans) <= 100_000


def framed(text: bytes) -> list[tuple[str, str]]:
    wrappings = (*AUDIT.wrappings, *WORKFLOW.wrappings)
    found = []
    for record in frame(Content.of(text), wrappings):
        assert record.raw is not None
        takers = [
            source.name for source in (AUDIT, WORKFLOW) if source.recognise(record.raw) and source.identify(record.raw)
        ]
        found.append((record.form, ",".join(takers)))
    return found


@pytest.fixture
def audit_record(cases: Path) -> bytes:
    return msgspec.json.encode(msgspec.json.decode((cases / "github_audit" / "api_request.json").read_bytes()))


def workflow_record(cases: Path, name: str) -> bytes:
    return msgspec.json.encode(msgspec.json.decode((cases / "github_workflow" / f"{name}.json").read_bytes()))


def test_how_audit_events_stand_in_files(audit_record: bytes) -> None:
    assert framed(audit_record + b"\n" + audit_record + b"\n") == [("lines", "github.audit")] * 2
    assert framed(b"[" + audit_record + b"]") == [("array", "github.audit")]
    assert framed(b'{"records":[' + audit_record + b"]}") == [("event-hub", "github.audit")]


def test_how_deliveries_and_objects_stand_in_files(cases: Path) -> None:
    run, job, approval = (workflow_record(cases, name) for name in ("rest_run", "rest_job", "rest_approval"))
    delivery = workflow_record(cases, "delivery")
    assert framed(b'{"total_count":1,"workflow_runs":[' + run + b"]}") == [("rest-runs", "github.workflow")]
    assert framed(b'{"total_count":2,"jobs":[' + job + b"," + job + b"]}") == [("rest-jobs", "github.workflow")] * 2
    assert framed(b"[" + approval + b"]") == [("array", "github.workflow")]
    assert framed(delivery + b"\n" + delivery) == [("lines", "github.workflow")] * 2
    assert framed(b"[" + delivery + b"]") == [("array", "github.workflow")]


def test_a_delivery_means_what_its_payload_means(cases: Path) -> None:
    bare = WORKFLOW.read(workflow_record(cases, "run_completed"), "lines")
    wrapped = WORKFLOW.read(workflow_record(cases, "delivery"), "lines")
    assert isinstance(bare, tuple)
    assert isinstance(wrapped, tuple)
    assert [(one.time, one.parts) for one in bare] == [(one.time, one.parts) for one in wrapped]
    assert {one.id for one in wrapped} == {"0a1b2c3d-0000-4000-8000-000000000001"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"action":"opened","pull_request":{},"repository":{},"sender":{}}',
        b'{"action":"created","alert":{"number":1,"rule":{}},"repository":{}}',
        b'{"event":"push","delivery":"g","payload":{"ref":"refs/heads/main","repository":{}}}',
        b'{"payload":{"action":"completed","workflow_run":{"id":1},"repository":{}}}',
        b'{"iss":"https://accounts.example.org","sub":"s","jti":"j","run_id":"1"}',
        b'{"iss":"https://token.actions.githubusercontent.com.example.org","sub":"s","jti":"j","run_id":"1"}',
        b'{"jobs":{"build":{}}}',
        b"[]",
        b'"workflow_run"',
    ],
)
def test_what_is_of_another_kind_is_left_to_others(raw: bytes) -> None:
    assert WORKFLOW.identify(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"action":"created","_document_id":"d"}',
        b'{"action":"user.login","@timestamp":"2024-03-01T10:00:00Z","actor":"x"}',
        b'{"action":"user.login","@timestamp":1709287200123}',
        b'{"action":"user.login","actor":"x","org":"y"}',
        b'{"action":7,"_document_id":"d"}',
        b"[]",
    ],
)
def test_what_only_resembles_an_audit_event_is_left_to_others(raw: bytes) -> None:
    assert AUDIT.identify(raw) is None


def test_what_a_job_says_of_its_token_proves_nothing(cases: Path) -> None:
    read = WORKFLOW.read(workflow_record(cases, "token_claims"), "lines")
    assert isinstance(read, tuple)
    assert [part.asserter for event in read for part in event.parts] == [Asserter.SELF_REPORTED]
    assert [part.bound_by for event in read for part in event.parts] == [Asserter.SELF_REPORTED]


def test_tags_are_alike_from_original_and_kept_copy() -> None:
    raw = b'{"action":"git.push","_document_id":"d","@timestamp":1709287200123,"name":"ghp_012345must-not-stay"}'
    read: tuple[Event, ...] | Skip = AUDIT.read(raw, "lines")
    assert isinstance(read, tuple)
    assert read[0].tags == '{"name":"custody-masked:token"}'
    assert AUDIT.read(token_shapes.masked(raw), "lines") == read
