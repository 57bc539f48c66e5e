"""The sample's files, read back by a small reader of its own and held against what the generator says is true."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sample_estate import Truth, write_sample

from custody.model.verdicts import Population

Record = dict[str, object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample")


@pytest.fixture(scope="module")
def truth(folder: Path) -> Truth:
    return write_sample(folder)


@pytest.fixture(scope="module")
def records(folder: Path, truth: Truth) -> list[Record]:
    return [record for name in truth.files for record in _read(folder / name)]


@pytest.fixture(scope="module")
def distinct(records: list[Record]) -> list[Record]:
    return list({str(record["eventID"]): record for record in records}.values())


def _read(path: Path) -> Iterator[Record]:
    """Every whole record of a file; a line that is not JSON is left out."""
    if path.suffix == ".gz":
        yield from json.loads(gzip.decompress(path.read_bytes()))["Records"]
    elif path.suffix == ".ndjson":
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)["detail"]
            except json.JSONDecodeError:
                continue
    else:
        for event in json.loads(path.read_text())["Events"]:
            yield json.loads(event["CloudTrailEvent"])


def _at(record: object, *path: str) -> object:
    """The member at the end of the path, None where a part of it is missing."""
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _issued_key(record: Record) -> str | None:
    key = _at(record, "responseElements", "credentials", "accessKeyId")
    key = key or _at(record, "responseElements", "accessKey", "accessKeyId")
    return str(key) if key else None


def _used_key(record: Record) -> str | None:
    key = _at(record, "userIdentity", "accessKeyId")
    return str(key) if key else None


def _shape(value: object) -> object:
    """The nesting and names of a JSON value, without what it says."""
    return {name: _shape(inner) for name, inner in value.items()} if isinstance(value, dict) else type(value).__name__


def test_same_seed_gives_the_same_bytes(tmp_path: Path, folder: Path, truth: Truth) -> None:
    again = write_sample(tmp_path)
    assert again == truth
    for name in (*truth.files, truth.contract):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_another_seed_gives_other_values_and_the_same_stories(tmp_path: Path, truth: Truth) -> None:
    other = write_sample(tmp_path, seed=8)
    assert not set(other.issued) & set(truth.issued)
    assert not set(other.tokens) & set(truth.tokens)
    assert [story.name for story in other.stories] == [story.name for story in truth.stories]
    assert (other.records, other.populations) == (truth.records, truth.populations)


def test_every_file_on_disk_is_named(folder: Path, truth: Truth) -> None:
    on_disk = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert on_disk == {*truth.files, truth.contract}


def test_size_is_that_of_a_demonstration(truth: Truth) -> None:
    assert 1_100 <= truth.records <= 1_300
    assert sum(name.endswith(".json.gz") for name in truth.files) in range(18, 23)


def test_log_files_stand_where_cloudtrail_puts_them(truth: Truth) -> None:
    for name in truth.files:
        if name.endswith(".gz"):
            top, account, trail, region, year, month, day, file = name.split("/")
            assert (top, trail, year, month, day) == ("AWSLogs", "CloudTrail", "2026", "03", "02")
            assert file.startswith(f"{account}_CloudTrail_{region}_20260302T")
            assert len(file.rpartition("_")[2].removesuffix(".json.gz")) == 16


def test_a_log_file_holds_only_its_own_account_and_region(folder: Path, truth: Truth) -> None:
    for name in truth.files:
        if name.endswith(".gz"):
            _, account, _, region, *_ = name.split("/")
            for record in _read(folder / name):
                assert (record["recipientAccountId"], record["awsRegion"]) == (account, region)


def test_two_accounts_and_two_regions_are_there(distinct: list[Record]) -> None:
    pairs = {(record["recipientAccountId"], record["awsRegion"]) for record in distinct}
    accounts, regions = ("111122223333", "444455556666"), ("us-east-1", "eu-central-1")
    assert pairs == {(account, region) for account in accounts for region in regions}


def test_counts_of_records_add_up(records: list[Record], distinct: list[Record], truth: Truth) -> None:
    assert truth.records == truth.understood + truth.skips + truth.duplicates
    assert len(records) == truth.understood + truth.duplicates
    assert len(distinct) == truth.understood


def test_duplicates_are_the_same_value_in_another_wrapping(records: list[Record], truth: Truth) -> None:
    seen: dict[str, Record] = {}
    again = 0
    for record in records:
        first = seen.setdefault(str(record["eventID"]), record)
        again += first is not record
        assert first == record
    assert again == truth.duplicates > 0


def test_one_line_is_cut_off_and_gives_no_secret_away(folder: Path, truth: Truth) -> None:
    lines = (folder / "eventbridge.ndjson").read_text().splitlines()
    broken = []
    for line in lines:
        try:
            json.loads(line)
        except json.JSONDecodeError:
            broken.append(line)
    assert len(broken) == truth.skips == 1
    assert "sessionToken" not in broken[0]


def test_issued_used_and_joined_keys_are_those_in_the_files(distinct: list[Record], truth: Truth) -> None:
    issued = {key for record in distinct if (key := _issued_key(record)) and "errorCode" not in record}
    used = {key for record in distinct if (key := _used_key(record))}
    assert truth.issued == tuple(sorted(issued))
    assert truth.used == tuple(sorted(used))
    assert truth.joined == tuple(sorted(issued & used))


def test_forward_access_keys_are_never_used_without_the_service_that_calls(
    distinct: list[Record], truth: Truth
) -> None:
    direct = {_used_key(record) for record in distinct if _at(record, "userIdentity", "invokedBy") is None}
    forwarded = {_used_key(record) for record in distinct if _at(record, "userIdentity", "invokedBy") is not None}
    assert set(truth.forward_access) == forwarded - direct - {None}
    assert not set(truth.forward_access) & set(truth.issued)


def test_classes_cover_every_unissued_key_once(truth: Truth) -> None:
    assert sum(truth.unissued.values()) == len(set(truth.used) - set(truth.issued))
    assert truth.unissued["unexplained"] == 1


def test_populations_cover_every_credential_but_forward_access(truth: Truth) -> None:
    everything = set(truth.issued) | set(truth.used)
    assert sum(truth.populations.values()) == len(everything - set(truth.forward_access))
    assert all(truth.populations[population] > 0 for population in Population)


def test_tokens_are_all_the_session_tokens_there_are(records: list[Record], truth: Truth) -> None:
    found = {_at(record, "responseElements", "credentials", "sessionToken") for record in records} - {None}
    assert found == set(truth.tokens)
    assert min(map(len, truth.tokens)) > 600


def test_tokens_stand_in_every_wrapping(folder: Path, truth: Truth) -> None:
    for name in ("lookup-events.json", "eventbridge.ndjson"):
        text = (folder / name).read_text()
        assert any(token in text for token in truth.tokens)


def test_keys_have_the_form_of_access_keys(truth: Truth) -> None:
    for key in {*truth.issued, *truth.used}:
        assert key[:4] in ("ASIA", "AKIA")
        assert len(key) == 20
        assert set(key[4:]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def test_each_credential_presents_one_principal_and_one_creation(distinct: list[Record]) -> None:
    shown: dict[str, set[tuple[object, object]]] = {}
    for record in distinct:
        if key := _used_key(record):
            created = _at(record, "userIdentity", "sessionContext", "attributes", "creationDate")
            shown.setdefault(key, set()).add((_at(record, "userIdentity", "principalId"), created))
    assert {len(pairs) for pairs in shown.values()} == {1}


def test_issued_keys_are_created_in_the_second_of_their_issuance(distinct: list[Record]) -> None:
    issued = {key: record["eventTime"] for record in distinct if (key := _issued_key(record))}
    for record in distinct:
        created = _at(record, "userIdentity", "sessionContext", "attributes", "creationDate")
        if (key := _used_key(record)) in issued and created is not None:
            assert created == issued[str(key)]


def test_every_record_has_the_members_that_a_parser_needs(distinct: list[Record]) -> None:
    needed = {"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress"}
    needed |= {"requestParameters", "responseElements", "requestID", "eventID", "readOnly", "eventType"}
    for record in distinct:
        assert needed <= record.keys()
        assert str(record["eventTime"]).startswith("2026-03-02T")
        assert str(record["eventSource"]).endswith(".amazonaws.com")


def test_both_spellings_of_an_expiration_occur(distinct: list[Record]) -> None:
    texts = [_at(record, "responseElements", "credentials", "expiration") for record in distinct]
    commas = Counter(str(text).count(",") for text in texts if text is not None)
    assert set(commas) == {1, 2}


def test_cross_account_sessions_are_told_twice_under_one_shared_id(distinct: list[Record]) -> None:
    copies = [record for record in distinct if _at(record, "userIdentity", "type") == "AWSAccount"]
    assert len(copies) == 5
    for copy in copies:
        (original,) = [
            record
            for record in distinct
            if record.get("sharedEventID") == copy["sharedEventID"] and record["eventID"] != copy["eventID"]
        ]
        assert _issued_key(original) == _issued_key(copy)
        assert _used_key(original) is not None
        assert _used_key(copy) is None
        assert (original["recipientAccountId"], copy["recipientAccountId"]) == ("111122223333", "444455556666")


def test_records_have_the_shapes_of_real_ones(distinct: list[Record]) -> None:
    real = _real_records()
    for kind in ("IAMUser", "AssumedRole", "AWSService"):
        shapes = [_shape(r["userIdentity"]) for r in real if _at(r, "userIdentity", "type") == kind]
        known = {name for shape in shapes if isinstance(shape, dict) for name in shape}
        for record in distinct:
            if _at(record, "userIdentity", "type") == kind:
                identity = record["userIdentity"]
                assert isinstance(identity, dict)
                assert identity.keys() <= known | {"inScopeOf"}


def test_no_value_of_the_real_records_is_in_the_sample(folder: Path, truth: Truth) -> None:
    real = {str(record["eventID"]) for record in _real_records()}
    real |= {key for record in _real_records() if (key := _used_key(record))}
    real |= {str(_at(record, "userIdentity", "principalId")) for record in _real_records()} - {"None"}
    everything = "".join(json.dumps(record) for name in truth.files for record in _read(folder / name))
    assert not [value for value in real if value in everything]


def _real_records() -> list[Record]:
    data = Path(__file__).resolve().parents[2] / "../shared/data/aws_cloudtrail"
    if not data.is_dir():
        pytest.skip("needs ../shared/data/aws_cloudtrail beside the checkout")
    return [record for path in sorted(data.glob("*.json.gz")) for record in _read(path)]
