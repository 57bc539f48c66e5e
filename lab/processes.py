"""Child processes on loopback: free ports, start, wait until ready, stop. Only what was started here is ever ended."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
PATIENCE = 60.0
"""Seconds that a server gets to be ready; a cold kube-apiserver needs about 20."""


class NotReady(RuntimeError):
    """A server ended or stayed silent; the message carries the end of its log."""


class Child:
    """One process in a session of its own, its output in a file."""

    def __init__(self, command: Sequence[str], log: Path, *, user: str | None = None) -> None:
        self.log = log
        # Servers print the names of their environment's variables: they get three and no more.
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(log.parent), "LANG": "C"}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*_as_user(user), *command],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd=log.parent,
                env=environ,
            )

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Return when ``ready`` says so; raises NotReady when the process ends or PATIENCE runs out."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NotReady(f"{what} ended with {self.process.returncode}: {self.tail()}")
            with contextlib.suppress(OSError):
                if ready():
                    return
            time.sleep(0.2)
        raise NotReady(f"{what} was not ready in {PATIENCE:.0f} s: {self.tail()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and those that it started; harmless when it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(15)

    def tail(self) -> str:
        """The last 1,500 characters of the log."""
        return self.log.read_text(errors="replace")[-1500:]


def _as_user(user: str | None) -> list[str]:
    if user is None or os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]


def run_as(user: str | None, command: Sequence[str], cwd: Path) -> str:
    """Run to the end and return what it wrote; raises NotReady with its words when it fails."""
    done = subprocess.run([*_as_user(user), *command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReady(f"{command[0]} failed with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.create_connection((LOOPBACK, port), timeout=1):
        return True


def on_path(*names: str) -> Path | None:
    """The first of the named programs on PATH."""
    return next((Path(found) for name in names if (found := shutil.which(name))), None)
