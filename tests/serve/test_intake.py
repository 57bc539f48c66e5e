"""Pushed logs: who may push, in which forms, within which limits; nothing is acknowledged before it is sealed."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OctKey

from custody.errors import CustodyError, EvidenceUnavailable, IntentRefused, StoreError, UsageError
from custody.serve import spool
from custody.serve.sets import SetKeys
from custody.settings.broker_file import Limits
from tests.serve.conftest import Service, running
from tests.serve.running import OTHER_PUSH, PATIENT, PUSH, Random, bearer

LINES = b'{"a":1}\n{"a":2}\n'
NDJSON = {"content-type": "application/x-ndjson", **bearer(PUSH)}
OTLP = b'{"resourceLogs":[]}'
EVENT = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "run.started"}
BINARY = {f"ce-{name}": value for name, value in EVENT.items()}
SET = {"content-type": "application/secevent+jwt", **bearer(PUSH)}


@pytest.mark.parametrize(
    ("kind", "sealed_as"),
    [
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/jsonl; charset=utf-8", "application/x-ndjson"),
        ("application/json", "application/json"),
        ("application/cloudevents+json", "application/cloudevents+json"),
        ("application/cloudevents-batch+json", "application/cloudevents-batch+json"),
    ],
)
def test_a_log_is_sealed_byte_for_byte_before_it_is_acknowledged(service: Service, kind: str, sealed_as: str) -> None:
    answer = service.client.post("/intake/cluster", content=LINES, headers={**bearer(PUSH), "content-type": kind})

    assert (answer.status_code, answer.json()) == (200, {"leaf": 41, "records": 2, "skips": 1})
    assert service.sealer.taken == [("cluster", LINES, sealed_as)]


@pytest.mark.parametrize("path", ["/intake/cluster/v1/logs", "/intake/cluster/v1/traces", "/v1/logs", "/v1/traces"])
def test_telemetry_is_taken_at_the_paths_of_otlp(service: Service, path: str) -> None:
    headers = {**bearer(PUSH), "content-type": "application/json"}
    answer = service.client.post(path, content=OTLP, headers=headers)

    assert (answer.status_code, answer.content) == (200, b"{}")
    assert service.sealer.taken == [("cluster", OTLP, "application/json")]


@pytest.mark.parametrize("path", ["/intake/cluster", "/intake/cluster/v1/logs", "/v1/traces"])
@pytest.mark.parametrize(
    "kind", ["application/x-protobuf", "application/protobuf", "text/plain", "", "application/xml"]
)
def test_what_cannot_be_sealed_readably_is_refused(service: Service, path: str, kind: str) -> None:
    answer = service.client.post(path, content=b"\x0a\x00", headers={**bearer(PUSH), "content-type": kind})

    assert (answer.status_code, answer.json()["reason"]) == (415, "content-type")
    assert ("http/json" in answer.json().get("advice", "")) == ("protobuf" in kind)
    assert service.sealer.taken == []


def test_metrics_are_no_signal_that_is_taken(service: Service) -> None:
    headers = {**bearer(PUSH), "content-type": "application/json"}

    assert service.client.post("/v1/metrics", content=b"{}", headers=headers).json()["reason"] == "signal"


@pytest.mark.parametrize(
    ("name", "headers", "reason"),
    [
        ("cluster", {}, "token-missing"),
        ("cluster", bearer("must-not-stay-wrong"), "intake-token"),
        ("cluster", bearer(OTHER_PUSH), "intake-token"),
        ("nobody", bearer(PUSH), "intake-token"),
        ("Cluster", bearer(PUSH), "intake-token"),
        ("%2e%2e", bearer(PUSH), "intake-token"),
    ],
)
def test_only_who_has_the_token_of_this_intake_may_push(
    service: Service, name: str, headers: dict[str, str], reason: str
) -> None:
    kind = {"content-type": "application/x-ndjson"}
    answer = service.client.post(f"/intake/{name}", content=LINES, headers={**headers, **kind})

    assert (answer.status_code, answer.json()["reason"]) == (401, reason)
    assert "must-not-stay" not in answer.text
    assert service.sealer.taken == []


def test_a_hash_may_be_written_in_capitals(service: Service) -> None:
    answer = service.client.post("/intake/other", content=LINES, headers={**NDJSON, **bearer(OTHER_PUSH)})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EvidenceUnavailable("the sealer is away", reason="sealing-lag"), 503),
        (StoreError("the disk is full"), 503),
        (CustodyError("something"), 500),
    ],
)
def test_what_is_not_sealed_is_not_acknowledged(service: Service, error: CustodyError, status: int) -> None:
    service.sealer.error = error
    answer = service.client.post("/intake/cluster", content=LINES, headers=NDJSON)

    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == (status == 503)


def test_nothing_is_taken_where_there_is_no_intake(tmp_path: Path) -> None:
    with running(tmp_path, intake=None) as service:
        answer = service.client.post("/intake/cluster", content=LINES, headers=NDJSON)

    assert (answer.status_code, answer.json()["reason"]) == (503, "no-intake")


def test_only_so_many_are_taken_at_once(service: Service) -> None:
    from custody.serve.intake import AT_ONCE

    shop = service.front.app.state["shop"]
    shop.taking = AT_ONCE
    busy = service.client.post("/intake/cluster", content=LINES, headers=NDJSON)
    shop.taking = 0

    assert (busy.status_code, busy.json()["reason"]) == (503, "busy")
    assert service.client.post("/intake/cluster", content=LINES, headers=NDJSON).status_code == 200
    assert shop.taking == 0


@pytest.mark.parametrize("body", [b"", gzip.compress(b"", mtime=0)])
def test_nothing_is_no_log(service: Service, body: bytes) -> None:
    headers = {**NDJSON, "content-encoding": "gzip" if body else "identity"}
    answer = service.client.post("/intake/cluster", content=body, headers=headers)

    assert (answer.status_code, answer.json()["reason"]) == (400, "empty")


def test_a_large_log_goes_through_a_file_that_does_not_stay(service: Service) -> None:
    large = b'{"a":"' + b"x" * 1000 + b'"}\n'
    body = large * 2000
    answer = service.client.post("/intake/cluster", content=body, headers=NDJSON)

    assert answer.status_code == 200
    assert service.sealer.taken[0][1] == body
    assert len(service.sealer.files) == 1
    assert list(service.parts.spool.iterdir()) == []


def test_a_file_is_removed_where_sealing_fails_too(service: Service) -> None:
    service.sealer.error = StoreError("no")
    service.client.post("/intake/cluster", content=b"x" * (2 << 20), headers=NDJSON)

    assert len(service.sealer.files) == 1
    assert list(service.parts.spool.iterdir()) == []


def test_a_file_is_the_brokers_alone(tmp_path: Path) -> None:
    async def seen() -> int:
        async with spool.spooled(given(b"x" * (2 << 20)), tmp_path, Random()) as held:
            assert isinstance(held, Path)
            return held.stat().st_mode & 0o777

    assert asyncio.run(seen()) == 0o600


def test_what_a_killed_broker_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / f"a{spool.SUFFIX}").write_bytes(b"x")
    (tmp_path / "other").write_bytes(b"x")

    assert (spool.swept(tmp_path), spool.swept(tmp_path / "none")) == (1, 0)
    assert [each.name for each in tmp_path.iterdir()] == ["other"]


def test_a_disk_that_takes_nothing_is_no_acknowledgement(tmp_path: Path) -> None:
    with running(tmp_path / "gone") as service:
        answer = service.client.post("/intake/cluster", content=b"x" * (2 << 20), headers=NDJSON)

    assert (answer.status_code, answer.json()["reason"]) == (503, "no-space")


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_of_several_members_is_unpacked(service: Service, coding: str) -> None:
    body = gzip.compress(LINES, mtime=0) + gzip.compress(LINES, mtime=0)
    answer = service.client.post("/intake/cluster", content=body, headers={**NDJSON, "content-encoding": coding})

    assert answer.status_code == 200
    assert service.sealer.taken[0][1] == LINES * 2


@pytest.mark.parametrize(
    "body",
    [
        LINES,
        gzip.compress(LINES, mtime=0)[:-1],
        gzip.compress(LINES, mtime=0) + b"x",
        zlib.compress(LINES),
        gzip.compress(LINES, mtime=0)[:5],
    ],
)
def test_what_is_no_whole_gzip_is_refused(service: Service, body: bytes) -> None:
    answer = service.client.post("/intake/cluster", content=body, headers={**NDJSON, "content-encoding": "gzip"})

    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    assert service.sealer.taken == []


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_no_other_encoding_is_taken(service: Service, coding: str) -> None:
    answer = service.client.post("/intake/cluster", content=LINES, headers={**NDJSON, "content-encoding": coding})

    assert (answer.status_code, answer.json()["reason"]) == (415, "content-encoding")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * (PATIENT.intake + 1), NDJSON),
        (gzip.compress(b"x" * (PATIENT.intake + 1)), {**NDJSON, "content-encoding": "gzip"}),
    ],
)
def test_a_log_that_is_or_becomes_too_large_is_refused(service: Service, body: bytes, headers: dict[str, str]) -> None:
    answer = service.client.post("/intake/cluster", content=body, headers=headers)

    assert (answer.status_code, answer.json()["reason"]) == (413, "too-large")
    assert service.sealer.taken == []


def test_a_chunked_body_is_held_to_the_limit_as_well(service: Service) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * (1 << 20)

    assert service.client.post("/intake/cluster", content=chunks(), headers=NDJSON).status_code == 413
    assert list(service.parts.spool.iterdir()) == []


def test_a_bomb_is_stopped_by_what_it_becomes_of_what_it_is() -> None:
    """Far below the limit in bytes, far above it in what each byte becomes."""
    bomb = gzip.compress(b"\0" * (16 << 20))

    async def unpacked() -> int:
        return sum([len(part) async for part in spool.unpacked(given(bomb), 1 << 40)])

    with pytest.raises(IntentRefused, match="too large"):
        asyncio.run(unpacked())


@pytest.mark.parametrize(
    ("kind", "body", "name", "data"),
    [
        ("application/json", b'{"run": 1.0}', "data", {"run": 1.0}),
        ("application/vnd.x+json; charset=utf-8", b"[1]", "data", [1]),
        ("text/plain", "ü\n".encode(), "data", "ü\n"),
        ("text/plain", b"\xff", "data_base64", "/w=="),
        ("application/octet-stream", b"\x00", "data_base64", "AA=="),
    ],
)
def test_an_event_in_headers_becomes_one_line(
    service: Service, kind: str, body: bytes, name: str, data: object
) -> None:
    headers = {**BINARY, **bearer(PUSH), "content-type": kind, "ce-subject": "a%20%C3%BC%0A"}
    answer = service.client.post("/intake/cluster", content=body, headers=headers)

    assert answer.status_code == 200
    (sealed,) = service.sealer.taken
    assert sealed[2] == "application/cloudevents+json"
    assert b"\n" not in sealed[1]
    assert json.loads(sealed[1]) == {**EVENT, "subject": "a ü\n", "datacontenttype": kind, name: data}


def test_an_event_without_data_is_one(service: Service) -> None:
    service.client.post("/intake/cluster", headers={**BINARY, **bearer(PUSH)})

    assert json.loads(service.sealer.taken[0][1]) == EVENT


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([("ce-data", "x")], b""),
        ([("ce-a_b", "x")], b""),
        ([("ce-x", "%ff")], b""),
        ([("ce-x", "a" * 4097)], b""),
        ([("content-type", "application/json")], b'{"a":1,"a":2}'),
        ([("content-type", "application/json")], b"{"),
    ],
)
def test_headers_that_are_no_event_are_refused(service: Service, headers: list[tuple[str, str]], body: bytes) -> None:
    given_ = [*BINARY.items(), *bearer(PUSH).items(), *headers]
    answer = service.client.post("/intake/cluster", content=body, headers=given_)

    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    assert service.sealer.taken == []


@pytest.mark.parametrize(("name", "value"), [("ce-specversion", "2.0"), ("ce-type", None), ("ce-id", "")])
def test_an_event_needs_its_attributes(service: Service, name: str, value: str | None) -> None:
    headers = {key: each for key, each in {**BINARY, name: value}.items() if each is not None}

    assert service.client.post("/intake/cluster", headers={**headers, **bearer(PUSH)}).status_code == 400


KEY = ECKey.generate_key("P-256", {"kid": "one"})
STRANGER = ECKey.generate_key("P-256", {"kid": "one"})
CLAIMS = {"iss": "https://idp.example", "aud": "broker", "jti": "1", "iat": 1, "events": {"x/event-type/y": {}}}


def signed(claims: object = None, key: ECKey = KEY, typ: str = "secevent+jwt") -> bytes:
    """A security event token."""
    payload = CLAIMS if claims is None else claims
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return jws.serialize_compact({"alg": "ES256", "kid": "one", "typ": typ}, raw, key).encode()


def keys() -> SetKeys:
    return SetKeys("https://idp.example", "broker", msgspec.json.encode(KeySet([KEY]).as_dict(private=False)))


@contextmanager
def transmitted(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, sets={"cluster": keys()}) as service:
        yield service


def test_the_claims_of_a_verified_token_are_sealed(tmp_path: Path) -> None:
    raw = b'{"iss": "https://idp.example","aud":["x","broker"],"jti":"1","iat":1,"events":{"x/event-type/y":{}}}'
    with transmitted(tmp_path) as service:
        answer = service.client.post("/intake/cluster", content=signed(raw) + b"\n", headers=SET)

        assert (answer.status_code, answer.content) == (202, b"")
        assert service.sealer.taken == [("cluster", raw, "application/secevent+jwt")]


OCT = OctKey.import_key("must-not-stay-" * 4)
CONFUSED = jws.serialize_compact(
    {"alg": "HS256", "kid": "one", "typ": "secevent+jwt"}, msgspec.json.encode(CLAIMS), OCT
)


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (b"", "invalid_key"),
        (b"a.b.c", "invalid_key"),
        (b"\xff.\xff.\xff", "invalid_key"),
        (signed(key=STRANGER), "invalid_key"),
        (CONFUSED.encode(), "invalid_key"),
        (b"eyJhbGciOiJub25lIn0." + signed().split(b".")[1] + b".", "invalid_key"),
        (signed({**CLAIMS, "iss": "https://other.example"}), "invalid_issuer"),
        (signed({**CLAIMS, "aud": "other"}), "invalid_audience"),
        (signed({**CLAIMS, "aud": []}), "invalid_audience"),
        (signed(typ="JWT"), "invalid_request"),
        (signed({"iss": "https://idp.example"}), "invalid_request"),
        (signed(b'{"iss":"https://other.example",' + msgspec.json.encode(CLAIMS)[1:]), "invalid_request"),
        (signed(b"no"), "invalid_request"),
    ],
)
def test_a_token_that_does_not_verify_is_refused_in_the_words_of_its_rfc(
    tmp_path: Path, token: bytes, error: str
) -> None:
    with transmitted(tmp_path) as service:
        answer = service.client.post("/intake/cluster", content=token, headers=SET)

        assert (answer.status_code, answer.json()["err"]) == (400, error)
        assert set(answer.json()) == {"err", "description"}
        assert service.sealer.taken == []
        assert service.lines.last()["reason"]


def test_without_a_transmitter_no_token_is_taken(service: Service) -> None:
    answer = service.client.post("/intake/cluster", content=signed(), headers=SET)

    assert (answer.status_code, answer.json()["err"]) == (400, "access_denied")


@pytest.mark.parametrize("jwks", [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"EC"}]}'])
def test_what_is_no_set_of_keys_is_an_error_of_the_settings(jwks: bytes) -> None:
    with pytest.raises(UsageError):
        SetKeys("https://idp.example", "broker", jwks)


def test_a_slow_log_is_given_up(tmp_path: Path) -> None:
    """In this process a body that never goes on; the server's own patience is in test_server."""
    from custody.serve.bodies import streamed

    async def receive() -> object:
        await asyncio.sleep(5)
        return {}

    async def read() -> None:
        async for _ in streamed(receive, 10, 0.05):  # type: ignore[arg-type]
            pass

    with pytest.raises(IntentRefused, match="in time"):
        asyncio.run(read())
    assert Limits().slow > 0


async def given(*parts: bytes) -> AsyncIterator[bytes]:
    """Bytes as they could come in."""
    for part in parts:
        yield part
