"""A real sealing process: it seals, takes, derives, is killed and started again, and ends with its parent."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody import __version__
from custody.broker.evidence.epochs import epoch_files
from custody.broker.evidence.journal import Journal
from custody.errors import SourceError, StoreError
from custody.pipeline import audit
from custody.pipeline.brokering import sealed
from custody.pipeline.brokering.keeping import keep
from custody.pipeline.brokering.places import journal_folder
from custody.pipeline.brokering.process import Sealing
from custody.pipeline.brokering.sealing import Pushed
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.broker.evidence.said import Clock, check_chain, service
from tests.pipeline.brokering.journals import BROKER, check_store, fill, journal_of, settings_for

DEADLINE = 30


class Running:
    """One loop and one child for the module; a test that spoils them says so."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_for(folder)
        self.runner = asyncio.Runner()
        self.sealing = Sealing(self.settings, BROKER, derive_every=0, wait=0.2)

    def run(self, case: object) -> None:
        assert asyncio.iscoroutine(case)
        self.runner.run(asyncio.wait_for(case, DEADLINE))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("running"))
    running.run(running.sealing.start())
    yield running
    running.run(running.sealing.close())
    running.runner.close()


def gone(process: int) -> bool:
    """Whether a process has ended: it is no more, or its parent has not looked yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_is_offered_is_sealed(running: Running) -> None:
    epochs = fill(running.settings, 3, 2)

    async def case() -> None:
        running.sealing.offer(epochs[:1])
        await running.sealing.sealed(3)
        running.sealing.offer(epochs)
        await running.sealing.sealed(5)
        health = running.sealing.health()
        assert (health.through, health.waiting, health.lag, health.error) == (5, 0, 0.0, None)

    running.run(case())
    with Reader.open(running.settings.store) as reader:
        assert check_chain(sealed.entries(reader, BROKER, 0)) == 5


def test_what_is_pushed_is_sealed_before_it_is_acknowledged(running: Running, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b'{"hello":"one"}\n')
    (tmp_path / "two").write_bytes(b'{"hello":"two"}\n{"hello":"three"}\n')

    async def case() -> None:
        names = ("one", "two", "absent")
        pushed = (running.sealing.take(Pushed(tmp_path / name, name)) for name in names)
        one, two, absent = await asyncio.gather(*pushed, return_exceptions=True)
        assert isinstance(absent, SourceError)
        assert not isinstance(one, BaseException)
        assert not isinstance(two, BaseException)
        assert (one.records, two.records) == (1, 2)
        with Reader.open(running.settings.store) as reader:
            assert [each.path for each in reader.acquisitions() if each.leaf in {one.leaf, two.leaf}] == [
                "intake/one",
                "intake/two",
            ]

    running.run(case())


def test_another_writer_makes_it_late_not_wrong(running: Running, tmp_path: Path) -> None:
    epochs = fill(running.settings, 2)
    (tmp_path / "late").write_bytes(b'{"hello":"late"}\n')

    async def case() -> None:
        held = Writer.open(running.settings.store, running.settings.keys, now=audit.now(), version=__version__, wait=5)
        with held:
            running.sealing.offer(epochs)
            with pytest.raises(StoreError, match="another writer"):
                await running.sealing.take(Pushed(tmp_path / "late", "late"))
            health = running.sealing.health()
            assert health.waiting == 1
            assert health.lag > 0.1
            assert "another writer" in (health.error or "")
        await running.sealing.sealed(epochs[-1].last)
        assert running.sealing.health().error is None

    running.run(case())


def test_a_killed_child_is_started_again_and_nothing_is_lost(running: Running) -> None:
    epochs = fill(running.settings, 2)

    async def case() -> None:
        before = running.sealing.child
        assert before is not None
        os.kill(before, signal.SIGKILL)
        running.sealing.offer(epochs)
        await running.sealing.sealed(epochs[-1].last)
        assert running.sealing.child not in {None, before}
        assert running.sealing.health().restarts == 1
        assert gone(before)

    running.run(case())
    check_store(running.settings)


def test_epochs_are_closed_sealed_and_forgotten_while_entries_come(running: Running) -> None:
    """The loop that a broker runs: what is sealed and saved goes, the rest stays, and at the end all is in the log."""
    saved = 0

    async def case(journal: Journal) -> None:
        nonlocal saved
        stop = asyncio.Event()
        keeper = asyncio.create_task(keep(journal, running.sealing, every=0.02, saved=lambda: saved, stop=stop))
        for number in range(60):
            saved = (await journal.append(service(number))).seq - 1
            await asyncio.sleep(0.005)
        await running.sealing.sealed(saved)
        await asyncio.sleep(0.05)
        stop.set()
        await keeper
        await running.sealing.sealed(journal.seq)

    with journal_of(running.settings) as journal:
        running.run(case(journal))
        assert len(journal.closed()) < 4
        assert journal.closed()[-1].last == journal.seq
    with Reader.open(running.settings.store) as reader:
        last = sealed.through(reader, BROKER)
        assert last >= 60
        assert check_chain(sealed.entries(reader, BROKER, 0)) == last
        read = list(sealed.entries(reader, BROKER, 0))
    with Journal.open(
        journal_folder(running.settings.store),
        broker=BROKER,
        clock=Clock(),
        known=last,
        earlier=lambda after: read[after:],
    ) as journal:
        assert list(journal.entries(0)) == read
    check_store(running.settings)


def test_tables_are_made_when_asked(running: Running) -> None:
    async def case() -> None:
        assert await running.sealing.derive() == "built"
        assert await running.sealing.derive() == "unchanged"
        health = running.sealing.health()
        assert health.derived is not None
        assert health.derive_error is None

    running.run(case())


def test_an_audit_waits_for_a_sealing_broker_and_both_end_well(running: Running, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.ndjson").write_bytes(b'{"hello":"audit"}\n')

    async def case() -> None:
        for _ in range(4):
            epochs = await asyncio.to_thread(fill, running.settings, 1, 1)
            running.sealing.offer(epochs)
        auditing = asyncio.to_thread(audit.audit, running.settings, [tmp_path / "logs"], lambda progress: None)
        report, _ = await asyncio.gather(auditing, running.sealing.sealed(epochs[-1].last))
        assert report.run is not None
        assert report.run.records == 1

    running.run(case())
    with Reader.open(running.settings.store) as reader:
        assert check_chain(sealed.entries(reader, BROKER, 0)) == sealed.through(reader, BROKER)
    check_store(running.settings)


ORPHAN = """
import asyncio, sys
from pathlib import Path
from custody.pipeline.brokering.process import Sealing
from custody.settings.options import resolve

