import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from custody.errors import NotFound, StoreError, StoreForked, StoreLocked, StoreNewer
from custody.ledger.entry import SegmentEntry
from custody.ledger.note import Verifier
from custody.ledger.proof import parse_proof
from custody.ledger.proof import verify as verify_proof
from custody.model.records import Acquisition, Batch
from custody.store import chunks
from custody.store.keyring import LAST_SIGNED
from custody.store.lock import Lock
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.verification import verify
from custody.store.writer import Writer

Rows = Callable[[int, int], list[tuple[str, bytes | None]]]
Make = Callable[..., Batch]
Acquire = Callable[..., Acquisition]
Open = Callable[..., Writer]


def test_a_new_store_says_what_it_is_and_seals_it(opened: Open, root: Path) -> None:
    with opened() as writer:
        assert writer.size == 2
    with Reader.open(root) as reader:
        said = reader.statements("store")[0].entry.fields
        assert said["sha256"] == reader.store.sha256
        assert reader.store.origin == f"custody.local/{reader.store.store}/operations"
        assert Verifier.parse(reader.store.vkey).name == reader.store.origin
        assert isinstance(reader.entry(1), SegmentEntry)


def test_keys_are_the_owners_alone(opened: Open, root: Path, keys: Path) -> None:
    with opened() as writer:
        folder = keys / writer.store.store
        assert len(writer.secret) == 32
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE((root / "logs/operations/checkpoint").stat().st_mode) == 0o600
    (folder / "seed").chmod(0o644)
    with pytest.raises(StoreError, match="others can read"):
        opened()


def test_keys_are_never_in_the_store(root: Path) -> None:
    with pytest.raises(StoreError, match="must not be kept in the store"):
        Writer.open(root, root / "keys", now="now", version="1")


def test_one_writer_at_a_time_and_readers_meanwhile(opened: Open, root: Path) -> None:
    with opened():
        with pytest.raises(StoreLocked, match=str(os.getpid())):
            opened()
        with Reader.open(root) as reader:
            assert reader.size == 2
    with opened():
        pass


def test_a_fork_does_not_hold_the_lock(opened: Open, root: Path) -> None:
    """A worker that outlives a killed writer must not keep the next one out."""
    root.mkdir()
    lock = Lock(root / "lock")
    here, there = os.pipe()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(there)
        os.write(tell, b"x")
        os.read(here, 1)
        os._exit(0)
    os.read(ready, 1)
    with pytest.raises(StoreLocked):
        opened()
    lock.close_copy()  # what the kernel does to a process that is killed
    with opened() as writer:
        assert writer.size == 2
    os.close(there)
    os.waitpid(child, 0)


def test_a_newer_store_is_refused(opened: Open, root: Path) -> None:
    with opened():
        pass
    path = root / "store.json"
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(StoreNewer, match="format 2"):
        opened()
    with pytest.raises(StoreNewer):
        Reader.open(root)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"format":1,"store":"../../x","origin":"o","vkey":"v"}'])
def test_a_damaged_store_file_is_refused(opened: Open, root: Path, data: bytes) -> None:
    with opened():
        pass
    (root / "store.json").write_bytes(data)
    with pytest.raises(StoreError, match=r"store\.json"):
        opened()


def test_another_store_file_is_found_by_entry_0(opened: Open, root: Path, tmp_path: Path) -> None:
    with opened() as writer:
        folder = tmp_path / "keys" / writer.store.store
    store = msgspec.structs.replace(
        read_store_file(root), store="0" * 32, origin=f"custody.local/{'0' * 32}/operations"
    )
    (root / "store.json").write_bytes(store.encode())
    folder.rename(folder.with_name("0" * 32))
    with pytest.raises(StoreError, match="not this store's"):
        opened()


