"""Teleport: the published samples, and what the cases cannot show."""

from pathlib import Path

import msgspec
import pytest

from custody.model.events import Event, Outcome, Skip, Stage
from custody.sources.masking import mask
from custody.sources.teleport import SOURCE, names

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/samples/teleport"


@pytest.fixture(scope="module")
def samples() -> list[bytes]:
    files = sorted(SAMPLES.glob("*.ndjson"))
    if not files:
        pytest.skip("needs the sample events in ../shared/data/samples/teleport")
    return [line for file in files for line in file.read_bytes().splitlines() if line.strip()]


def read(raw: bytes) -> tuple[Event, ...] | Skip:
    identity = SOURCE.identify(raw)
    assert identity is not None
    return SOURCE.read(mask(raw, identity.secrets), "lines")


def test_every_sample_is_understood_but_the_one_with_a_broken_time(samples: list[bytes]) -> None:
    assert all(SOURCE.recognise(raw) for raw in samples)
    results = {raw: read(raw) for raw in samples}
    skipped = {raw: found for raw, found in results.items() if isinstance(found, Skip)}
    assert [found.reason for found in skipped.values()] == ["malformed"]
    assert all(b"23:00:000" in raw for raw in skipped)


def test_what_the_samples_say(samples: list[bytes]) -> None:
    results = [read(raw) for raw in samples]
    events = [event for found in results if isinstance(found, tuple) for event in found]
    effects = [part.effect for event in events for part in event.parts]
    assert {effect: effects.count(effect) for effect in set(effects)} == {
        "user.login": 5,
        "cert.create": 2,
        "lock.create": 1,
        "session.open": 1,
    }
    assert [event.action for event in events if event.outcome is Outcome.DENIED] == ["auth"]
    assert {event.origin for event in events if event.action == "session.start"} == {"192.0.2.1"}


def test_no_sample_is_masked(samples: list[bytes]) -> None:
    assert all(not identity.secrets for raw in samples if (identity := SOURCE.identify(raw)))


def test_a_copy_with_a_lower_case_code_is_the_same_event() -> None:
    record = {"uid": "u", "event": "session.end", "time": "2024-03-01T10:00:00Z", "sid": "s"}
    ids = {
        identity.id
        for code in ("T2004I", "t2004i")
        if (identity := SOURCE.identify(msgspec.json.encode({**record, "code": code})))
    }
    assert ids == {"u session.end T2004I 0"}


def test_steps_of_a_request_that_share_a_uid_are_two_records() -> None:
    base = {"uid": "u", "time": "2024-03-01T10:00:00Z", "id": "r"}
    create = msgspec.json.encode({**base, "event": "access_request.create", "code": "T5000I"})
    update = msgspec.json.encode({**base, "event": "access_request.update", "code": "T5001I"})
    first, second = SOURCE.identify(create), SOURCE.identify(update)
    assert first is not None
    assert second is not None
    assert first.id != second.id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:35194", "192.0.2.1"),
        ("[2001:db8::7]:65123", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_origins_lose_their_port(text: str, expected: str) -> None:
    record = {"uid": "u", "event": "x", "code": "T1000I", "time": "2024-03-01T10:00:00Z", "addr.remote": text}
    found = SOURCE.read(msgspec.json.encode(record), "lines")
    assert isinstance(found, tuple)
    assert found[0].origin == expected


def test_a_name_that_begins_like_a_bot_is_no_bot() -> None:
    record = {"uid": "u", "event": "user.login", "code": "T1000I", "time": "2024-03-01T10:00:00Z", "user": "bot-tom"}
    found = SOURCE.read(msgspec.json.encode(record), "lines")
    assert isinstance(found, tuple)
    assert found[0].principal == "person:teleport:bot-tom"
    assert found[0].parts[0].population is None


def test_year_one_is_no_expiry() -> None:
    assert names.expiry("0001-01-01T00:00:00Z", "$") is None


def test_a_join_and_its_certificates_meet_in_the_instance() -> None:
    cases = Path(__file__).resolve().parents[1] / "cases/teleport"
    join, cert = (
        SOURCE.read((cases / f"{name}.json").read_bytes(), "lines")
        for name in ("bot_join_github", "cert_create_bot_for_aws")
    )
    assert isinstance(join, tuple)
    assert isinstance(cert, tuple)
    assert join[0].parts[0].stage is Stage.ISSUE
    assert cert[0].parts[0].key == join[0].parts[0].key
