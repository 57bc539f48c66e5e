"""One small store and one pack of it, made once; tests that change them make copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.pipeline.packing.pack import Packed
from custody.settings.catalog import Settings
from tests.packs.estate import Files, audited, files_of, packed

Made = tuple[Settings, Packed, Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The settings of a store, what packing said, and the pack."""
    folder = tmp_path_factory.mktemp("packed")
    settings = audited(folder)
    path = folder / "evidence.zip"
    return settings, packed(settings, path, made_for="auditor@example.com"), path


@pytest.fixture(scope="session")
def files(made: Made) -> Files:
    """What is in that pack."""
    return files_of(made[2])
