"""OCSF events as input: nothing of them proves, and what they call tokens stays readable without its secrets."""

from pathlib import Path

import msgspec
import pytest

from custody.model.events import Asserter, Event, Outcome, Skip, Stage
from custody.sources.masking import mask
from custody.sources.ocsf import SOURCE
from custody.sources.ocsf.records import Record

CASES = sorted(
    path for path in (Path(__file__).parents[1] / "cases/ocsf").glob("*.json") if ".expected" not in path.name
)
BASE: dict[str, object] = {
    "metadata": {"version": "1.3.0", "uid": "e-1", "product": {"name": "P", "vendor_name": "V"}},
    "time": 1767607200000,
    "class_uid": 6003,
    "activity_id": 1,
    "type_uid": 600301,
}


def event(**more: object) -> Event:
    read = SOURCE.read(msgspec.json.encode({**BASE, **more}), "lines")
    assert not isinstance(read, Skip), read
    return read[0]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_part_is_declared(path: Path) -> None:
    read = SOURCE.read(path.read_bytes(), "document")
    parts = [] if isinstance(read, Skip) else [part for event in read for part in event.parts]
    assert {part.asserter for part in parts} <= {Asserter.DECLARED}
    assert {part.bound_by for part in parts} <= {None}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"status_id": 1}, Outcome.SUCCESS),
        ({"status_id": 2}, Outcome.ERROR),
        ({"status_id": 2, "status_code": "Client.UnauthorizedOperation"}, Outcome.DENIED),
        ({"status_id": 2, "api": {"response": {"code": 403}}}, Outcome.DENIED),
        ({"status_id": 2, "class_uid": 3002}, Outcome.DENIED),
        ({"status_id": 2, "action_id": 2}, Outcome.DENIED),
        ({"status_id": 1, "action_id": 2}, Outcome.SUCCESS),
        ({"disposition_id": 2}, Outcome.DENIED),
        ({"api": {"response": {"code": 500}}}, Outcome.ERROR),
        ({"api": {"response": {"error": "AccessDenied"}}}, Outcome.DENIED),
        ({}, Outcome.SUCCESS),
        ({"status_id": 99}, Outcome.SUCCESS),
    ],
)
def test_outcomes(more: dict[str, object], expected: Outcome) -> None:
    assert event(**more).outcome is expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"uid": "arn:aws:iam::111122223333:user/path/ci"}, "aws_arn:111122223333:arn:aws:iam::111122223333:user/ci"),
        ({"uuid": "arn:aws:iam::111122223333:root"}, "aws_arn:111122223333:arn:aws:iam::111122223333:root"),
        ({"name": "spiffe://example.org/a"}, "spiffe:example.org:/a"),
        ({"name": "alice", "type_id": 1}, "person:V P:alice"),
        ({"name": "alice", "type_id": 4}, None),
        ({"name": "alice"}, None),
        ({}, None),
    ],
)
def test_only_what_tells_its_kind_is_a_principal(user: dict[str, object], expected: str | None) -> None:
    assert event(actor={"user": user}).principal == expected


def test_a_call_that_failed_changed_nothing() -> None:
    change: dict[str, object] = {"class_uid": 3001, "activity_id": 6, "user": {"name": "bob", "type_id": 1}}
    assert [part.stage for part in event(**change, status_id=1).parts] == [Stage.END]
    assert event(**change, status_id=2).parts == ()
    assert event(**change, status_id=1).principal is None


def test_a_token_is_told_of_and_not_kept() -> None:
    token = {
        "uid": "t-1",
        "type_id": 6,
        "expiration_time": 1767610800000,
        "value": "must-not-stay",
        "x": ["must-not-stay"],
    }
    for name, holder in (("api", {"token": token}), ("authentication_token", token), ("unmapped", {"token": token})):
        raw = msgspec.json.encode({**BASE, name: holder})
        identity = SOURCE.identify(raw)
        assert identity is not None
        assert not identity.withheld
        kept = mask(raw, identity.secrets)
        assert b"must-not-stay" not in kept
        assert b'"t-1"' in kept


def test_a_token_that_is_a_text_is_a_secret() -> None:
    raw = msgspec.json.encode({**BASE, "unmapped": {"token": "must-not-stay", "session_token": "must-not-stay"}})
    identity = SOURCE.identify(raw)
    assert identity is not None
    assert b"must-not-stay" not in mask(raw, identity.secrets)


def test_raw_data_stays_but_for_its_secrets() -> None:
    inner = msgspec.json.encode({"eventID": "x", "password": "must-not-stay"}).decode()
    raw = msgspec.json.encode({**BASE, "raw_data": inner})
    identity = SOURCE.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)
    assert b"must-not-stay" not in kept
    assert b"eventID" in kept


@pytest.mark.parametrize(
    ("version", "final"),
    [("1.0.0", True), ("1.8.0", True), ("1.9.0-dev", True), ("1.0.0-rc.2", False), ("0.9.0", False)],
)
def test_numbers_of_drafts_mean_nothing(version: str, final: bool) -> None:
    raw = msgspec.json.encode({**BASE, "metadata": {"version": version}})
    assert msgspec.json.decode(raw, type=Record).final is final


def test_events_of_two_products_with_one_uid_are_two() -> None:
    ids = set()
    for product in ({"name": "P"}, {"name": "Q"}, {"name": "P", "vendor_name": "V"}):
        raw = msgspec.json.encode({**BASE, "metadata": {"version": "1.3.0", "uid": "e-1", "product": product}})
        identity = SOURCE.identify(raw)
        assert identity is not None
        ids.add(identity.id)
    assert ids == {"P e-1 600301", "Q e-1 600301", "V P e-1 600301"}


@pytest.mark.parametrize(
    "record",
    [
        {"class_uid": 6003, "metadata": {"version": "1.0"}},
        {"class_uid": "6003", "metadata": {"version": "1.0"}, "activity_id": 1},
        {"class_uid": 6003, "metadata": {"version": 1}, "activity_id": 1},
        {"class_uid": 6003, "metadata": [], "activity_id": 1, "version": "1"},
    ],
)
def test_other_objects_are_not_ours(record: dict[str, object]) -> None:
    assert SOURCE.identify(msgspec.json.encode(record)) is None


def test_the_sample_of_the_schema_is_the_audit_event_before_its_translation() -> None:
    path = Path(__file__).resolve().parents[2] / "../shared/data/samples/k8s_audit/eks_ocsf_examples.json"
    if not path.is_file():
        pytest.skip("needs the sample events in ../shared/data/samples")
    assert SOURCE.identify(path.read_bytes()) is None


def test_no_sample_of_another_product_is_taken(sample_lines: list[bytes]) -> None:
    taken = [line for line in sample_lines if SOURCE.recognise(line) and SOURCE.identify(line) is not None]
    assert taken == []
