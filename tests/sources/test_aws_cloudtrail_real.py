"""The real export against the facts that were counted independently (SOURCE.md beside it)."""

from collections import Counter

import msgspec
import pytest

from custody.model.events import Event, Granularity, Outcome, Part, Skip, Stage
from custody.sources.aws_cloudtrail import SOURCE
from custody.sources.masking import mask
from custody.sources.registry import sources
from custody.sources.secret_spans import find


@pytest.fixture(scope="module")
def kept(real_records: list[bytes]) -> list[bytes]:
    identities = SOURCE.identities(real_records)
    return [mask(raw, known.secrets) for raw, known in zip(real_records, identities, strict=True) if known is not None]


@pytest.fixture(scope="module")
def events(kept: list[bytes]) -> list[Event]:
    read = [SOURCE.read(record, "delivered") for record in kept]
    return [event for result in read if not isinstance(result, Skip) for event in result]


@pytest.fixture(scope="module")
def parts(events: list[Event]) -> list[Part]:
    return [part for event in events for part in event.parts]


def test_every_record_is_understood(real_records: list[bytes], events: list[Event]) -> None:
    assert len(real_records) == len(events) == 2900
    assert len({event.id for event in events}) == 2900


def test_keys_issued_used_and_both(parts: list[Part]) -> None:
    issued = [part.key for part in parts if part.stage is Stage.ISSUE]
    used = [part.key for part in parts if part.stage is Stage.USE]
    assert len(issued) == len(set(issued)) == 38
    assert len(set(used)) == 133
    assert sum(key.startswith("aws_akid:aws:AKIA") for key in set(used) if key) == 3
    assert len(set(issued) & set(used)) == 8
    assert sum(key in set(issued) for key in used) == 70


def test_who_asked_for_the_keys(events: list[Event]) -> None:
    issues = [event for event in events if any(part.stage is Stage.ISSUE for part in event.parts)]
    asked = Counter((event.action, event.invoked_by or event.principal_kind) for event in issues)
    assert asked == {
        ("AssumeRole", "IAMUser"): 10,
        ("AssumeRole", "rds.amazonaws.com"): 10,
        ("AssumeRole", "rolesanywhere.amazonaws.com"): 6,
        ("AssumeRole", "ec2.amazonaws.com"): 4,
        ("AssumeRole", "inspector2.amazonaws.com"): 4,
        ("AssumeRole", "lambda.amazonaws.com"): 2,
        ("CreateAccessKey", "IAMUser"): 2,
    }


def test_parents_workloads_and_expiry_of_the_issues(parts: list[Part]) -> None:
    issues = [part for part in parts if part.stage is Stage.ISSUE]
    assert sum(part.parent is not None for part in issues) == 10
    assert sum(part.granularity is Granularity.INSTANCE for part in issues) == 4
    assert sum(part.not_after is None for part in issues) == 2
    end_of_log = 1_688_992_670_000_000  # 2023-07-10T12:37:50Z
    assert sum(part.not_after > end_of_log for part in issues if part.not_after) == 19
    assert sum("aws-service-role/" in (part.object or "") for part in issues) == 20


def test_the_stolen_key_is_bound_to_its_instance(events: list[Event]) -> None:
    issue = next(event for event in events for part in event.parts if part.key == "aws_akid:aws:ASIATFQR7NSC36DZQP7P")
    assert issue.parts == (
        Part(
            stage=Stage.ISSUE,
            key="aws_akid:aws:ASIATFQR7NSC36DZQP7P",
            subject="aws_arn:123837392027:arn:aws:iam::123837392027:role/stratus-red-team-ec2-steal-credentials-role",
            session_name="i-0dbc91f429e48eeed",
            workload="aws_instance:123837392027:i-0dbc91f429e48eeed",
            granularity=Granularity.INSTANCE,
            bound_by=issue.parts[0].bound_by,
            method="AssumeRole",
            not_after=1_689_013_822_000_000,
            object="arn:aws:iam::123837392027:role/stratus-red-team-ec2-steal-credentials-role",
        ),
    )


def test_ends_and_changes(parts: list[Part]) -> None:
    effects = Counter(part.effect for part in parts if part.effect)
    assert effects["role.create"] == effects["role.delete"] == 13
    assert effects["user.create"] == effects["user.delete"] == 4
    assert effects["key.delete"] == 2
    assert effects["policy.attach"] == 6 + 1
    assert effects["policy.detach"] == 5 + 1
    assert effects["policy.put"] == 5
    assert effects["trust.change"] == 2
    assert effects["profile.add"] == effects["profile.remove"] == 3
    assert effects["login.create"] == 2
    assert effects["instance.run"] == effects["instance.terminate"] == 2


