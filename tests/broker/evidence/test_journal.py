"""The journal as files: epochs, recovery, damage, what is forgotten, who may write."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from custody.broker.evidence.epochs import Epoch, epoch_files
from custody.broker.evidence.journal import Journal
from custody.broker.evidence.memory import MemoryEvidence
from custody.broker.evidence.recovery import recover
from custody.broker.evidence.standby import hold_journal, wait_for_lock
from custody.errors import EvidenceUnavailable, StoreError, StoreLocked
from custody.model.brokered import Entry, digest_of
from custody.store.disk import RealDisk
from tests.broker.evidence.said import Clock, check_chain, journal_bytes, service


def opened(folder: Path, *, known: int = 0) -> Journal:
    return Journal.open(folder, broker="test", clock=Clock(), known=known)


async def say(journal: Journal, first: int, count: int) -> None:
    """All at once: one group."""
    await asyncio.gather(*(journal.append(service(first + number)) for number in range(count)))


def fill(folder: Path, *groups: int) -> None:
    """An epoch a group."""

    async def run(journal: Journal) -> None:
        for number, count in enumerate(groups):
            await say(journal, 100 * number, count)
            await journal.roll()

    with opened(folder) as journal:
        asyncio.run(run(journal))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs of 3, 2 and 4 lines; tests make a copy."""
    folder = tmp_path_factory.mktemp("filled") / "journal"
    fill(folder, 3, 2, 4)
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    shutil.copytree(filled, tmp_path / "journal")
    return tmp_path / "journal"


def test_epochs_are_named_by_their_first_line(folder: Path) -> None:
    assert [path.name for path in epoch_files(folder)] == [
        "000000000001.ndjson",
        "000000000004.ndjson",
        "000000000006.ndjson",
    ]
    with opened(folder) as journal:
        assert [(each.first, each.last) for each in journal.closed()] == [(1, 3), (4, 5), (6, 9)]
        assert [each.size for each in journal.closed()] == [each.path.stat().st_size for each in journal.closed()]
        assert journal.torn == ()
        assert journal.seq == 9
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in epoch_files(folder)} == {0o600}


def test_an_epoch_without_a_line_is_none(tmp_path: Path) -> None:
    async def run(journal: Journal) -> list[Epoch | None]:
        found = [await journal.roll()]
        await say(journal, 0, 2)
        found.append(await journal.roll())
        return [*found, await journal.roll()]

    with opened(tmp_path / "journal") as journal:
        before, epoch, after = asyncio.run(run(journal))
        assert before is after is None
        assert epoch is not None
        assert (epoch.first, epoch.last) == (1, 2)
        assert journal.closed() == (epoch,)


def test_the_chain_goes_on_over_epochs_and_openings(folder: Path) -> None:
    with opened(folder) as journal:
        asyncio.run(say(journal, 900, 2))
        assert check_chain(journal.entries(0)) == 11
        assert [each.seq for each in journal.entries(4)] == [5, 6, 7, 8, 9, 10, 11]
    with opened(folder) as journal:
        assert check_chain(journal.entries(0)) == 11
        assert journal.seq == 11
        assert list(journal.entries(11)) == []


def test_a_large_epoch_closes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custody.broker.evidence.writing.LARGE", 1000)
    with opened(tmp_path / "journal") as journal:
        for number in range(6):
            asyncio.run(say(journal, number, 2))
        assert len(journal.closed()) > 1
        assert check_chain(journal.entries(0)) == 12
    with opened(tmp_path / "journal") as journal:
        assert check_chain(journal.entries(0)) == 12


class Unsynced(RealDisk):
    """Promises nothing about power: these cases cut by hand."""

    def sync_file(self, path: Path) -> None: ...

    def sync_folder(self, path: Path) -> None: ...


def test_what_a_crash_tears_at_any_byte_is_cut_off_and_kept(folder: Path) -> None:
    """The last group of four lines, cut at every byte: whole lines stay, the rest lies beside."""
    path, disk = epoch_files(folder)[-1], Unsynced()
    last = path.read_bytes()
    for size in range(len(last) + 1):
        path.write_bytes(last[:size])
        end = last.rfind(b"\n", 0, size) + 1
        found = recover(disk, folder, "test", 5)
        assert found.tip.seq == 5 + last.count(b"\n", 0, size)
        assert [(each.first, each.last, each.size) for each in found.epochs[2:]] == (
            [(6, found.tip.seq, end)] if end else []
        )
        assert (path.read_bytes() if path.exists() else b"") == last[:end]
        assert [(each.seq, each.path.read_bytes()) for each in found.torn] == (
            [(found.tip.seq + 1, last[end:size])] if end < size else []
        )
        again = recover(disk, folder, "test", found.tip.seq)
        assert (again.epochs, again.tip, again.torn) == (found.epochs, found.tip, ())
        for torn in found.torn:
            torn.path.unlink()
    assert {path.suffix for path in folder.iterdir() if path.name != "lock"} == {".ndjson"}


