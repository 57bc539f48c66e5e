"""Processes that check segments side by side. They end when their input does, so also when this process is killed."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import msgspec

from custody.errors import StoreError
from custody.store.history import Closed
from custody.store.logfiles import LogFiles
from custody.store.payload_check import check_segment

ALONE = 40_000
"""Records below which starting processes costs more than it brings."""

Found = tuple[Closed, list[str]]


def check_segments(root: Path, commits: Sequence[Closed], size: int, *, processes: int) -> Iterator[Found]:
    """What is wrong with each segment, in the order in which they are done. StoreError where a process dies."""
    if processes < 2 or sum(closed.end - closed.first for closed in commits) < ALONE:
        files = LogFiles(root)
        for closed in commits:
            yield closed, check_segment(root, files, closed, size)
        return
    idle: SimpleQueue[_Process] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(processes):
            idle.put(stack.enter_context(_Process(root, size)))
        pool = stack.enter_context(ThreadPoolExecutor(processes))

        def ask(closed: Closed) -> Found:
            process = idle.get()
            found = process.ask(closed)
            idle.put(process)
            return closed, found

        yield from pool.map(ask, commits)


class _Process:
    def __init__(self, root: Path, size: int) -> None:
        command = [sys.executable, "-I", "-m", "custody.store.payload_check", str(root.resolve()), str(size)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it: it holds nothing."""
        self._process.kill()
        self._process.communicate()

    def ask(self, closed: Closed) -> list[str]:
        """Have one segment checked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(closed) + b"\n")
            self._process.stdin.flush()
            return msgspec.json.decode(self._process.stdout.readline(), type=list[str])
        except (OSError, msgspec.MsgspecError):
            raise StoreError("a checking process ended early", where=str(closed.file)) from None
