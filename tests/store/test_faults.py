"""Every step of a commit fails in every way; then the store is opened again, and nothing is lost or there twice."""

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from custody.errors import StoreError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.fsck import check_consistency
from custody.model.records import Acquisition, Batch
from custody.store.disk import Fault, FaultyDisk
from custody.store.keyring import read_last_signed
from custody.store.logfiles import LogFiles
from custody.store.reader import Reader
from custody.store.verification import verify
from custody.store.writer import Writer

Rows = Callable[[int, int], list[tuple[str, bytes | None]]]
Open = Callable[..., Writer]
NEVER = 10**9
FAULTS: list[tuple[Fault, bool]] = [
    ("lost", True), ("torn", True), ("kept", True), ("lost", False), ("torn", False), ("kept", False),
]  # fmt: skip


class Intake:
    """Two files of records, read as the pipeline does: what is known of a file says where to go on."""

    def __init__(self, acquisition: Callable[..., Acquisition], batch: Callable[..., Batch], rows: Rows) -> None:
        self._acquisition, self._batch = acquisition, batch
        self.files = {"one": rows(0, 300), "two": rows(250, 300)}

    def run(self, writer: Writer) -> None:
        for name, rows in self.files.items():
            acquisition = self._acquisition(name)
            known = writer.known(acquisition.received)
            if known and known[0].done:
                continue
            leaf = known[0].leaf if known else writer.acquire([acquisition], by="test", at="now")[0]
            start = known[0].records if known else 0
            for at in range(start, len(rows), 150):
                part = rows[at : at + 150]
                last = at + len(part) == len(rows)
                writer.commit([self._batch(leaf, part, ordinal=at, last=last)])

    def check(self, root: Path) -> Checkpoint:
        with Reader.open(root) as reader:
            sealed = [entry.id for closed in reader.segments() for entry, _ in reader.records(closed)]
            assert sorted(sealed) == sorted(f"id-{n}" for n in range(550))
            assert len(reader.find("aws.cloudtrail", "id-260")) == 1
            assert reader.counts().records == 600
            assert reader.counts().duplicates == 50
            assert reader.counts().leaves == 550
            assert all(known.done for known in reader.acquisitions())
            return reader.checkpoint()


@pytest.fixture
def intake(acquisition: Callable[..., Acquisition], batch: Callable[..., Batch], rows: Rows) -> Intake:
    return Intake(acquisition, batch, rows)


def published(root: Path) -> Checkpoint | None:
    """The checkpoint that anybody could have read by now."""
    if not (root / "logs/operations/checkpoint").exists():
        return None
    with Reader.open(root) as reader:
        return reader.checkpoint()


def fresh(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def crash_once(opened: Open, intake: Intake, disk: FaultyDisk) -> None:
    with suppress(StoreError), opened(disk) as writer:
        intake.run(writer)
        assert not disk.failed, "the fault was swallowed"


def count_steps(opened: Open, intake: Intake, root: Path, keys: Path) -> int:
    disk = FaultyDisk(fail_at=NEVER, fault="lost")
    with opened(disk) as writer:
        intake.run(writer)
    fresh(root, keys)
    return len(disk.steps)


def sample(steps: int) -> Iterator[int]:
    """The steps around the edges of commits are many and alike; every eleventh stands for them, and all early ones."""
    return (step for step in range(steps) if step < 20 or step % 11 == 0)


@pytest.mark.parametrize(("fault", "dead"), FAULTS)
def test_every_step_may_fail(opened: Open, intake: Intake, root: Path, keys: Path, fault: Fault, dead: bool) -> None:
    steps = count_steps(opened, intake, root, keys)
    assert steps > 60
    fail_at_each(sample(steps), opened, intake, root, keys, fault, dead)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "dead"), FAULTS)
def test_every_single_step_may_fail(
    opened: Open, intake: Intake, root: Path, keys: Path, fault: Fault, dead: bool
) -> None:
    steps = count_steps(opened, intake, root, keys)
    fail_at_each(range(steps), opened, intake, root, keys, fault, dead)


def fail_at_each(
    steps: Iterable[int], opened: Open, intake: Intake, root: Path, keys: Path, fault: Fault, dead: bool
) -> None:
    """Fail at each step, open again, commit the same input again, and verify everything."""
    for step in steps:
        disk = FaultyDisk(fail_at=step, fault=fault, dead=dead)
        crash_once(opened, intake, disk)
        seen = published(root)
        assert not seen or verify_cut_off(root, keys) == (), disk.steps[-1]
        with opened() as writer:
            intake.run(writer)
        last = intake.check(root)
        if seen is not None:
            check_consistency(LogFiles(root).read, seen, last)
        found = verify(root, last_signed=last_note(root, keys))
        assert found.problems == (), (step, disk.steps[-1])
        fresh(root, keys)


def verify_cut_off(root: Path, keys: Path) -> tuple[object, ...]:
    """A crash alone is never called damage."""
    return verify(root, last_signed=last_note(root, keys)).damage


def last_note(root: Path, keys: Path) -> bytes | None:
    with Reader.open(root) as reader:
        return read_last_signed(keys / reader.store.store)


@pytest.mark.parametrize("step", [0, 3, 12, 25, 31, 44, 60])
def test_a_recovery_may_fail_too(opened: Open, intake: Intake, root: Path, keys: Path, step: int) -> None:
    for again in range(0, 14, 2):
        crash_once(opened, intake, FaultyDisk(fail_at=step, fault="kept"))
        crash_once(opened, intake, FaultyDisk(fail_at=again, fault="lost"))
        crash_once(opened, intake, FaultyDisk(fail_at=again + 1, fault="torn"))
        with opened() as writer:
            intake.run(writer)
        intake.check(root)
        assert verify(root, last_signed=last_note(root, keys)).problems == ()
        fresh(root, keys)


def test_a_full_disk_is_a_clean_error(opened: Open, intake: Intake, root: Path, keys: Path) -> None:
    with opened() as writer:
        size = writer.size
    disk = FaultyDisk(fail_at=14, fault="torn", code=errno.ENOSPC, dead=False)
    with pytest.raises(StoreError, match="ENOSPC") as caught, opened(disk) as writer:
        intake.run(writer)
    assert "disk is full" in caught.value.advice
    with Reader.open(root) as reader:
        assert reader.size >= size
    assert verify(root, last_signed=last_note(root, keys)).damage == ()


def test_after_a_failed_commit_the_writer_refuses(opened: Open, root: Path, keys: Path) -> None:
    with opened():
        pass
    disk = FaultyDisk(fail_at=0, fault="lost", dead=False)
    with opened(disk) as writer:
        with pytest.raises(StoreError, match="disk failed"):
            writer.seal("note", {"text": "one"})
        with pytest.raises(StoreError, match="failed before"):
            writer.seal("note", {"text": "two"})
    with opened() as writer:
        writer.seal("note", {"text": "three"})
    assert verify(root, last_signed=last_note(root, keys)).problems == ()
