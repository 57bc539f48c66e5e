"""Identities, times and principals of CloudTrail records."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from custody.errors import SourceError
from custody.model import keys
from custody.sources.aws_cloudtrail import SOURCE
from custody.sources.aws_cloudtrail.principals import access_key, acting, principal_key, web_subject
from custody.sources.aws_cloudtrail.records import UserIdentity
from custody.sources.aws_cloudtrail.times import event_time, expiry

HEAD = {"eventID": "e-1", "eventSource": "s3.amazonaws.com", "eventName": "GetObject"}


def record(**fields: object) -> bytes:
    return json.dumps({**HEAD, **fields}).encode()


def moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * 1_000_000


def test_the_identity_is_the_event_id() -> None:
    identity = SOURCE.identify(record())
    assert identity is not None
    assert (identity.scheme, identity.id, identity.secrets, identity.withheld) == ("event-id/1", "e-1", (), False)


@pytest.mark.parametrize("event", ["x" * 257, "ü" * 129, "a\x00b", "a\nb"])
def test_long_and_unprintable_ids_are_hashed(event: str) -> None:
    identity = SOURCE.identify(record(eventID=event))
    assert identity is not None
    assert identity.id == f"sha256:{hashlib.sha256(event.encode()).hexdigest()}"


def test_an_id_of_256_bytes_stays() -> None:
    identity = SOURCE.identify(record(eventID="x" * 256))
    assert identity is not None
    assert identity.id == "x" * 256


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b'"x"', b'"{}"', b"nope", record(eventID=5), record(eventID=""), b'{"eventID":"a"}', b"\xff"],
)
def test_what_is_no_cloudtrail_record_has_no_identity(raw: bytes) -> None:
    assert SOURCE.identify(raw) is None


def test_only_the_top_level_id_counts() -> None:
    identity = SOURCE.identify(record(requestParameters={"eventID": "other"}))
    assert identity is not None
    assert identity.id == "e-1"


def test_recognise_looks_at_the_bytes_alone() -> None:
    assert SOURCE.recognise(record())
    assert SOURCE.recognise(json.dumps(record().decode()).encode())
    assert not SOURCE.recognise(b'{"kind":"Event","auditID":"x"}')


def test_event_times() -> None:
    assert event_time("2023-07-10T11:55:22Z") == moment(2023, 7, 10, 11, 55, 22)
    assert event_time("2023-07-10T11:55:22.5Z") == moment(2023, 7, 10, 11, 55, 22) + 500_000
    assert event_time("2023-07-10T11:55:22.123456789Z") == moment(2023, 7, 10, 11, 55, 22) + 123_456


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-07-10 11:55:22",
        "2023-07-10T11:55:22",
        "2023-07-10T11:55:22+02:00",
        "2023-02-29T00:00:00Z",
        "2023-07-10T24:00:00Z",
        "2005-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "٢٠٢٣-07-10T11:55:22Z",
        "2023-07-10T11:55:22Z\n",
    ],
)
def test_what_is_no_event_time_is_refused(text: str) -> None:
    with pytest.raises(SourceError):
        event_time(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Jul 30, 2021 12:56:03 AM", moment(2021, 7, 30, 0, 56, 3)),
        ("Jul 10, 2023, 12:21:41 PM", moment(2023, 7, 10, 12, 21, 41)),
        ("Jul 10, 2023, 6:30:22\u202fPM", moment(2023, 7, 10, 18, 30, 22)),
        ("Jan 01, 2019 0:00:00 PM", moment(2019, 1, 1, 12, 0, 0)),
        ("2024-03-01T11:00:00Z", moment(2024, 3, 1, 11, 0, 0)),
        (1709290800, moment(2024, 3, 1, 11, 0, 0)),
        (1709290800000, moment(2024, 3, 1, 11, 0, 0)),
        (1709290800.25, moment(2024, 3, 1, 11, 0, 0) + 250_000),
        (None, None),
        ("", None),
    ],
)
def test_every_spelling_of_an_expiration(value: str | float | None, expected: int | None) -> None:
    assert expiry(value, "$.x") == expected


@pytest.mark.parametrize(
    "value", ["Foo 1, 2024 1:00:00 AM", "Jul 10, 2023 13:00:00 PM", "Feb 30, 2024 1:00:00 AM", 0, -5]
)
def test_an_expiration_that_is_none_is_refused_with_its_place(value: str | int) -> None:
    with pytest.raises(SourceError, match=r"^\$\.x: "):
        expiry(value, "$.x")


@pytest.mark.parametrize(
    ("arn", "key"),
    [
        ("arn:aws:iam::1:role/a/b/name", "aws_arn:1:arn:aws:iam::1:role/name"),
        ("arn:aws:iam::1:role/name", "aws_arn:1:arn:aws:iam::1:role/name"),
        ("arn:aws:iam::1:user/ops/alice", "aws_arn:1:arn:aws:iam::1:user/alice"),
        ("arn:aws:sts::1:assumed-role/name/session", "aws_arn:1:arn:aws:iam::1:role/name"),
        ("arn:aws:sts::1:federated-user/guest", "aws_arn:1:arn:aws:sts::1:federated-user/guest"),
        ("arn:aws:iam::1:root", "aws_arn:1:arn:aws:iam::1:root"),
        ("arn:aws:iam::aws:policy/service-role/P", "aws_arn:aws:arn:aws:iam::aws:policy/service-role/P"),
    ],
)
def test_roles_and_users_are_keyed_without_their_path(arn: str, key: str) -> None:
    assert principal_key(arn) == key
    assert str(keys.parse(key)) == key


def test_a_web_identity_is_scoped_by_its_issuer() -> None:
    provider = "arn:aws:iam::1:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/E"
    key = web_subject(provider, "system:serviceaccount:ns:sa")
    assert key == "oidc_subject:oidc.eks.eu-west-1.amazonaws.com/id/E:system:serviceaccount:ns:sa"
    assert keys.parse(key).value == "system:serviceaccount:ns:sa"
    assert web_subject(None, "x") is None


def test_a_scope_that_holds_colons_is_escaped() -> None:
    key = keys.scoped("aws_pod", "arn:aws:eks:r:1:cluster/100%", "uid")
    assert keys.parse(key).scope == "arn%3Aaws%3Aeks%3Ar%3A1%3Acluster/100%25"


def test_who_acted() -> None:
    assert acting(UserIdentity(type="AWSService", invokedBy="ec2.amazonaws.com")) == "aws_service:aws:ec2.amazonaws.com"
    assert acting(UserIdentity(type="AWSAccount", principalId="AROA1:s")) == "aws_principal:aws:AROA1"
    assert (
        acting(UserIdentity(type="AssumedRole", arn="arn:aws:sts::1:assumed-role/r/s"))
        == "aws_arn:1:arn:aws:iam::1:role/r"
    )
    assert acting(UserIdentity()) is None


def test_access_keys() -> None:
    assert access_key("ASIA1", "x") == "aws_akid:aws:ASIA1"
    assert access_key("", "x") is None
    assert access_key("HIDDEN_DUE_TO_SECURITY_REASONS", "x") is None
    for odd in ("a b", "a:b", "é", "a\x00", "A" * 129):
        with pytest.raises(SourceError):
            access_key(odd, "x")
