"""Every step of the disk fails in every way; then the journal is opened again, and what was acknowledged is there."""

from __future__ import annotations

import asyncio
import errno
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from custody.broker.evidence.appending import AppendingDisk
from custody.broker.evidence.journal import Journal
from custody.errors import EvidenceUnavailable, StoreError
from custody.model.brokered import Entry
from custody.store.disk import Disk, Fault, FaultyDisk
from tests.broker.evidence.said import Clock, check_chain, journal_bytes, service

NEVER = 10**9
FAULTS: list[tuple[Fault, bool]] = [
    ("lost", True), ("torn", True), ("kept", True), ("lost", False), ("torn", False), ("kept", False),
]  # fmt: skip


async def work(journal: Journal, acknowledged: list[Entry]) -> None:
    """Three epochs of several groups; the first one is forgotten. Goes on after a refusal, as callers do."""
    for epoch in range(3):
        for group in range(2):
            asked = (journal.append(service(100 * epoch + 10 * group + number)) for number in range(3))
            for answer in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(answer, Entry):
                    acknowledged.append(answer)
                else:
                    assert isinstance(answer, EvidenceUnavailable)
                    assert answer.reason == "journal-failed"
        await journal.roll()
    with suppress(StoreError):
        await journal.forget(6)


def attempt(folder: Path, disk: Disk) -> list[Entry]:
    """Open and work, as far as it goes; gives what was acknowledged."""
    acknowledged: list[Entry] = []
    with suppress(StoreError), Journal.open(folder, broker="test", clock=Clock(), disk=disk) as journal:
        asyncio.run(work(journal, acknowledged))
    return acknowledged


@pytest.mark.parametrize(("fault", "dead"), FAULTS)
def test_every_step_may_fail(tmp_path: Path, fault: Fault, dead: bool) -> None:
    folder = tmp_path / "journal"
    for step in range(NEVER):
        disk = FaultyDisk(fail_at=step, fault=fault, dead=dead)
        acknowledged = attempt(folder, disk)
        if not disk.failed:
            break  # how lines fall into groups is chance, so the number of steps is
        check(folder, acknowledged, disk.steps[-1])
        shutil.rmtree(folder)
    assert step >= 17
    assert [each.seq for each in acknowledged] == list(range(1, 19))


def check(folder: Path, acknowledged: list[Entry], step: str) -> None:
    """Opened again, everything acknowledged is there, in one chain, and it goes on."""
    told = max((each.seq for each in acknowledged), default=0)
    with Journal.open(folder, broker="test", clock=Clock(), known=told) as journal:
        closed = journal.closed()
        first = closed[0].first if closed else 1
        there = list(journal.entries(first - 1))
        assert check_chain(there, first=first, prev=there[0].prev if there else "0" * 64) == journal.seq - first + 1
        assert first in {1, 7}, "only what was sealed is forgotten"
        assert [each for each in acknowledged if each.seq >= first] == there[: told - first + 1], step
        asyncio.run(journal.append(service(999)))
        assert [each.seq for each in journal.entries(journal.seq - 1)] == [journal.seq]


@pytest.mark.parametrize(("fault", "dead"), FAULTS)
def test_a_recovery_may_fail_too(tmp_path: Path, fault: Fault, dead: bool) -> None:
    """A torn end is set right, and every step of that fails: nothing is lost, the torn bytes neither."""
    model = tmp_path / "model"
    acknowledged = attempt(model, FaultyDisk(fail_at=NEVER, fault="lost"))
    last = max(model.glob("*.ndjson"))
    with last.open("ab") as file:
        file.write(b'{"torn')
    whole = FaultyDisk(fail_at=NEVER, fault="lost")
    shutil.copytree(model, tmp_path / "count")
    Journal.open(tmp_path / "count", broker="test", clock=Clock(), disk=whole).close()
    assert len(whole.steps) == 8
    for step in range(len(whole.steps)):
        folder = tmp_path / str(step)
        shutil.copytree(model, folder)
        disk = FaultyDisk(fail_at=step, fault=fault, dead=dead)
        with pytest.raises(StoreError, match="opening the journal"):
            Journal.open(folder, broker="test", clock=Clock(), disk=disk)
        check(folder, acknowledged, disk.steps[-1])
        assert b'{"torn' in [path.read_bytes() for path in folder.glob("*.torn")]


def test_a_full_disk_refuses_everybody_until_it_is_opened_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal"

    async def run(journal: Journal) -> list[str]:
        await journal.append(service(1))
        waiting = [asyncio.create_task(journal.append(service(number))) for number in range(5)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        answers += await asyncio.gather(journal.append(service(9)), return_exceptions=True)
        assert await journal.roll() is None
        return [str(answer) for answer in answers]

    disk = FaultyDisk(fail_at=3, fault="torn", code=errno.ENOSPC, dead=False)
    with Journal.open(folder, broker="test", clock=Clock(), disk=disk) as journal:
        answers = asyncio.run(run(journal))
        assert len(answers) == 6
        assert all("ENOSPC" in answer for answer in answers)
        assert journal.seq == 1
        assert check_chain(journal.entries(0)) == 1, "what is not durable is not shown"
    with Journal.open(folder, broker="test", clock=Clock()) as journal:
        assert asyncio.run(journal.append(service(2))).seq >= 2
        assert check_chain(journal.entries(0)) == journal.seq


def test_the_disk_that_keeps_its_file_open_writes_the_same(tmp_path: Path) -> None:
    plain, kept_open = tmp_path / "plain", tmp_path / "open"
    attempt(plain, FaultyDisk(fail_at=NEVER, fault="lost"))
    attempt(kept_open, AppendingDisk())
    assert journal_bytes(plain) == journal_bytes(kept_open)


def test_the_open_file_is_synced_by_what_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr("os.fdatasync", lambda descriptor: calls.append("data"))
    monkeypatch.setattr("os.fsync", lambda descriptor: calls.append("all"))
    disk = AppendingDisk()
    disk.append(tmp_path / "a/b", b"one")
    disk.sync_file(tmp_path / "a/b")
    disk.append(tmp_path / "a/c", memoryview(b"two"))
    disk.sync_file(tmp_path / "a/b")
    disk.sync_file(tmp_path / "a/c")
    disk.close()
    disk.close()
    disk.sync_file(tmp_path / "a/c")
    assert calls == ["data", "all", "data", "all"]
    assert (tmp_path / "a/b").read_bytes() + (tmp_path / "a/c").read_bytes() == b"onetwo"
    (tmp_path / "link").symlink_to(tmp_path / "a/b")
    with pytest.raises(OSError, match=r"."):
        disk.append(tmp_path / "link", b"through")
