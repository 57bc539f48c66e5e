"""The disk and its fault-injecting double: both are relied on by every other test of this room."""

import errno
import os
import stat
from pathlib import Path

import pytest

from custody.errors import StoreError
from custody.store.disk import Disk, Fault, FaultyDisk, RealDisk, disk_error, make_folders, replace


@pytest.fixture(params=[True, False], ids=["syncfs", "fsync"])
def disk(request: pytest.FixtureRequest) -> RealDisk:
    real = RealDisk()
    if not request.param:
        real._sync_filesystem = None
    return real


def test_it_writes_syncs_renames_and_deletes(disk: RealDisk, tmp_path: Path) -> None:
    path = tmp_path / "a/b/c"
    disk.write(path, b"one")
    disk.write(path, memoryview(b"two"))
    disk.append(path, b"!")
    disk.sync_all(tmp_path, [path])
    disk.rename(path, tmp_path / "d/e")
    disk.sync_folder(tmp_path / "d")
    assert (tmp_path / "d/e").read_bytes() == b"two!"
    disk.delete(tmp_path / "d/e")
    disk.delete(tmp_path / "d/e")
    assert list((tmp_path / "d").iterdir()) == []


def test_an_emptied_folder_of_partials_goes(disk: RealDisk, tmp_path: Path) -> None:
    for name in ("000.p/1", "000.p/2"):
        disk.write(tmp_path / name, b"x")
    disk.delete(tmp_path / "000.p/1")
    assert (tmp_path / "000.p").is_dir()
    disk.delete(tmp_path / "000.p/2")
    assert not (tmp_path / "000.p").exists()


def test_everything_belongs_to_its_owner(disk: RealDisk, tmp_path: Path) -> None:
    disk.write(tmp_path / "x/y", b"")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "x/y").stat().st_mode) == 0o600


def test_a_link_is_not_written_through(disk: RealDisk, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        disk.write(tmp_path / "link", b"gone")
    assert (tmp_path / "target").read_bytes() == b"precious"


def test_replace_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "note"
    faults: tuple[Fault, ...] = ("lost", "torn", "kept")
    for fault in faults:
        for step in range(4):
            RealDisk().write(path, b"old")
            faulty = FaultyDisk(fail_at=step, fault=fault)
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                replace(faulty, path, b"new")
            assert path.read_bytes() in {b"old", b"new"}
    replace(RealDisk(), path, b"new")
    assert path.read_bytes() == b"new"
    assert [found.name for found in tmp_path.glob("*.tmp")] in ([], ["note.tmp"])


@pytest.mark.parametrize(
    ("fault", "dead", "left"),
    [
        ("lost", True, None),
        ("torn", True, b"12"),
        ("kept", True, b"1234"),
        ("lost", False, None),
        ("kept", False, b"1234"),
    ],
)
def test_a_fault_leaves_what_it_says(tmp_path: Path, dead: bool, fault: Fault, left: bytes | None) -> None:
    disk = FaultyDisk(fail_at=0, fault=fault, dead=dead)
    path = tmp_path / "x"
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        disk.write(path, b"1234")
    assert (path.read_bytes() if path.exists() else None) == left
    assert disk.failed
    if dead:
        with pytest.raises(OSError, match="gone"):
            disk.write(path, b"5678")
    else:
        disk.write(path, b"5678")
        assert path.read_bytes() == b"5678"


def test_power_loss_takes_what_no_sync_covered(tmp_path: Path) -> None:
    def work(disk: Disk) -> None:
        disk.write(tmp_path / "synced", b"1")
        disk.sync_all(tmp_path, [tmp_path / "synced"])
        disk.write(tmp_path / "written", b"1")
        disk.write(tmp_path / "synced", b"22")
        disk.rename(tmp_path / "synced", tmp_path / "renamed")
        disk.delete(tmp_path / "renamed")
        disk.write(tmp_path / "last", b"1")

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        work(FaultyDisk(fail_at=6, fault="lost"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"synced": b"1"}


def test_a_synced_rename_stays(tmp_path: Path) -> None:
    disk = FaultyDisk(fail_at=4, fault="lost")
    disk.write(tmp_path / "a", b"1")
    disk.sync_file(tmp_path / "a")
    disk.rename(tmp_path / "a", tmp_path / "b")
    disk.sync_folder(tmp_path)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        disk.append(tmp_path / "b", b"2")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b": b"1"}
    assert disk.steps == ["write a", "sync a", "rename b", f"sync {tmp_path.name}/", "append b"]


def test_errors_of_the_disk_say_what_to_do() -> None:
    full = disk_error(OSError(errno.ENOSPC, "No space left"), where="store", doing="writing a commit")
    other = disk_error(OSError(errno.EIO, "Input/output error"), where="store", doing="writing a commit")
    assert isinstance(full, StoreError)
    assert "ENOSPC" in str(full)
    assert "make room" in full.advice
    assert "make room" not in other.advice


def test_folders_are_made_once_by_many(tmp_path: Path) -> None:
    make_folders(tmp_path / "a/b")
    make_folders(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"."):
        make_folders(tmp_path / "file/b")
