"""A command that is run with a credential: signals go on to it, its exit code comes back, and nothing tears the end.

While the credential is asked for, a signal counts when the broker's answer is there: a credential that was issued is
then known, and given back. A second signal does not wait for that. Once the command runs, signals are blocked here and
handed on one by one, so that the end is always reached but by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

SIGNALS = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2},
)
NOT_FOUND, NOT_RUN = 127, 126
"""Exit codes of shells (POSIX 2.8.2) for a command that is not there, or cannot be run."""

_BY_THE_TERMINAL = 0x80
"""``SI_KERNEL``: a signal of the terminal goes to its whole foreground group, so that the command has it already."""
_LOOK = 0.25
"""Seconds after which the command is looked at, whether or not a signal said that it ended."""


class Stopped(KeyboardInterrupt):
    """A signal came; ``number`` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class Signals:
    """Takes the signals that end a process, for the length of a block in the main thread. Ignored ones stay ignored."""

    def __init__(self) -> None:
        self.taken = 0
        self._asking = False
        self._asleep = False
        self._pid = 0
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for each in sorted(SIGNALS):
            if signal.getsignal(each) is not signal.SIG_IGN:
                self._before[each] = signal.signal(each, self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in self._before:
            signal.signal(each, signal.SIG_IGN)  # what is still waiting is over
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*self._before, signal.SIGCHLD})
        for each, before in self._before.items():
            signal.signal(each, before)  # type: ignore[arg-type]  # as getsignal gave it

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a credential is asked for, a signal ends a sleep, and a second one anything. Stopped."""
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def sleep(self, seconds: float) -> None:
        """Sleep; while a credential is asked for, Stopped where a signal came or comes."""
        if not self._asking:
            time.sleep(seconds)
            return
        self._asleep = True
        try:
            self.check()
            time.sleep(seconds)
        finally:
            self._asleep = False

    def check(self) -> None:
        """Stopped where a signal came."""
        if self.taken:
            raise Stopped(self.taken)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command and wait for its end; gives its exit code, 128 + n where signal n ended it.

        Signals stay blocked when this returns. OSError where the command cannot be run; Stopped where a signal came
        before it began.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {*self._before, signal.SIGCHLD})
        self.check()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ignored_by_python = {signal.SIGPIPE, signal.SIGXFSZ}
        self._pid = os.posix_spawnp(command[0], list(command), environment, setsigmask=(), setsigdef=ignored_by_python)
        try:
            while (code := _ended(self._pid)) is None:
                self._forward()
        finally:
            self._pid = 0
        return code

    def _forward(self) -> None:
        """Hand on the next signal. The command is not yet waited for, so its pid is its own."""
        info = signal.sigtimedwait({*self._before, signal.SIGCHLD}, _LOOK)
        if info is None or info.si_signo == signal.SIGCHLD or info.si_code == _BY_THE_TERMINAL:
            return
        os.kill(self._pid, info.si_signo)

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # signal's own shape
        if self._pid:  # another thread of the process took it, where signals are not blocked
            os.kill(self._pid, number)
            return
        again = bool(self.taken)
        self.taken = self.taken or number
        if self._asleep or (again and self._asking):
            raise Stopped(number)


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    if found == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