async def main():
    home = Path(sys.argv[1])
    flags = {"store": str(home / "store"), "keys": str(home / "keys")}
    settings = resolve(flags, {}, None, home=home, cwd=home, cores=2)
    sealing = Sealing(settings, "test", derive_every=0)
    await sealing.start()
    print(sealing.child, flush=True)
    await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.slow
def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHAN)
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(0.3)
        assert not gone(child)
        parent.kill()
        parent.wait()
        until = time.monotonic() + 10
        while not gone(child) and time.monotonic() < until:
            time.sleep(0.02)
        assert gone(child)


@pytest.mark.slow
def test_a_child_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)

    async def case() -> None:
        sealing = Sealing(settings, BROKER, derive_every=0)
        await sealing.start()
        with journal_of(settings) as journal:
            stop = asyncio.Event()
            keeper = asyncio.create_task(keep(journal, sealing, every=0.05, saved=lambda: journal.seq, stop=stop))
            for kill in range(8):
                for number in range(200):
                    await journal.append(service(number))
                await asyncio.sleep(0.4 + kill * 0.11)
                if sealing.child is not None:
                    os.kill(sealing.child, signal.SIGKILL)
            stop.set()
            await keeper
            await sealing.sealed(journal.seq)
            assert journal.seq == 1600
        assert sealing.health().restarts > 3
        await sealing.close()

    asyncio.run(asyncio.wait_for(case(), 120))
    with Reader.open(settings.store) as reader:
        assert check_chain(sealed.entries(reader, BROKER, 0)) == 1600
        assert reader.counts().leaves == reader.counts().records == 1600
    check_store(settings)


def test_closing_seals_what_waits_and_tells_who_waits_for_more(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    epochs = fill(settings, 2)

    async def case() -> None:
        sealing = Sealing(settings, BROKER, derive_every=0)
        await sealing.start()
        child = sealing.child
        assert child is not None
        sealing.offer(epochs)
        more = asyncio.create_task(sealing.sealed(99))
        await asyncio.sleep(0)
        await sealing.close()
        with pytest.raises(StoreError, match="stopped"):
            await more
        assert sealing.child is None
        assert gone(child)
        await sealing.close()
        with pytest.raises(RuntimeError):
            sealing.health()

    asyncio.run(asyncio.wait_for(case(), DEADLINE))
    with Reader.open(settings.store) as reader:
        assert sealed.through(reader, BROKER) == 2
    shutil.rmtree(journal_folder(settings.store))
    with pytest.raises(StoreError, match="ends before"):
        Journal.open(journal_folder(settings.store), broker=BROKER, clock=Clock(), known=2)
    assert epoch_files(journal_folder(settings.store)) == []
