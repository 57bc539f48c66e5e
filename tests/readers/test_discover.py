"""Which files are found, in which order, each once."""

import os
from pathlib import Path

import pytest

from custody.errors import SourceError
from custody.readers.discover import discover


def tree(folder: Path) -> Path:
    for name in ("b/2.json", "b/.hidden", "a/1.gz", "c.json.part", "b/sub/3"):
        path = folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder / "logs"


def names(found: list[Path | SourceError], folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in found if isinstance(path, Path)]


def test_every_file_is_found_in_order_hidden_and_partial_ones_too(tmp_path: Path) -> None:
    logs = tree(tmp_path)
    assert names(list(discover([logs])), logs) == ["a/1.gz", "b/.hidden", "b/2.json", "b/sub/3", "c.json.part"]


def test_no_name_is_passed_over(tmp_path: Path) -> None:
    wanted = ["a.csv", "b.txt", "c.log", "d.log.1", "e"]
    for name in wanted:
        (tmp_path / name).write_text(name)
    assert names(list(discover([tmp_path])), tmp_path) == wanted


def test_overlapping_paths_links_and_hard_links_give_a_file_once(tmp_path: Path) -> None:
    logs = tree(tmp_path)
    (logs / "d").symlink_to(logs)
    (logs / "e").symlink_to(logs / "a" / "1.gz")
    os.link(logs / "a" / "1.gz", logs / "f")
    found = names(list(discover([logs / "b", logs, logs / "c.json.part"])), logs)
    assert found == ["b/.hidden", "b/2.json", "b/sub/3", "a/1.gz", "c.json.part"]


def test_what_cannot_be_read_is_a_value_in_its_place(tmp_path: Path) -> None:
    logs = tree(tmp_path)
    os.mkfifo(logs / "b" / "pipe")
    (logs / "b" / "broken").symlink_to("nowhere")
    found = list(discover([tmp_path / "gone", logs / "b"]))
    errors = [error for error in found if isinstance(error, SourceError)]
    assert [error.found for error in errors] == ["No such file or directory", "No such file or directory", "a pipe"]
    assert [error.where for error in errors] == [str(tmp_path / "gone"), str(logs / "b/broken"), str(logs / "b/pipe")]
    assert names(found, logs) == ["b/.hidden", "b/2.json", "b/sub/3"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every folder")
def test_a_folder_without_permission_is_a_value(tmp_path: Path) -> None:
    logs = tree(tmp_path)
    (logs / "b").chmod(0)
    found = list(discover([logs]))
    (logs / "b").chmod(0o700)
    assert [error.found for error in found if isinstance(error, SourceError)] == ["Permission denied"]
    assert names(found, logs) == ["a/1.gz", "c.json.part"]


def test_excluded_folders_are_passed_over(tmp_path: Path) -> None:
    logs = tree(tmp_path)
    assert names(list(discover([logs], exclude=[logs / "b", tmp_path / "absent"])), logs) == ["a/1.gz", "c.json.part"]


def test_folders_of_any_depth(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(300):
        deep /= "d"
        deep.mkdir()
    (deep / "log").write_text("x")
    assert list(discover([tmp_path])) == [deep / "log"]
