"""Two estates: a clean one, and one with every fault; both small, with every kind of workload."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from custody.pipeline.simulate import simulate
from custody.simulation.truth import Truth

sys.path.append(str(Path(__file__).parents[2]))
"""``accuracy`` lies beside ``src``: it is no part of what is installed."""

SEED = 5
HOURS = 4
WORKLOADS = 10


class Made:
    """A written estate with its truth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.truth = msgspec.json.decode((folder / "truth.json").read_bytes(), type=Truth)

    def lines(self, pattern: str) -> list[bytes]:
        """Every line of the files that match, decompressed."""
        return [line for path in sorted(self.logs.glob(pattern)) for line in content(path).splitlines()]

    def text(self) -> bytes:
        """Everything in every file, decompressed."""
        return b"\n".join(content(path) for path in files(self.logs))


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def make(folder: Path, *names: str, seed: int = SEED, hours: int = HOURS, workloads: int = WORKLOADS) -> Made:
    simulate(folder, seed=seed, hours=hours, workloads=workloads, names=names)
    return Made(folder)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("faulty"), "all")
