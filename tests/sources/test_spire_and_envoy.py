"""SPIRE and Envoy: that an SVID issued is the certificate presented, and a recording of a real Envoy."""

import gzip
import json
import re
from pathlib import Path

import pytest

from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.sources import envoy_access, spire
from custody.sources.masking import mask
from custody.sources.registry import sources
from custody.sources.source import Source

TESTS = Path(__file__).parents[1]
RECORDING = TESTS / "recordings/envoy"


def event(source: Source, raw: bytes) -> Event:
    identity = source.identify(raw)
    assert identity is not None
    read = source.read(mask(raw, identity.secrets), "lines")
    assert not isinstance(read, Skip), read
    return read[0]


def case(name: str) -> bytes:
    (path,) = (path for path in TESTS.glob(f"cases/{name}.*") if not path.name.endswith(".expected.json"))
    return path.read_bytes().rstrip(b"\n")


@pytest.fixture(scope="module")
def recorded() -> list[Event]:
    lines = gzip.decompress((RECORDING / "envoy-access.log.gz").read_bytes()).splitlines()
    return [event(envoy_access.SOURCE, line) for line in lines]


@pytest.fixture(scope="module")
def shown() -> list[dict[str, object]]:
    found = json.loads((RECORDING / "truth.json").read_bytes())["credentials"]
    assert isinstance(found, list)
    return found


def uses_of(events: list[Event], keys: set[str]) -> list[tuple[Event, Part]]:
    return [(each, part) for each in events for part in each.parts if part.stage is Stage.USE and part.key in keys]


def test_every_certificate_that_was_shown_was_used_as_often_as_it_was(
    recorded: list[Event], shown: list[dict[str, object]]
) -> None:
    for truth in shown:
        names = truth["aliases"]
        assert isinstance(names, list)
        uses = uses_of(recorded, {str(truth["key"]), *names})
        outcomes = [each.outcome for each, _ in uses]
        assert outcomes.count(Outcome.SUCCESS) == truth["uses"]
        assert outcomes.count(Outcome.DENIED) == truth["refused"]
        assert len(outcomes) == int(str(truth["uses"])) + int(str(truth["refused"]))


def test_verified_certificates_go_by_serial_and_tell_their_hash_and_end(
    recorded: list[Event], shown: list[dict[str, object]]
) -> None:
    trusted = [truth for truth in shown if ":stranger:" not in str(truth["aliases"])]
    assert trusted
    for truth in trusted:
        (serial,) = (str(name) for name in truth["aliases"] if str(name).startswith("x509_serial:"))  # type: ignore[attr-defined]
        for each, part in uses_of(recorded, {serial}):
            assert part.asserter is None
            assert part.population == "machine"
            assert each.principal == str(truth["holder"]).replace("spiffe://example.org", "spiffe:example.org:")
            tags = json.loads(each.tags or "{}")
            assert tags["cert_sha256"] == str(truth["key"]).rpartition(":")[2]
            assert tags["cert_not_after"][:19] == str(truth["not_after"])[:19]


def test_the_name_in_a_certificate_of_a_stranger_is_only_a_claim(
    recorded: list[Event], shown: list[dict[str, object]]
) -> None:
    (stranger,) = (truth for truth in shown if ":stranger:" in str(truth["aliases"]))
    ((refused, part),) = uses_of(recorded, {str(stranger["key"])})
    assert part.asserter is Asserter.CLIENT
    assert refused.principal is None
    assert refused.outcome is Outcome.DENIED
    assert "CERTIFICATE_VERIFY_FAILED" in (refused.error or "")
    assert json.loads(refused.tags or "{}")["claimed_uri"] == stranger["holder"]


def test_all_of_the_recording_is_understood_through_the_readers(recorded: list[Event]) -> None:
    data = gzip.decompress((RECORDING / "envoy-access.log.gz").read_bytes())
    framed = list(frame(Content.of(data), ()))
    assert len(framed) == len(recorded) == len(data.splitlines())
    assert all(each.problem is None for each in framed)
    assert {each.origin for each in recorded} == {"127.0.0.1"}


def test_the_serial_that_spire_signed_is_the_one_that_envoy_saw() -> None:
    """Decimal in one log, hex in the other: 274877906944 is 0x4000000000."""
    issued = event(spire.SOURCE, case("spire/signed_svid"))
    used = event(envoy_access.SOURCE, case("envoy_access/request"))
    assert issued.parts[0].stage is Stage.ISSUE
    assert used.parts[0].stage is Stage.USE
    assert issued.parts[0].key == used.parts[0].key == f"x509_serial:example.org:{274877906944:x}"
    assert issued.parts[0].subject == used.principal == "spiffe:example.org:/shop"


