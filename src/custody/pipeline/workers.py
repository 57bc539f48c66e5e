"""Worker processes that read files and hand batches to the one writer. They own no file, and end when it ends."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar, cast

from custody.errors import CustodyError, SourceError

Task = TypeVar("Task")
Result = TypeVar("Result")

PR_SET_PDEATHSIG = 1


class _Done:
    """A worker's word that its task is finished."""


class Pool(Generic[Task, Result]):
    """Processes that turn each task into a stream of results.

    Results of one task come in order; those of different tasks interleave. At most one result a worker is under way,
    so memory stays flat. With ``jobs`` of 1 everything runs in this process.
    """

    def __init__(self, function: Callable[[Task], Iterator[Result]], jobs: int) -> None:
        self._function = function
        self._workers: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
        if jobs > 1:
            context = multiprocessing.get_context("fork")
            for _ in range(jobs):
                here, there = context.Pipe()
                process = context.Process(target=_serve, args=(function, there, os.getpid()), daemon=True)
                process.start()
                there.close()
                self._workers.append((process, here))

    def run(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Every result of every task. An error in a worker is raised here, whatever else is under way."""
        if not self._workers:
            for task in tasks:
                yield from self._function(task)
            return
        yield from self._share(deque(tasks))

    def _share(self, waiting: deque[Task]) -> Iterator[Result]:
        """Results as they come. A thread receives, so that workers go on while the writer commits."""
        received: queue.Queue[Result | CustodyError | None] = queue.Queue(maxsize=len(self._workers) * 2)
        thread = threading.Thread(target=self._receive_all, args=(waiting, received), daemon=True)
        thread.start()
        while (result := received.get()) is not None:
            if isinstance(result, CustodyError):
                raise result
            yield result
        thread.join()

    def _receive_all(self, waiting: deque[Task], received: queue.Queue[Result | CustodyError | None]) -> None:
        idle = [connection for _, connection in self._workers]
        busy: list[Connection] = []
        try:
            while waiting or busy:
                while waiting and idle:
                    connection = idle.pop()
                    connection.send(waiting.popleft())
                    busy.append(connection)
                for ready in wait(busy):
                    assert isinstance(ready, Connection)
                    result = _receive(ready)
                    if isinstance(result, _Done):
                        busy.remove(ready)
                        idle.append(ready)
                    else:
                        received.put(cast("Result", result))
        except CustodyError as error:
            received.put(error)
        except OSError as error:
            received.put(SourceError("a worker process cannot be reached", found=str(error)))
        received.put(None)

    def close(self) -> None:
        """End the workers at once: they hold nothing that could be lost."""
        for process, connection in self._workers:
            connection.close()
            process.terminate()
        for process, _ in self._workers:
            process.join()
        self._workers.clear()


def _receive(connection: Connection) -> object:
    try:
        result = connection.recv()
    except EOFError as error:
        raise SourceError("a worker process ended without a word", advice="run again: what is sealed stays") from error
    if isinstance(result, CustodyError):
        raise result
    return result


def _serve(function: Callable[[Task], Iterator[Result]], connection: Connection, parent: int) -> None:
    die_with(parent)
    gc.disable()  # records make no cycles, and the collector would walk millions of them: an eighth of the time
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            for result in function(task):
                connection.send(result)
            connection.send(_Done())
        except CustodyError as error:
            connection.send(error)
        except (BrokenPipeError, ConnectionResetError):
            return


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends (Linux); elsewhere the closed pipe ends the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)
