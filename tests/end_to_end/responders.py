"""People who respond to an incident at the command line of custody, each with an SSH key of their own.

Everything goes the way that people go: ``ssh-keygen`` makes the keys, ``custody`` runs as a process, and what it says
is read from its JSON. The store, the keys of both logs, the allowed-signers file and the response file are in one
folder, named by a settings file, so that the commands are as short as in the documents.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

Json = dict[str, object]

ASKS, APPROVES, SECONDS, OWNS = "olga@example.org", "ben@example.org", "mia@example.org", "owner@example.org"
"""Who asks and acts, who approves, who approves or reviews as well, who answers for the identity."""

RESPONSE = f"""
[groups]
responders = ["{ASKS}"]
approvers = ["{APPROVES}", "{SECONDS}"]
"""
SETTINGS = """
store = "store"
keys = "keys"
approval_keys = "approval-keys"
signers = "allowed-signers"
response = "response.toml"
"""


class Refused(RuntimeError):
    """custody ended with another exit code than was to be expected; the message has its words."""

    def __init__(self, command: tuple[str, ...], code: int, said: str) -> None:
        super().__init__(f"custody {' '.join(command)}: exit code {code}: {said.strip()[-1500:]}")
        self.code, self.said = code, said


class Desk:
    """Where they sit: a folder with store, keys and settings, and the people by name."""

    def __init__(self, folder: Path, people: tuple[str, ...] = (ASKS, APPROVES, SECONDS, OWNS)) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        lines = [self._person(name) for name in people]
        (folder / "allowed-signers").write_text("".join(lines))
        (folder / "response.toml").write_text(RESPONSE)
        (folder / "custody.toml").write_text(SETTINGS)

    def key(self, name: str) -> Path:
        """The private key of somebody."""
        return self.folder / f"key-{name.partition('@')[0]}"

    def _person(self, name: str) -> str:
        file = self.key(name)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file)],
            check=True,
            capture_output=True,
        )
        return f"{name} {' '.join(file.with_suffix('.pub').read_text().split()[:2])}\n"

    def run(self, *command: str, code: int | None = 0) -> tuple[int, str, str]:
        """Exit code, output and messages of ``custody COMMAND``; Refused where the code is not ``code`` (None: any)."""
        called = [sys.executable, "-m", "custody.cli", *command]
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "LANG": "C.UTF-8"}
        done = subprocess.run(called, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)
        if code is not None and done.returncode != code:
            raise Refused(command, done.returncode, done.stderr or done.stdout)
        return done.returncode, done.stdout, done.stderr

    def told(self, *command: str, code: int | None = 0) -> Json:
        """The JSON object that ``custody COMMAND --json`` says."""
        _, out, _ = self.run(*command, "--json", code=code)
        return cast("Json", json.loads(out))

    def says(self, who: str, *command: str, code: int | None = 0) -> Json:
        """What ``custody incident COMMAND`` says to somebody who signs what they say."""
        return self.told("incident", *command, "--sign-with", str(self.key(who)), code=code)