def test_audit_and_debug_line_of_one_call_are_tied() -> None:
    signed, asked = event(spire.SOURCE, case("spire/signed_svid")), event(spire.SOURCE, case("spire/audit_svid"))
    assert signed.request_id == asked.request_id
    assert signed.policy == asked.policy
    assert signed.parts[0].not_after == asked.parts[0].not_after
    assert [part.stage for part in asked.parts] == [Stage.REQUEST]


def test_no_audit_line_issues_anything() -> None:
    for path in sorted((TESTS / "cases/spire").glob("*audit*")):
        if not path.name.endswith(".expected.json"):
            found = event(spire.SOURCE, path.read_bytes().rstrip(b"\n"))
            assert Stage.ISSUE not in [part.stage for part in found.parts]


def test_a_text_and_a_json_line_of_one_call_say_the_same() -> None:
    text, line = event(spire.SOURCE, case("spire/audit_svid")), event(spire.SOURCE, case("spire/json_audit_svid"))
    assert text.parts == line.parts
    assert (text.time, text.action, text.principal, text.policy) == (
        line.time,
        line.action,
        line.principal,
        line.policy,
    )


def test_a_server_log_of_text_is_framed_line_by_line() -> None:
    lines = [
        b'time="2026-01-05T09:59:59Z" level=info msg="Starting Server APIs" subsystem_name=endpoints',
        case("spire/signed_svid"),
        b"",
        case("spire/json_signed_svid"),
        b"panic: runtime error",
    ]
    compact = [re.sub(rb"\n *", b"", line) for line in lines]
    framed = list(frame(Content.of(b"\n".join(compact)), [text for one in sources() for text in one.texts]))
    assert [each.raw for each in framed] == [line for line in compact if line]
    known = [each.raw is not None and spire.SOURCE.identify(each.raw) is not None for each in framed]
    assert known == [True, True, True, False]


@pytest.mark.parametrize(
    "line",
    [
        b'time="2026-01-05T10:00:00Z" level=info msg="Container started" id=abc',
        b'time="2026-01-05T10:00:00Z" level=info msg="x" subsystem_name=api trailing',
        b'time="2026-01-05T10:00:00Z" level=info msg="x" subsystem_name="api',
        b"DEBU[0061] Signed X509 SVID  serial_num=1 subsystem_name=api",
        b'{"level":"info","msg":"x","time":"2026-01-05T10:00:00Z"}',
        b'{"level":1,"msg":"x","time":"2026-01-05T10:00:00Z","subsystem_name":"api"}',
    ],
)
def test_other_lines_of_logrus_are_not_ours(line: bytes) -> None:
    assert spire.SOURCE.identify(line) is None


def test_a_value_can_not_pose_as_a_field() -> None:
    """What is quoted stays within its quotes."""
    said = 'x\\" serial_num=1 spiffe_id=\\"spiffe://example.org/admin'
    line = f'time="2026-01-05T10:00:00Z" level=debug msg="Signed X509 SVID" dns_name="{said}" subsystem_name=api'
    assert event(spire.SOURCE, line.encode()).parts == ()