def test_no_store_and_no_checkpoint_are_said_plainly(opened: Open, root: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        Reader.open(root)
    with opened():
        pass
    (root / "store.json").unlink()
    with pytest.raises(StoreError, match=r"no store\.json"):
        opened()


def test_a_folder_with_other_things_is_left_alone(opened: Open, root: Path) -> None:
    root.mkdir()
    (root / "thesis.txt").write_text("precious")
    with pytest.raises(StoreError, match="something else"):
        opened()
    assert [path.name for path in root.iterdir()] == ["thesis.txt"]


def test_without_keys_it_is_read_only(opened: Open, root: Path, keys: Path) -> None:
    with opened():
        pass
    shutil.rmtree(keys)
    with pytest.raises(StoreError, match="keys of this store") as caught:
        opened()
    assert "Restore" in caught.value.advice
    with Reader.open(root) as reader:
        assert reader.size == 2


def test_an_older_copy_of_the_store_is_not_signed_on(opened: Open, root: Path, tmp_path: Path) -> None:
    with opened():
        pass
    shutil.copytree(root, tmp_path / "older")
    with opened() as writer:
        writer.seal("note", {"text": "newer"})
    shutil.rmtree(root)
    shutil.copytree(tmp_path / "older", root)
    with pytest.raises(StoreForked, match="behind"):
        opened()


def test_a_fork_of_the_store_is_not_signed_on(opened: Open, root: Path, keys: Path, tmp_path: Path) -> None:
    with opened() as writer:
        folder = keys / writer.store.store
    shutil.copytree(root, tmp_path / "fork")
    shutil.copytree(folder, tmp_path / "then")
    with opened() as writer:
        writer.seal("note", {"text": "one"})
    last = (folder / LAST_SIGNED).read_bytes()
    shutil.rmtree(root)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "fork", root)
    shutil.copytree(tmp_path / "then", folder)
    with opened() as writer:
        writer.seal("note", {"text": "another"})
    (folder / LAST_SIGNED).write_bytes(last)
    with pytest.raises(StoreForked, match="contradicts"):
        opened()
    (folder / LAST_SIGNED).unlink()
    with pytest.raises(StoreForked, match="last signed"):
        opened()


def test_an_older_copy_of_the_keys_is_brought_up_to_date(opened: Open, keys: Path, tmp_path: Path) -> None:
    with opened() as writer:
        folder = keys / writer.store.store
    shutil.copytree(folder, tmp_path / "older")
    with opened() as writer:
        writer.seal("note", {"text": "newer"})
    newest = (folder / LAST_SIGNED).read_bytes()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "older", folder)
    with opened() as writer:
        assert writer.recovered == ()
    assert (folder / LAST_SIGNED).read_bytes() == newest


def test_a_signed_commit_is_published_by_the_next_writer(opened: Open, root: Path, tmp_path: Path) -> None:
    with opened():
        pass
    checkpoint = root / "logs/operations/checkpoint"
    before = checkpoint.read_bytes()
    with opened() as writer:
        writer.seal("note", {"text": "signed"})
        size = writer.size
    checkpoint.write_bytes(before)
    with opened() as writer:
        assert writer.size == size + 2
        assert "published" in writer.recovered[0]
    with Reader.open(root) as reader:
        assert reader.statements("recovery")[0].entry.fields["published_from"] == 2
    assert verify(root).problems == ()


