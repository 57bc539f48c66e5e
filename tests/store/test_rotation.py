"""Key rotation: who held the old key follows it, and a cut at any step is taken up again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.store.conftest import NOW

from custody.errors import LogError, StoreError
from custody.ledger.note import Signer, open_note, parse_note
from custody.store import layout
from custody.store.disk import Disk, Fault, FaultyDisk
from custody.store.reader import Reader
from custody.store.rotation import encode, follow, read_rotations, rotation_note
from custody.store.verification import Verification, verify
from custody.store.writer import Writer

ORIGIN = "custody.local/example/operations"
OLD, NEW, THIRD = (Signer(ORIGIN, bytes([number]) * 32) for number in (1, 2, 3))


def opened(folder: Path, disk: Disk | None = None) -> Writer:
    return Writer.open(folder / "store", folder / "keys", now=NOW, version="1", disk=disk)


def rotate(folder: Path, disk: Disk | None = None) -> str:
    with opened(folder, disk) as writer:
        return writer.rotate_key(by="somebody", reason="once a year")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with opened(tmp_path) as writer:
        writer.seal("test", {"number": 1})
    return tmp_path


def vkeys(folder: Path) -> tuple[str, ...]:
    with Reader.open(folder / "store") as reader:
        return reader.vkeys


def checked(folder: Path, vkey: str | None = None, against: bytes | None = None) -> Verification:
    return verify(folder / "store", vkey=vkey, against=against, processes=1)


def test_the_log_goes_on_under_the_new_key(folder: Path) -> None:
    (first,) = vkeys(folder)
    second = rotate(folder)
    with opened(folder) as writer:
        writer.seal("test", {"number": 2})

    assert vkeys(folder) == (first, second)
    with Reader.open(folder / "store") as reader:
        assert [one.name for one in parse_note(reader.note()).others] == [reader.store.origin]
        assert reader.store.vkey == first
    assert checked(folder).problems == ()


def test_both_keys_sign_the_checkpoint_of_the_rotation(folder: Path) -> None:
    rotate(folder)

    with Reader.open(folder / "store") as reader:
        from custody.ledger.note import Verifier

        both = [Verifier.parse(vkey) for vkey in reader.vkeys]
        assert len(open_note(reader.note(), both).signatures) == 2


def test_whoever_holds_any_key_of_the_log_can_verify_it(folder: Path) -> None:
    rotate(folder)
    rotate(folder)

    assert len(vkeys(folder)) == 3
    assert [checked(folder, vkey).problems for vkey in vkeys(folder)] == [(), (), ()]
    assert checked(folder, THIRD.vkey).damage


def test_a_checkpoint_that_the_old_key_signed_is_still_continued(folder: Path) -> None:
    with Reader.open(folder / "store") as reader:
        before = reader.note()
    rotate(folder)
    with opened(folder) as writer:
        writer.seal("test", {"number": 2})

    assert checked(folder, against=before).problems == ()


def test_the_old_seed_is_gone(folder: Path) -> None:
    (keys,) = (folder / "keys").iterdir()
    seed = (keys / "seed").read_bytes()
    rotate(folder)

    assert all(seed not in path.read_bytes() for path in keys.rglob("*") if path.is_file())
    assert not (keys / "next").exists()
    assert (keys / "seed").stat().st_mode & 0o777 == 0o600


def test_a_cut_is_taken_up_by_the_next_writer(folder: Path, tmp_path: Path) -> None:
    cut_at_each(folder, tmp_path, "torn", every=5)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lost", "torn", "kept"])
def test_a_cut_at_any_step_is_taken_up_by_the_next_writer(folder: Path, tmp_path: Path, fault: Fault) -> None:
    cut_at_each(folder, tmp_path, fault, every=1)


def cut_at_each(folder: Path, tmp_path: Path, fault: Fault, every: int) -> None:
    counted = FaultyDisk(fail_at=1 << 30, fault="lost")
    shutil.copytree(folder, tmp_path / "count", ignore=shutil.ignore_patterns("count"))
    rotate(tmp_path / "count", counted)
    first = vkeys(folder)[0]
    ends = set()
    for step in range(0, len(counted.steps), every):
        trial = tmp_path / f"{fault} {step}"
        trial.mkdir()
        for name in ("store", "keys"):
            shutil.copytree(folder / name, trial / name)
        with pytest.raises((StoreError, OSError)):
            rotate(trial, FaultyDisk(fail_at=step, fault=fault))
        assert vkeys(trial)[0] == first
        with opened(trial) as writer:
            writer.seal("test", {"number": 2})
        assert checked(trial, first).problems == (), f"step {step}: {counted.steps[step]}"
        ends.add(len(vkeys(trial)))
        assert rotate(trial) == vkeys(trial)[-1]
        assert checked(trial, first).problems == ()
    assert ends == {1, 2}


def test_a_foreign_rotation_leads_nowhere(folder: Path) -> None:
    rotate(folder)
    path = folder / "store" / layout.ROTATIONS
    (note,) = read_rotations(folder / "store")
    path.write_bytes(encode([rotation_note(ORIGIN, OLD, NEW)]))

    with pytest.raises(StoreError, match="does not hold"):
        Reader.open(folder / "store")
    assert checked(folder).damage
    path.write_bytes(encode([note, note]))
    assert checked(folder).damage
    path.write_bytes(json.dumps([note]).encode())
    assert checked(folder).damage


def test_a_rotation_that_is_not_sealed_is_damage(folder: Path, tmp_path: Path) -> None:
    """Whoever has the key can write the file; that the log says nothing of it is found."""
    (keys,) = (folder / "keys").iterdir()
    with Reader.open(folder / "store") as reader:
        old, origin = Signer(reader.store.origin, (keys / "seed").read_bytes()), reader.store.origin
        note = rotation_note(origin, old, Signer(origin, b"n" * 32))
    (folder / "store" / layout.ROTATIONS).write_bytes(encode([note]))

    assert checked(folder).damage


def test_a_rotation_whose_key_was_lost_is_said(folder: Path) -> None:
    rotate(folder)
    (folder / "store" / layout.ROTATIONS).unlink()

    with pytest.raises(StoreError, match="not this store's"):
        opened(folder)
    assert checked(folder).problems != ()


def test_a_note_must_be_signed_by_both(folder: Path) -> None:
    note = rotation_note(ORIGIN, OLD, NEW)
    lines = note.splitlines(keepends=True)
    assert follow(ORIGIN, OLD.vkey, note) == NEW.vkey

    for without in (4 + 1, 4 + 2):
        with pytest.raises(LogError):
            follow(ORIGIN, OLD.vkey, "".join(line for number, line in enumerate(lines) if number != without))
    for origin, vkey, text in (
        (ORIGIN, NEW.vkey, note),
        ("custody.local/other/operations", OLD.vkey, note),
        (ORIGIN, OLD.vkey, note.replace(NEW.vkey, THIRD.vkey)),
        (ORIGIN, OLD.vkey, ""),
    ):
        with pytest.raises(LogError):
            follow(origin, vkey, text)