def test_a_spent_join_token_is_a_name_and_a_waiting_one_a_secret() -> None:
    attested = case("spire/audit_attest_join_token")
    created = case("spire/audit_entry_create")
    spent, waiting = spire.SOURCE.identify(attested), spire.SOURCE.identify(created)
    assert spent is not None
    assert waiting is not None
    assert spent.secrets == ()
    assert [created[span.start : span.end] for span in waiting.secrets] == [b"must-not-stay-5a0e"]
    selector = attested.replace(b"status=success", b'selectors="[spiffe_id:spiffe://a/spire/agent/join_token/t1]"')
    found = spire.SOURCE.identify(selector)
    assert found is not None
    assert [selector[span.start : span.end] for span in found.secrets] == [b"t1"]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-01-05T10:00:00.123456Z", 1767607200_123456),
        ("1767607200", 1767607200_000000),
        (1767607200, 1767607200_000000),
        ("1767607200.123", 1767607200_123000),
        ("1767607200123", 1767607200_123000),
        (1767607200123456, 1767607200_123456),
        ("1767607200123456789", 1767607200_123456),
        ("17676072001", None),
        ("", None),
    ],
)
def test_times_of_envoy(time: object, expected: int | None) -> None:
    record = {"start_time": time, "response_flags": "-", "response_code": 200}
    read = envoy_access.SOURCE.read(json.dumps(record).encode(), "lines")
    assert (None if isinstance(read, Skip) else read[0].time) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"response_code": 200}, Outcome.SUCCESS),
        ({"response_code": "302"}, Outcome.SUCCESS),
        ({"response_code": 404}, Outcome.SUCCESS),
        ({"response_code": 401}, Outcome.DENIED),
        ({"response_code": 403}, Outcome.DENIED),
        ({"response_code": 407}, Outcome.DENIED),
        ({"response_code": 200, "response_flags": "UAEX"}, Outcome.DENIED),
        ({"response_code": 499, "response_code_details": "rbac_access_denied_matched_policy[none]"}, Outcome.DENIED),
        ({"response_code": 500}, Outcome.ERROR),
        ({"response_code": 0, "response_flags": "DC"}, Outcome.ERROR),
        ({"method": None, "response_code": 0}, Outcome.SUCCESS),
        ({"method": None, "response_code": 0, "response_flags": "UF,URX"}, Outcome.ERROR),
        ({"method": None, "transport_failure": "TLS_error"}, Outcome.DENIED),
        ({"method": None, "connection_termination_details": "rbac_access_denied_matched_policy[p]"}, Outcome.DENIED),
    ],
)
def test_outcomes_of_envoy(more: dict[str, object], expected: Outcome) -> None:
    record = {"start_time": "2026-01-05T10:00:00Z", "method": "GET", "response_flags": "-", **more}
    assert event(envoy_access.SOURCE, json.dumps(record).encode()).outcome is expected


@pytest.mark.parametrize(
    "record",
    [
        {"start_time": "2026-01-05T10:00:00Z", "method": "GET", "status": 200},
        {"response_flags": "-", "method": "GET"},
        {"kind": "Event", "auditID": "x", "protocol": "downstream_x"},
    ],
)
def test_other_objects_are_no_access_log(record: dict[str, object]) -> None:
    assert envoy_access.SOURCE.identify(json.dumps(record).encode()) is None


def test_a_client_can_not_write_another_peer_into_a_line_of_text() -> None:
    """Whatever stands in the headers, the end of the line is the proxy's own."""
    genuine, hostile = case("envoy_access/text_with_peer"), case("envoy_access/text_with_peer_hostile_agent")
    first, second = event(envoy_access.SOURCE, genuine), event(envoy_access.SOURCE, hostile)
    assert b"spiffe://example.org/admin" in hostile
    assert first.parts == second.parts
    assert first.principal == second.principal == "spiffe:example.org:/shop"
    assert second.agent is None
    for name in ("text_posing_as_peer", "text_default_hostile_agent"):
        assert isinstance(envoy_access.SOURCE.read(case(f"envoy_access/{name}"), "envoy"), Skip)


def test_a_forwarded_certificate_is_its_senders_word() -> None:
    found = event(envoy_access.SOURCE, case("envoy_access/forwarded_cert"))
    assert [part.asserter for part in found.parts] == [None, Asserter.CLIENT]
    assert found.principal == "spiffe:example.org:/edge"
    alone = event(envoy_access.SOURCE, case("envoy_access/forwarded_cert_alone"))
    assert [part.asserter for part in alone.parts] == [Asserter.CLIENT]
    assert alone.principal is None


def test_every_operator_that_the_documentation_recommends_is_known() -> None:
    text = (TESTS.parent / "docs/sources/envoy_access.md").read_text("utf-8")
    named = re.findall(r'^        (\w+): "%', text.partition("json_format:\n")[2].partition("As text")[0], re.MULTILINE)
    assert len(named) == 27
    assert {"access_log_type", "x_forwarded_client_cert"} < set(named)
    found = envoy_access.facts.of_object(dict.fromkeys(named, "x"))
    assert len(found) == len(named)


def test_the_text_that_the_documentation_recommends_is_read() -> None:
    text = (TESTS.parent / "docs/sources/envoy_access.md").read_text("utf-8")
    (line,) = (line.strip() for line in text.splitlines() if line.endswith("peer/1"))
    written = case("envoy_access/text_with_peer").decode()
    values = re.findall(r"%(\w+)%", line)
    assert len(values) == 9
    pattern = re.escape(re.sub(r"%\w+%", "VALUE", line)).replace("VALUE", '[^"]*?')
    assert re.search(f'" {pattern}$', written)
