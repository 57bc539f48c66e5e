"""Bad input gets an error that says where; the rest goes on; nothing is lost; the exit code says so."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from custody.cli.commands.audit import outcome
from custody.model.report import Report
from custody.pipeline import show
from custody.pipeline.verify import verify
from custody.settings.catalog import Settings
from tests.end_to_end.conftest import run, settings_for

RECORD = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "accessKeyId": "AKIAEXAMPLE000000001",
        "arn": "arn:aws:iam::111122223333:user/a",
    },
    "eventTime": "2026-03-01T10:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "ListBuckets",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "198.51.100.7",
    "recipientAccountId": "111122223333",
    "eventID": "00000000-0000-4000-8000-000000000000",
}


def record(number: int, **more: object) -> bytes:
    return json.dumps({**RECORD, "eventID": f"00000000-0000-4000-8000-{number:012}", **more}).encode()


def whole(*records: bytes) -> bytes:
    return b'{"Records":[' + b",".join(records) + b"]}"


def audited(folder: Path, name: str, data: bytes, **flags: object) -> Report:
    path = folder / name
    path.write_bytes(data)
    report = run(folder, [path], **flags)
    assert report.records == report.understood + report.skips + report.duplicates
    assert verify(settings_for(folder), None, None, None).status == "ok"
    return report


def test_a_truncated_gzip_gives_what_is_readable_and_a_finding(tmp_path: Path) -> None:
    noise = random.Random(3)
    records = [record(n, requestID=f"{noise.getrandbits(256):x}") for n in range(200)]
    report = audited(tmp_path, "cut.json.gz", gzip.compress(whole(*records))[:-3000])

    assert 0 < report.understood < 200
    assert [found.rule for found in report.findings].count("source-with-holes") >= 1
    assert outcome(report, None) == 1


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    data = whole(*(record(n) for n in range(10)))
    report = audited(tmp_path, "two.json.gz", gzip.compress(data[:500]) + gzip.compress(data[500:]))

    assert (report.understood, report.skips) == (10, 0)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_read_and_tricky_names_are_never_followed(kind: str, tmp_path: Path) -> None:
    members = {"a.json": whole(record(1)), "../outside.json": whole(record(2)), "/etc/x.json": whole(record(3))}
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    report = audited(tmp_path, f"logs.{kind}", buffer.getvalue())

    assert report.understood == 3
    assert not (tmp_path.parent / "outside.json").exists()


def test_duplicate_keys_are_a_sealed_skip_and_a_high_finding(tmp_path: Path) -> None:
    twice = record(1).replace(b'"eventName": "ListBuckets"', b'"eventName": "A", "eventName": "B"')
    report = audited(tmp_path, "x.json", whole(twice, record(2)))

    assert report.skipped == {"duplicate-keys": 1}
    (found,) = report.findings
    assert (found.rule, found.severity) == ("duplicate-keys", "high")
    (shown,) = show.show(settings_for(tmp_path), f"operations:{found.leaves[0]}")
    assert b'"eventName": "B"' in (shown.raw() or b"")


def test_one_identity_with_two_values_is_a_conflict_on_which_nothing_rests(tmp_path: Path) -> None:
    report = audited(tmp_path, "x.json", whole(record(1), record(1, sourceIPAddress="203.0.113.9"), record(2)))

    assert (report.conflicts, report.understood, report.events) == (1, 3, 2)
    assert [found.rule for found in report.findings] == ["conflicting-record"]


def test_a_thinner_copy_in_another_wrapping_is_a_variant(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.json").write_bytes(whole(*(record(n, requestID=str(n)) for n in range(5))))
    (tmp_path / "logs" / "b.ndjson").write_bytes(b"\n".join(record(n) for n in range(5)))
    report = run(tmp_path, [tmp_path / "logs"])

    assert (report.conflicts, report.variants, report.events) == (0, 5, 5)
    assert [(found.rule, found.severity) for found in report.findings] == [("variant-copies", "low")]


def test_a_record_over_the_limit_is_withheld(tmp_path: Path) -> None:
    report = audited(tmp_path, "x.json", whole(record(1, requestID="x" * 5000), record(2)), max_record="2KiB")

    assert (report.understood, report.skipped) == (1, {"too-large": 1})


def test_a_bomb_is_cut_off(tmp_path: Path) -> None:
    report = audited(tmp_path, "bomb.json.gz", gzip.compress(b" " * 60_000_000 + whole(record(1))), max_ratio="10")

    assert report.run is not None
    assert any("ratio" in problem or "limit" in problem for problem in report.run.problems)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.json", b""),
        ("empty.json.gz", gzip.compress(b"", mtime=0)),
        ("deep.json", b'{"Records":[' + b"[" * 5000 + b"]" * 5000 + b"]}"),
        ("words.json", b"this is no log at all\n"),
        ("utf8.json", whole(record(1)).replace(b"ListBuckets", b"List\xff\xfe")),
        ("cut.json", whole(record(1), record(2))[:-40]),
        ("zero.json", b"\0" * 1000),
        ("nulls.json", b'{"Records":[null,1,"x",[]]}'),
        ("times.json", whole(record(1, eventTime="0001-01-01T00:00:00Z"), record(2, eventTime="9999-99-99T99:99:99Z"))),
        ("types.json", whole(*(record(n, **{name: {"x": [1]}}) for n, name in enumerate(RECORD)))),
        ("bytes.json.gz", gzip.compress(random.Random(2).randbytes(5000), mtime=0)),
    ],
)
def test_every_odd_file_is_accounted_for(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(whole(record(90), record(91)))
    (tmp_path / name).write_bytes(data)
    report = run(tmp_path, [tmp_path / "good.json", tmp_path / name])

    assert report.records == report.understood + report.skips + report.duplicates
    assert report.understood >= 2
    assert report.acquisitions == 2


def test_mutated_real_records_never_stop_an_audit(real_records: list[bytes], tmp_path: Path) -> None:
    dice = random.Random(4)
    mutated = []
    for raw in dice.sample(real_records, 300):
        data = bytearray(raw)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(32, 127)
        mutated.append(bytes(data))
    report = audited(tmp_path, "x.ndjson", b"\n".join(mutated))

    assert report.records >= 300
    assert report.understood > 50


def test_a_time_far_in_the_future_does_not_move_the_time_of_judgement(tmp_path: Path) -> None:
    report = audited(tmp_path, "x.json", whole(record(1), record(2, eventTime="2099-01-01T00:00:00Z")))

    assert report.as_of == "2026-03-01T10:00:00Z"


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    from custody.errors import StoreNewer

    audited(tmp_path, "x.json", whole(record(1)))
    path = tmp_path / "store" / "store.json"
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2').replace(b'"format": 1', b'"format": 2'))
    settings: Settings = settings_for(tmp_path)

    with pytest.raises(StoreNewer):
        verify(settings, None, None, None)
    with pytest.raises(StoreNewer):
        run(tmp_path, [tmp_path / "x.json"])


def test_a_key_named_only_in_a_record_with_duplicate_keys_is_still_found(tmp_path: Path) -> None:
    from custody.pipeline import trace

    twice = record(1).replace(b'"eventName": "ListBuckets"', b'"eventName": "A", "eventName": "B"')
    report = audited(tmp_path, "x.json", whole(twice))
    found = trace.find(settings_for(tmp_path), "AKIAEXAMPLE000000001")

    assert found.hits == ()
    assert [each.index for each in found.mentions] == list(report.findings[0].leaves)


def test_a_checkpoint_of_another_log_is_no_damage_but_a_mistake(tmp_path: Path) -> None:
    from custody.errors import UsageError

    audited(tmp_path, "x.json", whole(record(1)))
    (tmp_path / "other").mkdir()
    audited(tmp_path / "other", "x.json", whole(record(1)))
    other = tmp_path / "other" / "store" / "logs" / "operations" / "checkpoint"

    with pytest.raises(UsageError, match="another log"):
        verify(settings_for(tmp_path), None, other, None)
