"""Real CloudTrail files, whole and mutated."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.model.events import SKIP_REASONS
from custody.model.records import FORM_DELIVERED, Acquisition, Wrapping
from custody.readers.content import Content, open_content
from custody.readers.discover import discover
from custody.readers.framing import frame
from custody.readers.limits import Limits
from custody.readers.survey import survey

LOGS = Path(__file__).resolve().parents[2] / "../shared/data/aws_cloudtrail"
WRAPPINGS = (
    Wrapping(form=FORM_DELIVERED, container="Records"),
    Wrapping(form="lookup", container="Events", inner="CloudTrailEvent", encoded=True),
    Wrapping(form="bus", inner="detail", marker="detail-type"),
)

pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason="../shared/data is not beside this checkout")


def real_contents() -> Iterator[bytes]:
    for path in discover([LOGS]):
        if isinstance(path, Path) and path.suffix == ".gz":
            (acquisition,) = survey(path)
            assert isinstance(acquisition, Acquisition)
            assert acquisition.problem is None
            yield b"".join(open_content(path, acquisition).blocks())


def test_every_real_record_is_framed_where_it_stands() -> None:
    files = list(real_contents())
    assert len(files) == 55
    total = 0
    for data in files:
        frames = list(frame(Content.of(data), WRAPPINGS))
        assert {framed.problem for framed in frames} <= {None}
        assert all(framed.raw == data[framed.at : framed.at + framed.length] for framed in frames)
        assert [json.loads(framed.raw or b"") for framed in frames] == json.loads(data)["Records"]
        total += len(frames)
    assert total == 2900


def test_every_real_file_is_one_gzip_member_to_the_standard_library() -> None:
    packed = sorted(LOGS.glob("*.gz"))
    assert [gzip.decompress(path.read_bytes()) for path in packed] == list(real_contents())


def mutants(data: bytes, chance: random.Random) -> Iterator[bytes]:
    for _ in range(60):
        start = chance.randrange(len(data))
        piece = bytearray(data[: chance.randrange(200, 8000)] if chance.random() < 0.7 else data[start : start + 4000])
        for _ in range(chance.choice((0, 1, 2, 10))):
            at = chance.randrange(len(piece) + 1)
            piece[at : at + chance.choice((0, 1, 5))] = chance.choice(
                (
                    b"",
                    b'"',
                    b"\\",
                    b"{",
                    b"}",
                    b"[",
                    b"]",
                    b",",
                    b"\n",
                    b"\xff",
                    b"\0",
                    b'"a":1,"a":2,',
                    b'{"Records":[',
                )
            )
        yield bytes(piece)


def test_mutated_real_files_are_framed_without_raising_or_overlap() -> None:
    chance = random.Random(7)
    limits = (Limits(), Limits(max_record=700), Limits(max_depth=3))
    for data in list(real_contents())[:20]:
        for number, mutant in enumerate(mutants(data, chance)):
            reached = 0
            for framed in frame(Content.of(mutant), WRAPPINGS, limits[number % 3]):
                assert reached <= framed.at
                reached = framed.at + framed.length
                assert reached <= len(mutant)
                assert framed.raw is None or framed.raw == mutant[framed.at : reached]
                assert framed.problem is None or framed.problem in SKIP_REASONS


def test_a_flipped_byte_costs_at_most_the_records_around_it() -> None:
    data = next(iter(sorted(real_contents(), key=len, reverse=True)))[:200_000]
    whole = {framed.raw for framed in frame(Content.of(data), WRAPPINGS) if framed.problem is None}
    for at in range(5_000, 190_000, 9_973):
        mutant = data[:at] + b"\xff" + data[at + 1 :]
        left = [framed.raw for framed in frame(Content.of(mutant), WRAPPINGS) if framed.problem is None]
        first = sum(1 for framed in frame(Content.of(data[:at]), WRAPPINGS) if framed.problem is None)
        assert len(left) >= first
        assert len(whole.intersection(left)) >= first