def test_after_a_tear_the_chain_goes_on(folder: Path) -> None:
    path = epoch_files(folder)[-1]
    path.write_bytes(path.read_bytes()[:-1])
    with opened(folder) as journal:
        assert [each.seq for each in journal.torn] == [9]
        asyncio.run(say(journal, 0, 1))
        assert check_chain(journal.entries(0)) == 9
    with opened(folder) as journal:
        assert journal.torn == (), "it was reported when it was found"


@pytest.mark.parametrize("tail", [b"\0" * 4096, b'{"custody":"custody.broker/1","broker":"test","seq":10', b"\xff\xfe"])
def test_two_crashes_at_one_place_keep_both(folder: Path, tail: bytes) -> None:
    for rest in (tail, b"other" + tail):
        with epoch_files(folder)[-1].open("ab") as file:
            file.write(rest)
        with opened(folder) as journal:
            assert journal.seq == 9
    assert sorted(path.read_bytes() for path in folder.glob("*.torn")) == sorted([tail, b"other" + tail])


DAMAGE: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("a byte", lambda data: data.replace(b'"number":"0"', b'"number":"1"', 1), "does not follow"),
    ("a line gone", lambda data: b"".join(data.splitlines(keepends=True)[1:]), "missing or twice"),
    ("the last line gone", lambda data: b"".join(data.splitlines(keepends=True)[:-1]), "missing or twice"),
    ("a line twice", lambda data: data + data.splitlines(keepends=True)[-1], "missing or twice"),
    ("two lines changed places", lambda data: b"".join(reversed(data.splitlines(keepends=True))), "missing or twice"),
    ("no JSON", lambda data: b"{]\n" + data, "damaged"),
    ("an empty line", lambda data: data + b"\n", "damaged"),
    ("no line end", lambda data: data[:-1], "does not end"),
    ("nothing left", lambda data: b"", "does not end"),
    ("another format", lambda data: data.replace(b"custody.broker/1", b"custody.broker/2", 1), "damaged"),
    ("another broker", lambda data: data.replace(b'"broker":"test"', b'"broker":"rest"', 1), "another broker"),
    ("bytes that are no text", lambda data: b"\xff" + data, "damaged"),
]


@pytest.mark.parametrize(("change", "said"), [case[1:] for case in DAMAGE], ids=[case[0] for case in DAMAGE])
def test_damage_in_the_middle_is_an_error_and_nothing_is_touched(
    folder: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    path = epoch_files(folder)[0]
    path.write_bytes(change(path.read_bytes()))
    before = journal_bytes(folder)
    with pytest.raises(StoreError, match=said) as caught:
        opened(folder)
    assert "docs/broker-log.md" in caught.value.advice
    assert journal_bytes(folder) == before
    hold_journal(folder).release()


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_line_that_ends_and_is_wrong_is_damage_also_at_the_end(folder: Path, line: int) -> None:
    path = epoch_files(folder)[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line + 1] = b"x" * 40 + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match=f"line {line + 2}: a line is damaged"):
        opened(folder)


def test_a_missing_epoch_is_an_error(folder: Path) -> None:
    epoch_files(folder)[1].unlink()
    with pytest.raises(StoreError, match="a file of the journal is missing"):
        opened(folder)


def test_a_journal_that_was_set_back_is_refused(folder: Path) -> None:
    with opened(folder, known=9):
        pass
    with pytest.raises(StoreError, match=r"found seq 9, expected at least seq 10"):
        opened(folder, known=10)
    with pytest.raises(StoreError, match="ends before"):
        opened(folder.parent / "new", known=1)


def test_a_journal_of_which_only_torn_bytes_are_left_is_refused(folder: Path) -> None:
    for path in epoch_files(folder)[:-1]:
        path.unlink()
    epoch_files(folder)[0].write_bytes(b"{")
    with pytest.raises(StoreError, match="no line left"):
        opened(folder)


