"""The benchmark's input at a small size: what it promises of counts, chains, sizes and repeatability."""

import gzip
import itertools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.sample_estate.cloudtrail import spelled

BENCH = Path(__file__).resolve().parents[2] / "bench"
RECORDS = 9_500
Record = dict[str, object]


def _generate(folder: Path, *extra: str) -> str:
    command = [sys.executable, str(BENCH / "generate.py"), str(folder), "--records", str(RECORDS), "--per-file", "900"]
    return subprocess.run([*command, *extra], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bench")
    assert _generate(made, "--processes", "1").startswith("9,500 records")
    return made


@pytest.fixture(scope="module")
def contents(folder: Path) -> list[bytes]:
    return [gzip.decompress(path.read_bytes()) for path in sorted(folder.rglob("*.json.gz"))]


@pytest.fixture(scope="module")
def records(contents: list[bytes]) -> list[Record]:
    return [record for content in contents for record in json.loads(content)["Records"]]


@pytest.fixture(scope="module")
def parents(records: list[Record]) -> dict[object, object]:
    """Of every issued key, the key that asked for it."""
    return {key: _at(r, "userIdentity", "accessKeyId") for r in records if (key := _issued_key(r)) is not None}


def _at(record: object, *path: str) -> object:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _issued_key(record: Record) -> object:
    credentials = _at(record, "responseElements", "credentials", "accessKeyId")
    return credentials or _at(record, "responseElements", "accessKey", "accessKeyId")


def test_count_files_and_identities(contents: list[bytes], records: list[Record]) -> None:
    assert len(records) == len({record["eventID"] for record in records}) == RECORDS
    assert len(contents) == 11


def test_mean_size_is_that_of_real_records(contents: list[bytes]) -> None:
    assert 1_250 < sum(map(len, contents)) / RECORDS < 1_450


def test_shares_of_issuing_records_uses_of_issued_keys_and_the_hot_key(
    records: list[Record], parents: dict[object, object]
) -> None:
    used = Counter(_at(record, "userIdentity", "accessKeyId") for record in records)
    del used[None]
    assert 0.040 < len(parents) / RECORDS < 0.050
    assert 0.16 < sum(used[key] for key in parents) / RECORDS < 0.20
    hot, count = used.most_common(1)[0]
    assert hot in parents
    assert 0.045 < count / RECORDS < 0.055


def test_chains_are_up_to_four_deep(parents: dict[object, object]) -> None:
    def depth(key: object) -> int:
        return 1 + depth(parents[key]) if parents[key] in parents else 1

    depths = Counter(map(depth, parents))
    assert set(depths) == {1, 2, 3, 4}
    assert depths[4] >= 10


def test_records_are_in_order_of_time_across_files(records: list[Record]) -> None:
    times = [str(record["eventTime"]) for record in records]
    assert times == sorted(times)
    assert times[0] == "2026-01-05T00:00:00Z"


def test_keys_are_used_between_issue_and_expiry_only(records: list[Record]) -> None:
    issued: dict[object, Record] = {}
    for record in records:
        key = _at(record, "userIdentity", "accessKeyId")
        created = _at(record, "userIdentity", "sessionContext", "attributes", "creationDate")
        if key in issued and created is not None:
            assert created == issued[key]["eventTime"]
        if (made := _issued_key(record)) is not None:
            assert made not in issued
            issued[made] = record
    later = {_at(r, "userIdentity", "accessKeyId") for r in records} - issued.keys()
    created = {_at(r, "userIdentity", "sessionContext", "attributes", "creationDate") for r in issued.values()}
    assert len(later) > 500
    assert len(created) > 1


def test_each_kind_of_caller_occurs(records: list[Record]) -> None:
    kinds = Counter(str(_at(record, "userIdentity", "type")) for record in records)
    assert set(kinds) == {"IAMUser", "AssumedRole", "AWSService", "WebIdentityUser"}
    keyless = [r for r in records if _at(r, "userIdentity", "accessKeyId") is None]
    assert 0.3 < len(keyless) / RECORDS < 0.6
    forwarded = [r for r in records if _at(r, "userIdentity", "invokedBy") and _at(r, "userIdentity", "accessKeyId")]
    assert 0.09 < len(forwarded) / RECORDS < 0.13
    assert sum("sessionCredentialFromConsole" in record for record in records) > 400


def test_forward_access_keys_follow_their_parents_call_at_once(records: list[Record]) -> None:
    for before, record in itertools.pairwise(records):
        if _at(record, "userIdentity", "invokedBy") and _at(record, "userIdentity", "accessKeyId"):
            assert _at(before, "userIdentity", "principalId") == _at(record, "userIdentity", "principalId")
            assert before["eventTime"] == record["eventTime"]


def test_instances_have_a_network_with_an_address_and_end(records: list[Record]) -> None:
    actions = Counter(str(record["eventName"]) for record in records)
    assert actions["AllocateAddress"] == actions["CreateNatGateway"] == 8
    assert actions["RunInstances"] == 14 + 10
    assert actions["TerminateInstances"] == 10
    assert actions["CreateAccessKey"] == 1


def test_expirations_are_spelled_like_issuers_do(records: list[Record]) -> None:
    first = next(r for r in records if _at(r, "responseElements", "credentials", "expiration") is not None)
    text = str(_at(first, "responseElements", "credentials", "expiration"))
    assert text.startswith("Jan 5, 2026, ")
    assert text[-2:] == spelled(1_767_571_200, comma=True)[-2:] == "AM"


def test_bytes_do_not_depend_on_processes_and_do_on_the_seed(folder: Path, tmp_path: Path) -> None:
    _generate(tmp_path / "two", "--processes", "2")
    _generate(tmp_path / "other", "--seed", "2")
    names = sorted(path.relative_to(folder) for path in folder.rglob("*.json.gz"))
    for name in names:
        assert (tmp_path / "two" / name).read_bytes() == (folder / name).read_bytes()
    others = sorted((tmp_path / "other").rglob("*.json.gz"))
    assert [path.read_bytes() for path in others] != [(folder / name).read_bytes() for name in names]


def test_baselines_count_every_record(folder: Path) -> None:
    command = [sys.executable, str(BENCH / "baselines.py"), str(folder), "--files", "2", "--runs", "1"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == 4
    assert all("records/s" in line for line in lines)


def test_baselines_refuse_an_empty_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "baselines.py"), str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no *.json.gz" in done.stderr
