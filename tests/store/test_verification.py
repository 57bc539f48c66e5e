"""A flipped bit, a truncated, deleted, appended, swapped or older file outside ``exempt`` is found and named."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from custody.errors import StoreError
from custody.ledger.note import Signer
from custody.model.records import Acquisition, Batch
from custody.store.inventory import is_exempt, walk
from custody.store.keyring import read_last_signed
from custody.store.payload_pool import check_segments
from custody.store.reader import Reader
from custody.store.verification import Verification, verify
from custody.store.writer import Writer

Fill = Callable[[], None]
Open = Callable[[], Writer]
Acquire = Callable[..., Acquisition]
Make = Callable[..., Batch]
Rows = Callable[[int, int], list[tuple[str, bytes | None]]]


@pytest.fixture
def filled(opened: Open, acquisition: Acquire, batch: Make, rows: Rows) -> Fill:
    """Make a store with two commits of records, skips, a withheld payload, derived tables and a statement."""

    def fill() -> None:
        with opened() as writer:
            one, two = writer.acquire([acquisition("one"), acquisition("two")], by="test", at="now")
            writer.commit([batch(one, rows(0, 300), skips=["unknown", *[None] * 299])])
            folder = writer.fresh_derived()
            (folder / "chains.parquet").write_bytes(b"chains")
            writer.publish_derived(folder.name, ["chains.parquet"], {"as_of": 7})
            writer.commit([batch(two, [*rows(290, 20), ("withheld", None)])])
            writer.seal("note", {"text": "hello"})

    return fill


def covered(root: Path) -> Iterator[str]:
    return (path for path in walk(root) if not is_exempt(path))


def named(found: Verification) -> set[str]:
    return {problem.path for problem in found.damage}


def test_a_whole_store_verifies(filled: Fill, root: Path) -> None:
    filled()
    found = verify(root)
    assert found.problems == ()
    assert found.records == 311
    assert found.log == "logs/operations"
    assert (root / found.log / "checkpoint").is_file()


def test_verify_writes_nothing(filled: Fill, root: Path) -> None:
    filled()
    before = {path: (root / path).stat().st_mtime_ns for path in walk(root)}
    verify(root)
    assert {path: (root / path).stat().st_mtime_ns for path in walk(root)} == before


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [flip, truncate, extend, empty, Path.unlink, to_folder])
def test_every_file_is_covered(filled: Fill, root: Path, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    filled()
    shutil.copytree(root, tmp_path / "whole")
    paths = list(covered(root))
    assert len(paths) >= 20
    for path in paths:
        harm(root / path)
        if path == "store.json":
            with pytest.raises(StoreError, match=r"store\.json|no store here"):
                verify(root)
        else:
            assert path in named(verify(root)), path
        shutil.rmtree(root)
        shutil.copytree(tmp_path / "whole", root)


@pytest.mark.parametrize(
    "path",
    [
        "new.txt", "segments/000000000004-000000000005.parquet", "segments/x", "logs/operations/tile/7/000",
        "logs/operations/tile/0/000.p/9", "logs/approvals/checkpoint", "logs/operations/checkpoint.bak",
    ],
)  # fmt: skip
def test_a_file_too_many_is_named(filled: Fill, root: Path, path: str) -> None:
    filled()
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"x")
    assert named(verify(root)) == {path}


def test_a_link_is_not_followed(filled: Fill, root: Path, tmp_path: Path) -> None:
    filled()
    (tmp_path / "elsewhere").mkdir()
    (root / "segments/more").symlink_to(tmp_path / "elsewhere")
    assert named(verify(root)) == {"segments/more"}


def test_swapped_files_are_named(filled: Fill, root: Path) -> None:
    filled()
    one, two = sorted((root / "segments").iterdir())
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    assert named(verify(root)) == {f"segments/{one.name}", f"segments/{two.name}"}


def test_the_row_is_named_where_the_segment_was_sealed_wrong(
    opened: Open,
    acquisition: Callable[..., Acquisition],
    batch: Callable[..., Batch],
    rows: Rows,
    root: Path,
) -> None:
    """A writer that seals other bytes than the entries say is found out row by row."""
    with opened() as writer:
        (leaf,) = writer.acquire([acquisition("one")], by="test", at="now")
        wrong = batch(leaf, rows(0, 5))
        wrong.kept[3] = b"forged"
        wrong.salts[4] = None
        first = writer.commit([wrong]).first
    texts = [problem.text for problem in verify(root).damage]
    assert [text.split(":")[0] for text in texts] == [f"leaf {first + 3}", f"leaf {first + 4}"]


def test_caches_and_the_lock_are_exempt(filled: Fill, root: Path) -> None:
    filled()
    shutil.rmtree(root / "index")
    (root / "lock").unlink()
    assert verify(root).problems == ()


def test_without_derived_the_evidence_still_verifies(filled: Fill, root: Path) -> None:
    filled()
    shutil.rmtree(root / "derived")
    assert verify(root).problems == ()


def test_signing_it_all_again_with_another_key_is_found(filled: Fill, root: Path, keys: Path, tmp_path: Path) -> None:
    filled()
    with Reader.open(root) as reader:
        vkey, note, origin = reader.store.vkey, reader.note(), reader.store.origin
    assert verify(root, vkey=vkey).problems == ()
    thief = Signer(origin, bytes(32))
    assert "store.json" in named(verify(root, vkey=thief.vkey))
    shutil.rmtree(root)
    with Writer.open(root, tmp_path / "other", now="later", version="1"):
        pass
    assert verify(root).problems == ()
    assert verify(root, vkey=vkey).damage
    assert "logs/operations/checkpoint" in named(verify(root, against=note))


def test_an_older_copy_is_found_by_what_was_last_signed(
    filled: Fill, opened: Open, root: Path, keys: Path, tmp_path: Path
) -> None:
    filled()
    shutil.copytree(root, tmp_path / "older")
    with opened() as writer:
        writer.seal("note", {"text": "newer"})
    with Reader.open(root) as reader:
        newer, store = reader.note(), reader.store.store
    shutil.rmtree(root)
    shutil.copytree(tmp_path / "older", root)
    assert verify(root).problems == ()
    assert named(verify(root, last_signed=read_last_signed(keys / store))) == {"logs/operations/checkpoint"}
    assert named(verify(root, against=newer)) == {"logs/operations/checkpoint"}


def test_it_continues_any_earlier_checkpoint(filled: Fill, opened: Open, root: Path) -> None:
    filled()
    with Reader.open(root) as reader:
        older = reader.note()
    with opened() as writer:
        writer.seal("note", {"text": "newer"})
    assert verify(root, against=older).problems == ()
    assert named(verify(root, against=b"nonsense")) == {"logs/operations/checkpoint"}


def test_segments_can_be_checked_by_processes(filled: Fill, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled()
    monkeypatch.setattr("custody.store.payload_pool.ALONE", 0)
    with Reader.open(root) as reader:
        commits, size = [reader.erasures().expected(closed) for closed in reader.segments()], reader.size
    flip(root / str(commits[0].closed.file))
    found = dict(check_segments(root, commits, size, processes=2))
    assert [len(found[each]) for each in commits] == [1, 0]
    assert "expected" in found[commits[0]][0]


def test_progress_ends_with_everything(filled: Fill, root: Path) -> None:
    filled()
    seen: list[tuple[int, int]] = []
    verify(root, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (311, 311)
