"""An incident at a real PostgreSQL server: the surviving session is caught, ended, and then the end is proved."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT

NO_SERVER = 2
"""What the laboratory ends with where a server cannot be had."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's own account can reach: those of the test run are closed to others."""
    with tempfile.TemporaryDirectory(prefix="custody-lab-") as made:
        yield Path(made)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_what_custody_says_is_what_the_script_saw(folder: Path) -> None:
    command = [sys.executable, "-m", "lab", "--only", "incident", "--keep", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == NO_SERVER:
        pytest.skip(done.stdout[-300:])
    assert (folder / "incident" / "compared.json").exists(), done.stdout
    compared = json.loads((folder / "incident" / "compared.json").read_bytes())

    assert [each for each in compared if each["true"] != each["told"]] == []
    assert [each["true"] for each in compared if each["what"] in ("revoke", "contain")] == [
        "violated",
        "proved",
        "violated",
    ]
    assert done.returncode == 0, done.stdout
