"""The commands of the tutorials are run as they stand, and say what the tutorials show."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")]

TUTORIALS = ROOT / "docs" / "tutorials"
BLOCK = re.compile(r"^```(sh|sh real|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_SHOWN = "is not shown by the logs"
"""What a page says of a close of which the evidence shows otherwise."""
SETTING_UP = 2
"""Blocks before the sample's logs are made: the people, and the helper."""


def blocks(path: Path) -> list[tuple[str, str]]:
    """The blocks of a tutorial in order: their kind and text."""
    return [(kind, text) for kind, text in BLOCK.findall(path.read_text())]


def played(folder: Path, scripts: list[str], **variables: str) -> list[str]:
    """The output of each script, run one after the other in one shell in ``folder``; white space is one space."""
    mark = "== the end of a block =="
    whole = "set -eu\n" + "".join(f"{script}\necho '{mark}'\n" for script in scripts)
    place = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": place, "HOME": str(folder), "LANG": "C.UTF-8", **variables}
    done = subprocess.run(
        ["bash", "-c", whole],
        cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return [" ".join(each.split()) for each in done.stdout.split(mark)[:-1]]


def missing(path: Path, folder: Path, kind: str, **variables: str) -> list[str]:
    """Lines that the tutorial shows and the commands before them did not say, and pages that doubt a close."""
    found = blocks(path)
    places = [at for at, (each, _) in enumerate(found) if each == kind]
    if kind != "sh":
        places = [at for at, (each, _) in enumerate(found) if each == "sh"][:SETTING_UP] + places
    said = dict(zip(places, played(folder, [found[at][1] for at in places], **variables), strict=True))
    lost = [text for text in said.values() if NOT_SHOWN in text]
    last = -1
    for at, (each, text) in enumerate(found):
        last = at if each != "text" else last
        if each == "text" and last in said:
            lost += [line for line in text.splitlines() if " ".join(line.split()) not in said[last]]
    return lost


def test_the_incident_on_the_logs_that_custody_invents(tmp_path: Path) -> None:
    path = TUTORIALS / "incident.md"

    assert missing(path, tmp_path, "sh") == []
    assert "data_type" in (tmp_path / "timeline.jsonl").read_text()
    assert (tmp_path / "incident.html").stat().st_size > 10_000


def test_the_incident_on_the_real_theft(real_logs: Path, tmp_path: Path) -> None:
    assert missing(TUTORIALS / "incident.md", tmp_path, "sh real", theft=str(real_logs)) == []
