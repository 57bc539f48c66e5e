"""Whatever is changed in a store, outside what is exempt, is found and named."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.model.report import Report
from custody.pipeline.rebuild import rebuild
from custody.pipeline.verify import Verified, verify
from custody.settings.catalog import Settings
from tests.end_to_end.conftest import delivered, every_file, run, settings_for

MOST = 14
"""Files tried for each way to tamper; which ones is drawn, every kind of file is among them."""


@pytest.fixture(scope="module")
def sealed(sample_store: tuple[Settings, Report]) -> Path:
    settings, _ = sample_store
    return settings.store.parent


@pytest.fixture
def copy(sealed: Path, tmp_path: Path) -> Path:
    shutil.copytree(sealed, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture(scope="module")
def grown(sample_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that took the logs in two runs, and beside it, as ``older``, what it was between them."""
    folder = tmp_path_factory.mktemp("grown")
    files = sorted(sample_logs.rglob("*.gz"))
    run(folder, files[:5])
    shutil.copytree(folder / "store", folder / "older")
    run(folder, files[5:])
    return folder


CHECKPOINT = Path("logs", "operations", "checkpoint")


def covered(folder: Path) -> list[Path]:
    store = folder / "store"
    files = [path for path in every_file(store) if not exempt(path.relative_to(store))]
    kinds = {path.parent.name + path.suffix: path for path in files}
    drawn = random.Random(5).sample(files, min(MOST, len(files)))
    return sorted({*kinds.values(), *drawn})


def exempt(path: Path) -> bool:
    return path.name == "lock" or path.parts[0] == "index"


def checked(folder: Path, **flags: object) -> Verified:
    settings: Settings = settings_for(folder, **flags)
    return verify(settings, None, None, None)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def delete(path: Path) -> None:
    path.unlink()


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize("way", [flip, truncate, delete, append], ids=lambda way: way.__name__)
def test_every_changed_file_is_named(way: Callable[[Path], None], sealed: Path, copy: Path) -> None:
    store = copy / "store"
    for path in covered(copy):
        before = path.read_bytes()
        way(path)
        found = checked(copy)
        path.write_bytes(before)

        name = str(path.relative_to(store))
        named = {each for each, _ in (*found.damage, *found.unfinished)}
        assert found.status != "ok", f"{way.__name__} {name}"
        assert name in named, f"{way.__name__} {name}: {sorted(named)}"
    assert checked(copy).status == "ok"


def test_swapped_files_are_found(copy: Path) -> None:
    tiles = sorted((copy / "store" / "logs" / "operations" / "tile" / "entries").glob("0*"))
    one, other = (path for path in tiles if path.is_file()) if len(tiles) == 2 else (tiles[0], tiles[1])
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)

    assert checked(copy).status == "damaged"


def test_a_file_that_nothing_accounts_for_is_found(copy: Path) -> None:
    for place in ("", "logs/operations", "logs/operations/tile/0", "segments", "derived", "derived/events"):
        path = copy / "store" / place / "stranger"
        path.write_bytes(b"x")
        found = checked(copy)
        path.unlink()
        assert found.status != "ok", place
        assert any("stranger" in name for name, _ in (*found.damage, *found.unfinished)), place


def test_an_older_checkpoint_is_found(grown: Path, tmp_path: Path) -> None:
    shutil.copytree(grown, tmp_path / "copy")
    (tmp_path / "copy" / "store" / CHECKPOINT).write_bytes((grown / "older" / CHECKPOINT).read_bytes())

    assert checked(grown).status == "ok"
    assert checked(tmp_path / "copy").status != "ok"


def test_an_older_copy_of_the_whole_store_is_found_by_what_was_last_signed(grown: Path) -> None:
    assert checked(grown, store=str(grown / "older")).status == "damaged"


def test_a_log_signed_again_with_another_key_fails_under_the_right_key(
    sealed: Path, sample_logs: Path, tmp_path: Path
) -> None:
    forged = tmp_path / "forged"
    run(forged, [sample_logs], keys=str(tmp_path / "other-keys"))
    right = checked(sealed).vkey
    found = verify(settings_for(forged, keys=str(tmp_path / "other-keys")), right, None, None)

    assert found.status == "damaged"


def test_consistency_with_a_checkpoint_held_elsewhere(grown: Path, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.write_bytes((grown / "older" / CHECKPOINT).read_bytes())

    assert verify(settings_for(grown), None, held, None).status == "ok"


def test_without_the_derived_folder_the_evidence_still_verifies(copy: Path) -> None:
    shutil.rmtree(copy / "store" / "derived")
    found = checked(copy)

    assert found.damage == ()
    rebuild(settings_for(copy), lambda progress: None)
    assert checked(copy).status == "ok"


def test_new_records_after_a_rebuild_leave_nothing_behind(real_records: list[bytes], copy: Path) -> None:
    """A rebuild puts the parts into its own generation, which stays in use when the next tables are made."""
    settings: Settings = settings_for(copy)
    rebuild(settings, lambda progress: None)
    more = delivered(copy / "more.json.gz", real_records[:20])
    run(copy, [more])

    assert checked(copy).status == "ok"
