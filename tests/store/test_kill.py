"""kill -9 at any moment, of the writer alone and of its whole group, with an immediate restart."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.errors import StoreError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.fsck import check_consistency
from custody.store.keyring import read_last_signed
from custody.store.logfiles import LogFiles
from custody.store.reader import Reader
from custody.store.verification import verify
from custody.store.writer import Writer

CHILD = """
import os, runpy, sys
from pathlib import Path
here = runpy.run_path(sys.argv[1])
root, keys = Path(sys.argv[2]), Path(sys.argv[3])
from custody.store.writer import Writer
with Writer.open(root, keys, now="now", version="1") as writer:
    if os.fork() == 0:  # a worker, which outlives the writer when that is killed alone
        os.close(1)
        import time
        time.sleep(3)
        os._exit(0)
    import numpy, pyarrow.parquet  # so that the kill falls into the work
    print("open", flush=True)
    for number in range(12):
        file = here["make_acquisition"](f"f{number}")
        known = writer.known(file.received)
        if known and known[0].done:
            continue
        leaf = known[0].leaf if known else writer.acquire([file], by="me", at="now")[0]
        for at in range(known[0].records if known else 0, 240, 60):
            rows = here["make_rows"](number * 200 + at, 60)
            writer.commit([here["make_batch"](leaf, rows, ordinal=at, last=at == 180)])
    print("done", flush=True)
    os._exit(0)
"""


def seen(root: Path) -> Checkpoint | None:
    try:
        with Reader.open(root) as reader:
            return reader.checkpoint()
    except StoreError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True])
def test_nothing_is_lost_or_there_twice(root: Path, keys: Path, opened: Callable[[], Writer], group: bool) -> None:
    dice = random.Random(7)
    command = [sys.executable, "-c", CHILD, str(Path(__file__).with_name("conftest.py")), str(root), str(keys)]
    checkpoints: list[Checkpoint] = []
    done = kills = 0
    while not done and kills < 400:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n", "the restart was locked out or refused"
            time.sleep(dice.uniform(0, 0.3))
            if group:
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
            done = child.stdout.read().count("done")
        kills += not done
        point = seen(root)
        if point is not None:
            checkpoints.append(point)
    assert kills > 5
    with opened():
        pass
    with Reader.open(root) as reader:
        counts = reader.counts()
        assert (counts.records, counts.leaves) == (12 * 240, 11 * 200 + 240)
        sealed = [entry.id for closed in reader.segments() for entry, _ in reader.records(closed)]
        assert len(set(sealed)) == len(sealed) == counts.leaves
        last = reader.checkpoint()
        note = read_last_signed(keys / reader.store.store)
    for point in checkpoints:
        check_consistency(LogFiles(root).read, point, last)
    assert verify(root, last_signed=note).problems == ()