def test_files_past_the_size_are_moved_aside_and_sealed(opened: Open, root: Path) -> None:
    with opened():
        pass
    for path in (
        "segments/000000000002-000000000005.parquet",
        "logs/operations/tile/0/000.p/6",
        "derived/events/000000000002-000000000005.parquet",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
    with opened() as writer:
        assert "moved to aside/000000000002" in writer.recovered[0]
    assert (
        root / "aside/000000000002/logs/operations/tile/0/000.p/6"
    ).read_bytes() == b"logs/operations/tile/0/000.p/6"
    assert verify(root).problems == ()
    (root / "aside/000000000002/logs/operations/tile/0/000.p/6").write_bytes(b"changed")
    assert [problem.path for problem in verify(root).damage] == ["aside/000000000002/logs/operations/tile/0/000.p/6"]


def test_an_interrupted_file_says_where_to_go_on(opened: Open, acquisition: Acquire, batch: Make, rows: Rows) -> None:
    file = acquisition("one")
    with opened() as writer:
        assert writer.known(file.received) == []
        (leaf,) = writer.acquire([file], by="me", at="now")
        writer.commit([batch(leaf, rows(0, 10), last=False)])
    with opened() as writer:
        (known,) = writer.known(file.received)
        assert (known.leaf, known.records, known.done, known.path) == (leaf, 10, False, "logs/one")
        assert writer.pending() == [known]
        writer.commit([batch(leaf, rows(10, 5), ordinal=10)])
        assert writer.pending() == []
        assert writer.known(file.received)[0].done


def test_an_empty_file_can_be_done(opened: Open, acquisition: Acquire, batch: Make, root: Path) -> None:
    with opened() as writer:
        (leaf,) = writer.acquire([acquisition("empty")], by="me", at="now")
        assert writer.commit([batch(leaf, [])]).records == 0
        assert writer.pending() == []
        assert writer.commit([]).size == writer.size
    assert verify(root).problems == ()


def test_members_of_a_container_are_told_apart(opened: Open, acquisition: Acquire, root: Path) -> None:
    one, two = acquisition("a.zip", member="x"), acquisition("a.zip", member="y")
    with opened() as writer:
        leaves = writer.acquire([one, two], by="me", at="now")
        assert [(known.leaf, known.member) for known in writer.known(one.received)] == list(
            zip(leaves, "xy", strict=True)
        )


def test_a_wrong_acquisition_is_refused_before_it_is_sealed(opened: Open, acquisition: Acquire, root: Path) -> None:
    wrong = msgspec.structs.replace(acquisition("one"), received="not a digest")
    with opened() as writer, pytest.raises(Exception, match="entry"):
        writer.acquire([wrong], by="me", at="now")
    with opened() as writer:
        assert writer.size == 2


def test_more_than_fits_is_cut_into_commits(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_RECORDS", 100)
    monkeypatch.setattr(chunks, "MAX_FILES", 3)
    with opened() as writer:
        leaves = writer.acquire([acquisition(f"f{n}") for n in range(8)], by="me", at="now")
        batches = [batch(leaf, rows(n * 30, 30)) for n, leaf in enumerate(leaves[:7])]
        done = writer.commit([*batches, batch(leaves[7], rows(200, 250))])
        assert (done.records, done.sealed, done.duplicates) == (460, 450, 10)
        assert writer.pending() == []
    with Reader.open(root) as reader:
        assert [closed.end - closed.first for closed in reader.segments()] == [90, 90, 90, 100, 80]
        sealed = [entry.id for closed in reader.segments() for entry, _ in reader.records(closed)]
        assert sealed == [f"id-{n}" for n in range(450)]
    assert verify(root).problems == ()


def test_large_payloads_end_a_commit_early(
    opened: Open, acquisition: Acquire, batch: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_BYTES", 1000)
    with opened() as writer:
        leaves = writer.acquire([acquisition(f"f{n}") for n in range(4)], by="me", at="now")
        writer.commit([batch(leaf, [(f"big-{leaf}", b"x" * 600)]) for leaf in leaves])
    with Reader.open(root) as reader:
        assert len(reader.segments()) == 2


def test_a_record_can_be_proved_without_us(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path
) -> None:
    with opened() as writer:
        (leaf,) = writer.acquire([acquisition("one")], by="me", at="now")
        writer.commit([batch(leaf, rows(0, 700))])
    with Reader.open(root) as reader:
        (leaf,) = reader.find("aws.cloudtrail", "id-444")
        proof = parse_proof(reader.proof(leaf))
        point = verify_proof(proof, reader.raw_entry(leaf), [Verifier.parse(reader.store.vkey)])
        assert (point.size, proof.index) == (reader.size, leaf)
        assert reader.kept(leaf).kept == b'{"eventID": "id-444", "n": 444}'
        with pytest.raises(NotFound):
            reader.entry(reader.size)


def test_a_reader_keeps_its_checkpoint_while_the_log_grows(
    opened: Open, acquisition: Acquire, batch: Make, rows: Rows, root: Path
) -> None:
    with opened() as writer:
        (one,) = writer.acquire([acquisition("one")], by="me", at="now")
        writer.commit([batch(one, rows(0, 20), last=False)])
        with Reader.open(root) as reader:
            writer.commit([batch(one, rows(20, 600), ordinal=20)])
            assert reader.counts().records == 20
            assert reader.find("aws.cloudtrail", "id-30") == []
            assert reader.proof(3)
        with Reader.open(root) as reader:
            assert reader.counts().records == 620


def test_reading_does_not_import_the_heavy_libraries(opened: Open, root: Path) -> None:
    import subprocess
    import sys

    with opened():
        pass
    code = (
        "import sys; from pathlib import Path; from custody.store.reader import Reader; import custody.store.writer; "
        "r = Reader.open(Path(sys.argv[1])); r.counts(); "
        "print(sorted({'pyarrow', 'numpy', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