def test_a_role_ends_under_the_key_that_its_sessions_spoke_for(parts: list[Part]) -> None:
    ended = {part.key for part in parts if part.effect == "role.delete"}
    spoken_for = {part.subject for part in parts if part.stage is Stage.ISSUE and part.workload != part.subject}
    assert "aws_arn:123837392027:arn:aws:iam::123837392027:role/stratus-red-team-ec2-steal-credentials-role" in ended
    assert len(ended & spoken_for) >= 3


def test_the_facts_that_explain_the_instances_address(events: list[Event]) -> None:
    told = {
        (part.effect, part.key, part.object, part.related)
        for event in events
        for part in event.parts
        if part.stage is Stage.START
    }
    account, vpc = "123837392027", "vpc-06fe1a64761a0f720"
    assert ("address.allocate", f"aws_address:{account}:eipalloc-08a083beb7e83dbc0", "3.225.16.109", None) in told
    assert ("nat.create", f"aws_nat:{account}:nat-03575abbac42080d9", "eipalloc-08a083beb7e83dbc0", vpc) in told
    assert ("instance.run", f"aws_instance:{account}:i-0dbc91f429e48eeed", "10.0.1.10", vpc) in told


def test_outcomes(events: list[Event]) -> None:
    outcomes = Counter(event.outcome for event in events)
    assert outcomes[Outcome.SUCCESS] == 2600
    assert outcomes[Outcome.DENIED] == 44 + 16  # UnauthorizedOperation, AccessDenied


def test_no_denied_or_failed_call_does_more_than_use_a_key(events: list[Event]) -> None:
    for event in events:
        if event.outcome is not Outcome.SUCCESS:
            assert {part.stage for part in event.parts} <= {Stage.USE}


def test_original_and_kept_copy_read_the_same(real_records: list[bytes], kept: list[bytes]) -> None:
    for raw, copy in zip(real_records, kept, strict=True):
        assert SOURCE.read(raw, "delivered") == SOURCE.read(copy, "delivered")


def test_no_session_token_is_kept(real_records: list[bytes], kept: list[bytes]) -> None:
    everything = b"\n".join(kept)
    tokens = [token for raw in real_records if (token := session_token(raw))]
    assert len(tokens) == 36
    for token in tokens:
        assert token[:40].encode() not in everything


def test_no_session_token_is_kept_of_the_lookup_events_form(real_records: list[bytes]) -> None:
    for raw in (raw for raw in real_records if b"essionToken" in raw):
        token = session_token(raw)
        encoded = msgspec.json.encode(raw.decode())
        identity = SOURCE.identify(encoded)
        assert identity is not None
        copy = mask(encoded, identity.secrets)
        assert token is not None
        assert token[:40].encode() not in copy
        assert SOURCE.read(copy, "lookup-events") == SOURCE.read(raw, "delivered")


def test_the_screen_lets_no_secret_through(real_records: list[bytes]) -> None:
    identities = SOURCE.identities(real_records)
    for raw, identity in zip(real_records, identities, strict=True):
        assert identity is not None
        assert identity.secrets == find(raw).spans


def test_one_at_a_time_is_the_same_as_all_at_once(real_records: list[bytes]) -> None:
    some = real_records[::97]
    assert [SOURCE.identify(raw) for raw in some] == SOURCE.identities(some)


def test_no_source_raises_on_the_logs_of_others(sample_lines: list[bytes]) -> None:
    assert len(sample_lines) > 100
    for source in sources():
        for line in sample_lines:
            identity = source.identify(line)
            assert identity is None or identity.id
            assert isinstance(source.read(line, "lines"), (tuple, Skip))
            assert isinstance(source.recognise(line), bool)


class _Credentials(msgspec.Struct):
    sessionToken: str | None = None  # noqa: N815


class _Response(msgspec.Struct):
    credentials: _Credentials | None = None


class _Record(msgspec.Struct):
    responseElements: msgspec.Raw  # noqa: N815


def session_token(raw: bytes) -> str | None:
    response = msgspec.json.decode(raw, type=_Record).responseElements
    if b"essionToken" not in bytes(response):
        return None
    credentials = msgspec.json.decode(response, type=_Response).credentials
    return credentials.sessionToken if credentials else None
