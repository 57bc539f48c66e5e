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
from custody.store.erasure import Expected
from custody.store.logfiles import LogFiles
from custody.store.payload_check import check_segment

ALONE = 40_000
"""Records below which starting processes costs more than it brings."""

Found = tuple[Expected, list[str]]


def check_segments(root: Path, commits: Sequence[Expected], size: int, *, processes: int) -> Iterator[Found]:
    """What is wrong with each segment, in the order in which they are done. StoreError where a process dies."""
    if processes < 2 or sum(each.closed.end - each.closed.first for each in commits) < ALONE:
        files = LogFiles(root)
        for each in commits:
            yield each, check_segment(root, files, each, size)
        return
    idle: SimpleQueue[_Process] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(processes):
            idle.put(stack.enter_context(_Process(root, size)))
        pool = stack.enter_context(ThreadPoolExecutor(processes))

        def ask(each: Expected) -> Found:
            process = idle.get()
            found = process.ask(each)
            idle.put(process)
            return each, found

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

    def ask(self, each: Expected) -> list[str]:
        """Have one segment checked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(each) + b"\n")
            self._process.stdin.flush()
            return msgspec.json.decode(self._process.stdout.readline(), type=list[str])
        except (OSError, msgspec.MsgspecError):
            raise StoreError("a checking process ended early", where=str(each.closed.file)) from None
