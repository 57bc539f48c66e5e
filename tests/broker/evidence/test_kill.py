"""kill -9 of a process that appends: every line that it acknowledged is there, and the chain holds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from custody.broker.evidence.journal import Journal
from tests.broker.evidence.said import Clock, check_chain

CHILD = """
import asyncio, os, sys
from pathlib import Path
from custody.broker.evidence.journal import Journal
from custody.model.brokered import Service

class Clock:
    def now(self):
        return 1_795_341_600_000_000

async def main(journal):
    async def client():
        while True:
            entry = await journal.append(Service(what="started", version="1", fields={"text": "x" * 300}))
            os.write(1, b"%d\\n" % entry.seq)
    async def roller():
        while True:
            await asyncio.sleep(0.02)
            await journal.roll()
            await journal.forget(journal.seq - 200)
    await asyncio.gather(roller(), *(client() for _ in range(8)))

with Journal.open(Path(sys.argv[1]), broker="test", clock=Clock()) as journal:
    os.write(1, b"%d\\n" % journal.seq)
    asyncio.run(main(journal))
"""


def kill_once(folder: Path, seconds: float) -> list[int]:
    """Let a process append, kill it some time after its tenth line, and give what it acknowledged."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = b"".join(child.stdout.readline() for _ in range(11))
        time.sleep(seconds)
        os.kill(child.pid, signal.SIGKILL)
        return [int(line) for line in (first + child.stdout.read()).split(b"\n")[:-1]]


def check(folder: Path, acknowledged: list[int]) -> None:
    assert sorted(acknowledged[1:]) == list(range(acknowledged[0] + 1, acknowledged[0] + len(acknowledged)))
    with Journal.open(folder, broker="test", clock=Clock(), known=max(acknowledged)) as journal:
        first = journal.closed()[0].first
        there = list(journal.entries(first - 1))
        assert check_chain(there, first=first, prev=there[0].prev) == journal.seq - first + 1


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    for seconds in (0.05, 0.15):
        acknowledged = kill_once(tmp_path / "journal", seconds)
        assert len(acknowledged) > 10
        check(tmp_path / "journal", acknowledged)


@pytest.mark.slow
def test_it_survives_kill_9_again_and_again(tmp_path: Path) -> None:
    dice = random.Random(11)
    for _ in range(60):
        check(tmp_path / "journal", kill_once(tmp_path / "journal", dice.uniform(0, 0.2)))
