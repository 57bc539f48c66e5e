"""Real CloudTrail records, where they are at hand."""

import gzip
from pathlib import Path

import msgspec
import pytest

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"


@pytest.fixture(scope="session")
def real_records() -> list[bytes]:
    folder = SHARED / "aws_cloudtrail"
    files = sorted(folder.glob("*.json.gz"))
    if not files:
        pytest.skip("needs the real CloudTrail export in ../shared/data/aws_cloudtrail")
    decoder = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
    return [bytes(raw) for file in files for raw in decoder.decode(gzip.decompress(file.read_bytes()))["Records"]]


@pytest.fixture(scope="session")
def sample_lines() -> list[bytes]:
    files = sorted((SHARED / "samples").glob("*/*.*"))
    if not files:
        pytest.skip("needs the sample events in ../shared/data/samples")
    return [line for file in files for line in file.read_bytes().splitlines() if line.strip()]


@pytest.fixture(scope="session")
def cases() -> Path:
    return Path(__file__).resolve().parents[1] / "cases"
