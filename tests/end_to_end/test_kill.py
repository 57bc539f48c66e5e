"""Real kill -9 of a running audit, of the parent alone and of the whole group, with immediate restart."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from custody.ledger.checkpoint import parse
from custody.ledger.fsck import check_consistency
from custody.ledger.note import Verifier, open_note
from custody.pipeline.tables import canonical
from custody.pipeline.verify import verify
from custody.store.logfiles import LogFiles
from custody.store.storefile import read_store_file
from tests.end_to_end.conftest import delivered, run, settings_for

pytestmark = pytest.mark.slow
ROUNDS = 40


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "custody.cli", "audit", str(folder / "logs"), "--jobs", "2"]
    command += ["--store", str(folder / "store"), "--keys", str(folder / "keys")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def note(folder: Path) -> bytes | None:
    try:
        return (folder / "store" / "logs" / "operations" / "checkpoint").read_bytes()
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("group", [False, True], ids=["parent", "group"])
def test_nothing_is_lost_and_nothing_counted_twice(group: bool, real_records: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for number in range(0, len(real_records), 25):
        delivered(tmp_path / "logs" / f"{number:05}.json.gz", real_records[number : number + 25])
    (tmp_path / "calm").mkdir()
    expected = run(tmp_path / "calm", [tmp_path / "logs"])
    dice, seen = random.Random(11), set[bytes]()
    for round_number in range(ROUNDS):
        process = start(tmp_path)
        time.sleep(dice.uniform(0.15, 2.5))
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        found = note(tmp_path)
        if found is not None:
            seen.add(found)
        if round_number % 10 == 9 and process.returncode == 0:
            shutil.rmtree(tmp_path / "store", ignore_errors=True)
            shutil.rmtree(tmp_path / "keys", ignore_errors=True)
            seen.clear()
    final = run(tmp_path, [tmp_path / "logs"])

    assert canonical(final) == canonical(expected)
    assert (final.records, final.understood, final.duplicates) == (2900, 2900, 0)
    assert verify(settings_for(tmp_path), None, None, None).status == "ok"
    assert_consistent(tmp_path, seen)


def assert_consistent(folder: Path, notes: set[bytes]) -> None:
    store = read_store_file(folder / "store")
    verifier = Verifier.parse(store.vkey)
    last = parse(open_note(note(folder) or b"", [verifier]).text)
    files = LogFiles(folder / "store")
    for data in notes:
        old = parse(open_note(data, [verifier]).text)
        check_consistency(files.read, old, last)