def test_what_is_sealed_is_forgotten_but_the_newest(folder: Path) -> None:
    async def run(journal: Journal) -> list[int]:
        return [await journal.forget(sealed) for sealed in (2, 4, 4, 99)]

    with opened(folder) as journal:
        assert asyncio.run(run(journal)) == [0, 1, 0, 1]
        assert [path.name for path in epoch_files(folder)] == ["000000000006.ndjson"]
        assert [each.seq for each in journal.entries(5)] == [6, 7, 8, 9]
        with pytest.raises(StoreError, match=r"found up to seq 2, expected up to seq 5"):
            list(journal.entries(2))
    with opened(folder) as journal:
        asyncio.run(say(journal, 0, 1))
        assert journal.seq == 10


def test_what_was_forgotten_comes_from_the_sealed_log(folder: Path) -> None:
    with opened(folder) as journal:
        every = list(journal.entries(0))
        asyncio.run(journal.forget(9))
    sealed = list(every)
    with Journal.open(folder, broker="test", clock=Clock(), earlier=lambda after: sealed[after:]) as journal:
        assert list(journal.entries(0)) == every
        assert list(journal.entries(4)) == every[4:]
        sealed.pop(3)
        with pytest.raises(StoreError, match="up to seq 3"):
            list(journal.entries(0))


def test_one_broker_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "journal"

    async def run() -> str:
        first = opened(folder)
        await first.append(service(1))
        with pytest.raises(StoreLocked, match="another broker"):
            opened(folder)
        standing_by = asyncio.create_task(wait_for_lock(folder, poll=0.005))
        await asyncio.sleep(0.03)
        assert not standing_by.done()
        first.close()
        with Journal.open(folder, broker="test", clock=Clock(), lock=await standing_by) as second:
            return (await second.append(service(2))).prev

    prev = asyncio.run(run())
    assert prev == digest_of(epoch_files(folder)[0].read_bytes().rstrip(b"\n"))
    hold_journal(folder).release()


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    asyncio.run(say(journal, 0, 3))
    journal.close()
    journal.close()
    with pytest.raises(EvidenceUnavailable) as caught:
        asyncio.run(journal.append(service(1)))
    assert caught.value.reason == "journal-closed"
    assert asyncio.run(journal.roll()) is None


def test_closing_makes_durable_what_waits(tmp_path: Path) -> None:
    async def run() -> list[Entry]:
        journal = opened(tmp_path / "journal")
        waiting = [asyncio.create_task(journal.append(service(number))) for number in range(20)]
        await asyncio.sleep(0)
        journal.close()
        return await asyncio.gather(*waiting)

    assert check_chain(asyncio.run(run())) == 20
    assert journal_bytes(tmp_path / "journal").count(b"\n") == 20


def test_an_observer_that_fails_ends_the_journal(tmp_path: Path) -> None:
    """What was said is durable; nothing more is said that nobody follows."""

    async def run(journal: Journal) -> str:
        failed: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(str(context["exception"])))
        assert (await journal.append(service(1))).seq == 1
        with pytest.raises(EvidenceUnavailable) as caught:
            await journal.append(service(2))
        assert failed == ["the fold is broken"]
        return caught.value.reason

    def broken(entry: Entry) -> None:
        raise ValueError("the fold is broken")

    with opened(tmp_path / "journal") as journal:
        journal.watch(broken)
        assert asyncio.run(run(journal)) == "journal-unfollowed"
        assert check_chain(journal.entries(0)) == 1


def test_each_loop_is_told_of_its_own(tmp_path: Path) -> None:
    """A loop that is gone does not keep the next one from its answers."""

    async def leave(journal: Journal) -> None:
        task = asyncio.create_task(journal.append(service(1)))
        await asyncio.sleep(0)
        task.cancel()

    with opened(tmp_path / "journal") as journal:
        for _ in range(20):
            asyncio.run(leave(journal))
        assert asyncio.run(journal.append(service(2))).seq == 21


def test_both_kinds_write_the_same_line(tmp_path: Path) -> None:
    async def run(*kinds: Callable[[], Awaitable[Entry]]) -> list[Entry]:
        return [await kind() for kind in kinds]

    memory = MemoryEvidence("test", Clock())
    with opened(tmp_path / "journal") as journal:
        one, two = asyncio.run(run(lambda: memory.append(service(1)), lambda: journal.append(service(1))))
    assert one == two
    assert journal_bytes(tmp_path / "journal") == memory.lines[0]
