"""Stores made by the whole pipeline, for tests that look at all of it."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from custody.model.report import Report
from custody.pipeline.audit import audit
from custody.settings.catalog import Settings
from custody.settings.options import resolve

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "aws_cloudtrail"

Run = Callable[..., Report]


def settings_for(folder: Path, **flags: object) -> Settings:
    flags = {"store": str(folder / "store"), "keys": str(folder / "keys"), "jobs": "1", **flags}
    return resolve(flags, {}, None, home=folder, cwd=folder, cores=2)


def run(folder: Path, paths: Sequence[Path], **flags: object) -> Report:
    return audit(settings_for(folder, **flags), list(paths), lambda progress: None)


@pytest.fixture(scope="session")
def real_logs() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the real logs are not beside the checkout: {SHARED.name}")
    return SHARED


@pytest.fixture(scope="session")
def real_records(real_logs: Path) -> list[bytes]:
    records: list[bytes] = []
    for path in sorted(real_logs.glob("*.json.gz")):
        found = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=dict[str, list[msgspec.Raw]])
        records += [bytes(record) for record in found["Records"]]
    return records


@pytest.fixture(scope="session")
def real_store(real_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Report]:
    """The real logs, audited once; tests that change the store make a copy."""
    folder = tmp_path_factory.mktemp("real")
    return settings_for(folder), run(folder, [real_logs])


@pytest.fixture(scope="session")
def sample_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.sample_estate import write_sample

    folder = tmp_path_factory.mktemp("sample") / "logs"
    write_sample(folder)
    return folder


@pytest.fixture(scope="session")
def sample_store(sample_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Report]:
    """The sample logs, audited once; tests that change the store make a copy."""
    folder = tmp_path_factory.mktemp("audited")
    return settings_for(folder), run(folder, [sample_logs])


def delivered(path: Path, records: Sequence[bytes]) -> Path:
    """A file as CloudTrail delivers it."""
    path.write_bytes(gzip.compress(b'{"Records":[' + b",".join(records) + b"]}", mtime=0))
    return path


def every_file(folder: Path) -> list[Path]:
    return sorted(Path(base) / name for base, _, names in os.walk(folder) for name in names)
