"""``custody drill``: where it plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.cli import main
from custody.cli.commands import drill as command
from custody.cli.exits import CODES
from custody.pipeline.drills.scoring import Drill


def test_a_folder_that_is_named_from_here_is_the_same_folder_to_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []

    def incident(place: Path, *_: object) -> Drill:
        places.append(place)
        return Drill(kind="incident", drill="drill-1", target="t", steps=(), size=1, root="00", seed=4)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_incident", incident)

    assert main(["drill", "incident", "--folder", "kept", "--no-evidence", "--json"]) == CODES["done"]
    assert places == [tmp_path / "kept" / "incident"]
