"""The command: what it writes, what it says, what it refuses."""

import json
from pathlib import Path

import pytest

from custody.cli.commands.simulate import COMMAND
from custody.errors import UsageError
from tests.simulation.conftest import files


def run(*arguments: str) -> None:
    assert COMMAND.main(args=list(arguments), standalone_mode=False) == 0


def test_what_was_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--seed", "3", "--hours", "1", "--workloads", "1", "-o", str(tmp_path / "estate"))

    said = capsys.readouterr().out
    written = list(files(tmp_path / "estate" / "logs"))
    assert f"{len(written)} files" in said
    assert "aws.cloudtrail" in said
    assert f"custody audit {tmp_path}/estate/logs --contract {tmp_path}/estate/contract.yaml" in said
    assert sorted(path.name for path in (tmp_path / "estate").iterdir()) == ["contract.yaml", "logs", "truth.json"]


def test_json_has_the_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--hours", "4", "--workloads", "1", "--fault", "stolen-key", "-o", str(tmp_path), "--json")

    said = json.loads(capsys.readouterr().out)
    truth = json.loads((tmp_path / "truth.json").read_bytes())
    assert said["records"] == truth["records"]
    assert said["runs"] == len(truth["runs"])
    assert [each["fault"] for each in said["faults"]] == ["stolen-key"]
    assert said["seed"] == 1


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.log").write_text("x")

    with pytest.raises(UsageError, match="not empty"):
        run("-o", str(tmp_path))


def test_a_day_too_short_for_a_fault_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too short"):
        run("--hours", "1", "--fault", "all", "-o", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
