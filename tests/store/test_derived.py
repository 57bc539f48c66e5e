"""Derived tables: sealed once, replaced whole, made again when they are gone, and never half there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.errors import NotFound, StoreError
from custody.model.records import Acquisition, Batch
from custody.store.derived import Manifest, Sealed, decode_manifest
from custody.store.disk import Fault, FaultyDisk
from custody.store.reader import Reader
from custody.store.verification import verify
from custody.store.writer import Writer

Rows = Callable[[int, int], list[tuple[str, bytes | None]]]
Make = Callable[..., Batch]
Acquire = Callable[..., Acquisition]
Open = Callable[..., Writer]


def test_derived_tables_are_sealed_once(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path
) -> None:
    with opened() as writer:
        (one,) = writer.acquire([acquisition("one")], by="me", at="now")
        writer.commit([batch(one, rows(0, 20))])
        names = []
        for content in (b"1", b"1", b"2"):
            folder = writer.fresh_derived()
            (folder / "t.parquet").write_bytes(content)
            names.append((folder.name, writer.publish_derived(folder.name, ["t.parquet"], {"as_of": 1})))
    assert [new for _, new in names] == [True, False, True]
    with Reader.open(root) as reader:
        assert len(reader.statements("derived")) == 2
        manifest = reader.manifest()
        assert manifest is not None
        assert manifest.folder == names[2][0]
        assert sorted(path.name for path in (root / "derived").iterdir()) == sorted(
            ["events", "manifest.json", names[2][0]]
        )
        assert len(reader.events_files()) == 1
    assert verify(root).problems == ()


def test_a_missing_derived_folder_is_said_and_can_be_made_again(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path
) -> None:
    with opened() as writer:
        (one,) = writer.acquire([acquisition("one")], by="me", at="now")
        writer.commit([batch(one, rows(0, 20))])
        writer.publish_derived(writer.fresh_derived().name, [], {})
    events = next((root / "derived/events").iterdir()).read_bytes()
    shutil.rmtree(root / "derived")
    with Reader.open(root) as reader, pytest.raises(NotFound) as caught:
        reader.events_files()
    assert "rebuild" in caught.value.advice
    with opened() as writer:
        folder = writer.fresh_derived()
        (folder / "events").mkdir()
        (folder / "events/000000000000-000000000099.parquet").write_bytes(events)
        writer.publish_derived(folder.name, [], {}, parts=["events/000000000000-000000000099.parquet"])
    with Reader.open(root) as reader:
        assert [path.read_bytes() for path in reader.events_files()] == [events]
    assert verify(root).problems == ()


def test_events_carry_their_leaf_and_duplicates_none(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path
) -> None:
    import pyarrow.parquet as pq

    with opened() as writer:
        one, two = writer.acquire([acquisition("one"), acquisition("two")], by="me", at="now")
        writer.commit([batch(one, rows(0, 3))])
        writer.commit([batch(two, rows(1, 4), skips=[None, None, None, "unknown"])])
    with Reader.open(root) as reader:
        tables = [pq.read_table(path) for path in reader.events_files()]
        found = {
            event: leaf
            for table in tables
            for leaf, event in zip(table["leaf"].to_pylist(), table["event"].to_pylist(), strict=True)
        }
        assert found == {f"id-{n}": reader.find("aws.cloudtrail", f"id-{n}")[0] for n in range(5)}
        (skips,) = [pq.read_table(path).to_pylist() for path in reader.skips_files()]
        assert skips == [{"leaf": found["id-4"], "source": "aws.cloudtrail", "event": "id-4", "reason": "unknown"}]


def publish(writer: Writer, content: bytes) -> None:
    folder = writer.fresh_derived()
    (folder / "t.parquet").write_bytes(content)
    writer.publish_derived(folder.name, ["t.parquet"], {"as_of": 1})


@pytest.mark.parametrize("dead", [True, False])
@pytest.mark.parametrize("fault", ["lost", "torn", "kept"])
def test_every_step_of_a_publication_may_fail(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path, tmp_path: Path, fault: Fault, dead: bool
) -> None:
    with opened() as writer:
        (one,) = writer.acquire([acquisition("one")], by="me", at="now")
        writer.commit([batch(one, rows(0, 20))])
        publish(writer, b"old")
    shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-whole"))
    for step in range(60):
        disk = FaultyDisk(fail_at=step, fault=fault, dead=dead)
        try:
            with opened(disk) as writer:
                publish(writer, b"new")
        except StoreError:
            assert verify(root).damage == (), disk.steps
        with opened() as writer:
            manifest = Reader.open(root).manifest()
            assert manifest is not None
            assert (root / manifest.files[0].path).read_bytes() in {b"old", b"new"}
            publish(writer, b"newest")
        assert verify(root).problems == (), disk.steps
        with Reader.open(root) as reader:
            assert len(reader.events_files()) == 1
        shutil.rmtree(tmp_path)
        shutil.copytree(tmp_path.with_name(f"{tmp_path.name}-whole"), tmp_path)
        if not disk.failed:
            break
    assert not disk.failed, "more steps than were tried"


def test_parts_of_later_commits_stand_beside_the_manifest(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path
) -> None:
    with opened() as writer:
        one, two = writer.acquire([acquisition("one"), acquisition("two")], by="me", at="now")
        writer.commit([batch(one, rows(0, 20))])
        publish(writer, b"1")
        writer.commit([batch(two, rows(20, 20))])
    with Reader.open(root) as reader:
        events = reader.events_files()
        assert len(events) == 2
    events[1].write_bytes(events[1].read_bytes()[:-1])
    assert [problem.path for problem in verify(root).damage] == [str(events[1].relative_to(root))]


def test_what_no_manifest_names_is_called_unfinished_and_removed(opened: Open, root: Path) -> None:
    with opened() as writer:
        publish(writer, b"1")
        (writer.fresh_derived() / "half.parquet").write_bytes(b"half")
    found = verify(root)
    assert found.damage == ()
    assert [Path(problem.path).name for problem in found.unfinished] == ["half.parquet"]
    with opened():
        pass
    assert verify(root).problems == ()


GOOD = Manifest(format=1, size=9, folder="f", files=(Sealed("derived/f/t", "00", 1),), meta={"a": 1})


def test_a_manifest_has_one_form() -> None:
    assert decode_manifest(GOOD.encode()) == GOOD
    for wrong in (b"", b"{}", GOOD.encode()[:-1], GOOD.encode().replace(b'"size": 9', b'"size":  9')):
        with pytest.raises(StoreError, match="manifest"):
            decode_manifest(wrong)


@pytest.mark.parametrize(
    "path", ["../x/y", "derived/../../etc/passwd", "/etc/passwd", "segments/a/b", "derived/t", "derived//f/t"]
)
def test_a_manifest_names_files_in_derived_alone(path: str) -> None:
    manifest = Manifest(format=1, size=9, folder="f", files=(Sealed(path, "00", 1),), meta={})
    with pytest.raises(StoreError, match="one form"):
        decode_manifest(manifest.encode())
